"""What each kind of firewall offers."""

from __future__ import annotations

from collections.abc import Sequence

from pipework.actions.base import Action
from pipework.typed import Protocol


class Inquiry(Protocol):
    """The question whether frames of a bridge pass, put at once; its answer, when it is needed.

    A firewall takes some milliseconds to answer, in which there is other work to do.
    """

    def plan(self) -> Sequence[Action]:
        """What lets them pass, as narrow as what was asked for; nothing where they do.  Raises Refused."""

"""No firewall that pipework shall see to."""

from __future__ import annotations

from pipework.actions.base import Action
from pipework.address import AnyAddress
from pipework.typed import Callable, Sequence


class Inquiry:
    """Nothing is asked."""

    def plan(
        self, bridge: str, port: str, addresses: Sequence[AnyAddress], ours_alone: Callable[[], bool]
    ) -> tuple[list[Action], list[Action]]:
        """Nothing is to be done, and nothing told."""
        return [], []

    def stops(self, bridge: str, port: str, addresses: Sequence[str]) -> bool:
        """Nobody is known to."""
        return False

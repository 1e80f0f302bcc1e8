"""No firewall that pipework shall see to."""

from __future__ import annotations

from pipework.actions.base import Action
from pipework.model import Dhcp, Static
from pipework.typed import Callable, Sequence, Union


class Inquiry:
    """Nothing is asked."""

    def plan(
        self, bridge: str, port: str, address: Union[Static, Dhcp], ours_alone: Callable[[], bool]
    ) -> tuple[list[Action], list[Action]]:
        """Nothing is to be done, and nothing told."""
        return [], []

    def stops(self, bridge: str, port: str, addresses: Sequence[str]) -> bool:
        """Nobody is known to."""
        return False

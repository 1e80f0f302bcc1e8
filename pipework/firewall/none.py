"""No firewall that pipework shall see to."""

from __future__ import annotations

from pipework.actions.base import Action


class Inquiry:
    """Nothing is asked."""

    def plan(self) -> list[Action]:
        """Nothing is to be done."""
        return []

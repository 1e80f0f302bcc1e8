"""What each way of addressing offers, and the default routes that it takes the place of."""

from __future__ import annotations

from collections.abc import Sequence

from pipework.actions.base import Action
from pipework.kernel.records import Route
from pipework.links.base import Wire
from pipework.typed import Callable, Optional, Protocol
from pipework.value import Value


class AddressPlan(Value):
    """What is set at once, under the host's lock, and what may take its time afterwards.

    hold, where there is one, keeps the command busy once all is done: for a DHCP client in the foreground.
    """

    assign: Sequence[Action]
    settle: Sequence[Action]
    hold: Optional[Callable[[], None]] = None


class Addressing(Protocol):
    """What each module of this package offers."""

    def plan(self, wire: Wire) -> AddressPlan:
        """Decide.  The guest's link need not be there yet.  Raises PipeworkError."""


def replaced_routes(wire: Wire, family: int) -> tuple[Route, ...]:
    """The default routes that ours takes the place of.

    Those of a link that is put aside go with it; those that it had replaced itself have come back by then.
    """
    guest = wire.near.namespace
    there, aside = tuple(guest.netlink.default_routes(family)), guest.netlink.link(wire.ifname)
    if aside:
        from pipework.default_routes import bring_back  # seldom is there one

        there = bring_back(guest, aside, there).there
    known = {route.way for route in there}
    missing = tuple(route for route in wire.returned if route.family == family and route.way not in known)
    return tuple(route for route in (*there, *missing) if route.family == family)

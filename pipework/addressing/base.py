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
    guest = wire.guest.namespace
    there, returned, aside = guest.netlink.default_routes(family), wire.returned, guest.netlink.link(wire.ifname)
    if aside:
        from pipework.actions.default_route import is_postponed  # seldom is there one
        from pipework.default_routes import noted_routes

        there = [route for route in there if route.link != aside.ifindex and not is_postponed(route)]
        returned = noted_routes(guest, wire.ifname, aside.mac)
    known = {(route.link, route.gateway, route.metric) for route in there}
    missing = [route for route in returned if (route.link, route.gateway, route.metric) not in known]
    return (*there, *(route for route in missing if route.family == family))

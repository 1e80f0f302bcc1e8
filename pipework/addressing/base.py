"""What each way of addressing offers, and the default routes that it takes the place of."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import ip_network

from pipework.actions.addresses import AddRoute
from pipework.actions.base import Action
from pipework.address import Address, Range, Static
from pipework.kernel.namespaces import Namespace
from pipework.kernel.records import Route
from pipework.links.base import Wire
from pipework.typed import Any, Callable, Optional, Protocol
from pipework.value import Value


class Part(Value):
    """What gives a link one of its addresses.

    prepare: while the link is down; assign: once it is up, under the host's lock; settle: what may take its time
    afterwards; hold, where there is one, keeps the command busy once all is done: for a DHCP client in the foreground.
    """

    prepare: Sequence[Action] = ()
    assign: Sequence[Action] = ()
    settle: Sequence[Action] = ()
    hold: Optional[Callable[[], None]] = None


class Room(Value):
    """Default routes that one of the wire's takes the place of, which are noted.

    others: those of the other family; tables: what the wire's note says besides.
    """

    routes: tuple[Route, ...] = ()
    others: tuple[Route, ...] = ()
    tables: tuple[int, ...] = ()

    def yielded(self, guest: Namespace, link: str) -> Action:
        """Remove them, once they are postponed, if the link has got one of its own."""
        from pipework.actions.default_route import YieldDefault  # few guests have one before

        return YieldDefault(guest, link, self.routes, self.others, self.tables)


class Addressing(Protocol):
    """What each module of this package offers."""

    def plan(self, wire: Wire, address: Any, room: Room) -> Part:
        """Decide.  The guest's link need not be there yet.  Raises PipeworkError."""


def default_routes(wire: Wire, family: int) -> tuple[Route, ...]:
    """Those that the guest has without the wire.

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


def default_route(wire: Wire, gateway: Address, room: Room) -> list[Action]:
    """A default route by way of a gateway, in the place of those that make room for it."""
    guest = wire.near.namespace
    steps = ways_to(wire, [gateway])
    if room.routes:
        from pipework.actions.default_route import DeleteRoute  # few guests have one before

        steps += [DeleteRoute(guest, route) for route in room.routes]
    return [*steps, AddRoute(guest, wire.ifname, gateway.version, None, gateway, wire.request.metric)]


def ways_to(wire: Wire, routers: Sequence[Address]) -> list[Action]:
    """Routes to routers that no network of the wire's fixed addresses has, each once."""
    addresses = wire.request.addresses
    fixed = [one.interface for one in addresses if isinstance(one, Static) and one.interface]
    fixed += [one.first for one in addresses if isinstance(one, Range)]
    far = [
        router
        for router in dict.fromkeys(routers)
        if not (router.version == 6 and router.is_link_local) and not any(router in one.network for one in fixed)
    ]
    return [AddRoute(wire.near.namespace, wire.ifname, one.version, ip_network(one), None) for one in far]

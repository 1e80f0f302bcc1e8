"""How a guest's link gets its addresses: one file for each way."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module

from pipework import links
from pipework.actions.addresses import AddRoute, EnableIPv6, SetMtu
from pipework.actions.base import Action
from pipework.actions.links import SetUp
from pipework.address import AnyAddress, Auto, Dhcp, Static, Via
from pipework.addressing.base import Addressing, Room, replaced_routes, ways_to
from pipework.links.base import Wire
from pipework.typed import Callable, Optional, cast
from pipework.value import Value

WAYS = {Static: "static", Auto: "auto", Dhcp: "dhcp"}


class AddressPlan(Value):
    """All that makes a link's addresses and routes: at once, under the host's lock, and what may take its time
    afterwards; hold: as a part has it."""

    assign: Sequence[Action]
    settle: Sequence[Action]
    hold: Optional[Callable[[], None]] = None


def plan(wire: Wire) -> AddressPlan:
    """Decide.  The guest's link need not be there yet.  Raises PipeworkError."""
    request, guest, link = wire.request, wire.near.namespace, wire.ifname
    rooms = _rooms(wire)
    parts = [_of(one).plan(wire, one, rooms.get(one.family, Room())) for one in request.addresses]
    at_once, later = _routes(wire)
    assign: list[Action] = []
    if request.mtu:
        there = None if wire.vacated else guest.netlink.link(link)
        assign.append(SetMtu(guest, link, request.mtu, there.mtu if there else None))
    if 6 in request.families:
        assign.append(EnableIPv6(guest, link))
    assign += [*(step for part in parts for step in part.prepare), SetUp(guest, link)]
    replaced = tuple(route for room in rooms.values() for route in room.routes)
    if replaced:
        from pipework.actions.notes import NoteRoutes  # few guests have one before

        assign.append(NoteRoutes(guest, link, replaced))
    assign += [*(step for part in parts for step in part.assign), *at_once]
    settle = [*(step for part in parts for step in part.settle), *later]
    if not all(isinstance(one, Static) for one in request.addresses):
        settle = [*links.kind(wire.kind).opening(wire), *settle]
    if request.untold or request.options:
        from pipework.actions.notes import NoteAsked  # the kernel tells all of most

        settle.append(NoteAsked(guest, link, request.untold, request.options))
    return AddressPlan(assign, settle, next((part.hold for part in parts if part.hold), None))


def _of(address: AnyAddress) -> Addressing:
    """The module that serves an address."""
    return cast(Addressing, import_module(f"pipework.addressing.{WAYS[type(address)]}"))


def _rooms(wire: Wire) -> dict[int, Room]:
    """What makes room for default routes, by their family."""
    families = sorted({one.family for one in wire.request.addresses if one.sets_default_route})
    replaced = {family: replaced_routes(wire, family) for family in families}
    every = [route for there in replaced.values() for route in there]
    return {
        family: Room(there, tuple(route for route in every if route.family != family))
        for family, there in replaced.items()
    }


def _routes(wire: Wire) -> tuple[list[Action], list[Action]]:
    """The routes that are asked for: at once, and those that want addresses which come later."""
    request = wire.request
    late = {one.family for one in request.addresses if not isinstance(one, Static)}
    fixed = [route for route in request.routes if route.network.version not in late]
    gateways = [one.gateway for one in request.addresses if isinstance(one, Static) and one.gateway]
    routers = [route.router for route in fixed if route.router and route.router not in gateways]
    at_once = [*ways_to(wire, routers), *(_route(wire, route) for route in fixed)]
    return at_once, [_route(wire, route) for route in request.routes if route.network.version in late]


def _route(wire: Wire, route: Via) -> Action:
    return AddRoute(
        wire.near.namespace, wire.ifname, route.network.version, route.network, route.router, wire.request.metric
    )

"""How a guest's link gets its addresses: one file for each way."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module

from pipework import links
from pipework.actions.addresses import AddRoute, EnableIPv6, SetMtu
from pipework.actions.base import Action
from pipework.actions.links import SetUp
from pipework.address import AnyAddress, Auto, Dhcp, Dynamic, Range, Static, Via
from pipework.addressing.base import Addressing, Room, default_routes, ways_to
from pipework.links.base import Wire
from pipework.typed import TYPE_CHECKING, Callable, Optional, cast
from pipework.value import Value

if TYPE_CHECKING:
    from pipework.kernel.records import Route
    from pipework.source_routes import SourceRoutes

WAYS = {Static: "static", Auto: "auto", Dhcp: "dhcp", Range: "ranged", Dynamic: "dynamic"}


class AddressPlan(Value):
    """All that makes a link's addresses and routes: at once, under the host's lock, and what may take its time
    afterwards; hold: as a part has it."""

    assign: Sequence[Action]
    settle: Sequence[Action]
    hold: Optional[Callable[[], None]] = None


def plan(wire: Wire) -> AddressPlan:
    """Decide.  The guest's link need not be there yet.  Raises PipeworkError."""
    request, guest, link = wire.request, wire.near.namespace, wire.ifname
    defaults = _default_routes(wire)
    replies = _source_routes(wire, defaults)
    tables = replies.tables if replies else ()
    rooms = _rooms(wire, defaults, tables)
    parts = [_of(one).plan(wire, one, rooms.get(one.family, Room())) for one in request.addresses]
    at_once, later = _routes(wire)
    assign: list[Action] = []
    if request.mtu:
        there = None if wire.vacated else guest.netlink.link(link)
        assign.append(SetMtu(guest, link, request.mtu, there.mtu if there else None))
    if 6 in request.families:
        assign.append(EnableIPv6(guest, link))
    replaced = tuple(route for room in rooms.values() for route in room.routes)
    if replaced or tables:
        from pipework.actions.notes import NoteRoutes  # few guests have one before

        assign.append(NoteRoutes(guest, link, replaced, tables))
    assign += [*(replies.before if replies else ()), *(step for part in parts for step in part.prepare)]
    assign += [SetUp(guest, link), *(step for part in parts for step in part.assign)]
    beside = replies.after if replies else ()  # by gateways to which there is a way by then
    assign += [*([] if request.probed else beside), *at_once]
    settle = [*(step for part in parts for step in part.settle), *(beside if request.probed else []), *later]
    settle += checks(wire)
    kind = links.kind(wire.kind)
    if request.doubts or kind.always_opens or not all(isinstance(one, Static) for one in request.addresses):
        settle = [*kind.opening(wire), *_probe(wire), *settle]
    if request.untold or request.options:
        from pipework.actions.notes import NoteAsked  # the kernel tells all of most

        settle.append(NoteAsked(guest, link, request.untold, request.options))
    return AddressPlan(assign, settle, next((part.hold for part in parts if part.hold), None))


def _probe(wire: Wire) -> Sequence[Action]:
    probed = wire.request.probed
    if not probed:
        return ()
    from pipework.actions.sure import Probe  # few ask for it

    kind = links.kind(wire.kind)
    return [Probe(*kind.neighbourhood(wire), probed), *kind.once_probed(wire)]


def checks(wire: Wire) -> Sequence[Action]:
    """What sees that somebody answers, where that is asked for."""
    request = wire.request
    if not request.check:
        return ()
    from pipework.actions.sure import AwaitAnswer  # as above

    families = {one.family for one in request.addresses if one.sets_default_route}
    return [AwaitAnswer(wire.near.namespace, wire.ifname, request.check.address, tuple(sorted(families)))]


def _of(address: AnyAddress) -> Addressing:
    """The module that serves an address."""
    return cast(Addressing, import_module(f"pipework.addressing.{WAYS[type(address)]}"))


def _default_routes(wire: Wire) -> dict[int, tuple[Route, ...]]:
    """Those of the guest without the wire, of the families that it has addresses or gateways of."""
    addresses = wire.request.addresses
    families = {one.family for one in addresses if not isinstance(one, Static) or one.interface or one.gateway}
    return {family: default_routes(wire, family) for family in sorted(families)}


def _source_routes(wire: Wire, defaults: dict[int, tuple[Route, ...]]) -> Optional[SourceRoutes]:
    """What lets addresses go on answering that the guest has, and with --beside the new ones beside them."""
    request, guest = wire.request, wire.near.namespace
    if not (request.beside or any(defaults.values())):
        return None
    from pipework import notes, source_routes  # few guests have a default route before

    noted = notes.readable(notes.Replaced, guest.cookie)
    former = [route for note in noted for route in note.routes if route.family in defaults]
    there = [*(route for routes in defaults.values() for route in routes), *former]
    fixed = [one for one in request.addresses if isinstance(one, Static)]
    return source_routes.plan(guest, wire.ifname, there, fixed if request.beside else ())


def _rooms(wire: Wire, defaults: dict[int, tuple[Route, ...]], tables: tuple[int, ...]) -> dict[int, Room]:
    """What makes room for default routes, by their family."""
    request = wire.request
    families = {one.family for one in request.addresses if one.sets_default_route and not request.beside}
    replaced = {
        family: tuple(route for route in there if request.metric in (None, route.metric))
        for family, there in defaults.items()
        if family in families
    }
    every = [route for there in replaced.values() for route in there]
    return {
        family: Room(there, tuple(route for route in every if route.family != family), tables)
        for family, there in replaced.items()
    }


def _routes(wire: Wire) -> tuple[list[Action], list[Action]]:
    """The routes that are asked for: at once, and those that want addresses which come later."""
    request = wire.request
    late = {one.family for one in request.addresses if not isinstance(one, Static)} | ({4} if request.probed else set())
    untold = {one.family for one in request.addresses if isinstance(one, (Auto, Dhcp))}  # their networks
    gateways = [one.gateway for one in request.addresses if isinstance(one, (Static, Range, Dynamic))]

    def added(routes: list[Via]) -> list[Action]:
        routers = [one.router for one in routes if one.router and one.network.version not in untold]
        ways = ways_to(wire, [router for router in routers if router not in gateways])
        return [*ways, *(_route(wire, route) for route in routes)]

    at_once = [route for route in request.routes if route.network.version not in late]
    return added(at_once), added([route for route in request.routes if route.network.version in late])


def _route(wire: Wire, route: Via) -> Action:
    return AddRoute(
        wire.near.namespace, wire.ifname, route.network.version, route.network, route.router, wire.request.metric
    )

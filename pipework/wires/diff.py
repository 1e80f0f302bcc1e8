"""How a wire that is there differs from the one that is asked for."""

from __future__ import annotations

from pipework import links, notes
from pipework.address import Auto, Dhcp, Dynamic, Interface, Range, Static
from pipework.kernel import processes
from pipework.kernel.namespaces import Namespace
from pipework.kernel.records import Link, Route
from pipework.links.base import Wire, Wired
from pipework.model import Attach
from pipework.notes import Asked, Lease, Replaced


def is_as_asked(wire: Wire, there: Wired) -> bool:
    """Whether nothing is left to do: it leads to the same place, has the same names and addresses, and works."""
    request = wire.request
    # the cable of a NIC is not ours to plug in
    works = there.state == "up" or (there.state == "no carrier" and not there.link)
    leads = (there.kind, there.hostif) == (wire.kind, wire.hostif) and links.kind(wire.kind).is_in_vlans(wire, there)
    same_names = request.mac in (None, there.mac) and (not there.link or request.local_name in (None, there.link))
    same = works and leads and same_names and _is_addressed(request, wire.near.namespace, there)
    return same and links.kind(wire.kind).is_whole(wire, there)


def _is_addressed(request: Attach, guest: Namespace, wired: Wired) -> bool:
    """Whether it has the addresses and routes that are asked for, the client, and the MTU."""
    link = wired.there
    if link is None or request.mtu not in (None, link.mtu):
        return False
    asked = notes.of_link(Asked, guest, link)
    if request.options != (asked.options if asked else ()):
        return False
    if asked and asked.address != request.untold:  # which versions without these options have not noted
        return False
    clients = [one for one in request.addresses if isinstance(one, Dhcp)]
    others = {4, 6} - {one.family for one in clients}
    return (
        all(_has_lease(one, guest, wired, link) for one in clients)
        and (bool(clients) or notes.of_link(Lease, guest, link) is None)  # who keeps one would change what is fixed
        and _has_fixed(request, others, wired)
        and _has_gateways(request, guest, link)
        and _has_routes(request, guest, link)
        and (not request.beside or _answers(request, guest, link))
    )


def _has_lease(client: Dhcp, guest: Namespace, wired: Wired, link: Link) -> bool:
    """Whether the client has got an address, and goes on if it is to."""
    if not any(one.may_be_leased(client.family) for one in wired.assigned):
        return False
    from pipework.addressing.dhcp import stays  # most wires have no lease

    lease = notes.of_link(Lease, guest, link)
    if not stays(client):
        return lease is None
    return lease is not None and (not lease.supervisor or processes.is_alive(lease.supervisor))


def _has_fixed(request: Attach, families: set[int], wired: Wired) -> bool:
    """Whether these families have the fixed addresses alone, and one of a router's if that is asked for."""
    there = [one for one in wired.assigned if one.interface.version in families]
    # what the LAN's routers have brought about comes and goes with them
    kept = [one for one in there if not one.is_routers]
    made = len(kept) < len(there) or not any(isinstance(one, Auto) for one in request.addresses)
    return made and _are(request, {one.interface for one in kept}) and all(one.is_permanent for one in kept)


def _are(request: Attach, there: set[Interface]) -> bool:
    """Whether these are the fixed addresses that are asked for, and one of each range."""
    ranges = [one.interfaces() for one in request.addresses if isinstance(one, Range)]
    chosen = [[one for one in there if one in every] for every in ranges]
    fixed = {one.interface for one in request.addresses if isinstance(one, Static) and one.interface}
    others = there - {one for each in chosen for one in each} - fixed
    dynamic = sum(isinstance(one, Dynamic) for one in request.addresses)
    return all(len(one) == 1 for one in chosen) and fixed <= there and len(others) == dynamic


def _has_gateways(request: Attach, guest: Namespace, link: Link) -> bool:
    for family in {one.family for one in request.addresses if isinstance(one, (Static, Range, Dynamic))}:
        routes = [route for route in guest.netlink.default_routes(family) if route.link == link.ifindex]
        wanted = [
            str(one.gateway)
            for one in request.addresses
            if isinstance(one, (Static, Range, Dynamic)) and one.gateway and one.family == family and not request.beside
        ]
        own = [route for route in routes if not route.is_routers]
        if [route.gateway for route in own] != wanted or not all(_has_metric(request, route) for route in own):
            return False
    return True


def _has_routes(request: Attach, guest: Namespace, link: Link) -> bool:
    if not request.routes:
        return True
    there = [route for route in guest.netlink.routes_via(link.ifindex) if _has_metric(request, route)]
    ways = {(route.prefix, route.gateway) for route in there}
    return all((str(one.network), str(one.router) if one.router else None) in ways for one in request.routes)


def _answers(request: Attach, guest: Namespace, link: Link) -> bool:
    """Whether its addresses answer by their own gateways."""
    from pipework.kernel.rules import rules  # few wires are beside another

    note = notes.of_link(Replaced, guest, link)
    tables = note.tables if note else ()
    led = {(rule.source, rule.table) for rule in rules(guest.netlink)}
    ways = {(route.gateway, route.table) for route in guest.netlink.routes_via(link.ifindex) if not route.destination}
    return all(
        any((str(one.interface.ip), table) in led and (str(one.gateway), table) in ways for table in tables)
        for one in request.addresses
        if isinstance(one, Static) and one.interface and one.gateway
    )


def _has_metric(request: Attach, route: Route) -> bool:
    return request.metric in (None, route.metric)

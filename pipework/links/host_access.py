"""``--host-access``: a macvlan of the host's own on a NIC, by which it and the NIC's guests reach each other.

Macvlans of one NIC reach each other, but not what the NIC itself is (drivers/net/macvlan.c, macvlan_queue_xmit).  The
host's has no address and asks nobody: else the LAN would come to know the host's addresses by its MAC.  So each side is
told of the other: the host has a route to each guest, and both have the other's MAC.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from ipaddress import ip_network

from pipework.actions.access import CreateAccess, ForgetNeighbour, RemoveAccess, SetNeighbour
from pipework.actions.addresses import AddRoute, EnableIPv6
from pipework.actions.base import Action, Heal
from pipework.actions.default_route import DeleteRoute
from pipework.actions.links import DeleteLink, MarkNewborn, SetAlias, SetUp
from pipework.address import Address, Interface, Static
from pipework.errors import Refused
from pipework.kernel import sysfs
from pipework.kernel.namespaces import Namespace
from pipework.kernel.neighbours import Neighbour, neighbours
from pipework.kernel.records import Link, Route
from pipework.links.base import Ground, Remnant, Wire, Wired
from pipework.links.parent import Footing
from pipework.links.tenants import makes_room, tenants
from pipework.mac import derive_mac
from pipework.marks import REACHING, access_alias, digest_name, is_access, is_left_over, is_unfinished, unfinished_alias
from pipework.model import LONGEST_NAME
from pipework.typed import Optional
from pipework.value import Value


class Access(Value):
    """What lets host and guest reach each other: once the guest's link is made, and when its addresses stand.

    mac: that the guest's link is to have.
    """

    mac: str
    make: Sequence[Action]
    finish: Sequence[Action]


class _Own(Value):
    """The host's macvlan: the link if it is there already, and how it is made, and kept.

    debris: the ifindex of what a killed run has left of it, which goes first, with its routes; 0: nothing.
    """

    name: str
    mac: str
    link: Optional[Link]
    make: Sequence[Action]
    finish: Sequence[Action] = ()
    debris: int = 0


def plan(wire: Wire, nic: Link, footing: Footing) -> Access:
    """Decide.  Raises Refused for whatever can be seen to fail."""
    host, guest, ifname = wire.far, wire.near.namespace, wire.ifname
    pairs = _pairs(wire, footing)
    own = _own(host, nic, footing)
    mac = wire.request.mac or _mac(nic, f"{wire.near.runtime}:{wire.near.name} {ifname}")
    make = [*own.make, *_heal(wire, footing.link, own, pairs)]
    if any(one.version == 6 for one, _ in pairs):
        make.append(EnableIPv6(host, own.name))
    for one, source in pairs:
        make.append(SetNeighbour(host, own.name, Neighbour(one, mac)))
        make.append(AddRoute(host, own.name, one.version, ip_network(one), None, source=source))
    sources = dict.fromkeys(source for _, source in pairs)
    told = [SetNeighbour(guest, ifname, Neighbour(source, own.mac)) for source in sources]
    return Access(mac, make, [*own.finish, *told])


def _own(host: Namespace, nic: Link, footing: Footing) -> _Own:
    """What there is, or is to be.  Raises Refused."""
    name, mac, alias = _name(footing.name), _mac(nic, footing.name), access_alias(footing.name)
    there = find(host, footing.link) if footing.link else None
    if there is None or is_left_over(host, there):
        debris: list[Action] = [Heal((DeleteLink(host, there.name),))] if there else []
        made = _create(host, footing.name, name, mac)
        finish = [SetAlias(host, name, alias, unfinished_alias())]
        return _Own(name, mac, None, [*debris, *made], finish, there.ifindex if there else 0)
    # another run that makes it is to leave it to this one
    kept = [Heal((SetAlias(host, there.name, alias),))] if is_unfinished(there) else []
    up = [] if there.up else [SetUp(host, there.name)]
    return _Own(there.name, there.mac, there, [*kept, *up])


def _create(host: Namespace, nic: str, name: str, mac: str) -> list[Action]:
    there = host.netlink.link(name)
    if there and not is_left_over(host, there):
        raise Refused(
            f"{name} exists already but is not the macvlan by which this host reaches guests of {nic}",
            f"See what it is: ip -d link show {name}",
        )
    mark = unfinished_alias()
    return [CreateAccess(host, nic, name, mac, mark), MarkNewborn(host, name, mark)]


def _name(nic: str) -> str:
    name = f"{REACHING}{nic}"
    return name if len(name.encode("utf-8", "surrogateescape")) <= LONGEST_NAME else digest_name(REACHING, nic)


def _mac(nic: Link, whose: str) -> str:
    """Always the same on that NIC, and no other's: two hosts may have guests of one name."""
    return derive_mac(f"{nic.permanent_mac or nic.mac} {whose}")


def find(host: Namespace, parent: Link) -> Optional[Link]:
    """The host's macvlan of a NIC, made or being made."""
    # of any name that it could have, for the NIC may have been called otherwise then
    there = (host.netlink.link(name) for name in sysfs.names() if name.startswith(REACHING))
    ours = (link for link in there if link and (is_access(link) or is_unfinished(link)))
    return next((link for link in ours if _stands_on(link, parent)), None)


def _stands_on(link: Link, parent: Link) -> bool:
    return link.kind == "macvlan" and link.parent == parent.ifindex and link.peer_namespace is None


def _pairs(wire: Wire, footing: Footing) -> list[tuple[Address, Address]]:
    """Each of the guest's addresses, and the one of the host's that it finds in its network.  Raises Refused."""
    told = wire.far.netlink.addresses(footing.link.ifindex) if footing.link else []
    own = [one.interface for one in told if not one.is_link_local]
    fixed = [one.interface for one in wire.request.addresses if isinstance(one, Static) and one.interface]
    return [(one.ip, _neighbour_of(one, own, footing.name)) for one in fixed]


def _neighbour_of(guests: Interface, own: Sequence[Interface], nic: str) -> Address:
    family = [one for one in own if one.version == guests.version]
    found = next((one.ip for one in family if one.ip in guests.network and guests.ip in one.network), None)
    if found is None:
        raise Refused(
            f"--host-access: {nic} has no address in the network of {guests}, by which the guest could find this host",
            f"Give it one: ip address add IP/{guests.network.prefixlen} dev {nic}; or leave --host-access out.",
        )
    if guests.ip in [one.ip for one in family]:
        raise Refused(f"--host-access: {guests.ip} is this host's own address", "Give the guest another.")
    return found


def _heal(wire: Wire, parent: Optional[Link], own: _Own, pairs: Sequence[tuple[Address, Address]]) -> Iterator[Action]:
    """Remove what ended guests and killed runs have left at these addresses.  Raises Refused for what is in use."""
    host, access, wanted = wire.far, own.link, {one for one, _ in pairs}
    known = neighbours(host.netlink, access.ifindex) if access else ()
    there = [one for one in known if one.address in wanted]
    if parent and there:
        _check_unused(wire, parent, there)
    aside = wire.near.namespace.netlink.link(wire.ifname) if wire.vacated else None
    going = {one.address for one in there if aside and one.mac == aside.mac}  # a rehearsal has said so already
    for version in {one.version for one in wanted - going}:
        routes = [route for route in host.netlink.routes(version) if route.link != own.debris]
        yield from _routes(host, access, wanted - going, routes)
    for one in there:
        if access and one.address not in going:
            yield Heal((ForgetNeighbour(host, access.name, one),))


def _check_unused(wire: Wire, parent: Link, there: Sequence[Neighbour]) -> None:
    using = {one.link.mac: one for one in tenants(wire.far, parent) if not makes_room(wire, one)}
    taken = next((one for one in there if one.mac in using), None)
    if taken:
        raise Refused(
            f"address {taken.address} is that of {using[taken.mac].called}",
            "Choose another; whose it is: pipework ls",
        )


def _routes(host: Namespace, access: Optional[Link], wanted: set[Address], there: Sequence[Route]) -> Iterator[Action]:
    prefixes = {f"{one}/{one.max_prefixlen}": one for one in wanted}
    for route in there:
        if route.gateway in {str(one) for one in wanted}:
            raise Refused(f"--host-access: {route.gateway} is this host's gateway", "Give the guest another address.")
        if route.prefix not in prefixes:
            continue
        if access is None or route.link != access.ifindex:
            link = host.netlink.link_of(route.link)
            raise Refused(
                f"this host has a route to {prefixes[route.prefix]} already, out of {link.name if link else 'no link'}",
                f"Remove it first: ip route del {route.prefix}; or leave --host-access out.",
            )
        yield Heal((DeleteRoute(host, route),))


def is_whole(wire: Wire, there: Wired) -> bool:
    """Whether each side is told of the other."""
    assert there.there
    parent = wire.far.netlink.link_of(there.there.parent)
    access = find(wire.far, parent) if parent else None
    if access is None or parent is None or not access.up:
        return False
    host, guest = wire.far.netlink, wire.near.namespace.netlink
    outside = {(one.address, one.mac) for one in neighbours(host, access.ifindex)}
    inside = {(one.address, one.mac) for one in neighbours(guest, there.there.ifindex)}
    led = {route.prefix for route in host.routes_via(access.ifindex)}
    pairs = _pairs(wire, Footing(parent.name, parent, (), ()))
    return all(
        (one, there.mac) in outside and (own, access.mac) in inside and f"{one}/{one.max_prefixlen}" in led
        for one, own in pairs
    )


def release(host: Namespace, guest: Namespace, link: Link, keeps: bool = False) -> list[Action]:
    """Take back what the host has of a guest, and with the last of the NIC the host's macvlan, unless it keeps that."""
    parent = host.netlink.link_of(link.parent)
    access = find(host, parent) if parent else None
    if access is None:
        return []
    own = {one.interface.ip for one in guest.netlink.addresses(link.ifindex)}
    going = [one for one in neighbours(host.netlink, access.ifindex) if one.mac == link.mac or one.address in own]
    return _remove(host, access, going, keeps)


def _remove(host: Namespace, access: Link, going: Sequence[Neighbour], keeps: bool = False) -> list[Action]:
    prefixes = {f"{one.address}/{one.address.max_prefixlen}" for one in going}
    routes = [route for route in host.netlink.routes_via(access.ifindex) if route.prefix in prefixes]
    steps: list[Action] = [DeleteRoute(host, route) for route in routes]
    steps += [ForgetNeighbour(host, access.name, one) for one in going]
    left = [one for one in neighbours(host.netlink, access.ifindex) if one not in going]
    if left or keeps:
        return steps
    parent = host.netlink.link_of(access.parent)
    made = CreateAccess(
        host, parent.name if parent else "", access.name, access.mac, access.alias, ifindex=access.ifindex
    )
    return [*steps, RemoveAccess(made, access.alias)]


def remnants(ground: Ground) -> Iterator[Remnant]:
    """What the host has of guests that are gone, and its macvlans that no guest needs."""
    host = ground.host.namespace
    for access in ground.host.links:
        if access.kind != "macvlan" or access.parent == 0:
            continue
        if is_left_over(host, access):
            yield Remnant(f"link {access.name}, half made", (DeleteLink(host, access.name),))
        elif is_access(access):
            yield from _of_the_gone(ground, access)


def _of_the_gone(ground: Ground, access: Link) -> Iterator[Remnant]:
    host = ground.host.namespace
    living = set(_living(ground, access.parent))
    there = list(neighbours(host.netlink, access.ifindex))
    going = [one for one in there if one.mac not in living]
    steps = tuple(_remove(host, access, going))
    if going:
        addresses = ", ".join(str(one.address) for one in going)
        yield Remnant(f"way to {addresses} by {access.name}, whose guest is gone", steps)
    elif not there:
        yield Remnant(f"link {access.name}, which no guest needs", steps)


def _living(ground: Ground, parent: int) -> Iterator[str]:
    """The MACs of the macvlans that guests have of a NIC, but for what killed runs have left."""
    for guest in ground.guests:
        for link in guest.links:
            is_debris = is_unfinished(link) and is_left_over(ground.enter(guest.residence), link)
            if link.kind == "macvlan" and link.parent == parent and not is_debris:
                yield link.mac

"""``--routed``: the host routes for the guest, and the NIC answers for its addresses: one MAC outside.

A veth pair; the host has a route to each address on its end, and that end has GATEWAYS, by which the guest knows it.
What guests that are gone have left is known by notes, which are kept before anything is done outside the pair.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from ipaddress import ip_address, ip_network

from pipework import notes
from pipework.actions.addresses import AddRoute
from pipework.actions.base import Action, Heal
from pipework.actions.links import DeleteLink, SetUp
from pipework.actions.notice import Notice
from pipework.actions.routed import Answer, Forward, NoteRouted, StopAnswering, gateway_of
from pipework.address import Address, Static
from pipework.errors import Refused
from pipework.firewall import routed
from pipework.kernel import sysfs
from pipework.kernel.namespaces import Namespace
from pipework.kernel.records import Link
from pipework.links.base import (
    SWITCHED,
    FarSide,
    Ground,
    Host,
    LinkPlan,
    Remnant,
    Seen,
    Wire,
    Wired,
    check_mtu,
    mark_finished,
)
from pipework.links.conflicts import make_way
from pipework.links.parent import find_nic
from pipework.links.stash import Way
from pipework.links.veth import VethKind, local_name, make_pair
from pipework.marks import is_hosts_end, is_left_over, read_mark
from pipework.notes import Routed as Note
from pipework.typed import Optional
from pipework.value import Value

FORWARDED = {
    4: "sysctl -w net.ipv4.ip_forward=1",
    6: "sysctl -w net.ipv6.conf.all.forwarding=1; first, where router advertisements give this host its default route, "
    "sysctl -w net.ipv6.conf.{nic}.accept_ra=2",
}


class Routed(VethKind):
    """Whoever reaches the NIC's network reaches the guest, the host itself too; broadcasts do not."""

    uses_nic = True
    routes = True

    def plan(self, wire: Wire) -> LinkPlan:
        """Make the pair and the routes, and have the NIC answer, once each address is known to be free on this host.

        The guest's traffic is forwarded only where the administrator has the host forward.
        """
        request, host, nic = wire.request, wire.far, find_nic(wire)
        _check_nic(wire, nic)
        check_mtu(wire, nic.name, nic.mtu)
        local, families = local_name(wire), tuple(sorted({ip.version for ip in _addresses(wire)}))
        way = make_way(wire, local)
        inquiry = routed.Inquiry(host)
        claim = _claim(wire, nic)
        make: list[Action] = [*way.first, *claim.heal, *make_pair(wire, local, request.mtu or nic.mtu, None)]
        make += [Forward(host, local, families), *claim.notes, SetUp(host, local)]
        make += [gateway_of(host, local, family) for family in families]
        make += [AddRoute(host, local, ip.version, ip_network(ip), None) for ip in _addresses(wire)]
        ways, notices = inquiry.ways(nic.name, local, _addresses(wire), _others(wire, nic))
        make += [*ways, *([] if request.probed else claim.answers)]
        return LinkPlan(make, [mark_finished(host, local, wire), *claim.going, *way.last, *notices, *claim.told])

    def neighbourhood(self, wire: Wire) -> tuple[Namespace, str]:
        return wire.far, wire.hostif

    def once_probed(self, wire: Wire) -> Sequence[Action]:
        return _claim(wire, find_nic(wire)).answers

    def recognise(self, seen: Seen) -> Optional[FarSide]:
        if seen.end is None or seen.end.master:
            return None
        note = next(iter(_of_end(seen.host.namespace, seen.end)), None)
        return FarSide(seen.host.name(note.nic)) if note else None

    def remove(self, host: Host, guest: Namespace, wired: Wired) -> Sequence[Action]:
        end = host.named(wired.link)
        there = _of_end(host.namespace, end) if end else []
        rules = [rule for rule in routed.standing() if wired.link in (rule.nic, rule.end)]
        return (*rules, *(_stop(host.namespace, note) for note in there), *super().remove(host, guest, wired))

    def put_aside(self, host: Host, wire: Wire, there: Wired) -> Way:
        """What the next wire answers for, too, goes on being answered for."""
        way, end = super().put_aside(host, wire, there), host.named(there.link)
        nic = host.named(wire.hostif) if wire.request.routed else None
        going = (
            [note for note in _of_end(host.namespace, end) if not (nic and _is_claimed(wire, nic, note))] if end else []
        )
        stays = wire.request.routed and (there.hostif, there.link) == (wire.hostif, local_name(wire))
        own = [str(ip_network(ip)) for ip in _addresses(wire)] if stays else []
        rules = [rule for rule in routed.standing() if there.link in (rule.nic, rule.end)]
        rules = [rule for rule in rules if not stays or (rule.end == there.link and rule.address not in own)]
        return way.replace(last=[*rules, *(_stop(host.namespace, note) for note in going), *way.last])

    def complete(self, wire: Wire, end: Link) -> Sequence[Action]:
        host, nic = wire.far, find_nic(wire)
        mine = [note for note in notes.readable(Note, wire.near.namespace.cookie) if note.host == host.cookie]
        own = [note for note in mine if note.end == end.ifindex]
        if not own:  # it is a wire of another kind
            return ()
        answered = host.netlink.proxied(nic.ifindex)
        ways, notices = routed.Inquiry(host).ways(nic.name, end.name, _addresses(wire), _others(wire, nic))
        return (
            *(_stop(host, note) for note in mine if _owner(host, note) is None),
            *(Answer(host, nic.name, ip_address(note.address), note) for note in own if note.address not in answered),
            *ways,
            *notices,
        )

    def troubles(self, host: Namespace, wires: Sequence[Wired]) -> Iterator[tuple[Wired, str]]:
        inquiry = routed.Inquiry(host)
        for wired in wires:
            families = {6 if ":" in address else 4 for address in wired.addresses}
            if not all(_is_forwarded(wired.hostif, family) for family in families):
                yield wired, "not forwarded"
                continue
            end, nic = host.netlink.link(wired.link), host.netlink.link(wired.hostif)
            noted = {note.address for note in _of_end(host, end)} if end else set[str]()
            if nic is None or not noted <= host.netlink.proxied(nic.ifindex):
                yield wired, "not answered for"
            elif inquiry.stop_some(wired.hostif, wired.link, list(map(ip_address, sorted(noted)))):
                yield wired, "filtered"

    def remnants(self, ground: Ground) -> Iterable[Remnant]:
        host = ground.host.namespace
        there = [(note, _owner(host, note)) for note in notes.every(Note) if note.host == host.cookie]
        for note, owner in there:
            if owner is None:
                yield Remnant(f"answers for {note.address}, which is no guest's any more", (_stop(host, note),))
        ends = {(owner.name, str(ip_network(note.address))) for note, owner in there if owner}
        links = {name for note, owner in there if owner for name in (owner.name, ground.host.name(note.nic))}
        for rule in routed.standing():
            if (rule.end, rule.address) not in ends or rule.nic not in links:
                yield Remnant(f"{rule.what}, which leads to no guest", (rule,))


class _Claim(Value):
    """What it takes to have the addresses of a guest: what is to be cleared first, the notes, and the answers.

    going: what ends those of a link that is down, whose place this takes without --replace; told: what people are told
    at the first guest of a NIC.
    """

    heal: Sequence[Action]
    notes: Sequence[Action]
    answers: Sequence[Action]
    going: Sequence[Action]
    told: Sequence[Action]


def _addresses(wire: Wire) -> list[Address]:
    fixed = (one.interface for one in wire.request.addresses if isinstance(one, Static))
    return [interface.ip for interface in fixed if interface]


def _check_nic(wire: Wire, nic: Link) -> None:
    """Refuse a NIC that nobody would ask for a guest's address, or that the host does not forward over."""
    guest = wire.request.guest
    if nic.type != sysfs.ETHERNET:
        raise Refused(
            f"HOSTIF {nic.name} carries no Ethernet frames, so nobody asks it for addresses",
            "Name the NIC that the network is on: ip -br link",
        )
    master = wire.far.netlink.link_of(nic.master) if nic.master else None
    if master:
        bridge = f"$(ovs-vsctl port-to-br {nic.name})" if master.kind in SWITCHED else master.name
        raise Refused(
            f"HOSTIF {nic.name} is a port of {master.name} ({master.kind}), so this host does not route over it",
            f"Route over that: pipework --routed {bridge} {guest} ...; or wire the guest to it: "
            f"pipework {bridge} {guest} ...",
        )
    for family in sorted({ip.version for ip in _addresses(wire)}):
        if not _is_forwarded(nic.name, family):
            raise Refused(
                f"this host does not forward IPv{family} over {nic.name}, as it has to for a routed guest",
                f"If it may: {FORWARDED[family].format(nic=nic.name)}",
            )
        routes = [route for route in wire.far.netlink.routes_via(nic.ifindex) if route.family == family]
        if not any(not route.is_link_locals and not (route.destination or "").startswith("ff") for route in routes):
            raise Refused(
                f"this host has no IPv{family} route over {nic.name}, so it cannot route for a guest there",
                f"Give it an address first: ip address add ... dev {nic.name}; ip link set {nic.name} up",
            )


def _is_forwarded(nic: str, family: int) -> bool:
    places = (nic,) if family == 4 else ("all", nic)
    return all(sysfs.ip_setting(family, place, "forwarding") == "1" for place in places)


def _claim(wire: Wire, nic: Link) -> _Claim:
    """Claim the addresses for the guest.  Raises Refused for one that something else on this host has."""
    host, heal, kept, answers = wire.far, list[Action](), list[Action](), list[Action]()
    noted = [note for note in notes.readable(Note) if note.host == host.cookie]
    answered = host.netlink.proxied(nic.ifindex)
    is_first = _is_first(noted, nic)
    for ip in _addresses(wire):
        before = next((note for note in noted if note.address == str(ip)), None)
        owner = _owner(host, before) if before else None
        if before and owner and not _is_of(wire, before):
            mark = read_mark(owner)
            whose = f"{mark.runtime}:{mark.guest}" if mark else owner.name
            raise Refused(f"address {ip} is routed to {whose} already", "Choose another; what is there: pipework ls")
        _check_free(wire, nic, ip, before, answered)
        if before and owner is None:
            heal += _clearing(host, before)
        is_same = owner is not None and before is not None and before.nic == nic.ifindex
        note = Note(wire.near.namespace.cookie, wire.ifname, 0, "", host.cookie, nic.ifindex, 0, str(ip), is_first)
        kept.append(NoteRouted(host, local_name(wire), note, before if is_same else None))
        answers.append(Answer(host, nic.name, ip, note, is_same))
    former = [] if wire.vacated else [note for note in noted if _is_of(wire, note) and not _is_claimed(wire, nic, note)]
    going = [_stop(host, note) for note in former]
    told = [] if any(note.nic == nic.ifindex for note in noted) else [_notice(nic)]
    return _Claim([Heal(heal)] if heal else [], kept, answers, going, told)


def _is_first(noted: Sequence[Note], nic: Link) -> bool:
    """Whether proxy_ndp of the NIC goes off with the last guest that needs it."""
    others = [note for note in noted if note.nic == nic.ifindex and ":" in note.address]
    return others[0].first if others else sysfs.ip_setting(6, nic.name, "proxy_ndp") == "0"


def _check_free(wire: Wire, nic: Link, ip: Address, former: Optional[Note], answered: set[str]) -> None:
    netlink = wire.far.netlink
    own = netlink.holder(ip)
    if own:
        raise Refused(f"address {ip} is this host's own, on {_name(wire.far, own)}", "Choose another for the guest.")
    route = next((one for one in netlink.routes(ip.version) if one.prefix == str(ip_network(ip))), None)
    if route and not (former and route.link == former.end):
        raise Refused(
            f"this host has a route to {ip} already, over {_name(wire.far, route.link)}",
            f"Choose another address, or remove that: ip -{ip.version} route del {ip}",
        )
    if str(ip) in answered and not former:
        raise Refused(
            f"{nic.name} answers for {ip} already, and not at pipework's wish",
            f"Choose another address, or have it stop: ip neighbour del proxy {ip} dev {nic.name}",
        )


def _name(host: Namespace, ifindex: int) -> str:
    link = host.netlink.link_of(ifindex)
    return link.name if link else "a link that has just gone"


def _is_of(wire: Wire, note: Note) -> bool:
    """Whether a note is of the link that this wire is to be, or takes the place of."""
    return (note.cookie, note.ifname) == (wire.near.namespace.cookie, wire.ifname)


def _is_claimed(wire: Wire, nic: Link, note: Note) -> bool:
    return note.nic == nic.ifindex and note.address in map(str, _addresses(wire))


def _others(wire: Wire, nic: Link) -> list[tuple[str, Address]]:
    """The other guests of the NIC: the host's end, and an address."""
    host = wire.far
    found = list[tuple[str, Address]]()
    for note in notes.readable(Note):
        if (note.host, note.nic) == (host.cookie, nic.ifindex) and not _is_of(wire, note):
            owner = _owner(host, note)
            found += [(owner.name, ip_address(note.address))] if owner else []
    return found


def _of_end(host: Namespace, end: Link) -> list[Note]:
    """The notes of a wire, by the host's end."""
    return [note for note in notes.readable(Note) if (note.host, note.end) == (host.cookie, end.ifindex)]


def _owner(host: Namespace, note: Note) -> Optional[Link]:
    """The host's end of the wire that a note is of; None: that has gone, or a killed run has left it half made."""
    end = host.netlink.link_of(note.end)
    return end if end and is_hosts_end(end) and not is_left_over(host, end) else None


def _clearing(host: Namespace, note: Note) -> list[Action]:
    """Clear what is left of a wire that has gone, or that a killed run has left."""
    left = host.netlink.link_of(note.end)
    remove = [DeleteLink(host, left.name)] if left and is_left_over(host, left) else []
    return [_stop(host, note), *remove]


def _stop(host: Namespace, note: Note) -> Action:
    nic = host.netlink.link_of(note.nic)
    return StopAnswering(host, nic.name if nic else "", note)


def _notice(nic: Link) -> Notice:
    return Notice(f"the guest is routed over {nic.name}: broadcasts and multicast, with it mDNS, do not pass")


KIND = Routed()

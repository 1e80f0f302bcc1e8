"""What a guest needs of a host that is to route for it: a NIC to route over, and addresses that nobody else has."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from ipaddress import ip_address, ip_network

from pipework import notes
from pipework.actions.base import Action, Heal
from pipework.actions.links import DeleteLink
from pipework.actions.notice import Notice
from pipework.actions.routed import Answer, NoteRouted, StopAnswering
from pipework.address import Address, Static
from pipework.errors import Refused
from pipework.kernel import sysfs
from pipework.kernel.namespaces import Namespace
from pipework.kernel.records import Link
from pipework.links.base import SWITCHED, Wire
from pipework.links.veth import local_name
from pipework.marks import is_hosts_end, is_left_over, read_mark
from pipework.model import Attach
from pipework.notes import Routed as Note
from pipework.typed import Optional
from pipework.value import Value

FORWARDED = {
    4: "sysctl -w net.ipv4.ip_forward=1",
    6: "sysctl -w net.ipv6.conf.all.forwarding=1; first, where router advertisements give this host its default route, "
    "sysctl -w net.ipv6.conf.{nic}.accept_ra=2",
}


class Claim(Value):
    """What it takes to have the addresses of a guest: what is to be cleared first, the notes, and the answers.

    going: what ends those of a link that is down, whose place this takes without --replace; told: what people are told
    at the first guest of a NIC.
    """

    heal: Sequence[Action]
    notes: Sequence[Action]
    answers: Sequence[Action]
    going: Sequence[Action]
    told: Sequence[Action]


def addresses_of(request: Attach) -> list[Address]:
    """The addresses that are asked for."""
    fixed = (one.interface for one in request.addresses if isinstance(one, Static))
    return [interface.ip for interface in fixed if interface]


def check_nic(wire: Wire, nic: Link) -> None:
    """Refuse a NIC that nobody would ask for a guest's address, or that the host does not forward over."""
    if nic.type != sysfs.ETHERNET:
        raise Refused(
            f"HOSTIF {nic.name} carries no Ethernet frames, so nobody asks it for addresses",
            "Name the NIC that the network is on: ip -br link",
        )
    master = wire.far.netlink.link_of(nic.master) if nic.master else None
    if master:
        raise _is_a_port(wire, nic, master)
    for family in sorted({ip.version for ip in addresses_of(wire.request)}):
        _check_routes(wire, nic, family)


def _is_a_port(wire: Wire, nic: Link, master: Link) -> Refused:
    guest = wire.request.guest
    bridge = f"$(ovs-vsctl port-to-br {nic.name})" if master.kind in SWITCHED else master.name
    return Refused(
        f"HOSTIF {nic.name} is a port of {master.name} ({master.kind}), so this host does not route over it",
        f"Route over that: pipework --routed {bridge} {guest} ...; or wire the guest to it: "
        f"pipework {bridge} {guest} ...",
    )


def _check_routes(wire: Wire, nic: Link, family: int) -> None:
    if not is_forwarded(nic.name, family):
        raise Refused(
            f"this host does not forward IPv{family} over {nic.name}, as it has to for a routed guest",
            f"If it may: {FORWARDED[family].format(nic=nic.name)}",
        )
    routes = [route for route in wire.far.netlink.routes_via(nic.ifindex) if route.family == family]
    # each link that has IPv6 has routes to link-local addresses and multicast
    if not any(not route.is_link_locals and not (route.destination or "").startswith("ff") for route in routes):
        raise Refused(
            f"this host has no IPv{family} route over {nic.name}, so it cannot route for a guest there",
            f"Give it an address first: ip address add ... dev {nic.name}; ip link set {nic.name} up",
        )


def is_forwarded(nic: str, family: int) -> bool:
    """Whether the host forwards what comes in by a NIC."""
    places = (nic,) if family == 4 else ("all", nic)
    return all(sysfs.ip_setting(family, place, "forwarding") == "1" for place in places)


def claim(wire: Wire, nic: Link) -> Claim:
    """Claim the addresses for the guest.  Raises Refused for one that something else has."""
    host, heal, kept, answers = wire.far, list[Action](), list[Action](), list[Action]()
    noted = [note for note in notes.readable(Note) if note.host == host.cookie]
    answered, is_first = host.netlink.proxied(nic.ifindex), _is_first(noted, nic)
    _check_alone(wire, nic, noted)
    for ip in addresses_of(wire.request):
        former = next((note for note in noted if note.address == str(ip)), None)
        owner = _owner_but_own(wire, former) if former else None
        _check_free(wire, nic, ip, former, answered)
        if former and owner is None:
            heal += _clearing(host, former)
        taken = former if former and owner and former.nic == nic.ifindex else None
        note = Note(wire.near.namespace.cookie, wire.ifname, 0, "", host.cookie, nic.ifindex, 0, str(ip), is_first)
        kept.append(NoteRouted(host, local_name(wire), note, taken))
        answers.append(Answer(host, nic.name, ip, note, taken is not None))
    own = [] if wire.vacated else [note for note in noted if _is_of(wire, note) and not is_claimed(wire, nic, note)]
    told = [] if any(note.nic == nic.ifindex for note in noted) else [_notice(nic)]
    return Claim([Heal(heal)] if heal else [], kept, answers, [stop(host, note) for note in own], told)


def _owner_but_own(wire: Wire, note: Note) -> Optional[Link]:
    """The host's end that an address is routed over for this very wire, or the one before it; None: it has gone.

    Raises Refused if it is another guest's.
    """
    owner = owner_of(wire.far, note)
    if owner and not _is_of(wire, note):
        mark = read_mark(owner)
        whose = f"{mark.runtime}:{mark.guest}" if mark else owner.name
        raise Refused(f"address {note.address} is routed to {whose} already", "Choose another, or see: pipework ls")
    return owner


def _is_first(noted: Sequence[Note], nic: Link) -> bool:
    """Whether proxy_ndp of the NIC goes off with the last guest that needs it."""
    others = [note for note in noted if note.nic == nic.ifindex and ":" in note.address]
    return others[0].first if others else sysfs.ip_setting(6, nic.name, "proxy_ndp") == "0"


def _check_alone(wire: Wire, nic: Link, noted: Sequence[Note]) -> None:
    """Refuse a second link by which the guest would have the same gateway of IPv4."""
    if all(ip.version == 6 for ip in addresses_of(wire.request)):
        return
    cookie, guest = wire.near.namespace.cookie, wire.request.guest
    others = (note for note in noted if note.cookie == cookie and note.ifname != wire.ifname)
    for note in others:
        if ":" not in note.address and owner_of(wire.far, note):
            raise Refused(
                f"{guest} is routed to by IPv4 already, as {note.ifname}",
                f"Give that all addresses: pipework --replace --routed {nic.name} -i {note.ifname} {guest} "
                "ADDRESS,ADDRESS",
            )


def _check_free(wire: Wire, nic: Link, ip: Address, former: Optional[Note], answered: set[str]) -> None:
    netlink = wire.far.netlink
    own, routes = netlink.holder(ip), netlink.all_routes(ip.version)
    if own:
        raise Refused(f"address {ip} is this host's own, on {_name(wire.far, own)}", "Choose another for the guest.")
    if any(str(ip) in route.gateways for route in routes):
        raise Refused(f"address {ip} is a router of this host", "Choose another for the guest.")
    if str(ip) in netlink.neighbours(nic.ifindex):
        raise Refused(
            f"address {ip} is in use on the network of {nic.name}",
            f"Choose another; who has it: ip neighbour show {ip} dev {nic.name}",
        )
    there = next((route for route in routes if route.prefix == str(ip_network(ip))), None)
    if there and not (former and there.link == former.end):
        raise Refused(
            f"this host has a route to {ip} already, over {_name(wire.far, there.link)}",
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


def is_claimed(wire: Wire, nic: Link, note: Note) -> bool:
    """Whether a wire is to have the NIC answer for the address of a note."""
    return note.nic == nic.ifindex and note.address in map(str, addresses_of(wire.request))


def others_of(wire: Wire, nic: Link) -> Iterator[tuple[str, Address]]:
    """The other guests of the NIC: the host's end, and an address."""
    for note in notes.readable(Note):
        if (note.host, note.nic) == (wire.far.cookie, nic.ifindex) and not _is_of(wire, note):
            owner = owner_of(wire.far, note)
            if owner:
                yield owner.name, ip_address(note.address)


def of_end(host: Namespace, end: Optional[Link]) -> list[Note]:
    """The notes of a wire, by the host's end."""
    return [note for note in notes.readable(Note) if end and (note.host, note.end) == (host.cookie, end.ifindex)]


def owner_of(host: Namespace, note: Note) -> Optional[Link]:
    """The host's end of the wire that a note is of; None: that has gone, or a killed run has left it half made."""
    end = host.netlink.link_of(note.end)
    return end if end and is_hosts_end(end) and not is_left_over(host, end) else None


def _clearing(host: Namespace, note: Note) -> list[Action]:
    """Clear what is left of a wire that has gone, or that a killed run has left."""
    left = host.netlink.link_of(note.end)
    remove = [DeleteLink(host, left.name)] if left and is_left_over(host, left) else []
    return [stop(host, note), *remove]


def stop(host: Namespace, note: Note) -> Action:
    """Have the NIC answer no more."""
    nic = host.netlink.link_of(note.nic)
    return StopAnswering(host, nic.name if nic else "", note)


def _notice(nic: Link) -> Notice:
    return Notice(f"the guest is routed over {nic.name}: broadcasts and multicast, with it mDNS, do not pass")

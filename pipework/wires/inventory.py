"""What is wired on this host, read from the kernel and from Open vSwitch: ours by their marks, and the original's.

The original leaves no marks; its veth pairs are known by their name, its other links in a container by being
none that the container's runtime has made.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pipework import links, notes
from pipework.guests.base import Guest
from pipework.kernel.census import Residence, inhabited
from pipework.kernel.namespaces import Namespace
from pipework.kernel.records import Link, LinkAddress
from pipework.links.base import FarSide, Host, LinkKind, Seen, Wired
from pipework.marks import is_hosts_end, is_unfinished, made_by, original_ifname, read_mark
from pipework.notes import Loan
from pipework.typed import Optional


def find_all(host: Host) -> list[Wired]:
    """Every wire of this host, in order of guest and interface."""
    host.read_all()
    loans = notes.readable(Loan)
    wires = list[Wired]()
    for residence, guest in inhabited():
        wires += _find_in(host, residence, guest, loans)
    if host.ports:
        wires += [wired for kind in links.every() for wired in kind.of_the_dead(host)]
    return sorted(wires, key=lambda wire: (wire.guest, wire.ifname))


def find_of(host: Host, guest: Guest, ifname: Optional[str] = None) -> list[Wired]:
    """The wires of a guest that is held open; ifname: only the one whose end is called so now."""
    residence = Residence(guest.namespace.path, guest.namespace.identity[1], "", guest.pid or 0)
    return _find_in(host, residence, guest.namespace, notes.readable(Loan), ifname)


def find(host: Host, guest: Guest, ifname: str) -> Optional[Wired]:
    """The wire of a guest whose end is called so now, or None."""
    return next(iter(find_of(host, guest, ifname)), None)


def find_at(host: Host, residence: Residence, guest: Namespace, ifname: str) -> Optional[Wired]:
    """The same for whoever lives there; guest: its namespace, held open."""
    return next(iter(_find_in(host, residence, guest, notes.readable(Loan), ifname)), None)


def maker_of(host: Host, wired: Wired) -> int:
    """The process of another command that is just making a wire, 0 if none is."""
    end = host.namespace.netlink.link(wired.link) if wired.link else wired.there
    return made_by(end) if end else 0


def _find_in(
    host: Host, residence: Residence, guest: Namespace, loans: Sequence[Loan], ifname: Optional[str] = None
) -> list[Wired]:
    """The wires of one namespace.  loans: of NICs, to whomever; ifname: of one only."""
    found = (_wire(guest, seen) for seen in _look(host, residence, guest, loans, ifname))
    return [wired for wired in found if wired]


def _look(
    host: Host, residence: Residence, guest: Namespace, loans: Sequence[Loan], ifname: Optional[str]
) -> Iterator[Seen]:
    """The links of a guest, or the one of that name, with all that tells whether they are wires."""
    there = guest.netlink.links(loopback=False)
    stacked = any(link.peer_namespace is not None for link in there)
    back = guest.netlink.known_namespace_id(host.namespace.fd) if stacked else None
    own = [loan for loan in loans if loan.cookie == guest.cookie] if loans else []
    for link in there:
        if ifname not in (None, link.name):
            continue
        end = host.link(link.peer) if link.peer_namespace is not None and link.peer_namespace == back else None
        # else the far end of a NIC on loan that is itself a veth, or of one that was on its way home
        end = end if end and is_hosts_end(end) and not any(loan.is_same(end) for loan in loans) else None
        loan = next((loan for loan in own if loan.is_of(link)), None)
        yield Seen(host, residence, link, end, back, read_mark(end or link), loan)


def _wire(guest: Namespace, seen: Seen) -> Optional[Wired]:
    """The wire that a guest's link is the end of; None: it is none."""
    kind_name, kind, far = _recognise(seen)
    if kind is None or far is None:
        return None
    link, end, mark = seen.link, seen.end, seen.mark
    unfinished = is_unfinished(end or link)
    known = seen.is_ours or (end is not None and original_ifname(end.name) is not None)
    if mark:
        runtime, name = mark.runtime, mark.guest
    elif known or (kind.unmarked and _is_the_originals(seen)):
        runtime, name = _whose(seen.residence)
    else:
        return None
    assigned = _assigned(guest, link)
    return Wired(
        guest=name,
        runtime=runtime,
        pid=seen.residence.pid,
        path=seen.residence.path,
        ifname=link.name,
        kind=kind_name,
        link=end.name if end else "",
        hostif=far.hostif or (mark.hostif if mark else ""),
        vlan=far.vlan,
        trunk=far.trunk,
        addresses=tuple(one.text for one in assigned),
        mac=link.mac,
        mtu=link.mtu,
        state="unfinished" if unfinished else _state(link),
        guessed=not known,
        there=link,
        assigned=assigned,
    )


def _recognise(seen: Seen) -> tuple[str, Optional[LinkKind], Optional[FarSide]]:
    """The first kind that takes the link for one of its own, and what it says of it."""
    port_of = seen.host.link(seen.end.master) if seen.end else None
    for name, kind in links.that_may_be(seen.link.kind, port_of is not None and links.is_bridge(port_of)):
        if seen.end or seen.is_ours or kind.unmarked:
            far = kind.recognise(seen)
            if far:
                return name, kind, far
    return "", None, None


def _whose(residence: Residence) -> tuple[str, str]:
    if residence.name:
        return "netns", residence.name
    from pipework.guests.by_process import guest_of_process  # ours say whose they are

    return guest_of_process(residence.pid)


def _is_the_originals(seen: Seen) -> bool:
    if not seen.residence.pid or seen.link.alias:
        return False
    from pipework.guests.by_process import guest_of_process, is_the_runtimes_own  # as above

    runtime, name = guest_of_process(seen.residence.pid)
    return runtime == "docker" and not is_the_runtimes_own(name, seen.link.mac)


def _state(link: Link) -> str:
    if not link.up:
        return "down"
    return "up" if link.carrier else "no carrier"


def _assigned(guest: Namespace, link: Link) -> tuple[LinkAddress, ...]:
    """All addresses but those that the kernel gives every link that has IPv6."""
    return tuple(one for one in guest.netlink.addresses(link.ifindex) if not one.is_link_local)

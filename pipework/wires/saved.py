"""Wires that are there, as the lines that make them."""

from __future__ import annotations

from collections.abc import Sequence

from pipework import links, notes
from pipework.kernel.namespaces import Namespace
from pipework.kernel.records import Link
from pipework.links.base import Host, Wired
from pipework.links.loan import loan_of
from pipework.links.veth import is_default_name
from pipework.notes import Asked
from pipework.requests import DEFAULT_MTU, WIRE
from pipework.typed import Optional


def save(host: Host, guest: Namespace, wired: Wired, among: Sequence[Wired] = ()) -> tuple[str, ...]:
    """The words behind ``pipework`` that make a wire of a guest that is held open; none, if its other end is nowhere.

    among: where the other end of one between guests is likely to be.  Raises Refused for a note that cannot be read.
    """
    assert wired.there
    kind = links.kind(wired.kind)
    if kind.between_guests:
        return _save_pair(host, guest, wired, among)
    asked = notes.of_link(Asked, guest, wired.there)
    vlans = kind.say_vlans(wired).removeprefix("0x")
    return (
        *(["--direct-phys"] if kind.handed_over else ["--routed"] if kind.routes else []),
        *(asked.options if asked else []),
        wired.hostif,
        *(["-i", wired.ifname] if wired.ifname != links.NAMED[wired.kind].ifname else []),
        *(["-l", wired.link] if wired.link and not is_default_name(wired.link) else []),
        f"{wired.runtime}:{wired.guest}",
        asked.address if asked and asked.address else _addresses(guest, wired, wired.there, kind.routes),
        *filter(None, [f"{_mac(guest, wired)}{'@' if vlans else ''}{vlans}"]),
    )


def _save_pair(host: Host, guest: Namespace, wired: Wired, among: Sequence[Wired]) -> tuple[str, ...]:
    from pipework.wires.pairs import other_side  # few wires have one

    other = other_side(host, guest, wired, among)
    if other is None:
        return ()
    mtu = () if wired.mtu == DEFAULT_MTU else ("--mtu", str(wired.mtu))
    return (*mtu, WIRE, *_end(guest, wired), *_end(*other))


def _end(guest: Namespace, wired: Wired) -> tuple[str, ...]:
    """What a line says of an end of a wire between guests."""
    assert wired.there
    named = ("-i", wired.ifname) if wired.ifname != links.NAMED[wired.kind].ifname else ()
    return (*named, f"{wired.runtime}:{wired.guest}", _addresses(guest, wired, wired.there))


def _mac(guest: Namespace, wired: Wired) -> str:
    """The MAC that the guest's end was given, or has by chance; "" for one that is its hardware's."""
    if not links.kind(wired.kind).takes_mac:
        return ""
    loan = loan_of(guest, wired)
    return (loan.given or "") if loan else wired.mac


def _addresses(guest: Namespace, wired: Wired, link: Link, is_routed: bool = False) -> str:
    """ADDRESS, where all are fixed.  A router's come and go with that; is_routed: whether the host is one for them."""
    there = [one for one in wired.assigned if not one.is_routers]
    if not there:
        gateway = _gateway(guest, link, (4, 6))
        return f"0/0@{gateway}" if gateway else "0/0"
    told = list[str]()
    for family in (4, 6):
        # of IPv6 the kernel tells the latest first
        own = [one.text for one in there if one.interface.version == family][:: 1 if family == 4 else -1]
        gateway = _gateway(guest, link, (family,)) if own and not is_routed else None
        told += [f"{own[0]}@{gateway}", *own[1:]] if gateway else own
    return ",".join(told)


def _gateway(guest: Namespace, link: Link, families: Sequence[int]) -> Optional[str]:
    routes = [route for family in families for route in guest.netlink.default_routes(family)]
    own = (route.gateway for route in routes if route.link == link.ifindex and not route.is_routers)
    return next(filter(None, own), None)

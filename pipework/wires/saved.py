"""Wires that are there, as the lines that make them."""

from __future__ import annotations

from pipework import links, notes
from pipework.kernel.namespaces import Namespace
from pipework.kernel.records import Link, LinkAddress
from pipework.links.base import Wired
from pipework.links.loan import loan_of
from pipework.links.veth import is_default_name
from pipework.notes import Asked
from pipework.typed import Optional
from pipework.value import Value


class Saved(Value):
    """The words behind ``pipework``, and the addresses of the link that one line has no place for."""

    words: tuple[str, ...]
    left_out: tuple[str, ...]


def save(guest: Namespace, wired: Wired) -> Saved:
    """The line that makes a wire of a guest that is held open.  Raises Refused for a note that cannot be read."""
    assert wired.there
    kind = links.kind(wired.kind)
    address, left_out = _address(guest, wired, wired.there)
    vlan = f"@{kind.say_tag(wired.vlan).removeprefix('0x')}" if wired.vlan else ""
    words = [
        *(["--direct-phys"] if kind.handed_over else []),
        wired.hostif,
        *(["-i", wired.ifname] if wired.ifname != links.NAMED[wired.kind].ifname else []),
        *(["-l", wired.link] if wired.link and not is_default_name(wired.link) else []),
        f"{wired.runtime}:{wired.guest}",
        address,
        *filter(None, [f"{_mac(guest, wired)}{vlan}"]),
    ]
    return Saved(tuple(words), left_out)


def _mac(guest: Namespace, wired: Wired) -> str:
    """The MAC that the guest's end was given, or has by chance; "" for one that is its hardware's."""
    if not links.kind(wired.kind).takes_mac:
        return ""
    loan = loan_of(guest, wired)
    return (loan.given or "") if loan else wired.mac


def _address(guest: Namespace, wired: Wired, link: Link) -> tuple[str, tuple[str, ...]]:
    """ADDRESS, and the addresses that are left out.  A router's come and go with that."""
    asked = notes.of_link(Asked, guest, link)
    if asked:
        return asked.address, ()
    there = [one for one in wired.assigned if not one.is_routers]
    first, others = (there[0], there[1:]) if there else (None, [])
    gateway = _gateway(guest, link, first)
    text = first.text if first else "0/0"
    return f"{text}@{gateway}" if gateway else text, tuple(one.text for one in others)


def _gateway(guest: Namespace, link: Link, address: Optional[LinkAddress]) -> Optional[str]:
    families = (address.interface.version,) if address else (4, 6)
    routes = [route for family in families for route in guest.netlink.default_routes(family)]
    own = (route.gateway for route in routes if route.link == link.ifindex and not route.is_routers)
    return next(filter(None, own), None)

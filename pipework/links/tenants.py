"""Who stands on a NIC: the links of all namespaces that share it, with what to type to be rid of each."""

from __future__ import annotations

from collections.abc import Container, Iterator

from pipework.errors import Refused
from pipework.kernel.census import Residence, inhabited
from pipework.kernel.namespaces import Namespace
from pipework.kernel.records import Link
from pipework.links.base import Wire
from pipework.marks import STASHED, is_left_over, is_unfinished, read_mark
from pipework.value import Value

IPVLANS, MACVLANS = ("ipvlan", "ipvtap"), ("macvlan", "macvtap")  # a NIC bears those or these


class Tenant(Value):
    """A link that stands on another.

    called: by which people know it; removal: what to type to be rid of it; inode: of its namespace, 0 for the host's.
    """

    link: Link
    called: str
    removal: str
    inode: int = 0


def tenants(host: Namespace, parent: Link) -> Iterator[Tenant]:
    """The ipvlans and macvlans of a link of the host, in whatever namespace."""
    for residence, guest in inhabited():
        back = guest.netlink.known_namespace_id(host.fd)
        there = guest.netlink.links(loopback=False) if back is not None else ()
        for link in there:
            if link.peer_namespace == back and _stands_on(link, parent):
                yield _in_guest(residence, link)
    for link in host.netlink.links():
        if link.peer_namespace is None and _stands_on(link, parent):
            yield Tenant(link, link.name, f"ip link del {link.name}")


def _stands_on(link: Link, parent: Link) -> bool:
    return link.kind in (*IPVLANS, *MACVLANS) and link.parent == parent.ifindex


def _in_guest(residence: Residence, link: Link) -> Tenant:
    where, mark = residence.name or f"process {residence.pid}", read_mark(link)
    if mark:
        called, removal = f"{link.name} of {mark.guest}", f"pipework del {mark.runtime}:{mark.guest} -i {link.name}"
    elif is_unfinished(link):
        called, removal = f"{link.name} in {where}, half made", "pipework gc"
    else:
        called, removal = f"{link.name} in {where}", f"nsenter --net={residence.path} ip link del {link.name}"
    return Tenant(link, called, removal, residence.inode)


def makes_room(wire: Wire, tenant: Tenant) -> bool:
    """Whether it is the guest's own, which the new wire takes the place of."""
    guest, name = wire.near.namespace, tenant.link.name
    if tenant.inode != guest.identity[1]:
        return False
    return name.startswith(STASHED) or (name == wire.ifname and wire.vacated) or is_debris(wire, tenant)


def is_debris(wire: Wire, tenant: Tenant) -> bool:
    """Whether it is what a killed run has left under the wire's name, which goes before the new one comes."""
    guest = wire.near.namespace
    is_there = (tenant.inode, tenant.link.name) == (guest.identity[1], wire.ifname)
    return is_there and is_left_over(guest, tenant.link)


def check_free(wire: Wire, parent: Link, excluded: Container[str], kind: str) -> None:
    """Refuse a parent that bears what excludes links of that kind (netdev_rx_handler_register).  Raises Refused."""
    for one in tenants(wire.far, parent):
        if one.link.kind in excluded and not is_debris(wire, one):
            raise Refused(
                f"{parent.name} bears {one.called}, which is {one.link.kind}: that and {kind} exclude each other",
                f"Use another NIC, or remove it first: {one.removal}",
            )

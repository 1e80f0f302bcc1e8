"""Neighbours that are set, and stay (``ip neighbour add ... nud permanent``): the MAC behind an address of a link."""

from __future__ import annotations

from collections.abc import Iterator
from errno import ENOENT
from ipaddress import ip_address

from pipework.address import Address
from pipework.errors import KernelRefused
from pipework.kernel import messages
from pipework.kernel.netlink import CREATE, DELNEIGH, DUMP, FAMILY, GETNEIGH, NEWNEIGH, REPLACE, Netlink
from pipework.value import Value

TOLD = (messages.NDA_DST, messages.NDA_LLADDR)


class Neighbour(Value):
    """An address, and the MAC that it is at."""

    address: Address
    mac: str


def neighbours(netlink: Netlink, index: int) -> Iterator[Neighbour]:
    """Those of a link."""
    for told in netlink.request(GETNEIGH, messages.neighbours(index), DUMP):
        _, of, state, _, _ = messages.NEIGHBOUR.unpack_from(told)
        get = messages.chosen(told, messages.NEIGHBOUR.size, TOLD).get
        address, mac = get(messages.NDA_DST), get(messages.NDA_LLADDR)
        if of == index and state & messages.PERMANENT and address and mac:
            yield Neighbour(ip_address(address), mac.hex(":"))


def add_neighbour(netlink: Netlink, index: int, neighbour: Neighbour) -> None:
    """Add one, whatever is known of that address."""
    family = FAMILY[neighbour.address.version]
    named = {"NDA_DST": str(neighbour.address), "NDA_LLADDR": neighbour.mac}
    netlink.request(NEWNEIGH, messages.neighbour(family, index, **named), CREATE | REPLACE)


def delete_neighbour(netlink: Netlink, index: int, neighbour: Neighbour) -> None:
    """Remove one; it may have gone already."""
    family = FAMILY[neighbour.address.version]
    try:
        netlink.request(DELNEIGH, messages.neighbour(family, index, NDA_DST=str(neighbour.address)))
    except KernelRefused as refusal:
        if refusal.errno != ENOENT:
            raise

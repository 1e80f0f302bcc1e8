"""A link that is put aside while another takes its place, and what it takes to bring it back."""

from __future__ import annotations

from collections.abc import Sequence
from errno import EADDRNOTAVAIL, EEXIST, ENETDOWN

from pipework.actions.base import Action
from pipework.actions.links import SetDown, SetUp, gone_is_fine
from pipework.errors import KernelRefused
from pipework.kernel.namespaces import Namespace
from pipework.kernel.netlink import Netlink
from pipework.kernel.records import LinkAddress, Route
from pipework.quoting import quote

TRIES = 3  # to bring a link up that somebody takes down at the same moment


class TakeDown(Action):
    """Take a link down, which loses its routes and its IPv6 addresses; undone, it has them again."""

    namespace: Namespace
    name: str
    up: bool
    addresses: tuple[LinkAddress, ...]
    routes: tuple[Route, ...]

    def do(self) -> None:
        if self.up:
            SetDown(self.namespace, self.name).do()

    def undo(self) -> None:
        with gone_is_fine(self.namespace, self.name):
            for tries_left in reversed(range(TRIES)):
                try:
                    self._bring_up()
                    return
                except KernelRefused as refusal:  # somebody has taken it down meanwhile, as SeeUp tells
                    if not (tries_left and self.up and refusal.errno == ENETDOWN):
                        raise

    def _bring_up(self) -> None:
        if self.up:
            SetUp(self.namespace, self.name).do()
        put_back(self.namespace, self.namespace.netlink.index(self.name), self.addresses, self.routes)

    def say(self) -> str:
        return SetDown(self.namespace, self.name).say() if self.up else ""


class SeeUp(TakeDown):
    """Change nothing; undone, in the end, the link is up again with all that it had, whoever took it down meanwhile.

    ovs-vswitchd that lets go of a link gives it back the flags that it remembers, by name (netdev-linux.c): by then the
    name may be another link's.
    """

    def do(self) -> None:
        """Nothing."""

    def say(self) -> str:
        return ""


class DeleteAddress(Action):
    """Take an address off a link; undone, it is again what it was."""

    namespace: Namespace
    name: str
    address: LinkAddress

    def do(self) -> None:
        netlink = self.namespace.netlink
        index = netlink.index(self.name)
        try:
            netlink.delete_address(index, self.address.interface)
        except KernelRefused as refusal:  # one of IPv6 goes when its link goes down, a secondary one with its primary
            if refusal.errno != EADDRNOTAVAIL or has_address(netlink, index, self.address):
                raise

    def undo(self) -> None:
        netlink = self.namespace.netlink
        with gone_is_fine(self.namespace, self.name):
            put_back_address(netlink, netlink.index(self.name), self.address)

    def say(self) -> str:
        if self.address.interface.version == 6:
            return ""  # it has gone by then
        word = f"ip address delete {self.address.interface.with_prefixlen} dev {quote(self.name)}"
        return self.namespace.say(word)


def put_back(
    namespace: Namespace,
    index: int,
    addresses: Sequence[LinkAddress],
    routes: Sequence[Route],
    is_timed: bool = False,
) -> None:
    """Give a link the addresses and routes that it had before it went down, as far as it lacks them.

    is_timed: addresses for the time that they had left then.
    """
    netlink = namespace.netlink
    labels = {there.interface: there.label for there in netlink.addresses(index)}
    for address in in_order(addresses):
        if labels.get(address.interface, address.label) != address.label:
            netlink.delete_address(index, address.interface)  # a link that is renamed loses its addresses' labels
        put_back_address(netlink, index, address, is_timed)
    for route in sorted(routes, key=reach):
        put_back_route(netlink, route.out_of(index))


def in_order(addresses: Sequence[LinkAddress]) -> list[LinkAddress]:
    """Addresses in the order in which they have to come to be told as they were: of IPv6 the latest is told first."""
    old = [one for one in addresses if one.interface.version == 4]
    return [*old, *reversed([one for one in addresses if one.interface.version == 6])]


def reach(route: Route) -> tuple[bool, int]:
    """In which order routes can be added: those on the link first, which gateways of others are behind."""
    return bool(route.gateway) or not route.link, -route.message[1]


def put_back_address(netlink: Netlink, index: int, address: LinkAddress, is_timed: bool = False) -> None:
    """Give a link an address as it was; it may have it already, for the kernel gives a link-local one by itself."""
    try:
        netlink.put_back_address(index, address, is_timed)
    except KernelRefused as refusal:
        if refusal.errno != EEXIST or not has_address(netlink, index, address):
            raise


def put_back_route(netlink: Netlink, route: Route) -> None:
    """Add a route as it was; it may be there already, for those of addresses come with them."""
    try:
        netlink.put_back_route(route)
    except KernelRefused as refusal:
        if refusal.errno != EEXIST or not has_route(netlink, route):
            raise


def has_address(netlink: Netlink, index: int, address: LinkAddress) -> bool:
    """Whether a link has that address."""
    return any(there.interface == address.interface for there in netlink.addresses(index))


def has_route(netlink: Netlink, route: Route) -> bool:
    """Whether there is a route that goes the same way, or ways, to the same place, with the same metric."""
    return any(there.covers(route) for there in netlink.all_routes(route.family))

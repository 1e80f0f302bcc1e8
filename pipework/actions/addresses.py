"""Addresses and routes of a guest's link, and the wait until an IPv6 address may be used."""

from __future__ import annotations

from errno import EADDRINUSE

from pipework.actions.base import Action
from pipework.actions.lines import ipv6_line
from pipework.actions.links import gone_is_fine
from pipework.address import Address, Interface, Network
from pipework.errors import KernelRefused, Refused
from pipework.kernel import signals, sysfs
from pipework.kernel.messages import MAIN_TABLE
from pipework.kernel.namespaces import Namespace
from pipework.kernel.records import IFA_F_DADFAILED, IFA_F_TENTATIVE
from pipework.quoting import quote
from pipework.typed import Optional

LONGEST_WITH_BROADCAST = 30  # /31 and /32 have no broadcast address (RFC 3021)
DAD_LIMIT = 10.0  # seconds; one probe takes at most two (RFC 4862, 5.4)


class EnableIPv6(Action):
    """Allow IPv6 on one link of the guest: Docker switches it off in containers that it gives no IPv6."""

    namespace: Namespace
    link: str

    def do(self) -> None:
        with self.namespace.entered():
            if sysfs.has_ipv6(self.link) is None:
                raise Refused("this kernel has no IPv6", "Boot without ipv6.disable=1, or use IPv4.")
            sysfs.allow_ipv6(self.link, True)

    def undo(self) -> None:
        """Nothing: the setting goes with the link."""

    def say(self) -> str:
        return self.namespace.say(ipv6_line(self.link, True))


class AddAddress(Action):
    """Give a link an address, and the broadcast address of its network where it has one."""

    namespace: Namespace
    link: str
    interface: Interface
    broadcast: Optional[Address]

    def do(self) -> None:
        netlink = self.namespace.netlink
        try:
            netlink.add_address(netlink.index(self.link), self.interface, self.broadcast)
        except KernelRefused as refusal:
            if refusal.errno != EADDRINUSE:  # ipvlan_addr4_validator_event, ipvlan_addr6_validator_event
                raise
            raise Refused(
                f"address {self.interface.ip} is another guest's, which is an ipvlan of the same NIC",
                "Choose another; whose it is: pipework ls",
            ) from None

    def undo(self) -> None:
        netlink = self.namespace.netlink
        with gone_is_fine(self.namespace, self.link):
            index = netlink.index(self.link)
            if any(address.interface == self.interface for address in netlink.addresses(index)):
                netlink.delete_address(index, self.interface)

    def say(self) -> str:
        broadcast = f" broadcast {self.broadcast}" if self.broadcast else ""
        return self.namespace.say(f"ip address add {self.interface.with_prefixlen}{broadcast} dev {quote(self.link)}")


def broadcast_of(interface: Interface) -> Optional[Address]:
    """The broadcast address of an address' network; None: it has none."""
    if interface.version == 4 and interface.network.prefixlen <= LONGEST_WITH_BROADCAST:
        return interface.network.broadcast_address
    return None


class AddRoute(Action):
    """Add the default route (to is None), or a route to a network, out of a link.

    table: its number; source: the address of this side that it prefers.
    """

    namespace: Namespace
    link: str
    family: int
    to: Optional[Network]
    gateway: Optional[Address]
    metric: Optional[int] = None
    table: int = MAIN_TABLE
    source: Optional[Address] = None

    def do(self) -> None:
        netlink = self.namespace.netlink
        index = netlink.index(self.link)
        netlink.add_route(self.family, index, self.gateway, self.to, self.metric, self.table, self.source)

    def undo(self) -> None:
        netlink = self.namespace.netlink
        gateway = str(self.gateway) if self.gateway else None
        with gone_is_fine(self.namespace, self.link):
            index = netlink.index(self.link)
            for route in netlink.routes(self.family, self.table):
                way = route.link, route.gateway, route.prefix
                if way == (index, gateway, str(self.to or "/0")) and self.metric in (None, route.metric):
                    netlink.delete_route(route)

    def say(self) -> str:
        via = f" via {self.gateway}" if self.gateway else ""
        metric = f" metric {self.metric}" if self.metric else ""
        table = f" table {self.table}" if self.table != MAIN_TABLE else ""
        source = f" src {self.source}" if self.source else ""
        words = f"{_shown(self.to)}{via} dev {quote(self.link)}{source}{metric}{table}"
        return self.namespace.say(f"ip -{self.family} route add {words}")


def _shown(to: Optional[Network]) -> str:
    if to is None:
        return "default"
    return str(to if to.num_addresses > 1 else to.network_address)


class SetMtu(Action):
    """Give a guest's link another MTU, in bytes; was: of the link, if it is there before."""

    namespace: Namespace
    link: str
    mtu: int
    was: Optional[int]

    def do(self) -> None:
        netlink = self.namespace.netlink
        netlink.set_link(netlink.index(self.link), IFLA_MTU=self.mtu)

    def undo(self) -> None:
        if self.was:
            with gone_is_fine(self.namespace, self.link):
                self.replace(mtu=self.was).do()

    def say(self) -> str:
        return self.namespace.say(f"ip link set dev {quote(self.link)} mtu {self.mtu}")


class SettleAddress(Action):
    """Wait until duplicate address detection is over (RFC 4862, 5.4), so that the address may be used."""

    namespace: Namespace
    link: str
    interface: Interface

    def do(self) -> None:
        netlink, waited = self.namespace.netlink, 0.0
        index = netlink.index(self.link)
        while waited < DAD_LIMIT:
            flags = next((a.flags for a in netlink.addresses(index) if a.interface == self.interface), IFA_F_DADFAILED)
            if flags & IFA_F_DADFAILED:
                raise Refused(
                    f"address {self.interface.ip} is in use by another host of that network",
                    "Choose another; who has it: ip -6 neighbour show",
                )
            if not flags & IFA_F_TENTATIVE:
                return
            link = netlink.link(self.link)
            if link is None or (waited > 1 and not link.carrier):
                return  # without carrier there is nobody to ask; the kernel asks once there is
            signals.sleep(0.02)
            waited += 0.02
        raise Refused(
            f"address {self.interface.ip} was still being checked for duplicates after {DAD_LIMIT:.0f} s",
            "Is the network slow, or looped?  Look: ip -6 neighbour show",
        )

    def undo(self) -> None:
        """Nothing: waiting changes nothing."""

"""The host's own macvlan of a NIC, by which it reaches the guests that share that, and who is found over it."""

from __future__ import annotations

from pipework.actions.base import Action
from pipework.actions.lines import ipv6_setting
from pipework.actions.links import SetUp, delete, gone_is_fine
from pipework.kernel import sysfs
from pipework.kernel.locks import host_lock
from pipework.kernel.namespaces import Namespace
from pipework.kernel.neighbours import Neighbour, add_neighbour, delete_neighbour
from pipework.marks import NEWBORN
from pipework.quoting import quote
from pipework.typed import Any

# It has no address, of a router's neither: the host answers there by those that it has elsewhere.
IPV6 = (("accept_ra", "0"), ("addr_gen_mode", "1"))  # the latter IN6_ADDR_GEN_MODE_NONE, linux/if_link.h


class CreateAccess(Action):
    """Create such a macvlan, up, for all guests of the NIC.

    mark: the alias that it is to have until the run is done; undone only while it bears that, or none yet.
    ifindex: of one that comes back, else 0.
    """

    host: Namespace
    nic: str
    name: str
    mac: str
    mark: str
    ifindex: int = 0

    def do(self) -> None:
        netlink = self.host.netlink
        born: dict[str, Any] = {"ifindex": self.ifindex, "IFLA_LINK": netlink.index(self.nic), "IFLA_ADDRESS": self.mac}
        netlink.new_link(self.name, "macvlan", NEWBORN, [("IFLA_MACVLAN_MODE", "bridge")], **born)
        try:
            sysfs.answer_by_routes(self.name)
            for setting, value in IPV6:
                sysfs.set_ipv6(self.name, setting, value, f"{self.name} would take addresses of IPv6 routers")
            SetUp(self.host, self.name).do()
        except BaseException:
            delete(self.host, self.name)
            raise

    def undo(self) -> None:
        with host_lock(patient=True):
            link = self.host.netlink.link(self.name)
            if link and (link.alias == self.mark or link.group == NEWBORN):
                delete(self.host, self.name)

    def say(self) -> str:
        name = quote(self.name)
        settings = (ipv6_setting(self.name, *one) for one in IPV6)
        return "\n".join(
            (
                f"ip link add link {quote(self.nic)} name {name} address {self.mac} type macvlan mode bridge",
                f"sysctl -qw {quote(f'net/ipv4/conf/{self.name}/arp_filter=1')}",
                *settings,
                f"ip link set dev {name} up",
            )
        )


class RemoveAccess(Action):
    """Remove it with the last guest; undone, it is there again.  alias: which it has."""

    made: CreateAccess
    alias: str

    def do(self) -> None:
        delete(self.made.host, self.made.name)

    def undo(self) -> None:
        self.made.do()
        netlink = self.made.host.netlink
        netlink.set_link(netlink.index(self.made.name), IFLA_IFALIAS=self.alias, IFLA_GROUP=0)

    def say(self) -> str:
        return f"ip link delete dev {quote(self.made.name)}"


class SetNeighbour(Action):
    """Say which MAC is behind an address, for nobody asks for it over that link."""

    namespace: Namespace
    link: str
    neighbour: Neighbour

    def do(self) -> None:
        netlink = self.namespace.netlink
        add_neighbour(netlink, netlink.index(self.link), self.neighbour)

    def undo(self) -> None:
        netlink = self.namespace.netlink
        with gone_is_fine(self.namespace, self.link):
            delete_neighbour(netlink, netlink.index(self.link), self.neighbour)

    def say(self) -> str:
        where = f"{self.neighbour.address} lladdr {self.neighbour.mac} dev {quote(self.link)} nud permanent"
        return self.namespace.say(f"ip neighbour replace {where}")


class ForgetNeighbour(SetNeighbour):
    """The other way round."""

    def do(self) -> None:
        SetNeighbour.undo(self)

    def undo(self) -> None:
        with gone_is_fine(self.namespace, self.link):
            SetNeighbour.do(self)

    def say(self) -> str:
        return self.namespace.say(f"ip neighbour delete {self.neighbour.address} dev {quote(self.link)}")

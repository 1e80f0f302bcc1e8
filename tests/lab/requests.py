"""All that pipework asks the kernel for, deed by deed: what it sends, and what that is in pyroute2's words."""

from __future__ import annotations

from errno import ENODEV
from ipaddress import IPv6Address, ip_address, ip_interface, ip_network
from typing import Any, Callable

from pipework.actions import links
from pipework.actions.access import ForgetNeighbour, SetNeighbour
from pipework.actions.addresses import AddAddress, AddRoute
from pipework.actions.ipvlan import SetMode
from pipework.actions.nic import Dress, MoveLink
from pipework.actions.routed import gateway_of
from pipework.actions.vlans import SetVlans
from pipework.kernel import messages
from pipework.kernel.messages import DONE, ERROR
from pipework.kernel.namespaces import Namespace
from pipework.kernel.neighbours import Neighbour
from pipework.kernel.netlink import DUMP, GETLINK, GETNSID, NEWNSID, Netlink
from pipework.kernel.records import Link
from pipework.kernel.rules import add_rule, delete_rule, rule_for, rules
from pipework.marks import NEWBORN
from pipework.notes import Home
from pipework.vlans import Trunk
from tests.lab.pyroute2_reference import Described

MAC = "02:00:00:00:00:01"
HOST_FD, GUEST_FD = 70, 71
NEW, CHANGE, ASK, ALL = 0x605, 0x5, 0x5, 0x305  # NLM_F_*


class Recorded(Netlink):
    """Keeps what would be sent; every link that is asked for is missing, and every other namespace has id 0."""

    def __init__(self, **indexes: int) -> None:
        self.sent: list[bytes] = []
        self.socket: Any = self
        self._sequence, self._known = 0, indexes

    def index(self, name: str) -> int:
        """Return the index of a link, whatever has become of it."""
        return self._known[name]

    def forget(self, name: str) -> None:
        """Do nothing."""

    def send(self, data: bytes) -> None:
        """Keep a request."""
        self.sent.append(data)

    def recvmsg(self, *_: int) -> tuple[bytes, list[Any], int, tuple[int, int]]:
        """Answer the last request."""
        _, kind, flags, sequence, _ = messages.MESSAGE.unpack_from(self.sent[-1])
        told = b""
        if kind == GETNSID:
            told = messages.message(NEWNSID, 0, sequence, messages.namespace(NETNSA_NSID=0))
        done = DONE if flags & DUMP == DUMP else ERROR
        refused = -ENODEV if (kind, done) == (GETLINK, ERROR) else 0
        return told + messages.message(done, 0, sequence, messages.SIGNED.pack(refused)), [], 0, (0, 0)


class Stage:
    """A host and a guest that keep what they are asked for."""

    def __init__(self) -> None:
        self.host, self.guest = Namespace(HOST_FD), Namespace(GUEST_FD)
        self.on_host = self.host._netlink = Recorded(br0=3, eth0=4, port=5)
        self.in_guest = self.guest._netlink = Recorded(eth1=6, old=7)

    @property
    def sent(self) -> list[bytes]:
        """Return all of it, the host's first."""
        return [*self.on_host.sent, *self.in_guest.sent]


def info(kind: str, *data: tuple[str, Any]) -> tuple[str, Any]:
    """Return the kind of a link and what only that kind has, as pyroute2 takes it."""
    own = [("IFLA_INFO_DATA", {"attrs": data})] if data else []
    return ("IFLA_LINKINFO", {"attrs": [("IFLA_INFO_KIND", kind), *own]})


def rule(kind: int, flags: int, source: str, **fields: int) -> Described:
    """Return a message of a policy rule that leads to a table."""
    attrs = [("FRA_SRC", source), ("FRA_PRIORITY", 32765), ("FRA_TABLE", 7701)]
    return Described("fibmsg", kind, flags, {"action": 1, **fields}, attrs)


def link(kind: int, flags: int, /, *attrs: tuple[str, Any], **fields: int) -> Described:
    """Return a message of a link."""
    return Described("ifinfmsg", kind, flags, fields, attrs)


def born(name: str, *attrs: tuple[str, Any], **fields: int) -> Described:
    """Return the request that makes a link."""
    return link(16, NEW, ("IFLA_IFNAME", name), ("IFLA_GROUP", NEWBORN), *attrs, **fields)


TOKEN = {"attrs": [("AF_INET6", {"attrs": [("IFLA_INET6_TOKEN", "::123")]})]}


def vlans_of_port(kind: int, *entries: tuple[int, int], own: int = 0) -> Described:
    """Return the request that has a bridge port join or leave VLANs."""
    flags = [("IFLA_BRIDGE_FLAGS", own)] if own else []
    spec = {"attrs": [*flags, *(("IFLA_BRIDGE_VLAN_INFO", {"flags": how, "vid": vlan}) for how, vlan in entries)]}
    return link(kind, CHANGE, ("IFLA_AF_SPEC", spec), family=7, index=5)


def address(kind: int, flags: int, /, *attrs: tuple[str, Any], **fields: int) -> Described:
    """Return a message of an address."""
    return Described("ifaddrmsg", kind, flags, fields, attrs)


def neighbour(kind: int, flags: int, /, *attrs: tuple[str, Any], **fields: int) -> Described:
    """Return a message of a guest's neighbour that stays."""
    return Described("ndmsg", kind, flags, {"ifindex": 6, "state": 0x80, **fields}, attrs)


def route(kind: int, flags: int, /, *attrs: tuple[str, Any], **fields: int) -> Described:
    """Return a message of a route; those that pipework adds are unicast, of its own making."""
    return Described("rtmsg", kind, flags, fields, attrs)


NO_STATS = ("IFLA_EXT_MASK", 8)
PROXY = {"family": 2, "ifindex": 4, "state": 0x80, "flags": 8}
NEW_ROUTE = {"table": 254, "proto": 3, "type": 1}
ON_NIC = (("IFLA_LINK", 4), ("IFLA_LINK_NETNSID", 0))
LOOK_AT_HOME = link(18, ASK, ("IFLA_IFNAME", "eth0"), NO_STATS)
FIRST_LOOK = link(18, ASK, ("IFLA_IFNAME", "eth1"), NO_STATS)  # for a name that is to be free
NSID = Described("nsidmsg", 90, ASK, {}, [("NETNSA_FD", HOST_FD)])
HOME = Home(
    Link(4, "eth0", "", True, True, 1500, MAC, "its alias", 3, 0, None, 1), None, "br0", addresses=(), routes=()
)
LOCAL4 = (("IFA_LOCAL", "10.0.0.9"), ("IFA_ADDRESS", "10.0.0.9"))
LOCAL6 = (("IFA_LOCAL", "fd00::9"), ("IFA_ADDRESS", "fd00::9"))


def bring_home(stage: Stage) -> None:
    """Move a NIC from the guest to the host and give it what it had there."""
    there = HOME.link.replace(ifindex=6, name="eth1")
    MoveLink(stage.guest, stage.host, HOME.replace(link=there), "eth0", 4).do()
    Dress(stage.host, HOME, there).do()


Deed = Callable[[Stage], object]
# What pipework does, and what it sends for that, in pyroute2's words.
REQUESTS: dict[str, tuple[Deed, list[Described]]] = {
    "link": (lambda s: s.on_host.link("eth9"), [link(18, ASK, ("IFLA_IFNAME", "eth9"), NO_STATS)]),
    "links": (lambda s: s.on_host.links(), [link(18, ALL, NO_STATS)]),
    "port_vlans": (lambda s: s.on_host.port_vlans(5), [link(18, ALL, ("IFLA_EXT_MASK", 2), family=7)]),
    "namespace_id": (lambda s: s.in_guest.namespace_id(HOST_FD), [NSID]),
    "new namespace id": (
        lambda s: s.in_guest.request(NEWNSID, messages.namespace(NETNSA_FD=HOST_FD, NETNSA_NSID=0xFFFFFFFF)),
        [Described("nsidmsg", 88, CHANGE, {}, [("NETNSA_FD", HOST_FD), ("NETNSA_NSID", 0xFFFFFFFF)])],
    ),
    "addresses": (lambda s: s.on_host.addresses(5), [address(22, ALL)]),
    "routes": (lambda s: s.on_host.routes(4), [route(26, ALL, family=2, table=254)]),
    "default routes": (lambda s: s.on_host.default_routes(6), [route(26, ALL, family=10, table=254)]),
    "all routes": (lambda s: s.on_host.all_routes(6), [route(26, ALL, family=10)]),
    "routes via": (
        lambda s: s.on_host.routes_via(5),
        [route(26, ALL, ("RTA_OIF", 5), family=2), route(26, ALL, ("RTA_OIF", 5), family=10)],
    ),
    "bridge": (
        lambda s: links.CreateBridge(s.host, "br1", False).do(),
        [born("br1", info("bridge"), flags=1, change=1)],
    ),
    "bridge with VLANs": (
        lambda s: links.CreateBridge(s.host, "br1", True).do(),
        [born("br1", info("bridge", ("IFLA_BR_VLAN_FILTERING", 1)), flags=1, change=1)],
    ),
    "veth between guests": (
        lambda s: links.CreateVeth(s.host, "eth7", s.guest, "eth1", 1400, None, None, both=True).do(),
        [
            born(
                "eth7",
                ("IFLA_MTU", 1400),
                info(
                    "veth",
                    (
                        "VETH_INFO_PEER",
                        {
                            "attrs": [
                                ("IFLA_IFNAME", "eth1"),
                                ("IFLA_MTU", 1400),
                                ("IFLA_NET_NS_FD", GUEST_FD),
                                ("IFLA_GROUP", NEWBORN),
                            ]
                        },
                    ),
                ),
            )
        ],
    ),
    "veth": (
        lambda s: links.CreateVeth(s.host, "port9", s.guest, "eth1", 1500, MAC, "br0").do(),
        [
            born(
                "port9",
                ("IFLA_MTU", 1500),
                ("IFLA_MASTER", 3),
                info(
                    "veth",
                    (
                        "VETH_INFO_PEER",
                        {
                            "attrs": [
                                ("IFLA_IFNAME", "eth1"),
                                ("IFLA_MTU", 1500),
                                ("IFLA_NET_NS_FD", GUEST_FD),
                                ("IFLA_ADDRESS", MAC),
                            ]
                        },
                    ),
                ),
            )
        ],
    ),
    "macvlan": (
        lambda s: links.CreateStacked(
            "macvlan", (("IFLA_MACVLAN_MODE", "bridge"),), "", s.host, "eth0", s.guest, "eth1", MAC
        ).do(),
        [
            FIRST_LOOK,
            NSID,
            born("eth1", *ON_NIC, ("IFLA_ADDRESS", MAC), info("macvlan", ("IFLA_MACVLAN_MODE", "bridge"))),
        ],
    ),
    "ipvlan": (
        lambda s: links.CreateStacked(
            "ipvlan", (("IFLA_IPVLAN_MODE", "l3"),), "", s.host, "eth0", s.guest, "eth1", None
        ).do(),
        [FIRST_LOOK, NSID, born("eth1", *ON_NIC, info("ipvlan", ("IFLA_IPVLAN_MODE", 1)))],
    ),
    "mode of ipvlans": (
        lambda s: SetMode(s.guest, "old", "l2", "l3").do(),
        [link(16, CHANGE, info("ipvlan", ("IFLA_IPVLAN_MODE", 0)), index=7)],
    ),
    "vlan in the guest": (
        lambda s: links.CreateStacked("vlan", (("IFLA_VLAN_ID", 100),), "", s.host, "eth0", s.guest, "eth1", None).do(),
        [FIRST_LOOK, NSID, born("eth1", *ON_NIC, info("vlan", ("IFLA_VLAN_ID", 100)))],
    ),
    "ipoib": (
        lambda s: links.CreateStacked(
            "ipoib", (("IFLA_IPOIB_PKEY", 0x8001),), "", s.host, "eth0", s.guest, "eth1", None
        ).do(),
        [FIRST_LOOK, NSID, born("eth1", *ON_NIC, info("ipoib", ("IFLA_IPOIB_PKEY", 0x8001)))],
    ),
    "ipoib without key": (
        lambda s: links.CreateStacked("ipoib", (), "", s.host, "eth0", s.guest, "eth1", None).do(),
        [FIRST_LOOK, NSID, born("eth1", *ON_NIC, info("ipoib"))],
    ),
    "dummy": (
        lambda s: links.CreateDummy(s.guest, "dummy0", MAC).do(),
        [born("dummy0", ("IFLA_ADDRESS", MAC), info("dummy"))],
    ),
    "vlan on the host": (
        lambda s: s.on_host.new_link("eth0.100", "vlan", NEWBORN, [("IFLA_VLAN_ID", 100)], up=True, IFLA_LINK=4),
        [born("eth0.100", ("IFLA_LINK", 4), info("vlan", ("IFLA_VLAN_ID", 100)), flags=1, change=1)],
    ),
    "access VLAN": (
        lambda s: SetVlans(s.host, "port", Trunk(100, ()), 100).do(),
        [vlans_of_port(19, (6, 100))],
    ),
    "trunk": (
        lambda s: SetVlans(s.host, "port", Trunk(10, ((100, 100), (200, 210))), 1).do(),
        [
            vlans_of_port(19, (6, 10), (0, 100), (8, 200), (16, 210)),
            vlans_of_port(17, (0, 1)),
        ],
    ),
    "leaving a VLAN": (lambda s: s.on_host.delete_port_vlans(5, [(100, 100)]), [vlans_of_port(17, (0, 100))]),
    "VLANs of a bridge itself": (
        lambda s: s.on_host.add_port_vlans(5, None, [(2, 4094)], True),
        [vlans_of_port(19, (8, 2), (16, 4094), own=2)],
    ),
    "filtering": (
        lambda s: s.on_host.change_link(3, "bridge", [("IFLA_BR_VLAN_FILTERING", 1)]),
        [link(16, CHANGE, info("bridge", ("IFLA_BR_VLAN_FILTERING", 1)), index=3)],
    ),
    "token": (
        lambda s: s.in_guest.set_token(6, IPv6Address("::123")),
        [
            link(
                19,
                CHANGE,
                ("IFLA_AF_SPEC", {"attrs": [("AF_INET6", {"attrs": [("IFLA_INET6_TOKEN", "::123")]})]}),
                index=6,
            )
        ],
    ),
    "up": (lambda s: links.SetUp(s.host, "eth0").do(), [link(19, CHANGE, index=4, flags=1, change=1)]),
    "down": (lambda s: links.SetUp(s.host, "eth0").undo(), [link(19, CHANGE, index=4, flags=0, change=1)]),
    "adopt": (lambda s: links.Adopt(s.host, "eth0").do(), [link(19, CHANGE, ("IFLA_GROUP", 0), index=4)]),
    "alias": (
        lambda s: links.MarkNewborn(s.host, "eth0", "pipework: x").do(),
        [link(19, CHANGE, ("IFLA_IFALIAS", "pipework: x"), ("IFLA_GROUP", 0), index=4)],
    ),
    "no alias": (
        lambda s: links.SetAlias(s.host, "eth0", "").do(),
        [link(19, CHANGE, ("IFLA_IFALIAS", ""), index=4)],
    ),
    "mac": (
        lambda s: links.SetMac(s.guest, "eth1", MAC, "").do(),
        [link(19, CHANGE, ("IFLA_ADDRESS", MAC), index=6)],
    ),
    "rename": (
        lambda s: links.RenameLink(s.guest, "old", "new").do(),
        [link(19, CHANGE, ("IFLA_IFNAME", "new"), index=7)],
    ),
    "delete": (lambda s: links.DeleteLink(s.guest, "old").do(), [link(17, CHANGE, index=7)]),
    "lend a NIC": (
        lambda s: MoveLink(s.host, s.guest, HOME, "eth1").do(),
        [link(19, CHANGE, ("IFLA_NET_NS_FD", GUEST_FD), ("IFLA_IFNAME", "eth1"), index=4), FIRST_LOOK],
    ),
    "bring a NIC home": (
        bring_home,
        [
            LOOK_AT_HOME,
            link(18, ALL, NO_STATS),
            link(19, CHANGE, ("IFLA_MTU", 1500), ("IFLA_IFALIAS", "its alias"), index=4),
            LOOK_AT_HOME,
            link(18, ASK, ("IFLA_IFNAME", "br0"), NO_STATS),
            link(19, CHANGE, index=4, flags=1, change=1),
            address(22, ALL),
            link(19, CHANGE, ("IFLA_NET_NS_FD", HOST_FD), ("IFLA_IFNAME", "eth0"), ("IFLA_NEW_IFINDEX", 4), index=6),
        ],
    ),
    "port of a bridge": (
        lambda s: s.on_host.set_link(4, IFLA_MASTER=3),
        [link(19, CHANGE, ("IFLA_MASTER", 3), index=4)],
    ),
    "neighbour": (
        lambda s: SetNeighbour(s.guest, "eth1", Neighbour(ip_address("10.0.0.2"), MAC)).do(),
        [neighbour(28, CHANGE | 0x500, ("NDA_DST", "10.0.0.2"), ("NDA_LLADDR", MAC), family=2)],
    ),
    "no neighbour": (
        lambda s: ForgetNeighbour(s.guest, "eth1", Neighbour(ip_address("fd00::2"), MAC)).do(),
        [neighbour(29, CHANGE, ("NDA_DST", "fd00::2"), family=10)],
    ),
    "macvlan of the host": (
        lambda s: s.on_host.new_link(
            "pw", "macvlan", NEWBORN, [("IFLA_MACVLAN_MODE", "bridge")], IFLA_LINK=4, ifindex=9
        ),
        [born("pw", ("IFLA_LINK", 4), info("macvlan", ("IFLA_MACVLAN_MODE", "bridge")), index=9)],
    ),
    "route by an address": (
        lambda s: AddRoute(s.host, "eth0", 4, ip_network("10.9.0.1"), None, source=ip_address("10.0.0.1")).do(),
        [
            route(
                24,
                NEW,
                *(("RTA_OIF", 4), ("RTA_DST", "10.9.0.1"), ("RTA_PREFSRC", "10.0.0.1")),
                **{"family": 2, "dst_len": 32, "scope": 253, **NEW_ROUTE},
            )
        ],
    ),
    "add address": (
        lambda s: AddAddress(s.guest, "eth1", ip_interface("10.0.0.9/24"), ip_address("10.0.0.255")).do(),
        [address(20, NEW, *LOCAL4, ("IFA_BROADCAST", "10.0.0.255"), family=2, prefixlen=24, index=6)],
    ),
    "add IPv6 address": (
        lambda s: AddAddress(s.guest, "eth1", ip_interface("fd00::9/64"), None).do(),
        [address(20, NEW, *LOCAL6, family=10, prefixlen=64, index=6)],
    ),
    "delete address": (
        lambda s: s.in_guest.delete_address(6, ip_interface("10.0.0.9/24")),
        [address(21, CHANGE, *LOCAL4, family=2, prefixlen=24, index=6)],
    ),
    "default route": (
        lambda s: AddRoute(s.guest, "eth1", 4, None, ip_address("10.0.0.1")).do(),
        [route(24, NEW, ("RTA_OIF", 6), ("RTA_GATEWAY", "10.0.0.1"), family=2, scope=0, **NEW_ROUTE)],
    ),
    "route to a host": (
        lambda s: AddRoute(s.guest, "eth1", 4, ip_network("10.9.0.1"), None).do(),
        [route(24, NEW, ("RTA_OIF", 6), ("RTA_DST", "10.9.0.1"), family=2, dst_len=32, scope=253, **NEW_ROUTE)],
    ),
    "route with a metric": (
        lambda s: AddRoute(s.guest, "eth1", 4, ip_network("10.8.0.0/13"), ip_address("10.0.0.1"), 7).do(),
        [
            route(
                24,
                NEW,
                *(("RTA_OIF", 6), ("RTA_DST", "10.8.0.0"), ("RTA_GATEWAY", "10.0.0.1"), ("RTA_PRIORITY", 7)),
                **{"family": 2, "dst_len": 13, "scope": 0, **NEW_ROUTE},
            )
        ],
    ),
    "default route of a table": (
        lambda s: AddRoute(s.guest, "eth1", 4, None, ip_address("10.0.0.1"), table=7701).do(),
        [
            route(
                24,
                NEW,
                *(("RTA_OIF", 6), ("RTA_GATEWAY", "10.0.0.1"), ("RTA_TABLE", 7701)),
                **{"family": 2, "scope": 0, **NEW_ROUTE, "table": 0},
            )
        ],
    ),
    "routes of a table": (
        lambda s: s.in_guest.routes(6, 7701),
        [Described("rtmsg", 26, ALL, {"family": 10}, [("RTA_TABLE", 7701)])],
    ),
    "neighbours": (
        lambda s: s.in_guest.neighbours(6),
        [Described("ndmsg", 30, ALL, {}, [("NDA_IFINDEX", 6)])],
    ),
    "addresses that a link answers for": (
        lambda s: s.in_guest.proxied(6),
        [Described("ndmsg", 30, ALL, {"flags": 8}, [("NDA_IFINDEX", 6)])],
    ),
    "answers for an address": (
        lambda s: s.on_host.add_proxy(4, ip_address("10.0.0.9")),
        [Described("ndmsg", 28, 0x405, PROXY, [("NDA_DST", "10.0.0.9")])],
    ),
    "answers for an IPv6 address that go": (
        lambda s: s.on_host.delete_proxy(4, ip_address("fd00::9")),
        [Described("ndmsg", 29, CHANGE, {**PROXY, "family": 10}, [("NDA_DST", "fd00::9")])],
    ),
    "address of any link": (lambda s: s.on_host.holder(ip_address("10.0.0.9")), [address(22, ALL)]),
    "gateway of a routed guest": (
        lambda s: gateway_of(s.host, "port", 4).do(),
        [
            address(
                20,
                NEW,
                *(("IFA_LOCAL", "169.254.0.1"), ("IFA_ADDRESS", "169.254.0.1")),
                **{"family": 2, "prefixlen": 32, "scope": 253, "index": 5},
            )
        ],
    ),
    "IPv6 gateway of a routed guest": (
        lambda s: gateway_of(s.host, "port", 6).do(),
        [
            address(
                20,
                NEW,
                *(("IFA_LOCAL", "fe80::1"), ("IFA_ADDRESS", "fe80::1")),
                **{"family": 10, "prefixlen": 64, "scope": 253, "flags": 2, "index": 5},
            )
        ],
    ),
    "rules": (
        lambda s: list(rules(s.in_guest)),
        [Described("fibmsg", 34, ALL, {"family": family}) for family in (2, 10)],
    ),
    "rule": (
        lambda s: add_rule(s.in_guest, rule_for(ip_address("10.0.0.9"), 7701)),
        [rule(32, NEW, "10.0.0.9", family=2, src_len=32)],
    ),
    "IPv6 rule that goes": (
        lambda s: delete_rule(s.in_guest, rule_for(ip_address("fd00::9"), 7701)),
        [rule(33, CHANGE, "fd00::9", family=10, src_len=128)],
    ),
    "IPv6 default route": (
        lambda s: AddRoute(s.guest, "eth1", 6, None, ip_address("fd00::1")).do(),
        [route(24, NEW, ("RTA_OIF", 6), ("RTA_GATEWAY", "fd00::1"), family=10, scope=0, **NEW_ROUTE)],
    ),
    "IPv6 route to a host": (
        lambda s: AddRoute(s.guest, "eth1", 6, ip_network("fd09::1"), None).do(),
        [route(24, NEW, ("RTA_OIF", 6), ("RTA_DST", "fd09::1"), family=10, dst_len=128, scope=0, **NEW_ROUTE)],
    ),
}

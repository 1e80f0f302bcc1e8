"""rtnetlink messages as bytes: of links, addresses, routes and namespace ids, and the kernel's errors.

A message is a header of fixed size and then attributes: length, number and a payload that is padded to four bytes.
Here is what pipework sends and reads of them.  What the kernel tells beyond that stays bytes, and goes back as it came.
"""

from __future__ import annotations

import sys
from collections.abc import Container, Iterable, Iterator
from struct import Struct

from pipework.kernel.bare import socket
from pipework.typed import Any, Callable, Optional

# struct nlmsghdr of linux/netlink.h: length, type, flags, sequence number, sender
MESSAGE = Struct("=IHHII")
# Behind it stands one of these: linux/rtnetlink.h, linux/if_addr.h
LINK = Struct("=BxHiII")  # ifinfomsg: family, hardware (ARPHRD_*), ifindex, flags (IFF_*), which of them change
ADDRESS = Struct("=BBBBI")  # ifaddrmsg: family, prefix length, flags (the first eight IFA_F_*), scope, ifindex
# rtmsg: family, dst_len, src_len, tos, table, protocol, scope, type, flags; fib_rule_hdr of linux/fib_rules.h is alike
ROUTE = Struct("=8BI")
NEIGHBOUR = Struct("=B3xiHBB")  # ndmsg of linux/neighbour.h: family, ifindex, state, flags, type
NAMESPACE = Struct("=B3x")  # rtgenmsg: family
SIGNED = Struct("=i")  # of nlmsgerr, and of an NLMSG_DONE: the errno, negative
HOP = Struct("=HBBi")  # rtnexthop: length, flags, weight - 1, ifindex; attributes follow
VLAN = Struct("=HH")  # bridge_vlan_info of linux/if_bridge.h: flags, VLAN id
PAIR_OF_TIMES = Struct("=II")  # what ifa_cacheinfo of linux/if_addr.h begins with: seconds preferred, seconds valid
PAIR = Struct("=HH")  # nlattr: length, number

# linux/netlink.h
ERROR, DONE, OVERRUN = 2, 3, 4
MULTI, DUMP_INTERRUPTED, CAPPED, EXPLAINED = 0x2, 0x10, 0x100, 0x200  # NLM_F_*, the last two of errors
EXPLANATION = 1  # NLMSGERR_ATTR_MSG
NUMBER = 0x3FFF  # NLA_TYPE_MASK: the upper bits of an attribute's number are flags

# linux/if_link.h
IFLA_ADDRESS, IFLA_IFNAME, IFLA_MTU, IFLA_LINK, IFLA_MASTER, IFLA_LINKINFO, IFLA_IFALIAS = 1, 3, 4, 5, 10, 18, 20
IFLA_AF_SPEC, IFLA_GROUP, IFLA_LINK_NETNSID, IFLA_ALT_IFNAME, IFLA_PERM_ADDRESS = 26, 27, 37, 53, 54
INFO_KIND, INFO_DATA = 1, 2
INET6_TOKEN = 7  # IFLA_INET6_TOKEN
BRIDGE_FLAGS, BRIDGE_VLAN_INFO, BRIDGE_FLAGS_SELF = 0, 2, 2  # linux/if_bridge.h
# linux/if_addr.h
IFA_ADDRESS, IFA_LOCAL, IFA_LABEL, IFA_BROADCAST, IFA_CACHEINFO, IFA_FLAGS = 1, 2, 3, 4, 6, 8
# linux/rtnetlink.h
RTA_DST, RTA_SRC, RTA_OIF, RTA_GATEWAY, RTA_PRIORITY, RTA_PREFSRC, RTA_METRICS, RTA_MULTIPATH = 1, 2, 4, 5, 6, 7, 8, 9
RTA_FLOW, RTA_CACHEINFO, RTA_TABLE, RTA_VIA, RTA_PREF, RTA_ENCAP_TYPE, RTA_ENCAP = 11, 12, 15, 18, 20, 21, 22
RTA_EXPIRES, RTA_NH_ID = 23, 30
NEXT_HOP = frozenset((RTA_OIF, RTA_GATEWAY, RTA_MULTIPATH, RTA_VIA, RTA_ENCAP_TYPE, RTA_ENCAP))
ONLINK = 0x4  # RTNH_F_ONLINK, the one flag of a route or a next hop that is not the kernel's to set
UNICAST, BLACKHOLE = 1, 6  # RTN_*; from here on a route's type says that it leads nowhere
NDA_DST, NDA_LLADDR, NDA_IFINDEX = 1, 2, 8  # linux/neighbour.h
REACHABLE, PERMANENT, PROXY = 0x02, 0x80, 0x08  # NUD_* of it, and the flag NTF_PROXY
MAIN_TABLE, LOCAL_TABLE = 254, 255  # RT_TABLE_*
NETNSA_NSID = 1  # linux/net_namespace.h
TICKS = 100  # of a second, in which a route's life is told: USER_HZ

_PADDING = (b"", b"\0\0\0", b"\0\0", b"\0")


# -- values


def _text(value: str) -> bytes:
    return value.encode("utf-8", "surrogateescape") + b"\0"


def _mac(value: str) -> bytes:
    return bytes.fromhex(value.replace(":", ""))


def ip(value: str) -> bytes:
    """An address of either family.  Raises OSError."""
    return socket.inet_pton(socket.AF_INET6 if ":" in value else socket.AF_INET, value)


u8, u16, u32 = Struct("=B").pack, Struct("=H").pack, Struct("=I").pack


def unsigned(payload: Optional[bytes]) -> int:
    """What an attribute that holds a number says; 0 where it is missing."""
    return int.from_bytes(payload, sys.byteorder) if payload else 0


def text(payload: Optional[bytes]) -> str:
    """What an attribute that holds text says; "" where it is missing."""
    return payload.rstrip(b"\0").decode("utf-8", "surrogateescape") if payload else ""


def ip_text(payload: bytes) -> str:
    """An address of either family."""
    return socket.inet_ntop(socket.AF_INET6 if len(payload) == 16 else socket.AF_INET, payload)


# -- attributes


def attribute(number: int, payload: bytes) -> bytes:
    """An attribute, padded."""
    length = len(payload) + 4
    return PAIR.pack(length, number) + payload + _PADDING[length & 3]


def attributes(data: bytes, offset: int = 0) -> list[tuple[int, bytes]]:
    """All that follow from there, in their order; their numbers are with flags (see NUMBER)."""
    found = []
    unpack, end = PAIR.unpack_from, len(data) - 3
    while offset < end:
        length, number = unpack(data, offset)
        if length < 4:
            break
        found.append((number, data[offset + 4 : offset + length]))
        offset += (length + 3) & ~3
    return found


def chosen(data: bytes, offset: int, wanted: Container[int]) -> dict[int, bytes]:
    """Those that follow from there and are wanted: a link has some thirty, and a handful of them counts."""
    found = {}
    unpack, end = PAIR.unpack_from, len(data) - 3
    while offset < end:
        length, number = unpack(data, offset)
        if number in wanted:
            found[number] = data[offset + 4 : offset + length]
        elif length < 4:
            break
        offset += (length + 3) & ~3
    return found


def changed(data: bytes, offset: int, number: int, value: bytes) -> bytes:
    """The same with another value of the attribute of that number, which is added where it is missing."""
    pairs = attributes(data, offset)
    there = [(kind, value if kind == number else payload) for kind, payload in pairs]
    there += [] if any(kind == number for kind, _ in pairs) else [(number, value)]
    return data[:offset] + b"".join(attribute(*pair) for pair in there)


def without(data: bytes, offset: int, number: int) -> bytes:
    """The same without an attribute."""
    pairs = [pair for pair in attributes(data, offset) if pair[0] & NUMBER != number]
    return data[:offset] + b"".join(attribute(*pair) for pair in pairs)


def _peer(value: dict[str, Any]) -> bytes:
    """The other end of a veth pair: an ifinfomsg with attributes inside an attribute."""
    return LINK.pack(0, 0, value.get("index", 0), 0, 0) + _packed(value["attrs"])


def _mode(value: str) -> bytes:
    return u32({"private": 1, "vepa": 2, "bridge": 4, "passthru": 8}[value])  # MACVLAN_MODE_*


IPVLAN_MODES = ("l2", "l3", "l3s")  # IPVLAN_MODE_* of linux/if_link.h, by their numbers


def _ipvlan_mode(value: str) -> bytes:
    return u16(IPVLAN_MODES.index(value))


# The attributes that can be given by name, with what their values are made of; a kind's own are below IFLA_INFO_DATA.
NAMED: dict[str, tuple[int, Callable[[Any], bytes]]] = {
    "IFLA_ADDRESS": (IFLA_ADDRESS, _mac),
    "IFLA_IFNAME": (IFLA_IFNAME, _text),
    "IFLA_MTU": (IFLA_MTU, u32),
    "IFLA_LINK": (IFLA_LINK, u32),
    "IFLA_MASTER": (IFLA_MASTER, u32),
    "IFLA_IFALIAS": (IFLA_IFALIAS, _text),
    "IFLA_GROUP": (IFLA_GROUP, u32),
    "IFLA_NET_NS_FD": (28, u32),
    "IFLA_EXT_MASK": (29, u32),
    "IFLA_LINK_NETNSID": (IFLA_LINK_NETNSID, u32),
    "IFLA_ALT_IFNAME": (IFLA_ALT_IFNAME, _text),
    "IFLA_NEW_IFINDEX": (49, u32),
    "IFLA_BR_VLAN_FILTERING": (7, u8),
    "IFLA_VLAN_ID": (1, u16),
    "IFLA_IPOIB_PKEY": (1, u16),
    "IFLA_MACVLAN_MODE": (1, _mode),
    "IFLA_IPVLAN_MODE": (1, _ipvlan_mode),
    "VETH_INFO_PEER": (1, _peer),
    "IFA_ADDRESS": (IFA_ADDRESS, ip),
    "IFA_LOCAL": (IFA_LOCAL, ip),
    "IFA_BROADCAST": (IFA_BROADCAST, ip),
    "RTA_DST": (RTA_DST, ip),
    "RTA_OIF": (RTA_OIF, u32),
    "RTA_GATEWAY": (RTA_GATEWAY, ip),
    "RTA_PRIORITY": (RTA_PRIORITY, u32),
    "RTA_PREFSRC": (RTA_PREFSRC, ip),
    "RTA_TABLE": (RTA_TABLE, u32),
    "NDA_DST": (NDA_DST, ip),
    "NDA_LLADDR": (NDA_LLADDR, _mac),
    "FRA_SRC": (2, ip),
    "FRA_PRIORITY": (6, u32),
    "FRA_TABLE": (15, u32),
    "NETNSA_NSID": (NETNSA_NSID, u32),
    "NETNSA_FD": (3, u32),
}


def _packed(named: Iterable[tuple[str, Any]]) -> bytes:
    packed = b""
    for name, value in named:
        number, encode = NAMED[name]
        packed += attribute(number, encode(value))
    return packed


# -- requests, without the netlink header


def link(ifindex: int = 0, up: Optional[bool] = None, family: int = 0, **named: Any) -> bytes:
    """A link, by index or by IFLA_IFNAME; up: what it shall be, None for as it is."""
    change = 0 if up is None else 1  # IFF_UP
    return LINK.pack(family, 0, ifindex, change if up else 0, change) + _packed(named.items())


def link_info(kind: str, data: Iterable[tuple[str, Any]]) -> bytes:
    """IFLA_LINKINFO: the kind of a link that is to be made, and the kind's own attributes."""
    packed = _packed(data)
    info = attribute(INFO_KIND, _text(kind)) + (attribute(INFO_DATA, packed) if packed else b"")
    return attribute(IFLA_LINKINFO, info)


def port_vlans(family: int, ifindex: int, entries: Iterable[tuple[int, int]], is_own: bool = False) -> bytes:
    """VLANs of a bridge port, as flags (BRIDGE_VLAN_INFO_*) and id; is_own: of the bridge itself."""
    spec = attribute(BRIDGE_FLAGS, u16(BRIDGE_FLAGS_SELF)) if is_own else b""
    spec += b"".join(attribute(BRIDGE_VLAN_INFO, VLAN.pack(flags, vlan)) for flags, vlan in entries)
    return LINK.pack(family, 0, ifindex, 0, 0) + attribute(IFLA_AF_SPEC, spec)


def token(family: int, ifindex: int, value: bytes) -> bytes:
    """The interface identifier of a link, as an address; family: AF_INET6."""
    spec = attribute(family, attribute(INET6_TOKEN, value))
    return LINK.pack(0, 0, ifindex, 0, 0) + attribute(IFLA_AF_SPEC, spec)


def address(ifindex: int, family: int = 0, prefixlen: int = 0, scope: int = 0, flags: int = 0, **named: Any) -> bytes:
    """An address of a link; flags: the first eight IFA_F_*."""
    return ADDRESS.pack(family, prefixlen, flags, scope, ifindex) + _packed(named.items())


def put_back_address(ifindex: int, told: bytes, is_timed: bool = False) -> bytes:
    """An address as it was told, for a link, with the time that it had left then or without."""
    family, prefixlen, _, scope, _ = ADDRESS.unpack_from(told)
    kept = [pair for pair in attributes(told, ADDRESS.size) if is_timed or pair[0] != IFA_CACHEINFO]
    return ADDRESS.pack(family, prefixlen, 0, scope, ifindex) + b"".join(attribute(*pair) for pair in kept)


def route(family: int, table: int = 0, made_by: int = 0, scope: int = 0, to_bits: int = 0, **named: Any) -> bytes:
    """A unicast route to the to_bits first bits of RTA_DST; without made_by (RTPROT_*) what a dump shall be of."""
    return ROUTE.pack(family, to_bits, 0, 0, table, made_by, scope, UNICAST if made_by else 0, 0) + _packed(
        named.items()
    )


def put_back_route(told: bytes, by_object: bool = True) -> bytes:
    """A route as it was told, in such a way that the kernel takes it again.

    by_object: a route that leads to a nexthop object by the object's id; else as the kernel tells beside that id,
    which it does not take together with it.
    """
    *header, flags = ROUTE.unpack_from(told)
    pairs = [(kind, payload) for kind, payload in attributes(told, ROUTE.size) if by_object or kind != RTA_NH_ID]
    if any(kind == RTA_NH_ID for kind, _ in pairs):
        pairs = _without_hops(pairs)
        header[7] = UNICAST if header[7] == BLACKHOLE else header[7]  # which it has of its object
    elif header[0] == socket.AF_INET and header[7] >= BLACKHOLE:
        pairs = _without_hops(pairs)
    return ROUTE.pack(*header, flags & ONLINK) + b"".join(_put_back(*pair) for pair in pairs)


def rule(family: int, action: int = 0, **named: Any) -> bytes:
    """A policy rule, by FRA_*, of one source address if it has any; without an action what a dump shall be of."""
    bits = len(ip(named["FRA_SRC"])) * 8 if "FRA_SRC" in named else 0
    return ROUTE.pack(family, 0, bits, 0, 0, 0, 0, action, 0) + _packed(named.items())


def _without_hops(pairs: list[tuple[int, bytes]]) -> list[tuple[int, bytes]]:
    return [(kind, payload) for kind, payload in pairs if kind & NUMBER not in NEXT_HOP]


def _put_back(kind: int, payload: bytes) -> bytes:
    if kind & NUMBER == RTA_MULTIPATH:
        return attribute(kind, b"".join(_hop(*hop) for hop in hops(payload)))
    if kind & NUMBER != RTA_CACHEINFO:
        return attribute(kind, payload)
    ticks = SIGNED.unpack_from(payload, 8)[0] if len(payload) >= 12 else 0  # rta_expires of struct rta_cacheinfo
    return attribute(RTA_EXPIRES, u32(-(-ticks // TICKS))) if ticks > 0 else b""


def _hop(flags: int, weight: int, ifindex: int, inner: bytes) -> bytes:
    return HOP.pack(HOP.size + len(inner), flags & ONLINK, weight, ifindex) + inner + _PADDING[len(inner) & 3]


def neighbours(ifindex: int, flags: int = 0) -> bytes:
    """The neighbours of a link, for a dump; with PROXY the addresses that it answers for."""
    return NEIGHBOUR.pack(0, 0, 0, flags, 0) + attribute(NDA_IFINDEX, u32(ifindex))


def proxy(family: int, ifindex: int, value: bytes) -> bytes:
    """An address that a link answers for, though it is another's."""
    return NEIGHBOUR.pack(family, ifindex, PERMANENT, PROXY, 0) + attribute(NDA_DST, value)


def neighbour(family: int, ifindex: int, **named: Any) -> bytes:
    """A neighbour that stays until it is removed, by NDA_*."""
    return NEIGHBOUR.pack(family, ifindex, PERMANENT, 0, 0) + _packed(named.items())


def namespace(**named: Any) -> bytes:
    """A network namespace, by NETNSA_*."""
    return NAMESPACE.pack(0) + _packed(named.items())


# -- parts of answers


def hops(payload: bytes) -> Iterator[tuple[int, int, int, bytes]]:
    """The next hops of RTA_MULTIPATH: flags, weight - 1, ifindex, attributes."""
    offset, end = 0, len(payload) - HOP.size + 1
    while offset < end:
        length, flags, weight, ifindex = HOP.unpack_from(payload, offset)
        if length < HOP.size:
            break
        yield flags, weight, ifindex, payload[offset + HOP.size : offset + length]
        offset += (length + 3) & ~3


def other_hops(payload: bytes, was: int, now: int) -> bytes:
    """RTA_MULTIPATH with another link in the place of one."""
    told = hops(payload)
    return b"".join(_hop(flags, weight, now if of == was else of, inner) for flags, weight, of, inner in told)


def vlans_told(told: bytes) -> Iterator[tuple[int, int]]:
    """The VLANs of a bridge port, as flags (BRIDGE_VLAN_INFO_*) and id."""
    spec = chosen(told, LINK.size, (IFLA_AF_SPEC,)).get(IFLA_AF_SPEC, b"")
    for kind, payload in attributes(spec):
        if kind == BRIDGE_VLAN_INFO:
            yield VLAN.unpack_from(payload)


def namespace_id(told: bytes) -> int:
    """The id by which one namespace knows another."""
    return unsigned(chosen(told, NAMESPACE.size, (NETNSA_NSID,)).get(NETNSA_NSID))


# -- the messages of a datagram


def message(kind: int, flags: int, sequence: int, body: bytes) -> bytes:
    """A request as it is sent."""
    return MESSAGE.pack(MESSAGE.size + len(body), kind, flags, sequence, 0) + body


def messages(data: bytes) -> Iterator[tuple[int, int, int, bytes]]:
    """The messages of a datagram: type, flags, sequence number, and what follows the header."""
    offset, end = 0, len(data) - MESSAGE.size + 1
    while offset < end:
        length, kind, flags, sequence, _ = MESSAGE.unpack_from(data, offset)
        if length < MESSAGE.size:
            break
        yield kind, flags, sequence, data[offset + MESSAGE.size : offset + length]
        offset += (length + 3) & ~3


def verdict(kind: int, flags: int, body: bytes) -> tuple[int, str]:
    """What an ERROR or a DONE says: the errno, 0 for success, and the kernel's own explanation or ""."""
    errno = -SIGNED.unpack_from(body)[0] if len(body) >= SIGNED.size else 0
    if not flags & EXPLAINED:
        return errno, ""
    offset = SIGNED.size
    if kind == ERROR:  # our request is in it, all or its header
        echoed = MESSAGE.size if flags & CAPPED else MESSAGE.unpack_from(body, offset)[0]
        offset += (echoed + 3) & ~3
    return errno, text(chosen(body, offset, (EXPLANATION,)).get(EXPLANATION))

"""Notes of versions that had pyroute2 read and write netlink messages: its names and values, as bytes again.

What those versions could not keep, such as the id of a nexthop object, is not in their notes either.
"""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import ip_interface
from struct import Struct

from pipework.kernel.bare import socket
from pipework.kernel.messages import ADDRESS, HOP, ROUTE, attribute, ip, u8, u16, u32
from pipework.typed import Any, Callable

CACHEINFO = Struct("=IIiIIIII")  # rta_cacheinfo of linux/rtnetlink.h, in the order in which pyroute2 has it, too
Table = dict[str, tuple[int, Callable[[Any], bytes]]]


def route_message(message: dict[str, Any]) -> bytes:
    """A route as the kernel told it."""
    fields = ("family", "dst_len", "src_len", "tos", "table", "proto", "scope", "type", "flags")
    return ROUTE.pack(*(message[field] for field in fields)) + _packed(message["attrs"], ROUTES)


def address_message(note: dict[str, Any]) -> bytes:
    """An address as the kernel told it, but for its link, which the note has elsewhere."""
    interface = ip_interface(note["interface"])
    family = socket.AF_INET if interface.version == 4 else socket.AF_INET6
    head = ADDRESS.pack(family, interface.network.prefixlen, note["flags"] & 0xFF, note["scope"], 0)
    return head + _packed(note["message"]["attrs"], ADDRESSES)


def _packed(named: Iterable[tuple[str, Any]], table: Table) -> bytes:
    """Attributes; pyroute2 called one that it did not know UNKNOWN, and kept nothing of it."""
    known = ((table[name], value) for name, value in named if name in table and value is not None)
    return b"".join(attribute(number, encode(value)) for (number, encode), value in known)


def _nested(table: Table) -> Callable[[Any], bytes]:
    return lambda value: _packed(value["attrs"], table)


def _text(value: str) -> bytes:
    return value.encode("utf-8", "surrogateescape") + b"\0"


def _hex(value: str) -> bytes:
    return bytes.fromhex(value.replace(":", ""))


def _via(value: dict[str, Any]) -> bytes:
    return u16(value["family"]) + ip(value["addr"])


def _paths(value: list[dict[str, Any]]) -> bytes:
    paths = b""
    for hop in value:
        inner = _packed(hop["attrs"], ROUTES)
        paths += HOP.pack(HOP.size + len(inner), hop["flags"], hop["hops"], hop["oif"]) + inner
    return paths


def _cacheinfo(value: dict[str, int]) -> bytes:
    return CACHEINFO.pack(*value.values())


def _labels(value: Any) -> bytes:
    """The stack of MPLS labels, of four bytes each (RFC 3032): label, class, whether it is the last, time to live."""
    entries = [hop["label"] << 12 | hop["tc"] << 9 | hop["bos"] << 8 | hop["ttl"] for hop in value]
    return b"".join(entry.to_bytes(4, "big") for entry in entries)


def _segments(value: dict[str, Any]) -> bytes:
    """The mode, then an IPv6 segment routing header (RFC 8754)."""
    head = ("nexthdr", "hdrlen", "type", "segments_left", "first_segment", "flags")
    return (
        u32(value["encapmode"])
        + b"".join(u8(value[field]) for field in head)
        + u16(value["reserved"])
        + b"".join(map(ip, value["segs"]))
        + _hex(value["tlvs"])
    )


def _encap(value: Any) -> bytes:
    """RTA_ENCAP, of which pyroute2 knew some types: the attributes of one have names of their own."""
    return _hex(value) if isinstance(value, str) else _packed(value["attrs"], ENCAPS)


# linux/mpls_iptunnel.h, linux/seg6_iptunnel.h, linux/seg6_local.h
ENCAPS: Table = {
    "MPLS_IPTUNNEL_DST": (1, _labels),
    "MPLS_IPTUNNEL_TTL": (2, u8),
    "SEG6_IPTUNNEL_SRH": (1, _segments),
    "SEG6_LOCAL_ACTION": (1, u32),
    "SEG6_LOCAL_SRH": (2, _segments),
    "SEG6_LOCAL_TABLE": (3, u32),
    "SEG6_LOCAL_NH4": (4, ip),
    "SEG6_LOCAL_NH6": (5, ip),
    "SEG6_LOCAL_IIF": (6, u32),
    "SEG6_LOCAL_OIF": (7, u32),
    "SEG6_LOCAL_VRFTABLE": (9, u32),
}

_NUMBERED = (  # RTAX_*, linux/rtnetlink.h, from 1 on
    "LOCK MTU WINDOW RTT RTTVAR SSTHRESH CWND ADVMSS REORDERING HOPLIMIT INITCWND FEATURES RTO_MIN INITRWND QUICKACK"
)
METRICS: Table = {f"RTAX_{name}": (place, u32) for place, name in enumerate(_NUMBERED.split(), 1)}
METRICS["RTAX_CC_ALGO"] = (16, _text)

# linux/rtnetlink.h
ROUTES: Table = {
    "RTA_DST": (1, ip),
    "RTA_SRC": (2, ip),
    "RTA_OIF": (4, u32),
    "RTA_GATEWAY": (5, ip),
    "RTA_PRIORITY": (6, u32),
    "RTA_PREFSRC": (7, ip),
    "RTA_METRICS": (8, _nested(METRICS)),
    "RTA_MULTIPATH": (9, _paths),
    "RTA_FLOW": (11, u32),
    "RTA_CACHEINFO": (12, _cacheinfo),
    "RTA_TABLE": (15, u32),
    "RTA_MARK": (16, u32),
    "RTA_VIA": (18, _via),
    "RTA_NEWDST": (19, ip),
    "RTA_PREF": (20, u8),
    "RTA_ENCAP_TYPE": (21, u16),
    "RTA_ENCAP": (22, _encap),
}

# linux/if_addr.h
ADDRESSES: Table = {
    "IFA_ADDRESS": (1, ip),
    "IFA_LOCAL": (2, ip),
    "IFA_LABEL": (3, _text),
    "IFA_BROADCAST": (4, ip),
    "IFA_ANYCAST": (5, ip),
    "IFA_FLAGS": (8, u32),
    "IFA_RT_PRIORITY": (9, u32),
    "IFA_PROTO": (11, u8),
}

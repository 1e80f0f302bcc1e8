"""The lines of --dry-run for routes that no test can have everywhere: what ip has a word for, and what it has not."""

from __future__ import annotations

import socket

import pytest

from pipework.actions.lines import route_line
from pipework.kernel import messages
from pipework.kernel.messages import attribute, u16, u32
from pipework.kernel.namespaces import Namespace
from pipework.kernel.records import read_route

MISSING = " # and what ip has no word for"
HERE = Namespace(-1)
NAMES = {3: "eth0", 4: "a b"}
GATEWAY = attribute(messages.RTA_GATEWAY, messages.ip("10.0.0.1"))
OUT = attribute(messages.RTA_OIF, u32(3))
ID = attribute(1, bytes(7) + b"\5")


def line(*more: bytes, family: int = 4, kind: int = 1, scope: int = 0, verb: str = "add") -> str:
    """Return the line for a default route out of eth0, without what all of them begin with."""
    head = messages.ROUTE.pack(socket.AF_INET if family == 4 else socket.AF_INET6, 0, 0, 0, 254, 3, scope, kind, 0)
    said = route_line(HERE, verb, read_route(head + b"".join(more)), NAMES)
    assert said.startswith(f"ip -{family} route {verb} ")
    return said[len(f"ip -{family} route {verb} ") :]


def encap(kind: int, *inner: bytes) -> bytes:
    """Return an encapsulation."""
    return attribute(messages.RTA_ENCAP_TYPE, u16(kind)) + attribute(messages.RTA_ENCAP, b"".join(inner))


def segments(mode: int, *addresses: str, more: bytes = b"") -> bytes:
    """Return a segment routing header, the last segment first."""
    header = bytes([0, 2 * len(addresses), 4, len(addresses) - 1, len(addresses) - 1, 0, 0, 0])
    return attribute(1, u32(mode) + header + b"".join(map(messages.ip, addresses)) + more)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ([GATEWAY, OUT], "default via 10.0.0.1 dev eth0"),
        ([GATEWAY, attribute(messages.RTA_OIF, u32(4))], "default via 10.0.0.1 dev 'a b'"),
        ([encap(1, attribute(1, bytes.fromhex("00064000000c8100")), attribute(2, b"\7")), GATEWAY],
         "default encap mpls 100/200 ttl 7 via 10.0.0.1"),
        ([encap(5, segments(3, "fd00::6", "fd00::5")), OUT, GATEWAY],
         "default encap seg6 mode encap.red segs fd00::5,fd00::6 via 10.0.0.1 dev eth0"),
        ([encap(7, attribute(1, u32(16)), attribute(9, u32(100))), OUT, GATEWAY],
         "default encap seg6local action End.DT46 vrftable 100 via 10.0.0.1 dev eth0"),
        ([encap(7, attribute(1, u32(4)), attribute(7, u32(4))), OUT, GATEWAY],
         "default encap seg6local action End.DX2 oif 'a b' via 10.0.0.1 dev eth0"),
        ([encap(2, ID, attribute(2, messages.ip("10.0.0.9")), attribute(6, b"\0\x0d")), GATEWAY],
         "default encap ip id 5 dst 10.0.0.9 csum key seq via 10.0.0.1"),
        ([attribute(messages.RTA_EXPIRES, u32(9)), GATEWAY], "default via 10.0.0.1 expires 9"),
    ],
)  # fmt: skip
def test_words(more: list[bytes], said: str) -> None:
    """A route is said in ip's own words."""
    assert line(*more) == said


@pytest.mark.parametrize(
    "more",
    [
        attribute(99, b"1234"),
        attribute(messages.RTA_METRICS, attribute(99, u32(1))),
        attribute(messages.RTA_METRICS, attribute(12, u32(16))),
        encap(99, attribute(1, b"1234")),
        encap(2, ID, attribute(8, b"1234")),
        encap(5, segments(1, "fd00::5", more=bytes(40))),
        encap(7, attribute(1, u32(15)), attribute(8, b"1234")),
        encap(7, attribute(1, u32(99))),
    ],
    ids=["attribute", "metric", "feature", "encap", "its option", "signature", "program", "action"],
)
def test_what_has_no_word(more: bytes) -> None:
    """Where a route has what ip cannot be told, the line says so; that is no part of the command."""
    said = line(more, GATEWAY, OUT)
    assert said.endswith(MISSING)
    assert "via 10.0.0.1 dev eth0" in said.removesuffix(MISSING)


def test_no_word_for_a_hop() -> None:
    """That holds for one of several next hops as well."""
    hop = messages.HOP.pack(16, 0, 0, 3) + attribute(99, b"1234")
    paths = attribute(messages.RTA_MULTIPATH, hop)
    assert line(paths) == f"default nexthop dev eth0 weight 1{MISSING}"


def test_object_and_what_it_led_to() -> None:
    """A route is added by its nexthop object or, where that has gone, by its hops; it is deleted by the object."""
    told = (attribute(messages.RTA_NH_ID, u32(7)), GATEWAY, OUT)
    assert line(*told) == "default nhid 7 || ip -4 route add default via 10.0.0.1 dev eth0"
    assert line(*told, verb="delete") == "default nhid 7"
    assert line(told[0]) == "default nhid 7"


def test_scope_that_is_not_usual() -> None:
    """A scope is said where ip would take another for granted."""
    assert line(OUT) == "default dev eth0 scope 0"
    assert line(OUT, scope=253) == "default dev eth0"
    assert line(kind=2, scope=254) == "local default"
    assert line(GATEWAY, scope=200) == "default via 10.0.0.1 scope 200"

"""Whatever the command line: a request or one clear error, nothing else."""

from __future__ import annotations

import os
import random
from ipaddress import IPv4Address, IPv6Address
from typing import Any, Optional

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from pipework.address import Static
from pipework.errors import PipeworkError
from pipework.grammar import parse
from pipework.model import LONGEST_ALTNAME, Attach, check_ifname
from pipework.requests import (
    Apply,
    Collect,
    Connect,
    Delete,
    Help,
    Hook,
    List,
    Passthrough,
    Save,
    Uplink,
    Version,
    Wait,
    Watch,
)
from pipework.words import parse_mac

WORDS = [
    *("br0", "ovs1", "dummy0", "eth0", "ib0", "route", "rule", "tc", "mac:02:42:ac:11:00:02", "mac:", "eth0:3"),
    *(
        "ls",
        "del",
        "gc",
        "apply",
        "save",
        "-",
        "--prune",
        "--all",
        "--if-exists",
        "--json",
        "--dry-run",
        "--replace",
        "--help",
        "-h",
        "--version",
    ),
    *("--wait", "--direct-phys", "-i", "-l", "-a", "4", "6", "inet", "inet6", "eth1", "x" * 16, "..", "a b"),
    *("web", "-rf", "pid:1", "netns:blue", "/run/netns/blue", "", "\0", "\x1b[2J", "\udc80", "٣"),
    *("10.0.0.2/24", "10.0.0.2", "10.0.0.2/24@10.0.0.1", "10.0.0.2/24@", "10.0.0.2/33", "0/0", "fd00::2/64@fe80::1"),
    *("dhcp", "udhcpc-f:-t 5", "dhclient", "dhcp-f", "U:web", "U:", "@7", "@ten", "@8001", "02:42:ac:11:00:02@7"),
]
words = st.sampled_from(WORDS)
pieces = st.sampled_from([*WORDS, "/", "@", ":", "%", "0", "9", "-", "U:", "\n", " ", "é", "٣"])
glued = st.lists(pieces, min_size=1, max_size=4).map("".join)
lines = st.lists(st.one_of(words, glued), max_size=9)
texts = st.lists(st.text(max_size=20), max_size=6)
interfaces = st.sampled_from([None, *WORDS])

VERBS: dict[type, str] = {Connect: "wire", Hook: "hook", Uplink: "uplink", Watch: "watch"}
EXAMPLES = int(os.environ.get("PIPEWORK_EXAMPLES", "3400"))
quick = settings(max_examples=EXAMPLES, deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow])


def is_refused_or_valid(argv: list[str], there: Optional[str]) -> bool:
    """Whether the line is a request; a refusal must be fit to print."""
    before = list(argv)
    try:
        request = parse(argv, lambda name: name == there)
    except PipeworkError as error:
        said = str(error)
        assert all(line.isprintable() for line in said.split("\n"))
        assert error.exit_code == 1
        return False
    finally:
        assert argv == before
    assert not any("\0" in word for word in argv)
    if isinstance(request, Wait):
        check_ifname("IFNAME", request.ifname)
    elif isinstance(request, Passthrough):
        assert request.verb in ("route", "rule", "tc")
        assert request.arguments and list(request.arguments) == argv[-len(request.arguments) :]
    elif isinstance(request, Attach):
        is_valid(request)
    elif isinstance(request, Apply):
        assert "apply" in argv and request.file in argv
        assert request.file
    elif isinstance(request, (List, Delete, Save)):
        assert request.guest is None or request.guest in argv[1:]
        assert request.guest != ""
    elif isinstance(request, Collect):
        assert "gc" in argv
    elif isinstance(request, (Connect, Hook, Uplink, Watch)):
        assert VERBS[type(request)] in argv
    else:
        assert isinstance(request, (Help, Version)) and argv[0] in ("--help", "-h", "--version")
    return True


def is_valid(request: Attach) -> None:
    assert request.guest
    if not request.hostif.startswith("mac:"):
        check_ifname("HOSTIF", request.hostif, LONGEST_ALTNAME)
    for name in (request.ifname, request.local_name):
        if name is not None:
            check_ifname("name", name)
    if request.mac is not None:
        assert len(request.mac) == 17 and parse_mac(request.mac) == request.mac
    for one in request.addresses:
        assert one.family in (4, 6)
        assert not isinstance(one, Static) or isinstance(one.gateway, (IPv4Address, IPv6Address, type(None)))
    if request.tag is not None:
        for number, longest in (("vlan", 4094), ("pkey", 0xFFFF)):
            try:
                assert 1 <= getattr(request.tag, number) <= longest
            except PipeworkError as error:
                assert error.exit_code == 1


@quick
@given(lines, interfaces)
def test_lines_of_likely_words(argv: list[str], there: Optional[str]) -> None:
    """Words that belong to the grammar, whole or glued together, in any order."""
    is_refused_or_valid(argv, there)


@quick
@given(texts, interfaces)
def test_lines_of_any_text(argv: list[str], there: Optional[str]) -> None:
    """Any text at all."""
    is_refused_or_valid(argv, there)


@quick
@given(st.sampled_from(["br0", "eth0"]), words, glued, st.one_of(words, glued))
def test_hostile_address_and_mac(hostif: str, guest: str, address: str, mac: str) -> None:
    """A sound beginning, and anything for ADDRESS and MAC."""
    is_refused_or_valid([hostif, guest, address, mac], None)


@settings(quick, max_examples=200)
@given(st.binary(min_size=6, max_size=6), st.booleans(), st.booleans())
def test_mac_round_trip(octets: bytes, short: bool, upper: bool) -> None:
    """A unicast MAC comes out in full however it is written; any other is refused."""
    text = ":".join(f"{octet:x}" if short else f"{octet:02x}" for octet in octets)
    text = text.upper() if upper else text
    if octets[0] & 1 or not any(octets):
        with pytest.raises(PipeworkError):
            parse_mac(text)
    else:
        assert parse_mac(text) == octets.hex(":")


def addresses(version: int, longest: int) -> st.SearchStrategy[tuple[Any, int, Any]]:
    ip = st.ip_addresses(v=version)
    return st.tuples(ip, st.integers(1, longest), ip)


@settings(quick, max_examples=200)
@given(st.one_of(addresses(4, 32), addresses(6, 128)))
def test_address_round_trip(drawn: tuple[Any, int, Any]) -> None:
    """Every address with every prefix of its family and every other gateway of it is taken as written."""
    ip, prefix, gateway = drawn
    assume(ip != gateway and not ip.is_multicast and ip != IPv4Address(0))
    assume(not (gateway.is_multicast or gateway.is_loopback or gateway.is_unspecified))
    request = parse(["br0", "web", f"{ip}/{prefix}@{gateway}"], lambda name: False)
    assert isinstance(request, Attach)
    (there,) = request.addresses
    assert isinstance(there, Static) and there.interface is not None
    assert (there.interface.ip, there.gateway) == (ip, gateway)
    assert there.interface.network.prefixlen == prefix


@pytest.mark.parametrize("seed", range(4))
def test_many_lines(seed: int) -> None:
    """Many thousands more, the same in every run."""
    chance = random.Random(seed)
    letters = [chr(code) for code in range(128)] + ["é", "٣", "\udc80", "\u2028"]
    makers = [
        lambda: chance.choice(WORDS),
        lambda: "".join(chance.choices([*WORDS, "/", "@", ":", "%", "0", "9", "-"], k=chance.randint(1, 3))),
        lambda: "".join(chance.choices(letters, k=chance.randint(0, 20))),
    ]
    requests = 0
    for _ in range(5000):
        argv = [chance.choices(makers, (6, 2, 1))[0]() for _ in range(chance.randint(0, 8))]
        try:
            requests += is_refused_or_valid(argv, chance.choice([None, *WORDS]))
        except BaseException:
            print(f"seed {seed}: {argv!r}")
            raise
    assert requests > 50, "hardly a line got past the first checks"

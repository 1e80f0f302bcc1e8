"""Two hosts with a cable between their cards, wired as docs/two-hosts.md says, and who reaches whom."""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import ExitStack
from itertools import permutations

from tests.lab.command import CHECKOUT
from tests.lab.guest import eventually
from tests.lab.host import Host, settle
from tests.lab.netns import NamedNamespace, named_namespace
from tests.lab.tcp import reaches

PAGE = "docs/two-hosts.md"
CARD = "eno1"
HOSTS = ("10.0.0.1", "10.0.0.2")
GUESTS = ("test1", "test2", "test3", "test4")
PAIRS = ({"test1", "test3"}, {"test2", "test4"})


def lines_of(heading: str) -> list[list[str]]:
    """What the page has typed on each host, under a heading."""
    section = (CHECKOUT / PAGE).read_text().partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    parts = re.split(r"^On the \w+ host:$", section, flags=re.MULTILINE)[1:]
    return [re.findall(r"^    pipework (.+)$", part, re.MULTILINE) for part in parts]


def _cable(first: Host, second: Host) -> None:
    """Put a cable between the cards of two hosts, each with an address."""
    far = f"name {CARD} netns {second.name}"
    first.run("ip", "link", "add", CARD, "type", "veth", "peer", *far.split())
    for host, address in zip((first, second), HOSTS):
        host.run("ip", "addr", "add", f"{address}/24", "dev", CARD)
        host.run("ip", "link", "set", CARD, "up")
    settle(first, second)


def _meet(host: Host, other: str) -> None:
    """Have a host find another's address anew, so that it knows somebody when its card moves: for 15 s at least."""
    host.run("ip", "neigh", "flush", "all")
    assert host.ping(other)


def assert_pairs_reach_each_other(hosts: Sequence[Host], heading: str) -> None:
    """Type what the page says: pairs of guests reach each other over both hosts, and only they; and the hosts."""
    with ExitStack() as stack:
        _cable(*hosts)
        guests = {name: stack.enter_context(named_namespace()) for name in GUESTS}
        for host, other, lines in zip(hosts, reversed(HOSTS), lines_of(heading)):
            assert len(lines) == 3
            _meet(host, other)
            for line in lines:
                words = [guests[word].spec if word in guests else word for word in line.split()]
                done = host.pipework(*words)
                assert done == (0, "", ""), (line, done)
        for one, other in permutations(GUESTS, 2):
            _assert_apart_or_together(guests[one], guests[other], int(other[-1]), {one, other} in PAIRS)
        assert reaches(hosts[0], hosts[1], HOSTS[1])
        for name, guest in guests.items():
            assert hosts[GUESTS.index(name) // 2].pipework("del", guest.spec) == (0, "", "")


def _assert_apart_or_together(one: NamedNamespace, other: NamedNamespace, number: int, together: bool) -> None:
    for address in (f"192.168.1.{number}", f"fd00:1::{number}"):
        if together:
            assert eventually(lambda to=address: one.ping(to, wait=2))
            assert reaches(one, other, address)
        else:
            assert not one.ping(address, wait=1)

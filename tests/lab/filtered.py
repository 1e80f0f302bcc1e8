"""Guests on a bridge of a host with a firewall: how they are wired, what is said then, and whether frames pass."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Callable

import pytest

from tests.lab.command import Result
from tests.lab.firewalls import BRIDGE, handed_on
from tests.lab.host import Host, without_dad
from tests.lab.netns import NamedNamespace, named_namespace
from tests.lab.tcp import reaches

Namespaces = Callable[[], NamedNamespace]
ADDRESSES = ("10.1.1.1/24", "10.1.1.2/24")
ADDRESSES6 = ("fd00:1::1/64", "fd00:1::2/64")


@pytest.fixture
def bare() -> Iterator[Host]:
    """A throwaway host that has no firewall yet, and hands bridged frames to it."""
    with named_namespace("pwhost") as made:
        host = Host(made.name)
        without_dad(host)
        run_on(host, handed_on(1))
        yield host


def run_on(host: Host, script: str) -> str:
    """Run a shell script on a host."""
    return host.run("sh", "-ec", script)


def wired(host: Host, guests: list[NamedNamespace], addresses: tuple[str, ...], *options: str) -> list[Result]:
    """Wire each to the bridge with its address; return what was said."""
    for guest in guests:
        without_dad(guest)
    return [host.pipework(*options, BRIDGE, guest.spec, address) for guest, address in zip(guests, addresses)]


def plugged(host: Host, guest: NamedNamespace, name: str, address: str, bridge: str = BRIDGE) -> None:
    """Plug a guest into a bridge by hand, as an administrator or an engine does."""
    host.run("ip", "link", "add", name, "type", "veth", "peer", "name", "eth1", "netns", guest.name)
    host.run("ip", "link", "set", name, "master", bridge, "up")
    guest.run("ip", "address", "add", address, "dev", "eth1")
    guest.run("ip", "link", "set", "eth1", "up")


def rules(host: Host) -> str:
    """All rules there are, without what changes by itself."""
    saved = "iptables-save; ip6tables-save; iptables-legacy-save; ip6tables-legacy-save; nft -s list ruleset"
    lines = run_on(host, f"{{ {saved}; }} 2>/dev/null").splitlines()
    return "\n".join(line.partition(" [")[0] for line in lines if not line.startswith("#"))


def states(host: Host) -> list[str]:
    """What ls says of the wires."""
    return [wire["state"] for wire in json.loads(host.pipework("ls", "--json").out)]


def flows(guests: list[NamedNamespace], addresses: tuple[str, ...], wait: float = 10.0) -> bool:
    """Whether each of two guests reaches the other over TCP; wait: seconds for an answer."""
    one, two = guests
    there = [address.partition("/")[0] for address in addresses]
    return reaches(one, two, there[1], wait) and reaches(two, one, there[0], wait)


def advice(done: Result) -> str:
    """What an attach that succeeded has told to type, in its one line."""
    assert done.code == 0, done
    assert done.out == ""
    assert done.err.count("\n") == 1, done.err
    assert done.err.startswith(f"pipework: frames that stay on {BRIDGE} are dropped, IPv"), done.err
    return done.err.rpartition("; type: ")[2].strip()

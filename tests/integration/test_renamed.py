"""A link that its guest has renamed is still our wire: listed and taken back under the name that it has now."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest

from tests.integration.test_ls import listed
from tests.lab import faults
from tests.lab.faults import FAULTS, breaking
from tests.lab.host import settle
from tests.lab.netns import NamedNamespace
from tests.lab.scenes import Scene, scene
from tests.lab.snapshot import Snapshot

WIRES = [
    ("bridge", "v4-gateway"),
    ("macvlan", "v6-gateway"),
    ("switch", "v4-gateway"),
    ("direct-furnished", "v4-gateway"),
    ("lan", "udhcpc-f"),
    ("ovn", "v4-gateway"),
]
KINDS = {"direct-furnished": "nic", "lan": "macvlan", "switch": "openvswitch"}


def rename(guest: NamedNamespace) -> None:
    """Give eth1 the name lan0, as a guest may at any time; what goes with its going down comes back."""
    routes = [line.split() for line in guest.ip("route", "show", "dev", "eth1", "default").splitlines()]
    for words in (["down"], ["name", "lan0"]):
        guest.run("ip", "link", "set", "eth1", *words)
    guest.run("ip", "link", "set", "lan0", "up")
    for route in routes:
        guest.run("ip", "route", "add", *route, "dev", "lan0", check=False)


@contextmanager
def renamed(kind: str, address: str) -> Iterator[tuple[Scene, Snapshot]]:
    """A wire whose link the guest has renamed, and what was there before the attach."""
    with ExitStack() as stack:
        taken = stack.enter_context(scene(kind, address))
        if kind in ("macvlan", "lan"):
            taken.host.run("ip", "link", "set", taken.words[0], "up")
        settle(taken.host, taken.guest)
        before = taken.state()
        stack.enter_context(faults.wired(taken.host.argv(), taken.words))
        rename(taken.guest)
        yield taken, before


def assert_as_before(taken: Scene, before: Snapshot) -> None:
    """Fail unless host and guest are as before the attach."""
    changed = taken.difference(before)
    assert not changed, changed


@pytest.mark.parametrize(("kind", "address"), WIRES)
def test_is_listed(kind: str, address: str) -> None:
    """ls lists the wire under the name that it has now, as the kind that it is."""
    with renamed(kind, address) as (taken, _):
        [wire] = listed(taken.host, taken.guest.spec)
        told = wire["guest"], wire["ifname"], wire["kind"], wire["hostif"]
        hostif = taken.words[taken.words.index(taken.guest.spec) - 1]
        assert told == (taken.guest.name, "lan0", KINDS.get(kind, kind), hostif)


@pytest.mark.parametrize("words", [["-i", "lan0"], ["--all"]], ids="".join)
@pytest.mark.parametrize(("kind", "address"), WIRES)
def test_is_taken_back(kind: str, address: str, words: list[str]) -> None:
    """del takes it back: default routes return, a NIC comes home, a DHCP client ends, no note is left."""
    with renamed(kind, address) as (taken, before):
        assert taken.host.pipework("del", taken.guest.spec, *words) == (0, "", "")
        assert_as_before(taken, before)


@pytest.mark.parametrize(("kind", "address"), WIRES)
def test_old_name_is_nobodys(kind: str, address: str) -> None:
    """del of the name that it had says that there is none of that name, and changes nothing."""
    with renamed(kind, address) as (taken, _):
        taken.settle()
        wired = taken.state()
        done = taken.host.pipework("del", taken.guest.spec, "-i", "eth1")
        assert (done.code, done.out) == (1, "")
        assert "no eth1 that pipework made" in done.err
        assert_as_before(taken, wired)


def test_name_is_given_away() -> None:
    """Another link of the guest's that has come to be called as ours was is not touched."""
    with renamed("bridge", "v4-gateway") as (taken, before):
        taken.guest.run("ip", "link", "add", "eth1", "type", "veth", "peer", "name", "far1")
        assert taken.host.pipework("del", taken.guest.spec, "-i", "eth1").code == 1
        assert taken.host.pipework("del", taken.guest.spec, "--all") == (0, "", "")
        assert taken.guest.link("eth1") is not None
        taken.guest.run("ip", "link", "del", "eth1")
        assert_as_before(taken, before)


@pytest.mark.parametrize(("kind", "address"), [("bridge", "v4-gateway"), ("direct-furnished", "v4-gateway")])
def test_gc_leaves_it_alone(kind: str, address: str) -> None:
    """gc takes nothing of a wire whose link has another name, for it is in use."""
    with renamed(kind, address) as (taken, before):
        taken.settle()
        wired = taken.state()
        done = taken.host.pipework("gc")
        assert (done.code, done.err) == (0, "")
        assert_as_before(taken, wired)
        assert taken.host.pipework("del", taken.guest.spec, "--all") == (0, "", "")
        assert_as_before(taken, before)


def test_killed_while_it_is_taken_back() -> None:
    """After a kill -9 at whatever step of del, the same command again and gc take back a link that was renamed."""
    steps = 0
    with renamed("macvlan", "v4-gateway") as (taken, before), breaking(taken.host.argv()) as run:
        words = ["del", taken.guest.spec, "-i", "lan0"]
        while (broken := run("KILL", steps + 1, words)).step:
            steps += 1
            assert broken.code == FAULTS["KILL"]
            assert taken.host.pipework(*words).code in (0, 1)
            assert taken.host.pipework("gc").code == 0
            assert_as_before(taken, before)
            assert taken.host.pipework(*taken.words) == (0, "", "")
            rename(taken.guest)
        assert_as_before(taken, before)
    assert steps > 2

"""As if it had never run: whatever fails, at whatever step, host and guest are as before."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import NamedTuple

import pytest

from tests.lab.faults import breaking
from tests.lab.guest import Guest
from tests.lab.host import Host, nic_of, settle, throwaway_host
from tests.lab.netns import NamedNamespace, named_namespace
from tests.lab.snapshot import diff, snapshot

ADDRESSES = {
    "v4": "192.168.77.9/24",
    "v4-gateway": "192.168.77.9/24@192.168.77.1",
    "v4-off-link": "192.168.77.9/32@192.168.88.1",
    "v6-gateway": "fd00:77::9/64@fd00:77::1",
    "v6-off-link": "fd00:77::9/128@fd00:88::1",
    "none": "0/0",
}
KINDS = ("new-bridge", "bridge", "replaced-port", "macvlan", "direct")
ENDS = {"refuse": 2, "break": 1, "INT": 130, "TERM": 143, "KILL": -9}


class Scene(NamedTuple):
    """A host, a guest that is online already, and the command that shall be broken."""

    host: Host
    guest: NamedNamespace
    words: list[str]


@contextmanager
def scene(kind: str, address: str) -> Iterator[Scene]:
    """Build host and guest afresh."""
    with ExitStack() as stack:
        host = stack.enter_context(throwaway_host())
        guest = stack.enter_context(named_namespace())
        _bring_online(guest)
        words = {"macvlan": ["nic0"], "direct": ["--direct-phys", "nic0"]}.get(kind, ["br0"])
        if kind in ("bridge", "replaced-port"):
            host.run("ip", "link", "add", "br0", "address", "02:00:00:00:0b:00", "type", "bridge")
            host.run("ip", "link", "set", "br0", "up")
            host.run("ip", "link", "add", "other", "master", "br0", "type", "veth", "peer", "name", "far")
            host.run("ip", "link", "set", "other", "up")
            host.run("ip", "link", "set", "far", "up")
        if kind == "replaced-port":
            assert host.pipework("br0", guest.spec, "10.9.9.9/24").code == 0
            (port,) = [name for name in links(host) if name.startswith(("veth1pl", "vpl"))]
            host.run("ip", "link", "set", port, "down")
        if kind in ("macvlan", "direct"):
            nic = stack.enter_context(nic_of(host, "nic0"))
            host.run("ip", "addr", "add", "192.168.77.2/24", "dev", nic.name)
            host.run("ip", "addr", "add", "fd00:77::2/64", "dev", nic.name, "nodad")
            host.run("ip", "route", "add", "10.20.0.0/16", "via", "192.168.77.1", "dev", nic.name)
        if kind == "macvlan":
            host.run("ip", "link", "set", "nic0", "down")
        settle(host, guest)
        yield Scene(host, guest, [*words, guest.spec, ADDRESSES[address], "02:00:00:00:09:09"])


def links(guest: Guest) -> list[str]:
    """Return the names of a namespace's links."""
    return sorted(entry["ifname"] for entry in guest.ip("-j", "link", "show") if entry["ifname"] != "lo")


def _bring_online(guest: Guest) -> None:
    """Give the guest a network of its own with default routes, and new links without IPv6, as Docker has them."""
    for line in (
        "link add eth0 type veth peer name far0",
        "link set far0 up",
        "link set eth0 up",
        "addr add 172.30.0.2/24 dev eth0",
        "addr add fd00:30::2/64 dev eth0 nodad",
        "route add default via 172.30.0.1 dev eth0 src 172.30.0.2 metric 20",
        "route add default via 172.30.0.254 dev eth0",
        "-6 route add default via fd00:30::1 dev eth0 metric 99",
    ):
        guest.run("ip", *line.split())
    # what duplicates are found is another test's matter
    guest.run("sysctl", "-qw", "net.ipv6.conf.default.disable_ipv6=1", "net.ipv6.conf.default.dad_transmits=0")


def difference(guest: Guest, before: dict[str, list[str]]) -> str:
    """Return what changed, once what needs a moment has settled."""
    changed = diff(before, snapshot(guest))
    if changed:
        settle(guest)
        changed = diff(before, snapshot(guest))
    return changed


def undone_at_every_step(kind: str, address: str, fault: str) -> int:
    """Break the command at one step after the other; return how many there were."""
    with scene(kind, address) as (host, guest, words), breaking(host.argv()) as run:
        before, inside = snapshot(host), snapshot(guest)
        for number in itertools.count(1):
            broken = run(fault, number, words)
            if not broken.step:
                assert (broken.code, broken.out, broken.err) == (0, "", "")
                return number - 1
            where = f"step {number}: {broken.step}: {broken.err}"
            if kind == "replaced-port" and fault in ("INT", "TERM") and broken.code == 0:
                # the old link was on its way out, from where there is no way back: the run went on to its end
                assert "request 17" in broken.step
                assert not [name for name in links(host) + links(guest) if name.startswith("vpo")]
                return number
            assert broken.code == ENDS[fault], where
            assert broken.out == "", where
            assert "could not undo" not in broken.err, where
            assert "Traceback" not in broken.err, where
            changed = difference(host, before) + difference(guest, inside)
            assert not changed, f"{where}\n{changed}"
    raise AssertionError("no step was the last")


@pytest.mark.parametrize("address", ADDRESSES)
@pytest.mark.parametrize("kind", KINDS)
def test_refused_at_any_step(kind: str, address: str) -> None:
    """Whichever request the kernel refuses, host and guest are as before; exit 2."""
    assert undone_at_every_step(kind, address, "refuse") > 5


@pytest.mark.parametrize("fault", ["break", "INT", "TERM"])
@pytest.mark.parametrize(
    ("kind", "address"),
    [
        ("new-bridge", "v4-off-link"),
        ("replaced-port", "none"),
        ("macvlan", "v6-off-link"),
        ("direct", "v4-off-link"),
        ("bridge", "v6-gateway"),
    ],
)
def test_broken_at_any_step(kind: str, address: str, fault: str) -> None:
    """Whenever a fault of pipework itself or a signal strikes, host and guest are as before; exit 1, 130 or 143."""
    assert undone_at_every_step(kind, address, fault) > 5


def shape(taken: Scene) -> str:
    """Return what counts of the state after a success, without what depends on the guest's name."""
    routes = taken.guest.run("ip", "route") + taken.guest.run("ip", "-6", "route", "show", "default")
    told = {
        "host": links(taken.host),
        "guest": links(taken.guest),
        "addresses": taken.guest.addresses("eth1"),
        "routes": routes,
        "rules": taken.host.run("iptables", "-S").count("pipework"),
    }
    return re.sub("vpl[0-9a-f]+", "vpl", str(told))


@pytest.mark.parametrize(
    ("kind", "address"),
    [
        ("new-bridge", "v4-off-link"),
        ("replaced-port", "v4-gateway"),
        ("macvlan", "v4-gateway"),
        ("bridge", "v6-gateway"),
    ],
)
def test_killed_at_any_step(kind: str, address: str) -> None:
    """After a kill -9 at whatever step the same command succeeds, and leaves what an undisturbed one leaves."""
    with scene(kind, address) as undisturbed:
        assert undisturbed.host.pipework(*undisturbed.words) == (0, "", "")
        expected = shape(undisturbed)
    for number in itertools.count(1):
        with scene(kind, address) as taken:
            with breaking(taken.host.argv()) as run:
                broken = run("KILL", number, taken.words)
            if not broken.step:
                assert number > 5
                return
            assert broken.code == ENDS["KILL"]
            again = taken.host.pipework(*taken.words)
            where = f"step {number}: {broken.step}"
            if kind == "replaced-port" and "exists and is up" in again.out:
                # all was done but for the removal of the old link
                taken.host.run("ip", "link", "del", *[name for name in links(taken.host) if name.startswith("vpo")])
            else:
                assert again == (0, "", ""), where
            assert shape(taken) == expected, where

"""--dry-run: the lines that it prints do what the run itself would do, and printing them does nothing."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, NamedTuple

import pytest

from tests.integration.test_del import on_bridge
from tests.lab.guest import SLOW, Guest, eventually, run
from tests.lab.host import Host, nic_of, settle
from tests.lab.netns import NamedNamespace, named_namespace
from tests.lab.scenes import ADDRESSES, bring_online
from tests.lab.snapshot import diff, snapshot
from tests.lab.switch_host import SwitchHost, switch_host

MAC = "02:00:00:00:09:09"
KINDS = ("bridge-new", "bridge", "left-over", "openvswitch", "macvlan", "direct", "direct-port")
# What no two links made after each other have in common, and what changes by itself.
OWN = re.compile(r"^(ifindex|link_index|link_netnsid|address|link_netns|.*_timer|bridge_id|root_id|designated_.*)$")


class Scene(NamedTuple):
    """A host with a switch, a guest that is online already, and the words before and behind GUEST."""

    taken: SwitchHost
    guest: NamedNamespace
    before: list[str]
    behind: list[str]

    @property
    def host(self) -> Host:
        return self.taken.host

    @property
    def words(self) -> list[str]:
        return [*self.before, self.guest.spec, *self.behind]

    def paste(self, lines: str) -> None:
        """Have a root shell of this host take the lines, and stop at the first that fails."""
        run(*self.host.argv("sh", "-e"), stdin=lines.encode())


@contextmanager
def scene(kind: str, address: str) -> Iterator[Scene]:
    """Build host and guest afresh."""
    with ExitStack() as stack:
        taken = stack.enter_context(switch_host(switching=kind == "openvswitch"))
        host = taken.host
        guest = stack.enter_context(named_namespace())
        nic = stack.enter_context(nic_of(host, "nic0"))
        bring_online(guest)
        guest.run("sysctl", "-qw", "net.ipv6.conf.default.disable_ipv6=1", "net.ipv6.conf.default.dad_transmits=0")
        host.run("ip", "addr", "add", "192.168.77.2/24", "dev", nic.name)
        host.run("ip", "addr", "add", "fd00:77::2/64", "dev", nic.name, "nodad")
        host.run("ip", "route", "add", "10.20.0.0/16", "via", "192.168.77.1", "dev", nic.name, "mtu", "1400")
        host.run("ip", "route", "add", "10.30.0.0/16", "dev", nic.name, "src", "192.168.77.2", "table", "77")
        host.run("ip", "-6", "route", "add", "fd00:99::/48", "via", "fd00:77::1", "dev", nic.name)
        before = {"macvlan": ["nic0"], "direct": ["--direct-phys", "nic0"], "direct-port": ["--direct-phys", "nic0"]}
        words = before.get(kind, ["br0"])
        if kind in ("bridge", "left-over", "direct-port"):
            on_bridge(host)
        if kind == "left-over":
            assert host.pipework("br0", "-l", "plugged", guest.spec, "10.9.9.9/24").code == 0
            host.run("ip", "link", "set", "plugged", "down")
            words = ["br0", "-l", "plugged"]
        if kind == "direct-port":
            host.run("ip", "link", "set", "nic0", "master", "br0")
        if kind == "openvswitch":
            words = [taken.add_bridge("sw0")]
        tag = f"{MAC}@100" if kind == "openvswitch" else MAC
        settle(host, guest)
        yield Scene(taken, guest, words, [ADDRESSES[address], tag])


def plain(value: Any, name: str) -> Any:
    """Leave out what is each link's own, and the guest's name."""
    if isinstance(value, dict):
        return {key: plain(inner, name) for key, inner in value.items() if not OWN.match(key)}
    if isinstance(value, list):
        entries = [plain(inner, name) for inner in value]
        return [entry for entry in entries if not _is_link_local(entry)]
    return re.sub("vpl[0-9a-f]+", "vpl", value.replace(name, "GUEST")) if isinstance(value, str) else value


def _is_link_local(entry: Any) -> bool:
    return isinstance(entry, dict) and str(entry.get("local") or entry.get("dst")).startswith("fe80")


def told(guest: Guest, name: str) -> dict[str, list[str]]:
    """Return all that `ip -j` and the firewall say, in comparable terms."""
    asked = {
        "links": ["-d", "link", "show"],
        "addresses": ["addr", "show"],
        "routes": ["-4", "route", "show", "table", "all"],
        "routes6": ["-6", "route", "show", "table", "all"],
    }
    shown = {key: sorted(str(plain(entry, name)) for entry in guest.ip("-j", *words)) for key, words in asked.items()}
    # a link-local address brings routes of its own
    shown["routes6"] = [route for route in shown["routes6"] if "fe80" not in route]
    return {**shown, "firewall": guest.run("iptables", "-S").splitlines()}


def state(taken: Scene) -> dict[str, list[str]]:
    """Return the state of host, guest and switch."""
    settle(taken.host, taken.guest)
    host, guest = (told(one, taken.guest.name) for one in (taken.host, taken.guest))
    rows = re.sub("vpl[0-9a-f]+", "vpl", taken.taken.rows().replace(taken.guest.name, "GUEST"))
    return {**{f"host {key}": lines for key, lines in host.items()}, **guest, "switch": sorted(rows.splitlines())}


def mac_of(taken: Scene) -> str:
    """Return the MAC of the guest's link."""
    link = taken.guest.link("eth1")
    return link["address"] if link else ""


def assert_same(kind: str, address: str, verb: str) -> None:
    """Fail unless the pasted lines and the run leave the same; verb: of what is rehearsed."""

    def words(taken: Scene) -> list[str]:
        return {
            "attach": taken.words,
            "replace": ["--replace", *taken.words],
            "del": ["del", taken.guest.spec],
        }[verb]

    def prepare(taken: Scene) -> None:
        if verb == "del":
            assert taken.taken.pipework(*taken.words).code == 0
        if verb == "replace":
            assert taken.taken.pipework(*taken.before, taken.guest.spec, "10.7.0.9/24@10.7.0.1").code == 0

    with scene(kind, address) as done:
        prepare(done)
        assert done.taken.pipework(*words(done)) == (0, "", "")
        expected, mac = state(done), mac_of(done)
    with scene(kind, address) as pasted:
        prepare(pasted)
        settle(pasted.host, pasted.guest)
        before = snapshot(pasted.host), snapshot(pasted.guest), pasted.taken.rows()
        rehearsed = pasted.taken.pipework("--dry-run", *words(pasted))
        assert (rehearsed.code, rehearsed.err) == (0, "")
        for guest, was in zip((pasted.host, pasted.guest), before):
            assert not diff(was, snapshot(guest)), rehearsed.out
        assert pasted.taken.rows() == before[2]
        pasted.paste(rehearsed.out)
        eventually(lambda: state(pasted) == expected, 10 * SLOW)
        changed = diff(expected, state(pasted))
        assert not changed, f"{rehearsed.out}\nby the run (-), by the lines (+):\n{changed}"
        assert mac_of(pasted) == mac


@pytest.mark.parametrize("address", ["v4-gateway", "v6-off-link"])
@pytest.mark.parametrize("kind", KINDS)
def test_lines_do_the_same(kind: str, address: str) -> None:
    """An attach of each kind: printing touches nothing, and the lines leave what the run leaves."""
    assert_same(kind, address, "attach")


@pytest.mark.parametrize("address", [key for key in ADDRESSES if key not in ("v4-gateway", "v6-off-link")])
def test_each_address(address: str) -> None:
    """The same for each form of an address."""
    assert_same("bridge", address, "attach")


@pytest.mark.parametrize("address", ["v4-gateway", "v6-off-link"])
@pytest.mark.parametrize("kind", ["bridge-new", "openvswitch", "macvlan", "direct", "direct-port"])
def test_del(kind: str, address: str) -> None:
    """Of del as well, with the default routes that come back and the NIC that comes home."""
    assert_same(kind, address, "del")


@pytest.mark.parametrize("address", ["v4-gateway", "v6-off-link"])
@pytest.mark.parametrize("kind", ["bridge", "openvswitch", "macvlan"])
def test_replace(kind: str, address: str) -> None:
    """Of --replace, where another wire of that name is there, and the default routes that it had replaced."""
    assert_same(kind, address, "replace")


def test_lines_of_a_refusal() -> None:
    """What a run would refuse, its rehearsal refuses, in the same words and with no line."""
    with scene("bridge", "v4") as taken:
        assert taken.taken.pipework(*taken.words).code == 0
        rehearsed = taken.taken.pipework("--dry-run", *taken.words)
        assert rehearsed == taken.taken.pipework(*taken.words)
        assert rehearsed.code == 1

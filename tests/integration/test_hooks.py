"""Wired by the engine itself: as a hook, before the first process, from the container's own lines."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Callable

import pytest

from tests.integration.test_del import rules
from tests.lab.command import COMMAND, run_pipework
from tests.lab.disturbing import broken_at_every_step
from tests.lab.faults import NONE, breaking
from tests.lab.guest import HOST, eventually, run
from tests.lab.hooked import ID, STOPPED, hooked_scene, line_of, process_in, run_hook, state
from tests.lab.host import Host
from tests.lab.kept import cookie, notes
from tests.lab.netns import NamedNamespace, Nic, dnsmasq
from tests.lab.scenes import scene
from tests.lab.switch_host import SwitchHost

Namespaces = Callable[[], NamedNamespace]
Nics = Callable[..., Nic]


class Container:
    """A container that is about to start."""

    def __init__(self, host: Host, guest: NamedNamespace, pid: int, folder: Path) -> None:
        self.host, self.guest, self.pid, self.folder = host, guest, pid, folder

    def start(self, *lines: str, words: tuple[str, ...] = ("docker",), **named: str) -> tuple[int, str, str]:
        """Run the hook; lines: of its annotations, which are numbered, or named."""
        annotations = {f"pipework.{number}": line for number, line in enumerate(lines, 1)}
        return run_hook(self.host, state(self.folder, self.pid, {**annotations, **named}), *words)

    def end(self) -> tuple[int, str, str]:
        """Run the hook of its end, while its namespace is still there."""
        return run_hook(self.host, state(self.folder, 0, {"pipework": "br0 0/0"}, STOPPED), "docker")


@pytest.fixture
def container(host: Host, guest_ns: Namespaces, tmp_path: Path) -> Iterator[Callable[[], Container]]:
    """A factory of containers on the throwaway host."""
    with ExitStack() as made:

        def make() -> Container:
            guest = guest_ns()
            return Container(host, guest, made.enter_context(process_in(guest)), tmp_path)

        yield make


def listed(host: Host) -> list[dict[str, object]]:
    """What ls tells."""
    told: list[dict[str, object]] = json.loads(host.pipework("ls", "--json").out)
    return told


def test_start_and_end(container: Callable[[], Container], host: Host, guest_ns: Namespaces) -> None:
    """The lines are done in the order of their numbers; with the container goes all that they have made."""
    one, other = container(), guest_ns()
    assert host.pipework("br0", other.spec, "10.1.1.9/24").code == 0
    before = rules(host)
    assert one.start("br0 10.1.1.1/24@10.1.1.9 02:00:00:00:00:01", "br1 -i eth2 10.2.2.1/24") == (0, "", "")
    assert one.guest.addresses("eth1") == ["10.1.1.1/24"] and one.guest.addresses("eth2") == ["10.2.2.1/24"]
    assert one.guest.ping("10.1.1.9")
    assert "via 10.1.1.9" in one.guest.run("ip", "route", "show", "default")
    assert {row["guest"] for row in listed(host)} == {ID, other.name}
    assert one.start("br0 10.1.1.1/24@10.1.1.9 02:00:00:00:00:01", "br1 -i eth2 10.2.2.1/24") == (0, "", "")
    assert one.end() == (0, "", "")
    assert [row["guest"] for row in listed(host)] == [other.name]
    assert not one.guest.link("eth1") and not one.guest.link("eth2")
    assert rules(host) == before
    assert one.end() == (0, "", "")


def test_order_and_spelling(container: Callable[[], Container]) -> None:
    """pipework.2 comes before pipework.10, pipework alone first; options stand anywhere."""
    one = container()
    lines = {
        "pipework.10": "br0 10.1.1.3/24 -i eth3",
        "pipework": "pipework br0 -i eth1 10.1.1.1/24",
        "pipework.2": "br0 '10.1.1.2/24' -i eth2 U:web # the second",
        "pipeworks": "nothing of ours",
        "org.opencontainers.image.title": "web",
    }
    assert one.start(**lines) == (0, "", "")
    indexes = [int(one.guest.link(f"eth{number}")["ifindex"]) for number in (1, 2, 3)]  # type: ignore[index]
    assert indexes == sorted(indexes)


WRONG = {
    "br0": "ADDRESS is missing",
    "": "the line is empty",
    "br0 test1 10.1.1.1/24": "br0 test1 10.1.1.1/24 names a guest",
    "wire 10.1.1.1/24 test1 10.1.1.2/24": "would reach into another guest",
    "wire test2 10.1.1.1/24 test1 10.1.1.2/24": "would reach into another guest",
    "br0 10.1.1.1": "ADDRESS 10.1.1.1 has no netmask",
    "br0 10.1.1.1/24 'x": "a quotation mark is not closed",
    "br0 10.1.1.1/24 -x": "MAC '-x'",
    "br0 10.1.1.1/24 --dry-run": "a line does not take --dry-run",
    "--replace br0 10.1.1.1/24": "there is no option --replace",
    "ls": "ADDRESS is missing",
    "del --all": "a line does not take --all",
    "br0 $(id)/24": "ADDRESS $(id)/24 is not an address",
    "br0 10.1.1.1/24@10.1.1.1": "gateway 10.1.1.1 is the guest's own address",
    "br0 udhcpc:-s/tmp/x": "would have the engine, or this host, run what the line says",
    "--filter br0 10.1.1.1/24 @100": "--filter would change br0, which others are on",
    "br0 dhcp": "would have the engine, or this host, run what the line says",
    "lo 10.1.1.1/24": "lo",
    "nothere0 10.1.1.1/24": "nothere0",
}


@pytest.mark.parametrize("line", WRONG)
def test_wrong_line(line: str, container: Callable[[], Container]) -> None:
    """Each is answered with its annotation and the fix; the right one beside it has made nothing that stays."""
    one = container()
    links = one.host.ip("-br", "link", "show")
    code, out, err = one.start("br7 -i eth7 10.7.7.7/24", line)
    assert (code, out) == (1, "")
    assert err.startswith("pipework: annotation pipework.2: ") and WRONG[line] in err, err
    assert "\n" in err.strip(), "it says what to do"
    assert one.host.ip("-br", "link", "show") == links
    assert not one.guest.link("eth7")
    assert "annotation pipework.2" in one.host.pipework("hook", "status").out


def test_all_that_is_wrong_at_once(container: Callable[[], Container]) -> None:
    """Every wrong line is told, not the first alone; so is a container without lines, and two for the same link."""
    one = container()
    _, _, err = one.start("br0", "br0 10.1.1.1/24", "br0 x y z")
    assert "annotation pipework.1: " in err and "annotation pipework.3: " in err and "pipework.2" not in err
    assert "has no annotation pipework" in one.start()[2]
    assert "pipework.2: another line asks for eth1, too" in one.start("br0 10.1.1.1/24", "br1 10.2.1.1/24")[2]
    assert not one.guest.link("eth1")


def test_anothers_port(container: Callable[[], Container], guest_ns: Namespaces) -> None:
    """-l does not take another guest's port away, not even one that is down; its own it may have again."""
    one, other = container(), guest_ns()
    assert one.host.pipework("br0", "-l", "port0", other.spec, "10.1.1.9/24").code == 0
    one.host.run("ip", "link", "set", "port0", "down")
    assert "-l port0 is a link of this host already" in one.start("br0 -l port0 10.1.1.1/24")[2]
    assert one.host.link("port0") and other.link("eth1")
    for _ in range(2):
        assert one.start("br0 -l port1 10.1.1.1/24") == (0, "", "")


def test_nics_are_to_be_allowed(container: Callable[[], Container], host_nic: Nics) -> None:
    """A NIC of the host, shared or handed over, by whichever name, is for who has allowed it alone."""
    one, nic = container(), host_nic("nic0")
    one.host.run("ip", "link", "property", "add", "dev", "nic0", "altname", "uplink")
    mac = str(one.host.link("nic0")["address"])  # type: ignore[index]
    for line in ("nic0 10.1.1.1/24", "uplink 10.1.1.1/24", f"mac:{mac} 10.1.1.1/24", "--direct-phys nic0 10.1.1.1/24"):
        code, _, err = one.start(line)
        assert code == 1 and "nic0 is a NIC of this host" in err, err
        assert "pipework hook install --allow other0,nic0" in one.start(line, words=("--allow", "other0", "docker"))[2]
    assert one.host.link("nic0") and not one.guest.link("eth1")
    assert one.start("nic0 192.168.77.9/24", words=("--allow", "uplink", "docker")) == (0, "", "")
    assert one.guest.ping(nic.address)
    assert one.end() == (0, "", "")
    assert one.start("--direct-phys nic0 192.168.77.9/24", words=("--allow", "other0,nic0", "docker")) == (0, "", "")
    assert one.guest.ping(nic.address) and not one.host.link("nic0")
    assert one.end() == (0, "", "")
    assert one.host.link("nic0")


def test_switch(switched: SwitchHost, guest_ns: Namespaces, tmp_path: Path) -> None:
    """A port of Open vSwitch goes with the container, also where its namespace went first."""
    guest, bridge = guest_ns(), switched.add_bridge()
    before = switched.rows()
    for ends_first in (False, True):
        with process_in(guest) as pid:
            told = state(tmp_path, pid, {"pipework": f"{bridge} 10.1.1.1/24 @100"})
            assert run_hook(switched.host, told, "podman") == (0, "", "")
            assert switched.rows() != before
            if ends_first:
                switched.host.run("ip", "netns", "del", guest.name)
        assert run_hook(switched.host, state(tmp_path, 0, {}, STOPPED), "podman") == (0, "", "")
        assert switched.rows() == before


def test_namespace_that_is_kept_open(switched: SwitchHost, guest_ns: Namespaces, tmp_path: Path) -> None:
    """The same, and at once, where nobody lives in the namespace any more, but somebody has it open, as engines may."""
    guest, name = guest_ns(), switched.add_bridge()
    before = switched.rows()
    with process_in(guest) as pid:
        told = state(tmp_path, pid, {"pipework": f"{name} 10.1.1.1/24"})
        assert run_hook(switched.host, told, "podman") == (0, "", "")
    with open(str(guest.namespace)):
        HOST.run("ip", "netns", "del", guest.name)
        assert run_hook(switched.host, state(tmp_path, 0, {}, STOPPED), "podman") == (0, "", "")
        assert switched.rows() == before


@pytest.mark.parametrize("client", ["udhcpc", "udhcpc-f", "dhclient-f", "dhcpcd"])
def test_lease(client: str, container: Callable[[], Container], host_nic: Nics) -> None:
    """A lease is had before the first process, under the container's host name; its client ends with the container."""
    one, nic = container(), host_nic("lan0")
    with dnsmasq(nic) as server:
        assert one.start(f"lan0 {client}", words=("--allow", "lan0", "docker")) == (0, "", "")
        (lease,) = server.leases()
        assert lease.hostname == "web"
        assert one.guest.addresses("eth1") == [f"{lease.address}/24"]
        assert one.end() == (0, "", "")
        assert notes(cookie(one.guest)) == []


def test_no_state(host: Host) -> None:
    """Who types it by hand learns what to type."""
    for told in ("", "{}", "[]", "null", '{"id": "x", "status": "created", "pid": "y", "bundle": ""}'):
        code, out, err = run_hook(host, told)
        assert (code, out) == (1, "") and "pipework hook install" in err, err


def test_on_the_hosts_network(host: Host, tmp_path: Path) -> None:
    """A container that shares the host's network has nothing to wire."""
    with process_in(host) as pid:
        code, _, err = run_hook(host, state(tmp_path, pid, {"pipework": "br0 10.1.1.1/24"}), "docker")
        assert code == 1 and "shares this host's network" in err, err


@pytest.mark.parametrize("fault", ["refuse", "break", "TERM"])
@pytest.mark.parametrize(
    ("kind", "address"), [("new-bridge", "v4-gateway"), ("switch", "v4"), ("direct", "v4-gateway")]
)
def test_start_broken_at_any_step(kind: str, address: str, fault: str, tmp_path: Path) -> None:
    """Whatever fails, the container that does not start leaves nothing."""
    told = f"hook {kind} {address}"
    assert broken_at_every_step(partial(hooked_scene, tmp_path, kind, address), fault, told) > 20


@pytest.mark.parametrize("fault", ["KILL", "refuse-change"])
@pytest.mark.parametrize("kind", ["bridge", "switch", "direct"])
def test_end_broken_at_any_step(kind: str, fault: str, tmp_path: Path) -> None:
    """What a start or an end that was cut off has left goes with the next end, of whichever container."""
    with scene(kind, "v4-gateway") as taken, process_in(taken.guest) as pid, breaking(taken.host.argv()) as hook:
        line, words = line_of(taken.words, taken.guest), ["hook", "run", "--allow", "nic0", "docker"]
        before, number, step = taken.state(), 0, "first"
        while step:
            number += 1
            if fault == "KILL":
                hook(fault, number, words, state(tmp_path, pid, {"pipework": line}))
            assert hook(NONE, 0, words, state(tmp_path, pid, {"pipework": line}))[:3] == (0, "", ""), step
            _, _, _, step = hook(fault, number, words, state(tmp_path, 0, {}, STOPPED))
            assert hook(NONE, 0, words, state(tmp_path, 0, {}, STOPPED))[:3] == (0, "", ""), step
            changed = taken.difference(before)
            assert not changed, f"{step}\n{changed}"
        assert number > 5


def test_runtime_alone(bridge: Callable[..., str], tmp_path: Path) -> None:
    """A runtime without an engine: the hook stands in the bundle's own configuration."""
    name, root = bridge(), tmp_path / "rootfs"
    (root / "bin").mkdir(parents=True)
    subprocess.run(["cp", "/bin/busybox", root / "bin" / "busybox"], check=True)
    subprocess.run(["runc", "spec", "-b", tmp_path], check=True)
    file = tmp_path / "config.json"
    told = json.loads(file.read_text())
    told["process"].update(args=["/bin/busybox", "ip", "addr", "show", "dev", "eth1"], terminal=False, rlimits=[])
    told["annotations"] = {"pipework": f"{name} 10.1.1.1/24"}
    hooked = {"path": COMMAND[0], "args": [*COMMAND, "hook", "run"], "env": ["PATH=/usr/sbin:/usr/bin:/sbin:/bin"]}
    told["hooks"] = {"createRuntime": [hooked], "poststop": [hooked]}
    file.write_text(json.dumps(told))
    assert "inet 10.1.1.1/24" in run("runc", "run", "-b", str(tmp_path), "pipework-test")
    assert name not in run_pipework("ls").out
    assert eventually(lambda: not HOST.ip("-br", "link", "show", "master", name))

"""gc: what guests that are gone and runs that were killed have left behind goes, and nothing else."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Callable

import pytest

from pipework.kernel.namespaces import Namespace
from pipework.marks import is_left_over
from tests.integration.test_del import assert_as_before, bring_online, on_bridge, rules
from tests.lab.disturbing import collected_at_every_step
from tests.lab.engine import Container
from tests.lab.faults import breaking
from tests.lab.guest import HOST, SLOW, eventually, fresh_name
from tests.lab.host import Host, settle
from tests.lab.kept import cookie, notes
from tests.lab.netns import NamedNamespace, Nic, named_namespace
from tests.lab.scenes import scene
from tests.lab.snapshot import diff, snapshot, wait_for_the_ended
from tests.lab.switch_host import SwitchHost, switch_host

Namespaces = Callable[[], NamedNamespace]
Nics = Callable[..., Nic]
NAMED = Path("/run/netns")


def collected(host: Host | SwitchHost, namespace: int = 0) -> str:
    """Run gc and return what it says that it has removed; before it, a rehearsal that must touch nothing.

    namespace: the cookie of one whose notes are watched; those of others come and go.
    """
    plain = host.host if isinstance(host, SwitchHost) else host
    wait_for_the_ended()
    settle(plain)
    before, kept = snapshot(plain), notes(namespace)
    rehearsed = host.pipework("gc", "--dry-run")
    assert (rehearsed.code, rehearsed.err) == (0, "")
    assert "removed" not in rehearsed.out
    assert_as_before(plain, before)
    assert notes(namespace) == kept
    done = host.pipework("gc")
    assert (done.code, done.err) == (0, "")
    return done.out


def test_nothing_to_do(host: Host, host_nic: Nics, guest_ns: Namespaces) -> None:
    """What is in use stays: wires of all kinds, bridges, rules, notes, and whatever others have made."""
    guest, nic, lent = guest_ns(), host_nic(), host_nic()
    on_bridge(host)
    bring_online(guest)
    assert host.pipework("br0", guest.spec, "10.1.0.9/24@10.1.0.1").code == 0
    assert host.pipework(nic.name, "-i", "eth2", guest.spec, "10.2.0.9/24").code == 0
    assert host.pipework("--direct-phys", lent.name, "-i", "eth3", guest.spec, "10.3.0.9/24").code == 0
    host.run("iptables", "-I", "DOCKER-USER", "-i", "br9", "-o", "br9", "-j", "ACCEPT")
    host.run("ip", "link", "add", "veth1pl1", "type", "veth", "peer", "name", "mine")
    settle(host, guest)
    namespace = cookie(guest)
    before, inside, kept = snapshot(host), snapshot(guest), notes(namespace)
    assert len(kept) == 4  # of the NIC, and of each wire's routes
    collected(host)
    assert_as_before(host, before)
    assert_as_before(guest, inside)
    assert notes(namespace) == kept


def test_port_of_a_dead_guest() -> None:
    """Ports of Open vSwitch whose guest has gone are removed; those of the living and of others stay."""
    with switch_host() as taken, named_namespace() as living:
        bridge = taken.add_bridge()
        assert taken.pipework(bridge, living.spec, "192.168.77.8/24").code == 0
        taken.vsctl("add-port", bridge, "foreign", "--", "set", "Interface", "foreign", "type=internal")
        rows, ports = taken.rows(), taken.vsctl("list-ports", bridge).split()
        with named_namespace() as guest:
            assert taken.pipework(bridge, guest.spec, "192.168.77.9/24").code == 0
            [port] = set(taken.vsctl("list-ports", bridge).split()) - set(ports)
        assert eventually(lambda: taken.host.link(port) is None)
        assert f"port {port} of {bridge}" in collected(taken)
        assert taken.rows() == rows


@pytest.mark.docker
def test_the_originals_dead_port(container: Callable[..., Container]) -> None:
    """A port that the original left behind goes as well."""
    with switch_host() as taken:
        bridge = taken.add_bridge()
        rows = taken.rows()
        guest = container()
        link = f"veth1pl{guest.pid}"
        taken.host.run("ip", "link", "add", link, "type", "veth", "peer", "name", "eth1", "netns", str(guest.pid))
        ids = {"interface": link, "bridge": bridge, "containerid": guest.id, "nspid": str(guest.pid)}
        words = [f"external-ids:pipework.{key}={value}" for key, value in ids.items()]
        taken.vsctl("add-port", bridge, link, "--", "set", "Interface", link, *words)
        HOST.run("docker", "rm", "-f", guest.name)
        assert eventually(lambda: taken.host.link(link) is None)
        assert f"port {link} of {bridge}" in collected(taken)
        assert taken.rows() == rows


def _left_half_made(host: Host, guest: NamedNamespace, words: list[str]) -> None:
    """Kill a run as soon as its link is marked."""
    with breaking(host.argv()) as run:
        for number in range(1, 40):
            broken = run("KILL", number, words)
            if broken.step == "action SetUp":
                return
            assert broken.code == -9
            guest.run("ip", "link", "del", "eth1", check=False)
    raise AssertionError("no such step")


@pytest.mark.parametrize("kind", ["bridge", "macvlan"])
def test_half_made_links(kind: str, host: Host, host_nic: Nics, guest_ns: Namespaces) -> None:
    """A link that a killed run left half made is removed, on the host as in the guest."""
    guest, nic = guest_ns(), host_nic()
    on_bridge(host)
    settle(host, guest)
    before, inside = snapshot(host), snapshot(guest)
    _left_half_made(host, guest, ["br0" if kind == "bridge" else nic.name, guest.spec, "10.1.0.9/24"])
    assert diff(inside, snapshot(guest))
    assert "half made" in collected(host)
    assert_as_before(host, before)
    assert_as_before(guest, inside)


def test_half_made_loan(host: Host, host_nic: Nics, guest_ns: Namespaces) -> None:
    """A NIC that a killed run had just moved comes home."""
    guest, nic = guest_ns(), host_nic()
    host.run("ip", "addr", "add", "192.168.77.2/24", "dev", nic.name)
    settle(host, guest)
    before, inside = snapshot(host), snapshot(guest)
    with breaking(host.argv()) as run:
        for number in range(1, 40):
            broken = run("KILL", number, ["--direct-phys", nic.name, guest.spec, "10.1.0.9/24"])
            assert broken.code == -9
            if guest.link("eth1"):
                break
    assert f"the loan of {nic.name}, half made" in collected(host, cookie(guest))
    assert_as_before(host, before)
    assert_as_before(guest, inside)
    assert notes(cookie(guest)) == []


@contextmanager
def named(target: str, name: str = "") -> Iterator[Path]:
    """A link among the names of namespaces, as the original leaves it."""
    path = NAMED / (name or Path(target).parts[2])
    NAMED.mkdir(exist_ok=True)
    path.symlink_to(target)
    try:
        yield path
    finally:
        with suppress(FileNotFoundError):
            path.unlink()


def test_stale_names(host: Host) -> None:
    """The original's links in /var/run/netns go once the process has ended; those of the living, and others, stay."""
    with subprocess.Popen(["sleep", "0"]) as ended:
        ended.wait()
    with subprocess.Popen(["sleep", "1000"]) as living:
        try:
            with (
                named(f"/proc/{ended.pid}/ns/net") as stale,
                named(f"/proc/{living.pid}/ns/net") as used,
                named(f"/proc/{ended.pid}/ns/net", fresh_name("mine")) as other,
            ):
                assert f"name {'/var'}{stale}" in collected(host)
                assert not stale.is_symlink()
                assert used.is_symlink()
                assert other.is_symlink()
        finally:
            living.terminate()


def test_rule_of_a_bridge_without_guests(host: Host) -> None:
    """The firewall rule of a bridge whose last guest has gone goes; that of another stays."""
    with named_namespace() as living:
        assert host.pipework("br1", living.spec, "10.1.0.9/24").code == 0
        with named_namespace() as guest:
            assert host.pipework("br0", guest.spec, "10.1.0.9/24").code == 0
            assert len(rules(host)) == 2
            link = next(entry["ifname"] for entry in host.ip("-j", "link", "show", "master", "br0"))
        assert eventually(lambda: host.link(link) is None)
        assert "iptables rule of br0" in collected(host)
        assert len(rules(host)) == 1
        assert "br1" in rules(host)[0]
        host.run("ip", "link", "del", "br0")
    host.run("ip", "link", "del", "br1")
    assert "iptables rule of br1" in collected(host)
    assert rules(host) == []


def test_notes_of_a_guest_that_is_gone(host: Host, host_nic: Nics) -> None:
    """What was kept of a dead guest's routes, and of a NIC that went with it, is forgotten."""
    nic = host_nic()
    with named_namespace() as guest:
        bring_online(guest)
        namespace = cookie(guest)
        assert host.pipework("--direct-phys", nic.name, guest.spec, "10.1.0.9/24@10.1.0.1").code == 0
        assert len(notes(namespace)) == 2
    assert eventually(lambda: nic.lan.link(nic.far) is None)  # the cable is destroyed with the guest
    said = collected(host, namespace)
    assert f"note of {nic.name}" in said
    assert "note of eth1" in said
    assert notes(namespace) == []


def test_nic_that_came_back(host: Host, host_nic: Nics) -> None:
    """A NIC that has come back under the name that it had in the guest is again what it was."""
    nic = host_nic()
    host.run("ip", "addr", "add", "192.168.77.2/24", "dev", nic.name)
    host.run("ip", "route", "add", "10.20.0.0/16", "via", "192.168.77.1", "dev", nic.name)
    settle(host)
    before = snapshot(host)
    with named_namespace() as guest:
        namespace = cookie(guest)
        assert host.pipework("--direct-phys", nic.name, guest.spec, "10.1.0.9/24").code == 0
        # a veth would be destroyed; this is what the kernel does with a NIC
        number = next(entry["ifindex"] for entry in guest.ip("-j", "link", "show", "eth1"))
        guest.run("ip", "link", "set", "eth1", "down")
        subprocess.run(
            host.argv("nsenter", f"--net={guest.namespace}", "ip", "link", "set", "eth1", "netns", host.name),
            check=True,
        )
        assert number
    said = collected(host, namespace)
    assert f"the loan of {nic.name}, which is home again" in said
    assert notes(namespace) == []
    settle(host)
    assert_as_before(host, before)


def test_twice(host: Host) -> None:
    """A second gc has nothing of this host's to do."""
    with named_namespace() as guest:
        assert host.pipework("br0", guest.spec, "10.1.0.9/24").code == 0
    host.run("ip", "link", "del", "br0")
    assert "br0" in collected(host)
    assert "br0" not in collected(host)


def test_switch_does_not_answer() -> None:
    """Where Open vSwitch is stopped gc does the rest."""
    with switch_host() as taken:
        taken.add_bridge()
        taken.database.terminate()
        taken.database.wait(30 * SLOW)
        assert taken.pipework("gc").code == 0


@pytest.mark.parametrize(
    ("kind", "address"),
    [
        ("new-bridge", "v4-gateway"),
        ("bridge", "v6-gateway"),
        ("switch", "v4-gateway"),
        ("fake-switch-vlan", "v4"),
        ("namesake", "v4-off-link"),
        ("direct", "v4-gateway"),
        ("lan", "udhcpc-f"),
        ("wire", "several"),
    ],
)
def test_killed_at_any_step(kind: str, address: str) -> None:
    """After a kill -9 at whatever step gc leaves host and guest as they were before, or the wire complete."""
    assert collected_at_every_step(partial(scene, kind, address), f"{kind} {address}") > 5


def test_finished_between_two_looks(host: Host) -> None:
    """A link whose run has finished it and ended since it was read is not taken for one that a killed run has left."""
    host.run("ip", "link", "add", "veth1pl7", "type", "veth", "peer", "name", "other")
    unfinished = f"pipework unfinished {2**22}.7"  # no process has such a number
    host.run("ip", "link", "set", "veth1pl7", "alias", unfinished)
    with Namespace.open(str(host.namespace)) as namespace:
        read = namespace.netlink.link("veth1pl7")
        assert read
        assert is_left_over(namespace, read)
        host.run("ip", "link", "set", "veth1pl7", "alias", "pipework br0 docker:web eth1")
        assert not is_left_over(namespace, read)

"""uplink: guests of a bridge on the LAN, the host reachable all the time, and everything back where that cannot be."""

from __future__ import annotations

import os
import pty
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Callable

import pytest

from tests.lab.command import COMMAND
from tests.lab.disturbing import broken_at_every_step
from tests.lab.faults import FAULTS, NONE, breaking
from tests.lab.guest import SLOW, Guest, eventually
from tests.lab.host import Host, settle
from tests.lab.netns import NamedNamespace, Nic, dnsmasq
from tests.lab.refusal import refused_untouched
from tests.lab.scenes import bridge_on
from tests.lab.snapshot import Unchanged
from tests.lab.tcp import reaches
from tests.lab.uplinks import BRIDGES, CARD, ITS, MINE, network_of, online, uplink_host, uplink_scene

Namespaces = Callable[[], NamedNamespace]
Nics = Callable[..., Nic]
NETWORKD = "/lib/systemd/systemd-networkd"


def mac_of(host: Guest, name: str) -> str:
    """The MAC of a link."""
    link = host.link(name)
    assert link
    return str(link["address"])


def assert_nothing_left(host: Host) -> None:
    """Fail if gc finds anything of an uplink; notes of other tests' guests may be there."""
    code, out, err = host.pipework("gc")
    assert (code, err) == (0, "")
    assert "uplink" not in out


@pytest.mark.parametrize("kind", BRIDGES)
def test_guests_are_on_the_lan(kind: str, guest_ns: Namespaces) -> None:
    """The bridge has all that the NIC had; host, guest and LAN reach each other over TCP; --undo gives it back."""
    with uplink_host(kind) as (host, nic, switch):
        bridge, guest = BRIDGES[kind], guest_ns()
        before, had, mac = Unchanged(host), network_of(host, CARD), mac_of(host, CARD)
        rows = switch.rows() if switch else ""
        own = set(host.addresses(bridge)) if host.link(bridge) else set()
        assert host.pipework("uplink", bridge, CARD) == (0, "", "")
        assert (network_of(host, CARD), mac_of(host, bridge)) == (([], []), mac)
        addresses, routes = network_of(host, bridge)
        assert sorted(set(addresses) - own) == had[0]
        assert [line for line in routes if "10.8.8" not in line] == had[1]
        assert f"{bridge}:1" in host.run("ip", "addr", "show", bridge)
        assert host.pipework(bridge, guest.spec, "192.168.77.9/24,fd00:77::9/64") == (0, "", "")
        for server, address in ((host, MINE), (host, ITS), (guest, "192.168.77.9"), (guest, "fd00:77::9")):
            assert nic.lan.ping(address)
            assert reaches(nic.lan, server, address)
        assert reaches(guest, nic.lan, nic.address)
        assert reaches(guest, host, MINE)
        assert reaches(host, guest, "fd00:77::9")
        assert host.pipework("uplink", bridge, CARD) == (0, "", "")
        assert_nothing_left(host)
        assert host.pipework("del", guest.spec) == (0, "", "")
        assert host.pipework("uplink", "--undo", bridge, CARD) == (0, "", "")
        settle(host)
        assert network_of(host, CARD) == had
        before.check()
        assert (switch.rows() if switch else "") == rows


@pytest.mark.parametrize(
    ("kind", "fault"), [*((kind, "refuse-change") for kind in BRIDGES), ("new", "break"), ("there", "INT")]
)
def test_broken_at_any_step(kind: str, fault: str) -> None:
    """Whatever the kernel refuses, whatever else fails, whenever it is interrupted: the host is as before."""
    assert broken_at_every_step(partial(uplink_scene, kind), fault, f"uplink {kind}") > 20


@pytest.mark.parametrize("kind", ["new", "switch"])
def test_undo_broken_at_any_step(kind: str) -> None:
    """A way back that fails is as if it had never begun: the bridge has it all."""
    assert broken_at_every_step(partial(uplink_scene, kind, undo=True), "refuse-change", f"uplink --undo {kind}") > 20


@pytest.mark.parametrize("kind", ["new", "switch"])
def test_killed_at_any_step(kind: str) -> None:
    """Whoever moves the NIC is killed: the command puts everything back; if it is killed, too, gc does."""
    number = 0
    with uplink_scene(kind) as taken, breaking(taken.host.argv()) as run:
        before = taken.state()
        while True:
            number += 1
            broken = run("KILL", number, taken.words)
            if not broken.step:
                break
            assert broken.code in (128 - FAULTS["KILL"], FAULTS["KILL"]), broken
            if broken.code == FAULTS["KILL"]:
                assert run(NONE, 0, ["gc"]).code == 0
            elif "while it moved" not in broken.err:
                raise AssertionError(broken)
            changed = taken.difference(before)
            assert not changed, f"{broken.step}: {broken.err}\n{changed}"
    assert broken.code == 0
    assert number > 20


@pytest.mark.parametrize("kind", ["new", "there"])
def test_undo_killed_at_any_step(kind: str) -> None:
    """A way back whose process is killed is gone to its end, or was not begun, by the command or by gc."""
    number, ends = 0, set[bool]()
    with uplink_host(kind) as (host, _, _), breaking(host.argv()) as run:
        words, had = ["uplink", BRIDGES[kind], CARD], network_of(host, CARD)
        while True:
            number += 1
            assert run(NONE, 0, words).code == 0
            broken = run("KILL", number, [words[0], "--undo", *words[1:]])
            if not broken.step:
                break
            if broken.code == FAULTS["KILL"]:
                assert run(NONE, 0, ["gc"]).code == 0
            settle(host)
            ends.add(network_of(host, CARD) == had)
            assert network_of(host, CARD) == had or network_of(host, BRIDGES[kind])[1], broken.step
            assert network_of(host, CARD) in (had, ([], [])), broken.step
        assert network_of(host, CARD) == had
    assert (ends, number > 20) == ({True, False}, True)


def started(host: Host, *words: str, at_terminal: bool = False) -> tuple[subprocess.Popen[bytes], int]:
    """The command, running, and our end of its terminal, if it has one."""
    if not at_terminal:
        null = subprocess.DEVNULL
        return subprocess.Popen(host.argv(*COMMAND, *words), stdin=null, stderr=subprocess.PIPE), -1
    ours, its = pty.openpty()
    running = subprocess.Popen(
        host.argv("setsid", "--ctty", "--wait", *COMMAND, *words), stdin=its, stdout=its, stderr=its
    )
    os.close(its)
    return running, ours


def moved(host: Host) -> bool:
    """Whether the bridge has the host's address by now."""
    return bool(host.link("br0")) and f"{MINE}/24" in host.addresses("br0") and not host.addresses(CARD)


@pytest.fixture
def standing(host: Host, host_nic: Nics) -> Nic:
    """A NIC that is the host's way into its network."""
    nic = host_nic(CARD)
    online(host, nic)
    settle(host)
    return nic


def test_cable_is_cut(host: Host, standing: Nic) -> None:
    """Nobody answers within --timeout: that is said, and everything has gone back."""
    standing.lan.run("ip", "addr", "flush", "dev", standing.far)
    before, began = Unchanged(host), time.monotonic()
    code, out, err = host.pipework("uplink", "--timeout", "2", "br0", CARD)
    assert (code, out) == (1, "")
    assert re.match(r"pipework: \S+ does not answer over br0 within 2 s\nAll is as before", err)
    assert 2 <= time.monotonic() - began < 40 * SLOW
    before.check()
    standing.lan.run("ip", "link", "set", standing.far, "down")
    settle(host)
    before = Unchanged(host)
    assert host.pipework("uplink", "--timeout", "2", "br0", CARD).code == 1
    before.check()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_command_is_ended(host: Host, standing: Nic, number: signal.Signals) -> None:
    """The command is killed while it waits for an answer: everything goes back by itself."""
    standing.lan.run("ip", "addr", "flush", "dev", standing.far)
    before = Unchanged(host)
    running, _ = started(host, "uplink", "--timeout", "60", "br0", CARD)
    assert eventually(partial(moved, host))
    running.send_signal(number)
    running.communicate(timeout=60 * SLOW)
    assert running.returncode == (-number if number == signal.SIGKILL else 128 + number)
    before.check()
    assert_nothing_left(host)


def heard(terminal: int, word: bytes) -> bytes:
    """All that is said at the terminal up to a word."""
    told = b""
    while word not in told:
        told += os.read(terminal, 1000)
    return told


@pytest.mark.parametrize("answer", [b"\n", b"yes\n", b"no\n", b"\x04", b""])
def test_whoever_sits_there_is_asked(host: Host, standing: Nic, answer: bytes) -> None:
    """At a terminal nothing stays unless somebody agrees in time."""
    before = Unchanged(host)
    seconds = "60" if answer else "3"
    running, terminal = started(host, "uplink", "--confirm", seconds, "br0", CARD, at_terminal=True)
    heard(terminal, b"goes back: ")
    os.write(terminal, answer)
    agreed = answer in (b"\n", b"yes\n")
    assert running.wait(60 * SLOW) == (0 if agreed else 1)
    if agreed:
        assert moved(host)
        assert reaches(standing.lan, host, MINE)
    else:
        before.check()


def test_terminal_is_closed(host: Host, standing: Nic) -> None:
    """The terminal dies, as with a connection that came by that very NIC: everything goes back."""
    before = Unchanged(host)
    running, terminal = started(host, "uplink", "br0", CARD, at_terminal=True)
    heard(terminal, b"goes back: ")
    assert moved(host)
    os.close(terminal)
    assert running.wait(60 * SLOW) != 0
    before.check()


def test_connection_outlives_it(host: Host, standing: Nic) -> None:
    """What came by the NIC before goes on by the bridge."""
    line = ("python3", "-c", SENDER, MINE)
    server = subprocess.Popen(host.argv("python3", "-c", LISTENER, MINE), stdout=subprocess.PIPE, text=True)
    assert server.stdout
    assert server.stdout.readline() == "ready\n"
    client = subprocess.Popen(standing.lan.enter(*line), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert client.stdin
    assert client.stdout
    assert client.stdout.readline() == "connected\n"
    assert host.pipework("uplink", "br0", CARD) == (0, "", "")
    client.stdin.write("go\n")
    client.stdin.flush()
    assert client.stdout.readline() == "echoed\n"
    assert (client.wait(30 * SLOW), server.wait(30 * SLOW)) == (0, 0)


LISTENER = """
import socket, sys
with socket.create_server((sys.argv[1], 7007)) as server:
    print("ready", flush=True)
    connection, _ = server.accept()
    connection.sendall(connection.recv(100))
"""
SENDER = """
import socket, sys
with socket.create_connection((sys.argv[1], 7007)) as connection:
    print("connected", flush=True)
    sys.stdin.readline()
    connection.sendall(b"echo")
    print("echoed" if connection.recv(100) == b"echo" else "lost", flush=True)
"""


def test_guests_on_the_nic(host: Host, standing: Nic, guest_ns: Namespaces) -> None:
    """A NIC that guests share as macvlan, or have, is refused, and what to type is said."""
    guest = guest_ns()
    assert host.pipework(CARD, guest.spec, "192.168.77.9/24") == (0, "", "")
    told = refused_untouched(host, guest, ["uplink", "br0", CARD])
    assert f"eth1 of {guest.name} stands on {CARD} (macvlan)" in told
    assert f"pipework del {guest.spec} -i eth1" in told


TABLE = "nft add table inet a; nft add chain inet a c; "
RULES = {
    "iptables": ("iptables -A INPUT -i {} -p tcp --dport 22 -j DROP", "the firewall names"),
    "nft": (
        "nft add table inet a; nft add chain inet a c; nft add rule inet a c iifname {} drop",
        "the firewall names",
    ),
    "set": (f"{TABLE}nft add rule inet a c iifname '{{{{ {{}}, other0 }}}}' drop", "the firewall names"),
    "policy rule": ("ip rule add iif {} lookup 100 priority 77", "a policy rule of this host names"),
}


@pytest.mark.parametrize("program", RULES)
def test_rules_that_name_the_nic(host: Host, standing: Nic, guest_ns: Namespaces, program: str) -> None:
    """What an administrator has closed by the NIC's name stays closed: refused until the bridge is named as well."""
    line, told = RULES[program]
    host.run("sh", "-c", line.format(CARD))
    assert told in refused_untouched(host, guest_ns(), ["uplink", "br0", CARD])
    host.run("sh", "-c", line.format("br0").replace(TABLE, ""))
    assert host.pipework("uplink", "br0", CARD) == (0, "", "")


def test_nexthop_object(host: Host, standing: Nic, guest_ns: Namespaces) -> None:
    """A route that cannot move is named."""
    host.run("ip", "nexthop", "add", "id", "7", "via", standing.address, "dev", CARD)
    host.run("ip", "route", "add", "10.70.0.0/16", "nhid", "7")
    assert "nexthop object" in refused_untouched(host, guest_ns(), ["uplink", "br0", CARD])


def test_settings_of_the_nic(host: Host, standing: Nic) -> None:
    """A new bridge takes from the network no more than the NIC did."""
    for setting in ("ipv4/conf/{}/rp_filter=1", "ipv4/conf/{}/accept_redirects=0", "ipv6/conf/{}/accept_ra=2"):
        host.run("sysctl", "-qw", f"net/{setting.format(CARD)}")
    assert host.pipework("uplink", "br0", CARD) == (0, "", "")
    for key, value in (
        ("ipv4.conf.br0.rp_filter", "1"),
        ("ipv4.conf.br0.accept_redirects", "0"),
        ("ipv6.conf.br0.accept_ra", "2"),
    ):
        assert host.run("sysctl", "-n", f"net.{key}").strip() == value


def test_nobody_to_ask(host: Host, host_nic: Nics, guest_ns: Namespaces) -> None:
    """A NIC without a gateway and without neighbours becomes an uplink, and that nobody was asked is said."""
    nic = host_nic()
    host.run("ip", "addr", "add", "192.168.77.2/24", "dev", nic.name)
    code, out, err = host.pipework("uplink", "br0", nic.name)
    assert (code, out) == (0, "")
    assert (
        err == f"pipework: nobody behind {nic.name} is known, so nobody was asked whether the network is still there\n"
    )
    assert reaches(nic.lan, host, "192.168.77.2")


def test_wrong_words(host: Host, standing: Nic, guest_ns: Namespaces) -> None:
    """Each says what is wrong, and the fix; nothing changes."""
    guest = guest_ns()
    bridge_on(host)
    bridge_on(host, "other0")
    host.run("ip", "link", "add", "port0", "master", "other0", "type", "veth", "peer", "name", "port1")
    assert host.pipework("br0", guest.spec, "0/0") == (0, "", "")
    (wire,) = [name for name in host.run("ls", "/sys/class/net").split() if name.startswith("veth1pl")] or [""]
    settle(host, guest)
    for line, told in {
        "br0 nothere": "NIC nothere is no NIC of this host",
        "br0 lo": "NIC lo is no NIC",
        "br0 br0": "NIC br0 can be no bridge's port",
        "br0 other0": "NIC other0 can be no bridge's port",
        "br0 port0": "NIC port0 is a port of other0 already",
        f"{CARD} port1": f"BRIDGE {CARD} is no bridge",
        f"nobridge {CARD}": "this host has no bridge nobridge",
        f"--timeout 0 br0 {CARD}": "--timeout 0 is out of range",
        f"--timeout x br0 {CARD}": "--timeout 'x' is no number of seconds",
        f"--confirm 5 br0 {CARD}": "--confirm asks at a terminal",
        f"--undo br0 {CARD}": f"pipework has made no uplink of {CARD} to br0",
        f"br0 {CARD} more": "uplink does not take 'more'",
        f"--mtu 1400 br0 {CARD}": "uplink does not take --mtu",
        **({f"br0 {wire}": "leads to a guest"} if wire else {}),
    }.items():
        said = refused_untouched(host, guest, ["uplink", *line.split()])
        assert told in said
        assert len(said.splitlines()) == 2, said


def test_dry_run(host: Host, standing: Nic) -> None:
    """What is printed does the same."""
    before = Unchanged(host)
    code, lines, err = host.pipework("--dry-run", "uplink", "br0", CARD)
    assert (code, err) == (0, "")
    before.check()
    assert host.pipework("uplink", "br0", CARD) == (0, "", "")
    made = network_of(host, "br0")
    assert host.pipework("uplink", "--undo", "br0", CARD) == (0, "", "")
    host.run("sh", "-e", "-c", lines)
    assert network_of(host, "br0") == made
    assert network_of(host, CARD) == ([], [])


@contextmanager
def networkd(host: Host, name: str) -> Iterator[None]:
    """systemd-networkd on that host, which runs where /sys cannot be written, as in a container, without udev."""
    for folder in ("netif", "netif/links", "netif/leases", "netif/lldp"):
        os.makedirs(f"/run/systemd/{folder}", exist_ok=True)
        shutil.chown(f"/run/systemd/{folder}", "systemd-network", "systemd-network")
    starting = f"mount -o remount,bind,ro /sys && exec {NETWORKD}"
    with open(os.devnull, "w") as null:
        running = subprocess.Popen(host.argv("sh", "-c", starting), stdout=null, stderr=null)
        try:
            assert eventually(lambda: bool(host.link(name)) and f"{MINE}/24" in host.addresses(name))
            link = host.link(name)
            assert link
            told = Path(f"/run/systemd/netif/links/{link['ifindex']}")
            assert eventually(lambda: told.exists() and "NETWORK_FILE=" in told.read_text())
            yield
        finally:
            running.terminate()
            running.wait(30 * SLOW)
            for left in Path("/run/systemd/netif/links").iterdir():  # by which the next test's links would be its own
                left.unlink()


def test_networkd_makes_it_last(host: Host, host_nic: Nics) -> None:
    """What is printed for systemd-networkd, written where that reads, has it make the same bridge at its next start."""
    nic, place = host_nic(CARD), Path("/run/systemd/network")
    place.mkdir(parents=True, exist_ok=True)
    (place / "10-nic.network").write_text(
        f"[Match]\nName={CARD}\n[Network]\nAddress={MINE}/24\nGateway={nic.address}\nIPv6AcceptRA=no\n"
    )
    try:
        with networkd(host, CARD):
            code, out, err = host.pipework("uplink", "br0", CARD)
            assert (code, out) == (0, "")
            head, *lines = err.splitlines()
            assert head == (
                f"pipework: {CARD} is systemd-networkd's, which makes it at the next boot what it was; "
                "to make it last, write:"
            )
            time.sleep(2)  # in which it would take the address back
            assert reaches(nic.lan, host, MINE)
        made = network_of(host, "br0")
        assert host.pipework("uplink", "--undo", "br0", CARD) == (0, "", "")
        host.run("ip", "addr", "flush", "dev", CARD)
        subprocess.run(["sh", "-e", "-c", "\n".join(lines).replace("/etc/systemd/network", str(place))], check=True)
        with networkd(host, "br0"):
            assert eventually(lambda: reaches(nic.lan, host, MINE))
            assert network_of(host, "br0")[0] == made[0]
            assert network_of(host, CARD)[0] == []
    finally:
        for file in place.glob("*"):
            file.unlink()


def test_client_that_keeps_the_lease(host: Host, host_nic: Nics) -> None:
    """A DHCP client of the card is named, with what to type in its place; the address keeps the time that it has."""
    nic = host_nic(CARD)
    with dnsmasq(nic):
        host.run("ip", "addr", "add", f"{MINE}/24", "dev", CARD, "valid_lft", "300", "preferred_lft", "200")
        host.run("ip", "route", "add", "default", "via", nic.address)
        client = subprocess.Popen(host.argv("udhcpc", "-f", "-i", CARD, "-s", "/bin/true"))
        try:
            assert eventually(lambda: Path(f"/proc/{client.pid}/comm").read_text() in ("udhcpc\n", "busybox\n"))
            code, out, err = host.pipework("uplink", "br0", CARD)
            assert (code, out) == (0, "")
            assert re.fullmatch(
                rf"pipework: udhcpc \(pid \d+\) keeps the lease of {CARD}, and will give {CARD} its address again: "
                r"end that client, and have one for br0: udhcpc -i br0\n",
                err,
            )
        finally:
            client.terminate()
            client.wait(30 * SLOW)
        (entry,) = host.ip("-j", "-4", "addr", "show", "dev", "br0")
        assert 200 < entry["addr_info"][0]["valid_life_time"] <= 300
        assert host.pipework("uplink", "--undo", "br0", CARD) == (0, "", "")
        code, out, err = host.pipework("uplink", "br0", CARD)
        assert (code, out) == (0, "")
        assert re.fullmatch(
            rf"pipework: {MINE}/24 is leased for \d+ s more; have a client renew it on br0: dhclient br0\n", err
        )

"""ls: what is wired on a host, by whomever, as a table and as JSON."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from resource import RUSAGE_CHILDREN, getrusage
from typing import Any, Callable

import pytest

from tests.lab.command import COMMAND
from tests.lab.engine import Container
from tests.lab.guest import HOST, Guest, eventually, fresh_name, run
from tests.lab.host import Host, throwaway_host
from tests.lab.netns import NamedNamespace, Nic, named_namespace
from tests.lab.switch_host import SwitchHost, switch_host

Containers = Callable[..., Container]
Namespaces = Callable[[], NamedNamespace]
Nics = Callable[..., Nic]

KEYS = [
    "guest", "runtime", "pid", "ifname", "kind", "link", "hostif", "vlan", "addresses", "mac", "mtu", "state",
    "guessed", "trunk",
]  # fmt: skip
MAC = "02:00:00:00:77:05"


def listed(host: Host | SwitchHost, guest: str = "") -> list[dict[str, Any]]:
    """Return what ls --json says, of all guests or of one."""
    done = host.pipework("ls", "--json", *([guest] if guest else []))
    assert (done.code, done.err) == (0, "")
    told: list[dict[str, Any]] = json.loads(done.out)
    return told


def only(host: Host | SwitchHost, guest: Guest) -> dict[str, Any]:
    """Return the one wire of a guest."""
    [wire] = [wire for wire in listed(host) if wire["guest"] == guest.name]
    return wire


def as_the_original(host: Host, guest: Container, *master: str) -> str:
    """Wire a container as the original does, which leaves no mark but a name; return the host's end."""
    name = f"veth1pl{guest.pid}"
    host.run("ip", "link", "add", name, "mtu", "1500", "type", "veth", "peer", "name", "eth1", "netns", str(guest.pid))
    host.run("ip", "link", "set", name, *master, "up")
    guest.run("ip", "addr", "add", "10.9.0.2/24", "dev", "eth1")
    guest.run("ip", "link", "set", "eth1", "up")
    return name


def test_linux_bridge(host: Host, guest_ns: Namespaces) -> None:
    """A wire to a Linux bridge is told with all that makes it."""
    guest = guest_ns()
    assert host.pipework("br0", guest.spec, "192.168.77.5/24", MAC).code == 0
    guest.run("ip", "addr", "add", "fd00:77::5/64", "dev", "eth1", "nodad")
    assert eventually(lambda: only(host, guest)["state"] == "up")
    wire = only(host, guest)
    assert list(wire) == KEYS
    assert wire == {
        "guest": guest.name,
        "runtime": "netns",
        "pid": 0,
        "ifname": "eth1",
        "kind": "bridge",
        "link": wire["link"],
        "hostif": "br0",
        "vlan": None,
        "addresses": ["192.168.77.5/24", "fd00:77::5/64"],
        "mac": MAC,
        "mtu": 1500,
        "state": "up",
        "guessed": False,
        "trunk": None,
    }
    assert host.link(wire["link"]) is not None


@pytest.mark.docker
def test_container(host: Host, container: Containers) -> None:
    """A container is told by its name and its process, however it was called when it was wired."""
    guest = container()
    assert host.pipework("br0", guest.id[:12], "192.168.77.5/24").code == 0
    wire = only(host, guest)
    assert (wire["runtime"], wire["pid"], wire["link"]) == ("docker", guest.pid, f"veth1pl{guest.pid}"[:15])


def test_macvlan(host: Host, host_nic: Nics, guest_ns: Namespaces) -> None:
    """A macvlan is told with its NIC, although all of it is in the guest."""
    nic, guest = host_nic(), guest_ns()
    assert host.pipework(nic.name, "-i", "lan7", guest.spec, "192.168.77.5/24").code == 0
    wire = only(host, guest)
    told = (wire["ifname"], wire["kind"], wire["hostif"], wire["link"], wire["vlan"], wire["addresses"])
    assert told == ("lan7", "macvlan", nic.name, "", None, ["192.168.77.5/24"])


def test_nic_on_loan(host: Host, host_nic: Nics, guest_ns: Namespaces) -> None:
    """A NIC on loan is told under the name that it has at home."""
    nic, guest = host_nic(), guest_ns()
    assert host.pipework("--direct-phys", nic.name, guest.spec, "192.168.77.5/24").code == 0
    wire = only(host, guest)
    assert (wire["ifname"], wire["kind"], wire["hostif"]) == ("eth1", "nic", nic.name)


def test_openvswitch(guest_ns: Namespaces) -> None:
    """A port of Open vSwitch is told with its bridge and its VLAN."""
    guest = guest_ns()
    with switch_host() as taken:
        bridge = taken.add_bridge()
        assert taken.pipework(bridge, guest.spec, "192.168.77.5/24", "@100").code == 0
        wire = only(taken, guest)
        assert (wire["kind"], wire["hostif"], wire["vlan"]) == ("openvswitch", bridge, 100)
        assert wire["link"] in taken.vsctl("list-ports", bridge).split()


def test_openvswitch_guest_is_gone() -> None:
    """A port whose guest has ended is told as such, by what the database knows of it."""
    with switch_host() as taken:
        bridge = taken.add_bridge()
        with named_namespace() as guest:
            assert taken.pipework(bridge, guest.spec, "192.168.77.5/24", "@100").code == 0
            link = only(taken, guest)["link"]
        assert eventually(lambda: taken.host.link(link) is None)
        [wire] = [wire for wire in listed(taken) if wire["link"] == link]
        assert (wire["state"], wire["kind"], wire["hostif"], wire["vlan"]) == ("guest gone", "openvswitch", bridge, 100)


@pytest.mark.docker
def test_the_originals_veth_on_a_bridge(host: Host, container: Containers) -> None:
    """A pair that bears no mark but the name that the original gives it is told like ours, and that Docker drops it."""
    guest = container()
    host.run("ip", "link", "add", "br0", "type", "bridge")
    host.run("ip", "link", "set", "br0", "up")
    link = as_the_original(host, guest, "master", "br0")
    assert eventually(lambda: only(host, guest)["state"] == "filtered")
    wire = only(host, guest)
    told = (wire["runtime"], wire["ifname"], wire["kind"], wire["link"], wire["hostif"], wire["addresses"])
    assert told == ("docker", "eth1", "bridge", link, "br0", ["10.9.0.2/24"])


@pytest.mark.docker
def test_the_originals_port_of_openvswitch(container: Containers) -> None:
    """A port that the original has plugged in, with its external ids and no mark, is told like ours."""
    guest = container()
    with switch_host() as taken:
        bridge = taken.add_bridge()
        link = as_the_original(taken.host, guest)
        ids = {"interface": link, "bridge": bridge, "containerid": guest.id, "vlan": "7"}
        words = [f"external-ids:pipework.{key}={value}" for key, value in ids.items()]
        taken.vsctl("add-port", bridge, link, "tag=7", "--", "set", "Interface", link, *words)
        wire = only(taken, guest)
        assert (wire["kind"], wire["hostif"], wire["vlan"], wire["link"]) == ("openvswitch", bridge, 7, link)


@pytest.mark.docker
def test_the_originals_macvlan(host: Host, host_nic: Nics, container: Containers) -> None:
    """A macvlan without mark in a container, none that Docker has made, is taken for the original's."""
    guest, nic = container(), host_nic()
    words = ["link", nic.name, "name", "phtmp", "type", "macvlan", "mode", "bridge"]
    host.run("ip", "link", "add", *words)
    host.run("ip", "link", "set", "phtmp", "netns", str(guest.pid), "name", "eth1")
    wire = only(host, guest)
    assert (wire["ifname"], wire["kind"], wire["hostif"], wire["state"]) == ("eth1", "macvlan", nic.name, "down")
    assert wire["guessed"]


@pytest.mark.docker
def test_what_is_not_pipeworks(container: Containers) -> None:
    """Docker's own eth0, and a user's own pair, are not told."""
    guest = container(net="bridge")
    mine = fresh_name("mine")
    run("ip", "link", "add", mine, "type", "veth", "peer", "name", "eth7", "netns", str(guest.pid))
    try:
        done = subprocess.run([*COMMAND, "ls", "--json", guest.name], capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout, done.stderr) == (0, "[]\n", "")
    finally:
        HOST.run("ip", "link", "del", mine)


def test_states(host: Host, host_nic: Nics, guest_ns: Namespaces) -> None:
    """A wire is up, or down, or without carrier."""
    nic, guest = host_nic(), guest_ns()
    assert host.pipework("br0", guest.spec, "192.168.77.5/24").code == 0
    assert eventually(lambda: only(host, guest)["state"] == "up")
    host.run("ip", "link", "set", only(host, guest)["link"], "down")
    assert eventually(lambda: only(host, guest)["state"] == "no carrier")
    guest.run("ip", "link", "set", "eth1", "down")
    assert eventually(lambda: only(host, guest)["state"] == "down")
    other = guest_ns()
    assert host.pipework(nic.name, other.spec, "192.168.77.6/24").code == 0
    nic.lan.run("ip", "link", "set", nic.far, "down")
    assert eventually(lambda: only(host, other)["state"] == "no carrier")


def test_one_guest(host: Host, guest_ns: Namespaces) -> None:
    """ls GUEST tells that guest's wires, in order, and no other's."""
    first, second = guest_ns(), guest_ns()
    for words in (["-i", "lan2", first.spec], ["-i", "lan1", first.spec], [second.spec]):
        assert host.pipework("br0", *words, "0/0").code == 0
    assert [wire["ifname"] for wire in listed(host, first.spec)] == ["lan1", "lan2"]
    assert [wire["guest"] for wire in listed(host, str(second.namespace))] == [second.name]


def test_unknown_guest(host: Host) -> None:
    """A guest that nobody knows is an error, with nothing on stdout."""
    done = host.pipework("ls", "netns:nobody-here")
    assert (done.code, done.out) == (1, "")
    assert done.err.startswith("pipework: no guest netns:nobody-here")


def test_nothing_is_wired(host: Host, guest_ns: Namespaces) -> None:
    """A guest without wires has a heading and no row, or an empty list."""
    guest = guest_ns()
    table = host.pipework("ls", guest.spec)
    assert (table.code, table.out.split()[0], len(table.out.splitlines())) == (0, "GUEST", 1)
    assert listed(host, guest.spec) == []


def test_table(host: Host, guest_ns: Namespaces) -> None:
    """The table's columns stand below each other; what is not known is a dash."""
    first, second = guest_ns(), guest_ns()
    assert host.pipework("br0", first.spec, "192.168.77.5/24").code == 0
    assert host.pipework("br-with-a-name", "-i", "a-longer-name", second.spec, "0/0").code == 0
    done = host.pipework("ls")
    heading, *rows = done.out.splitlines()
    mine = [row for row in rows if first.name in row or second.name in row]
    assert len(mine) == 2
    for name in ("IFNAME", "KIND", "HOSTIF", "MAC", "STATE"):
        column = heading.index(name)
        for row in mine:
            assert row[column - 2 : column] == "  "
            assert row[column] != " "
    [bare] = [row for row in mine if second.name in row]
    assert bare[heading.index("ADDRESSES")] == "-"
    assert bare[heading.index("VLAN")] == "-"


def on_a_terminal(host: Host, *words: str) -> str:
    """Run pipework with a terminal as its stdout and return what it shows there."""
    ours, theirs = pty.openpty()
    done = subprocess.run(host.argv(*COMMAND, *words), stdin=subprocess.DEVNULL, stdout=theirs, check=False)
    os.close(theirs)
    shown = b""
    with suppress(OSError):  # the other side is closed
        while chunk := os.read(ours, 1 << 16):
            shown += chunk
    os.close(ours)
    assert done.returncode == 0
    return shown.decode()


def test_colour_on_a_terminal_only(host: Host, guest_ns: Namespaces) -> None:
    """The state is coloured where people look, nowhere else."""
    guest = guest_ns()
    assert host.pipework("br0", guest.spec, "192.168.77.5/24").code == 0
    assert eventually(lambda: only(host, guest)["state"] == "up")
    assert "\033" not in host.pipework("ls", guest.spec).out
    assert "\033[32mup\033[0m" in on_a_terminal(host, "ls", guest.spec)
    assert "\033" not in on_a_terminal(host, "ls", "--json", guest.spec)


@pytest.fixture
def crowd() -> Iterator[Host]:
    """A host with 200 guests on one bridge."""
    with ExitStack() as stack:
        host = stack.enter_context(throwaway_host())
        host.run("ip", "link", "add", "br0", "type", "bridge")
        host.run("ip", "link", "set", "br0", "up")
        batch = []
        for number in range(200):
            guest = stack.enter_context(named_namespace("pwcrowd"))
            place = f"peer name eth1 netns {guest.name}"
            batch += [
                f"link add pl{number} master br0 up type veth {place}",
                f"link set pl{number} alias 'pipework br0 netns:{guest.name} eth1'",
            ]
        host.batch(*batch)
        yield host


def test_two_hundred_links(crowd: Host) -> None:
    """Two hundred wires are told for the processor's time of some sixty bare interpreters."""

    def cost(act: Callable[[], Any]) -> float:
        before = getrusage(RUSAGE_CHILDREN)
        act()
        after = getrusage(RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    bare, telling = [], []
    for _ in range(5):  # in turn: how fast a processor is changes with what else runs on it
        bare.append(cost(lambda: run(sys.executable, "-I", "-S", "-c", "pass")))
        telling.append(cost(lambda: listed(crowd)))
    assert len([wire for wire in listed(crowd) if wire["hostif"] == "br0" and wire["link"].startswith("pl")]) == 200
    assert min(telling) < 65 * min(bare), (telling, bare)


def test_very_long_name(host: Host) -> None:
    """The mark of a guest whose name is too long for it can be read: the guest is listed, its wire taken back."""
    guest = NamedNamespace("n" * 240)
    HOST.run("ip", "netns", "add", guest.name)
    try:
        line = ("br0", guest.spec, "192.168.1.1/24")
        assert host.pipework(*line) == (0, "", "")
        assert host.pipework("--replace", *line) == (0, "", "")
        (wire,) = json.loads(host.pipework("ls", "--json").out)
        assert (wire["hostif"], wire["ifname"], wire["state"]) == ("br0", "eth1", "up")
        assert guest.name.startswith(wire["guest"])
        assert len(wire["guest"]) > 200
        assert host.pipework("del", guest.spec) == (0, "", "")
        assert guest.link("eth1") is None
    finally:
        HOST.run("ip", "netns", "del", guest.name)

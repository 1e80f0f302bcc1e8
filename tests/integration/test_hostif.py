"""HOSTIF is what the kernel says it is: under any of its names, up or down; or it is refused with what works."""

from __future__ import annotations

import json
import os
import shutil
import signal
from pathlib import Path
from typing import Callable

import pytest

from tests.lab.command import Result, run_pipework
from tests.lab.guest import eventually
from tests.lab.host import Host
from tests.lab.netns import NamedNamespace, Nic
from tests.lab.switch_host import SwitchHost
from tests.lab.tcp import reaches

Namespaces = Callable[[], NamedNamespace]
Nics = Callable[..., Nic]
LONG = "br-on-the-third-floor-next-to-the-lift"


def made(host: Host, *words: str) -> None:
    host.run("ip", "link", "add", *words)


def refused(host: Host, *words: str) -> str:
    """Run a line that must be refused, with the host as it was before; return what it says."""
    before = names(host)
    done = host.pipework(*words)
    assert (done.code, done.out) == (1, ""), done
    assert names(host) == before
    return done.err


def names(host: Host) -> list[str]:
    return [link["ifname"] for link in host.ip("-j", "link", "show")]


def states(host: Host) -> list[str]:
    return [wire["state"] for wire in json.loads(host.pipework("ls", "--json").out)]


@pytest.mark.parametrize("altname", ["enp7h1s0", LONG])
def test_altname_of_a_bridge(host: Host, guest_ns: Namespaces, altname: str) -> None:
    """A bridge is meant by any of its names; the wire, the firewall's rule and `del` know it by its own."""
    made(host, "lan0", "type", "bridge")
    host.run("ip", "link", "property", "add", "dev", "lan0", "altname", altname)
    before = host.run("iptables", "-S")
    one, two = guest_ns(), guest_ns()
    for guest, address in ((one, "10.3.0.1/24"), (two, "10.3.0.2/24")):
        assert host.pipework(altname, guest.spec, address) == (0, "", "")
        assert host.pipework("--replace", altname, guest.spec, address) == (0, "", "")
    assert reaches(one, two, "10.3.0.2")
    assert {wire["hostif"] for wire in json.loads(host.pipework("ls", "--json").out)} == {"lan0"}
    assert "pipework: lan0" in host.run("iptables", "-S", "DOCKER-USER")
    for guest in (one, two):
        assert host.pipework("del", guest.spec).code == 0
    assert host.run("iptables", "-S") == before


def test_altname_of_a_nic(host: Host, host_nic: Nics, guest_ns: Namespaces) -> None:
    """The same goes for a NIC that is shared."""
    nic, guest = host_nic(), guest_ns()
    host.run("ip", "link", "property", "add", "dev", nic.name, "altname", "enp7h1s0")
    assert host.pipework("enp7h1s0", guest.spec, "192.168.77.9/24") == (0, "", "")
    assert guest.ping(nic.address)
    assert [wire["hostif"] for wire in json.loads(host.pipework("ls", "--json").out)] == [nic.name]


def test_name_of_nothing_is_still_no_altname(host: Host, guest_ns: Namespaces) -> None:
    """What is missing is only made under a name that a link can have."""
    assert "is not a valid ifname" in refused(host, LONG, guest_ns().spec, "10.3.0.1/24")


def test_bridge_that_is_down(host: Host, guest_ns: Namespaces) -> None:
    """A bridge that was made with brctl is brought up; one that is taken down is told, and --replace heals it."""
    made(host, "lan0", "type", "bridge")
    one, two = guest_ns(), guest_ns()
    assert host.pipework("lan0", one.spec, "10.3.0.1/24") == (0, "", "")
    assert host.pipework("lan0", two.spec, "10.3.0.2/24") == (0, "", "")
    assert reaches(one, two, "10.3.0.2")
    host.run("ip", "link", "set", "lan0", "down")
    assert states(host) == ["bridge down", "bridge down"]
    assert host.pipework("--replace", "lan0", one.spec, "10.3.0.1/24") == (0, "", "")
    assert states(host) == ["up", "up"]
    assert reaches(one, two, "10.3.0.2")


def test_bridge_that_is_down_stays_so_on_failure(host: Host, guest_ns: Namespaces) -> None:
    """A run that fails leaves it as it was."""
    made(host, "lan0", "type", "bridge")
    guest = guest_ns()
    guest.run("ip", "link", "add", "eth1", "type", "veth", "peer", "name", "other")
    done = host.pipework("lan0", guest.spec, "10.3.0.1/24")
    assert done.code == 2
    assert "UP" not in json.loads(host.run("ip", "-j", "link", "show", "lan0"))[0]["flags"]


def test_port_of_a_bridge(host: Host, host_nic: Nics, guest_ns: Namespaces) -> None:
    """A NIC that is a bridge's port cannot be shared; the line that works is told."""
    nic, guest = host_nic(), guest_ns()
    made(host, "lan0", "up", "type", "bridge")
    host.run("ip", "link", "set", nic.name, "master", "lan0")
    said = refused(host, nic.name, guest.spec, "10.3.0.1/24")
    assert f"HOSTIF {nic.name} is a port of lan0 (bridge)" in said
    assert f"pipework lan0 {guest.spec} ..." in said
    works = said.rpartition(": pipework ")[2].replace("...", "10.3.0.1/24").split()
    assert host.pipework(*works) == (0, "", "")


def test_what_carries_no_ethernet(host: Host, guest_ns: Namespaces) -> None:
    """A tun cannot be shared, but handed over."""
    guest = guest_ns()
    host.run("ip", "tuntap", "add", "tun7", "mode", "tun")
    said = refused(host, "tun7", guest.spec, "10.3.0.1/24")
    assert "carries no Ethernet frames" in said
    works = said.rpartition(": pipework ")[2].replace("...", "10.3.0.1/24").split()
    assert host.pipework(*works) == (0, "", "")
    assert guest.addresses("eth1") == ["10.3.0.1/24"]


def test_mac_that_is_taken(host: Host, host_nic: Nics, guest_ns: Namespaces) -> None:
    """Two guests of one NIC cannot have one MAC, nor a guest the NIC's own; both are said to be about the MAC."""
    nic, one, two = host_nic(), guest_ns(), guest_ns()
    mac = "02:00:00:00:03:01"
    assert host.pipework(nic.name, one.spec, "192.168.77.9/24", mac) == (0, "", "")
    own = json.loads(host.run("ip", "-j", "link", "show", nic.name))[0]["address"]
    for taken in (mac, own):
        said = refused(host, nic.name, two.spec, "192.168.77.10/24", taken)
        assert "the MAC address of eth1 is taken" in said
        assert two.link("eth1") is None


def test_namespace_entered_without_its_sys(host: Host, guest_ns: Namespaces) -> None:
    """In a namespace that was entered without its /sys a bridge is still found: nothing is made beside it."""
    made(host, "docker7", "up", "type", "bridge")
    guest = guest_ns()
    done = on_its_network_only(host, "docker7", guest.spec, "10.3.0.1/24")
    assert done == (0, "", "")
    assert guest.addresses("eth1") == ["10.3.0.1/24"]
    assert host.run("ip", "-o", "link", "show", "type", "bridge").count("\n") == 1
    assert "master docker7" in host.run("ip", "-o", "link", "show", "type", "veth")


def test_everything_with_another_sys(host: Host, guest_ns: Namespaces) -> None:
    """So do ls, which sees the bridge, and del, which leaves the firewall's rule to the guests that stay."""
    guests = [guest_ns(), guest_ns()]
    for number, guest in enumerate(guests, 1):
        assert on_its_network_only(host, "br7", guest.spec, f"10.3.0.{number}/24") == (0, "", "")
    listed = json.loads(on_its_network_only(host, "ls", "--json").out)
    assert [wire["state"] for wire in listed] == ["up", "up"]
    assert on_its_network_only(host, "del", guests[0].spec) == (0, "", "")
    assert "pipework: br7" in host.run("iptables", "-S", "DOCKER-USER")
    assert on_its_network_only(host, "--replace", "br7", guests[1].spec, "10.3.0.2/24") == (0, "", "")
    assert on_its_network_only(host, "del", guests[1].spec) == (0, "", "")
    assert "pipework: br7" not in host.run("iptables", "-S", "DOCKER-USER")


def on_its_network_only(host: Host, *words: str) -> Result:
    """Run pipework as `nsenter --net` does, which leaves /sys that of another host."""
    return run_pipework(*words, on=["nsenter", f"--net={host.namespace}"])


@pytest.mark.parametrize("name", ["br-int", "eno7", "dummy7", "ovs7"])
def test_bridge_of_a_switch_without_a_link(switched: SwitchHost, guest_ns: Namespaces, name: str) -> None:
    """A bridge that Open vSwitch could not set up is its own all the same: nothing of that name is made beside it."""
    guest = guest_ns()
    switched.vsctl("--no-wait", "add-br", name)
    said = refused(switched.host, name, guest.spec, "10.3.0.1/24")
    assert f"Open vSwitch has a bridge {name}, but the kernel shows no link of it" in said
    works = said.rpartition("Switch in userspace: ")[2].partition(";")[0].split()
    switched.vsctl(*works[1:])
    assert eventually(lambda: switched.host.link(name) is not None)
    assert switched.pipework(name, guest.spec, "10.3.0.1/24") == (0, "", "")
    assert len(switched.vsctl("list-ports", name).split()) == 1


def test_port_of_a_switch_without_a_link(switched: SwitchHost, guest_ns: Namespaces) -> None:
    """A port whose link is gone, a bond, a NIC of it that is gone: each is told with its bridge and what to type."""
    guest, bridge = guest_ns(), switched.add_bridge()
    switched.vsctl("--no-wait", "add-port", bridge, "br7")
    switched.vsctl("--no-wait", "add-bond", bridge, "br8", "br9", "other")
    for name in ("br7", "br8", "br9"):
        said = refused(switched.host, name, guest.spec, "10.3.0.1/24")
        assert f"HOSTIF {name} is a port of {bridge} (Open vSwitch), and this host has no link of that name" in said
        assert f"Wire the guest to that: pipework {bridge} {guest.spec} ...;" in said
    for name in ("br7", "br8"):
        said = refused(switched.host, name, guest.spec, "10.3.0.1/24")
        switched.vsctl(*said.rpartition("ovs-vsctl ")[2].split())
        assert switched.pipework(name, "-i", name, guest.spec, "10.3.0.1/24") == (0, "", "")
        assert switched.host.link(name) is not None


def test_switch_that_cannot_be_asked(switched: SwitchHost, guest_ns: Namespaces) -> None:
    """A database that hangs is not taken for one that does not know the name; one that has ended is no hindrance."""
    guest, database = guest_ns(), switched.database
    os.kill(database.pid, signal.SIGSTOP)
    try:
        said = refused(switched.host, "br7", guest.spec, "10.3.0.1/24")
    finally:
        os.kill(database.pid, signal.SIGCONT)
    assert "Open vSwitch does not answer within" in said
    database.kill()  # leaves its socket behind
    database.wait()
    assert switched.pipework("br7", guest.spec, "10.3.0.1/24") == (0, "", "")
    (switched.place / "db.sock").unlink()
    assert switched.pipework("br8", "-i", "eth2", guest.spec, "10.4.0.1/24") == (0, "", "")


def test_switch_that_need_not_be_asked(switched: SwitchHost, guest_ns: Namespaces, tmp_path: Path) -> None:
    """Nobody waits for Open vSwitch where HOSTIF is a Linux bridge or a NIC, or where it does not run."""
    asked, program, guest = tmp_path / "asked", tmp_path / "ovs-vsctl", guest_ns()
    program.write_text(f'#!/bin/sh\ntouch {asked}\nexec {shutil.which("ovs-vsctl")} "$@"\n')
    program.chmod(0o755)
    env = {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    made(switched.host, "br1", "up", "type", "bridge")
    made(switched.host, "nic1", "up", "type", "veth", "peer", "name", "far1")
    for number, name in enumerate(("br1", "nic1"), 1):
        words = ("-i", f"eth{number}", guest.spec, f"10.{number}.0.1/24")
        assert switched.pipework(name, *words, env=env) == (0, "", "")
    assert not asked.exists()
    assert switched.pipework("br2", "-i", "eth3", guest.spec, "10.3.0.1/24", env=env) == (0, "", "")
    assert asked.exists()
    asked.unlink()
    switched.stop()
    assert switched.pipework("br3", "-i", "eth4", guest.spec, "10.4.0.1/24", env=env) == (0, "", "")
    assert not asked.exists()

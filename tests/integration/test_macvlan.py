"""A NIC shared by macvlan: what a success leaves behind, and traffic to the far end of the cable."""

from __future__ import annotations

from typing import Callable

import pytest

from tests.lab.command import run_pipework
from tests.lab.engine import Container
from tests.lab.guest import HOST
from tests.lab.host import Host, settle
from tests.lab.netns import NamedNamespace, Nic
from tests.lab.snapshot import Unchanged, diff, snapshot
from tests.lab.tcp import reaches

Namespaces = Callable[[], NamedNamespace]
Nics = Callable[..., Nic]


@pytest.mark.docker
def test_container_reaches_the_lan(container: Callable[..., Container], nic: Nic) -> None:
    """A container on a NIC gets a macvlan in bridge mode and reaches the far end of the cable."""
    guest = container()
    assert run_pipework(nic.name, guest.name, "192.168.77.9/24") == (0, "", "")
    link = guest.link("eth1")
    assert link is not None
    assert link["linkinfo"]["info_kind"] == "macvlan"
    assert link["linkinfo"]["info_data"]["mode"] == "bridge"
    assert "UP" in link["flags"]
    parent = HOST.link(nic.name)
    assert parent is not None
    assert link["link_index"] == parent["ifindex"]
    assert guest.addresses("eth1") == ["192.168.77.9/24"]
    assert guest.ping(nic.address)


def test_guests_of_one_nic_reach_each_other(host: Host, host_nic: Nics, guest_ns: Namespaces) -> None:
    """Two guests on one NIC reach each other: that is what bridge mode is for."""
    nic, one, two = host_nic(), guest_ns(), guest_ns()
    assert host.pipework(nic.name, one.spec, "192.168.77.8/24") == (0, "", "")
    assert host.pipework(nic.name, two.spec, "192.168.77.9/24") == (0, "", "")
    assert one.ping("192.168.77.9")


MODES = {"private": (False, False), "vepa": (False, True), "bridge": (True, True)}


@pytest.mark.parametrize("mode", MODES)
def test_mode(mode: str, host: Host, host_nic: Nics, guest_ns: Namespaces) -> None:
    """Which guests reach one another: in private none, in vepa those whose switch sends back what came from there."""
    nic, one, two = host_nic(), guest_ns(), guest_ns()
    line = ["--mode", mode, nic.name, one.spec, "192.168.77.8/24"]
    for words in (line, [*line[:3], two.spec, "192.168.77.9/24"]):
        assert host.pipework(*words) == (0, "", "")
    assert mode_of(one) == mode
    assert reaches(one, nic.lan, nic.address)
    assert reaches(one, two, "192.168.77.9", wait=10 if MODES[mode][0] else 1) is MODES[mode][0]
    nic.lan.run("ip", "link", "add", "br0", "type", "bridge")
    nic.lan.run("ip", "link", "set", nic.far, "master", "br0")
    nic.lan.run("bridge", "link", "set", "dev", nic.far, "hairpin", "on")
    nic.lan.run("ip", "link", "set", "br0", "up")
    assert reaches(one, two, "192.168.77.9", wait=10 if MODES[mode][1] else 1) is MODES[mode][1]
    link = one.link("eth1")
    assert host.pipework("--replace", *line) == (0, "", "")
    assert one.link("eth1") == link
    (saved,) = host.pipework("save", one.spec).out.splitlines()
    assert ("--mode" in saved) is (mode != "bridge")
    for words, there in ((line[2:], "bridge"), (line, mode)):
        assert host.pipework("--replace", *words) == (0, "", "")
        assert mode_of(one) == there


def mode_of(guest: NamedNamespace) -> str:
    """The mode of its macvlan."""
    link = guest.link("eth1")
    assert link is not None
    return str(link["linkinfo"]["info_data"]["mode"])


def test_passthru(host: Host, host_nic: Nics, guest_ns: Namespaces) -> None:
    """One guest has all of the NIC, and its MAC: not where the host has an address there, nor others a macvlan."""
    nic, guest, other = host_nic(), guest_ns(), guest_ns()
    line = ["--mode", "passthru", nic.name, guest.spec, "192.168.77.8/24"]
    host.run("ip", "addr", "add", "192.168.77.2/24", "dev", nic.name)
    settle(host, guest)
    before = Unchanged(host), Unchanged(guest)
    code, _, err = host.pipework(*line)
    assert (code, f"--mode passthru takes all frames of {nic.name}, which has this host's address" in err) == (1, True)
    code, _, err = host.pipework(*line, "02:00:00:00:00:09")
    assert (code, f"--mode passthru has the MAC of {nic.name} itself" in err) == (1, True)
    for each in before:
        each.check()
    host.run("ip", "addr", "flush", "dev", nic.name, "scope", "global")
    assert host.pipework(*line) == (0, "", "")
    (link,), (parent,) = guest.ip("-j", "link", "show", "eth1"), host.ip("-j", "link", "show", nic.name)
    assert link["address"] == parent["address"]
    assert reaches(guest, nic.lan, nic.address)
    saved = host.pipework("save", guest.spec).out.split()
    assert host.pipework("--replace", *saved[1:]) == (0, "", "")
    code, _, err = host.pipework(nic.name, other.spec, "192.168.77.9/24")
    assert (code, f"{nic.name} is taken by something that excludes macvlan mode bridge" in err) == (1, True)
    assert host.pipework("del", guest.spec) == (0, "", "")
    assert host.pipework(nic.name, other.spec, "192.168.77.9/24") == (0, "", "")
    code, _, err = host.pipework(*line)
    assert (code, f"{nic.name} is taken by something that excludes macvlan mode passthru" in err) == (1, True)


def test_mode_of_something_else(host: Host, guest_ns: Namespaces) -> None:
    """A bridge has none, and there are four."""
    guest = guest_ns()
    host.run("ip", "link", "add", "br0", "type", "bridge")
    for mode, told in (
        ("private", "--mode is for a NIC that guests share with the host, and HOSTIF br0 is none here"),
        ("l2", "--mode 'l2' is no mode of a macvlan"),
    ):
        code, _, err = host.pipework("--mode", mode, "br0", guest.spec, "192.168.77.8/24")
        assert (code, told in err) == (1, True)


def test_mtu_is_the_parents(host: Host, host_nic: Nics, guest_ns: Namespaces) -> None:
    """The macvlan has the MTU of its parent."""
    nic, guest = host_nic(), guest_ns()
    host.run("ip", "link", "set", nic.name, "mtu", "1400")
    assert host.pipework(nic.name, guest.spec, "192.168.77.9/24") == (0, "", "")
    link = guest.link("eth1")
    assert link is not None
    assert link["mtu"] == 1400


def test_parent_is_brought_up(host: Host, host_nic: Nics, guest_ns: Namespaces) -> None:
    """A NIC that is down is brought up, and carries the traffic."""
    nic, guest = host_nic(), guest_ns()
    host.run("ip", "link", "set", nic.name, "down")
    assert host.pipework(nic.name, guest.spec, "192.168.77.9/24") == (0, "", "")
    parent = host.link(nic.name)
    assert parent is not None
    assert "UP" in parent["flags"]
    assert guest.ping(nic.address)


def test_host_is_otherwise_unchanged(host: Host, host_nic: Nics, guest_ns: Namespaces) -> None:
    """Next to a NIC that is up nothing on the host changes."""
    nic, guest = host_nic(), guest_ns()
    host.run("ip", "addr", "add", "192.168.77.2/24", "dev", nic.name)
    before = snapshot(host)
    assert host.pipework(nic.name, guest.spec, "192.168.77.9/24") == (0, "", "")
    after = snapshot(host)
    # the kernel lets the NIC listen to the macvlan's address: only that may show, in "links"
    assert diff({**before, "links": []}, {**after, "links": []}) == ""
    assert len(before["links"]) == len(after["links"])


@pytest.mark.parametrize("spelling", ["lower", "upper", "short"])
def test_nic_by_mac(host: Host, host_nic: Nics, guest_ns: Namespaces, spelling: str) -> None:
    """mac:XX:.. names the NIC by its address, in any spelling."""
    nic, guest = host_nic(), guest_ns()
    host.run("ip", "link", "set", nic.name, "address", "02:00:00:0a:0b:0c")
    spelt = {"lower": "02:00:00:0a:0b:0c", "upper": "02:00:00:0A:0B:0C", "short": "2:0:0:a:b:c"}[spelling]
    assert host.pipework(f"mac:{spelt}", guest.spec, "192.168.77.9/24") == (0, "", "")
    assert guest.ping(nic.address)


def test_host_link_of_the_same_name_is_no_obstacle(host: Host, host_nic: Nics, guest_ns: Namespaces) -> None:
    """A NIC that is itself called eth1 gives a guest its eth1."""
    nic, guest = host_nic("eth1"), guest_ns()
    assert host.pipework("eth1", guest.spec, "192.168.77.9/24") == (0, "", "")
    assert host.link("eth1")
    assert guest.ping(nic.address)


def test_mac_and_name(host: Host, host_nic: Nics, guest_ns: Namespaces) -> None:
    """The macvlan has the name and the MAC that were given."""
    nic, guest = host_nic(), guest_ns()
    assert host.pipework(nic.name, "-i", "lan7", guest.spec, "192.168.77.9/24", "02:0:0:0:7:1") == (0, "", "")
    link = guest.link("lan7")
    assert link is not None
    assert link["address"] == "02:00:00:00:07:01"
    assert guest.ping(nic.address)


def test_second_run_is_refused(host: Host, host_nic: Nics, guest_ns: Namespaces) -> None:
    """A second run finds IFNAME taken: RTNETLINK answers: File exists, exit 2, nothing changed."""
    nic, guest = host_nic(), guest_ns()
    assert host.pipework(nic.name, guest.spec, "192.168.77.9/24") == (0, "", "")
    settle(guest)
    watched = Unchanged(host), Unchanged(guest)
    again = host.pipework(nic.name, guest.spec, "192.168.77.10/24")
    assert (again.code, again.out) == (2, "")
    assert "RTNETLINK answers: File exists" in again.err
    for one in watched:
        one.check()


def test_link_says_whose_it_is(host: Host, host_nic: Nics, guest_ns: Namespaces) -> None:
    """The macvlan bears an alias that names NIC, guest and link."""
    nic, guest = host_nic(), guest_ns()
    assert host.pipework(nic.name, guest.spec, "192.168.77.9/24") == (0, "", "")
    (told,) = guest.ip("-j", "link", "show", "eth1")
    assert told["ifalias"] == f"pipework {nic.name} netns:{guest.name} eth1"


def test_cable_may_come_later(host: Host, host_nic: Nics, guest_ns: Namespaces) -> None:
    """A NIC without carrier is wired all the same; traffic flows once the cable is in."""
    nic, guest = host_nic(), guest_ns()
    nic.lan.run("ip", "link", "set", nic.far, "down")
    assert host.pipework(nic.name, guest.spec, "192.168.77.9/24") == (0, "", "")
    nic.lan.run("ip", "link", "set", nic.far, "up")
    assert guest.ping(nic.address, count=3)

"""--host-access: this host and the guests of a NIC reach each other, and the LAN is none the wiser."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from typing import Callable

import pytest

from tests.lab.command import COMMAND
from tests.lab.guest import HOST, eventually
from tests.lab.host import Host, settle
from tests.lab.netns import NamedNamespace, Nic
from tests.lab.refusal import assert_each_refused, refused_untouched
from tests.lab.snapshot import Unchanged, wait_for_the_ended
from tests.lab.tcp import reaches

Nics = Callable[..., Nic]
Namespaces = Callable[[], NamedNamespace]
OWN = ("192.168.77.2", "fd00:77::2")


@pytest.fixture
def nic(host: Host, host_nic: Nics) -> Iterator[Nic]:
    """A NIC with an address of the host of each family."""
    made = host_nic("nic0")
    host.run("ip", "addr", "add", f"{OWN[0]}/24", "dev", made.name)
    host.run("ip", "addr", "add", f"{OWN[1]}/64", "dev", made.name, "nodad")
    return made


def addresses(number: int) -> tuple[str, str]:
    """A guest's, of both families."""
    return f"192.168.77.{number}", f"fd00:77::{number}"


def line(guest: NamedNamespace, number: int) -> list[str]:
    """The words that wire a guest with access."""
    four, six = addresses(number)
    return ["--host-access", "nic0", guest.spec, f"{four}/24@192.168.77.1,{six}/64@fd00:77::1"]


def assert_both_ways(host: NamedNamespace, guest: NamedNamespace, number: int, own: tuple[str, ...] = OWN) -> None:
    """By ping and TCP, from either side."""
    for one, other, there in ((host, guest, addresses(number)), (guest, host, own)):
        for address in there:
            assert one.ping(address), f"{one.name} has no answer of {address}"
            assert reaches(one, other, address), f"{one.name} has no connection to {address}"


def access_of(host: Host) -> list[str]:
    """The macvlans that the host has."""
    return [link["ifname"] for link in host.ip("-j", "link", "show", "type", "macvlan") if link]


def mac_of_host(nic: Nic) -> set[str]:
    """By which MAC the LAN knows the host."""
    found = nic.lan.ip("-j", "neigh", "show", "dev", nic.far)
    return {one["lladdr"] for one in found if one["dst"] in OWN and "lladdr" in one}


def test_both_ways(host: Host, nic: Nic, guest_ns: Namespaces) -> None:
    """Two guests and the host reach each other and the LAN, and with the last guest all of it goes."""
    one, two = guest_ns(), guest_ns()
    host.run("sysctl", "-qw", "net.ipv4.conf.nic0.rp_filter=0", "net.ipv4.conf.all.rp_filter=0")
    settle(host)
    before = Unchanged(host)
    for number, guest in ((8, one), (9, two)):
        assert host.pipework(*line(guest, number)) == (0, "", "")
        assert access_of(host) == ["pw-nic0"]
    for number, guest in ((8, one), (9, two)):
        assert_both_ways(host, guest, number)
        assert_both_ways(nic.lan, guest, number, (nic.address, nic.address6))
    assert_both_ways(two, one, 8, addresses(9))
    for address in OWN:
        assert nic.lan.ping(address)
        assert reaches(nic.lan, host, address)
    nic.lan.run("ip", "neigh", "flush", "all")
    assert all(nic.lan.ping(address) for address in OWN)
    assert mac_of_host(nic) == {host.ip("-j", "link", "show", "nic0")[0]["address"]}
    assert host.pipework("del", one.spec) == (0, "", "")
    assert not host.ping("192.168.77.8", wait=1)
    assert_both_ways(host, two, 9)
    assert host.pipework("del", two.spec) == (0, "", "")
    before.check()


def test_on_a_strict_host(host: Host, nic: Nic, guest_ns: Namespaces) -> None:
    """Where the host drops what comes in elsewhere than it would answer, and speaks ARP for its own addresses only."""
    guest = guest_ns()
    for setting in ("rp_filter=1", "arp_ignore=1", "arp_announce=2"):
        host.run("sysctl", "-qw", f"net.ipv4.conf.all.{setting}")
    assert host.pipework(*line(guest, 9)) == (0, "", "")
    assert_both_ways(host, guest, 9)
    assert all(nic.lan.ping(address) for address in OWN)


def test_router_of_the_lan(host: Host, nic: Nic, guest_ns: Namespaces) -> None:
    """The host's macvlan has no address, nor takes one of what routers announce."""
    guest = guest_ns()
    assert host.pipework(*line(guest, 9)) == (0, "", "")
    (link,) = host.ip("-j", "addr", "show", "pw-nic0")
    assert link["addr_info"] == []
    assert host.run("sysctl", "-n", "net.ipv6.conf.pw-nic0.accept_ra").strip() == "0"


def test_replaced_saved_and_listed(host: Host, nic: Nic, guest_ns: Namespaces) -> None:
    """As asked it is left alone; what somebody has removed comes back; save prints it; without the word it goes."""
    guest = guest_ns()
    asked = line(guest, 9)
    assert host.pipework("--replace", *asked) == (0, "", "")
    link = guest.link("eth1")
    assert host.pipework("--replace", *asked) == (0, "", "")
    assert guest.link("eth1") == link
    assert "  macvlan  nic0  " in host.pipework("ls").out
    saved = host.pipework("save").out.split()[1:]
    assert saved[:3] == asked[:3]
    assert host.pipework("--replace", *saved) == (0, "", "")
    assert guest.link("eth1") == link
    for broken in (["link", "del", "pw-nic0"], ["route", "del", "192.168.77.9"], ["link", "set", "pw-nic0", "down"]):
        host.run("ip", *broken)
        assert host.pipework("--replace", *asked) == (0, "", "")
        assert_both_ways(host, guest, 9)
    moved = [*asked[:3], "192.168.77.10/24,fd00:77::10/64"]
    assert host.pipework("--replace", *moved) == (0, "", "")
    assert not host.run("ip", "route", "show", "192.168.77.9")
    assert_both_ways(host, guest, 10)
    planned = host.pipework("--dry-run", "--replace", *asked).out
    assert "src 192.168.77.2" in planned and "pw-nic0 address" not in planned
    assert_both_ways(host, guest, 10)
    assert host.pipework("--replace", *asked[1:]) == (0, "", "")
    assert access_of(host) == []
    assert guest.ping(nic.address)


def test_gone_guests(host: Host, nic: Nic, guest_ns: Namespaces) -> None:
    """What a guest that has ended leaves on the host goes by gc, or with who comes to have its address."""
    one, two, three = guest_ns(), guest_ns(), guest_ns()
    settle(host)
    before = Unchanged(host)
    assert host.pipework(*line(one, 8)) == (0, "", "")
    assert host.pipework(*line(two, 9)) == (0, "", "")
    HOST.run("ip", "netns", "del", one.name)
    wait_for_the_ended()
    assert host.pipework(*line(three, 8)) == (0, "", "")
    assert_both_ways(host, three, 8)
    HOST.run("ip", "netns", "del", three.name)
    wait_for_the_ended()
    said = host.pipework("gc").out
    assert "removed way to 192.168.77.8, fd00:77::8 by pw-nic0, whose guest is gone\n" in said
    assert_both_ways(host, two, 9)
    HOST.run("ip", "netns", "del", two.name)
    wait_for_the_ended()
    assert "by pw-nic0, whose guest is gone" in host.pipework("gc").out
    assert access_of(host) == []
    before.check()


def test_not_ours(host: Host, nic: Nic, guest_ns: Namespaces) -> None:
    """A route and a link that somebody else has made stay, and are refused by name; so is an address in use."""
    guest, other = guest_ns(), guest_ns()
    host.run("ip", "route", "add", "192.168.77.9", "dev", "nic0")
    settle(host)
    said = refused_untouched(host, guest, line(guest, 9))
    assert "this host has a route to 192.168.77.9 already, out of nic0" in said
    host.run("ip", "route", "del", "192.168.77.9")
    host.run("ip", "link", "add", "pw-nic0", "type", "bridge")
    settle(host)
    assert "pw-nic0 exists already" in refused_untouched(host, guest, line(guest, 9))
    host.run("ip", "link", "del", "pw-nic0")
    assert host.pipework(*line(other, 9)) == (0, "", "")
    settle(host)
    said = refused_untouched(host, guest, line(guest, 9))
    assert f"address 192.168.77.9 is that of eth1 of {other.name}" in said
    assert_both_ways(host, other, 9)


def test_long_name(host: Host, host_nic: Nics, guest_ns: Namespaces) -> None:
    """A NIC whose name is as long as one can be is no obstacle, and its new name none to del."""
    nic, guest = host_nic("enp0s31f6np0abc"), guest_ns()
    host.run("ip", "addr", "add", "192.168.77.2/24", "dev", nic.name)
    assert host.pipework("--host-access", nic.name, guest.spec, "192.168.77.9/24") == (0, "", "")
    assert host.ping("192.168.77.9")
    assert len(access_of(host)) == 1
    for words in (["down"], ["name", "lan7"], ["up"]):
        host.run("ip", "link", "set", nic.name if words != ["up"] else "lan7", *words)
    assert host.pipework("del", guest.spec) == (0, "", "")
    assert access_of(host) == []


def test_killed(host: Host, nic: Nic, guest_ns: Namespaces) -> None:
    """A run that waits for an address's check and is killed leaves what the next one, or gc, puts right."""
    guest = guest_ns()
    guest.run("sysctl", "-qw", "net.ipv6.conf.default.dad_transmits=60")
    settle(host)
    before = Unchanged(host)
    for _ in range(2):
        running = subprocess.Popen(host.argv("setsid", *COMMAND, *line(guest, 9)))
        assert eventually(lambda: guest.run("ip", "-6", "addr", "show", "dev", "eth1", "tentative", check=False))
        os.kill(running.pid, signal.SIGKILL)
        running.wait()
    assert host.pipework("gc").code == 0
    before.check()
    assert guest.link("eth1") is None


def test_wrong_words(host: Host, nic: Nic, guest_ns: Namespaces) -> None:
    """What does not go with it is refused with what to type instead, before anything is touched."""
    guest = guest_ns()
    host.run("ip", "route", "add", "default", "via", nic.address)
    wrong = {
        "--host-access --mode private nic0 GUEST 192.168.77.9/24": "which --mode private keeps from the guest",
        "--host-access --mode vepa nic0 GUEST 192.168.77.9/24": "which --mode vepa keeps from the guest",
        "--host-access --mode passthru nic0 GUEST 192.168.77.9/24": "which --mode passthru keeps from the guest",
        "--host-access --ipvlan l2 nic0 GUEST 192.168.77.9/24": "which --ipvlan l2 keeps from the guest",
        "--host-access nic0 GUEST udhcpc": "--host-access has to know the address beforehand, not udhcpc",
        "--host-access nic0 GUEST auto": "--host-access has to know the address beforehand, not auto",
        "--host-access nic0 GUEST 0/0": "--host-access has to know the address beforehand, not 0/0",
        "--host-access nic0 GUEST 192.168.77.9-12/24": "--host-access has to know the address beforehand",
        "--host-access br0 GUEST 192.168.77.9/24": "--host-access is for a NIC that guests share with the host",
        "--host-access --direct-phys nic0 GUEST 192.168.77.9/24": "--host-access is for a NIC that guests share",
        "--host-access nic0 GUEST 10.9.9.9/24": "nic0 has no address in the network of 10.9.9.9/24",
        "--host-access nic0 GUEST 192.168.78.9/16": "nic0 has no address in the network of 192.168.78.9/16",
        "--host-access nic0 GUEST 192.168.77.1/24": "192.168.77.1 is this host's gateway",
        "--host-access nic0 GUEST 192.168.77.2/24": "192.168.77.2 is this host's own address",
    }
    settle(host)
    assert_each_refused(host, guest, wrong)

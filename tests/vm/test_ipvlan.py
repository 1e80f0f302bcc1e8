"""Guests that share a card under its one MAC, by --ipvlan: who reaches whom, and what goes with that and what not."""

from __future__ import annotations

from typing import Callable

import pytest

from tests.lab.guest import HOST
from tests.lab.host import Host, settle
from tests.lab.netns import NamedNamespace, Nic, announcing
from tests.lab.refusal import assert_each_refused, refused_untouched
from tests.lab.snapshot import Unchanged, wait_for_the_ended
from tests.lab.tcp import reaches
from tests.vm.wiring import Namespaces, vlan_on

pytestmark = pytest.mark.vm

Nics = Callable[..., Nic]
BOTH = "192.168.77.{0}/24@192.168.77.1,fd00:77::{0}/64@fd00:77::1"


def mode_of(guest: NamedNamespace) -> str:
    """The mode of its ipvlan."""
    link = guest.link("eth1")
    assert link is not None
    assert link["linkinfo"]["info_kind"] == "ipvlan"
    return str(link["linkinfo"]["info_data"]["mode"])


def assert_reaches(one: NamedNamespace, other: NamedNamespace, *addresses: str) -> None:
    """By ping and by TCP, at each of the other's addresses."""
    for address in addresses:
        assert one.ping(address), f"{one.name} has no answer of {address}"
        assert reaches(one, other, address), f"{one.name} has no connection to {address}"


def test_l2(host: Host, host_nic: Nics, guest_ns: Namespaces) -> None:
    """Guests of one NIC reach each other and the LAN, and the LAN them; all have the NIC's MAC."""
    nic, one, two = host_nic(), guest_ns(), guest_ns()
    for number, guest in ((8, one), (9, two)):
        assert host.pipework("--ipvlan", "l2", nic.name, guest.spec, BOTH.format(number)) == (0, "", "")
        assert mode_of(guest) == "l2"
        assert_reaches(guest, nic.lan, nic.address, nic.address6)
        assert_reaches(nic.lan, guest, f"192.168.77.{number}", f"fd00:77::{number}")
    assert_reaches(one, two, "192.168.77.9", "fd00:77::9")
    (parent,) = host.ip("-j", "link", "show", nic.name)
    assert {guest.ip("-j", "link", "show", "eth1")[0]["address"] for guest in (one, two)} == {parent["address"]}
    assert "  ipvlan  " in host.pipework("ls", one.spec).out


def test_l3(host: Host, host_nic: Nics, guest_ns: Namespaces) -> None:
    """In l3 as well, where the LAN has a route to them by way of the host; any gateway gives the default route."""
    nic, one, two = host_nic(), guest_ns(), guest_ns()
    host.run("ip", "addr", "add", "192.168.77.2/24", "dev", nic.name)
    host.run("ip", "addr", "add", "fd00:77::2/64", "dev", nic.name, "nodad")
    nic.lan.run("ip", "route", "add", "10.50.0.0/24", "via", "192.168.77.2")
    nic.lan.run("ip", "route", "add", "fd00:50::/64", "via", "fd00:77::2")
    address = "10.50.0.{0}/24@10.50.0.1,fd00:50::{0}/64@fd00:50::1"
    for number, guest in ((8, one), (9, two)):
        assert host.pipework("--ipvlan", "l3", nic.name, guest.spec, address.format(number)) == (0, "", "")
        assert mode_of(guest) == "l3"
        assert_reaches(guest, nic.lan, nic.address, nic.address6)
        assert_reaches(nic.lan, guest, f"10.50.0.{number}", f"fd00:50::{number}")
    assert_reaches(one, two, "10.50.0.9", "fd00:50::9")


def test_in_a_vlan(host: Host, host_nic: Nics, guest_ns: Namespaces) -> None:
    """It stands on the NIC's VLAN link, next to macvlans of the NIC itself, and reaches that VLAN only."""
    nic, guest, plain = host_nic(), guest_ns(), guest_ns()
    vlan_on(nic.lan, nic.far, 100, "192.168.100.1/24")
    assert host.pipework("--ipvlan", "l2", nic.name, guest.spec, "192.168.100.8/24", "@100") == (0, "", "")
    assert host.pipework(nic.name, plain.spec, "192.168.77.9/24") == (0, "", "")
    assert_reaches(guest, nic.lan, "192.168.100.1")
    assert_reaches(plain, nic.lan, nic.address)
    assert not guest.ping(nic.address, wait=1)
    row = host.pipework("ls", guest.spec).out.splitlines()[1].split()
    assert row[1:5] == ["eth1", "ipvlan", nic.name, "100"]
    code, _, err = host.pipework(nic.name, "-i", "eth2", plain.spec, "192.168.100.9/24", "@100")
    assert (code, f"{nic.name}.100 bears eth1 of {guest.name}, which is ipvlan" in err) == (1, True)


def test_router_and_answers(host: Host, host_nic: Nics, guest_ns: Namespaces) -> None:
    """In l2 --check finds the gateway, and two guests have an address each of what the router announces."""
    nic, one, two = host_nic(), guest_ns(), guest_ns()
    host.run("sysctl", "-qw", f"net.ipv6.conf.{nic.name}.accept_ra=0")
    with announcing(nic):
        for number, guest in ((8, one), (9, two)):
            words = [nic.name, guest.spec, f"192.168.77.{number}/24@192.168.77.1,auto"]
            assert host.pipework("--ipvlan", "l2", "--check", *words) == (0, "", "")
        (own,) = [one for one in two.addresses("eth1") if one.startswith("fd00:77:")]
        assert_reaches(one, two, own.partition("/")[0])
        assert_reaches(two, nic.lan, nic.address6)


def test_replaced_and_saved(host: Host, host_nic: Nics, guest_ns: Namespaces) -> None:
    """A wire as asked is left alone, the mode of a NIC's only guest changes, and save prints what makes it again."""
    nic, guest = host_nic(), guest_ns()
    line = ["--ipvlan", "l2", nic.name, guest.spec, "192.168.77.8/24"]
    assert host.pipework("--replace", *line) == (0, "", "")
    link = guest.link("eth1")
    assert host.pipework("--replace", *line) == (0, "", "")
    assert guest.link("eth1") == link
    assert host.pipework("save") == (0, f"pipework {' '.join(line)}\n", "")
    planned = host.pipework("--dry-run", "--replace", "--ipvlan", "l3", *line[2:]).out
    assert "type ipvlan mode l3" in planned
    assert mode_of(guest) == "l2"
    for mode in ("l3", "l2"):
        assert host.pipework("--replace", "--ipvlan", mode, *line[2:]) == (0, "", "")
        assert mode_of(guest) == mode
    assert_reaches(guest, nic.lan, nic.address)
    assert host.pipework("--replace", "--ipvlan", "l3", *line[2:-1], "192.168.77.9/24@192.168.77.255").code != 0
    assert mode_of(guest) == "l2"
    assert guest.addresses("eth1") == ["192.168.77.8/24"]
    assert_reaches(guest, nic.lan, nic.address)
    assert host.pipework("del", guest.spec) == (0, "", "")
    assert guest.link("eth1") is None


def test_after_the_guest(host: Host, host_nic: Nics, guest_ns: Namespaces) -> None:
    """What a guest had goes with it: another may have its address, a macvlan or the other mode; gc removes its note."""
    nic, dying, other = host_nic(), guest_ns(), guest_ns()
    words = ["192.168.77.8/24"]
    assert host.pipework("--ipvlan", "l2", nic.name, dying.spec, *words) == (0, "", "")
    HOST.run("ip", "netns", "del", dying.name)
    wait_for_the_ended()
    assert host.pipework("--ipvlan", "l3", nic.name, other.spec, *words) == (0, "", "")
    assert "removed note of eth1 of a guest that is gone\n" in host.pipework("gc").out
    assert host.pipework("del", other.spec) == (0, "", "")
    assert host.pipework(nic.name, other.spec, *words) == (0, "", "")
    assert_reaches(other, nic.lan, nic.address)


def test_excluded(host: Host, host_nic: Nics, guest_ns: Namespaces) -> None:
    """Macvlans, another mode and an address that a guest of the NIC has are refused, by whose they are."""
    nic, one, two = host_nic(), guest_ns(), guest_ns()
    line = [nic.name, two.spec, "192.168.77.9/24"]
    assert host.pipework(nic.name, one.spec, "192.168.77.8/24") == (0, "", "")
    settle(host, one, two)
    said = refused_untouched(host, two, ["--ipvlan", "l2", *line])
    assert f"{nic.name} bears eth1 of {one.name}, which is macvlan: that and ipvlan exclude each other" in said
    assert f"pipework del {one.spec} -i eth1" in said
    assert host.pipework("del", one.spec) == (0, "", "")
    assert host.pipework("--ipvlan", "l2", nic.name, one.spec, "192.168.77.8/24,fd00:77::8/64") == (0, "", "")
    settle(host, one, two)
    said = refused_untouched(host, two, line)
    assert f"{nic.name} bears eth1 of {one.name}, which is ipvlan: that and macvlan exclude each other" in said
    said = refused_untouched(host, two, ["--ipvlan", "l3", *line])
    assert f"bears eth1 of {one.name}, an ipvlan in mode l2, and all of a NIC have one mode" in said
    assert "Write --ipvlan l2, or remove it first" in said
    for address in ("192.168.77.8", "fd00:77::8"):
        said = refused_untouched(host, two, ["--ipvlan", "l2", nic.name, two.spec, f"{address}/24"])
        assert f"address {address} is another guest's, which is an ipvlan of the same NIC" in said
    assert mode_of(one) == "l2"
    assert_reaches(one, nic.lan, nic.address)


def test_excluded_by_others(host: Host, host_nic: Nics, guest_ns: Namespaces) -> None:
    """Links that nobody wired count as well, in whatever namespace, and the fix that is told works."""
    nic, one, two = host_nic(), guest_ns(), guest_ns()
    line = ["--ipvlan", "l2", nic.name, two.spec, "192.168.77.9/24"]
    for name, place in (("own0", []), ("its0", ["netns", one.name])):
        made = ["link", "add", "link", nic.name, "name", name, *place, "type", "ipvlan", "mode", "l3s"]
        host.run("ip", *made)
        settle(host)
        said = refused_untouched(host, two, line)
        assert f"{nic.name} bears {name}" in said and "an ipvlan in mode l3s" in said
        host.run("sh", "-c", said.splitlines()[1].partition(": ")[2])
    assert host.pipework(*line) == (0, "", "")


def test_wrong_words(host: Host, host_nic: Nics, guest_ns: Namespaces) -> None:
    """What does not go with it is refused with what to type instead, before anything is touched."""
    nic, guest = host_nic("nic0"), guest_ns()
    wrong = {
        "--ipvlan l4 nic0 GUEST 10.0.0.9/24": "--ipvlan 'l4' is no mode of an ipvlan",
        "--ipvlan l2 --mode vepa nic0 GUEST 10.0.0.9/24": "--mode vepa is of a macvlan, and --ipvlan l2 takes its",
        "--ipvlan l2 br0 GUEST 10.0.0.9/24": "--ipvlan is for a NIC that guests share with the host, and HOSTIF br0",
        "--ipvlan l2 dummy0 GUEST 10.0.0.9/24": "--ipvlan is for a NIC that guests share with the host",
        "--ipvlan l2 --direct-phys nic0 GUEST 10.0.0.9/24": "--ipvlan is for a NIC that guests share with the host",
        "--ipvlan l2 nic0 GUEST 10.0.0.9/24 02:00:00:00:00:09": "an ipvlan has the MAC of its NIC",
        "--ipvlan l2 nic0 GUEST udhcpc": "DHCP servers know hosts by their MAC",
        "--ipvlan l2 nic0 GUEST 10.0.0.9-12/24": "ADDRESS 10.0.0.9-12/24 is looked for by ARP",
        "--ipvlan l2 --probe nic0 GUEST 10.0.0.9/24": "--probe asks by ARP",
        "--ipvlan l3 nic0 GUEST auto": "no router's announcement gets to an ipvlan l3",
        "--ipvlan l3 --check nic0 GUEST 10.0.0.9/24@10.0.0.1": "--check asks by ARP",
        "--ipvlan l2 --mtu 9000 nic0 GUEST 10.0.0.9/24": "--mtu 9000 is more than nic0 carries, 1500",
    }
    settle(host)
    assert_each_refused(host, guest, wrong)
    assert nic.name == "nic0"


def test_wifi(host: Host, guest_ns: Namespaces) -> None:
    """A Wi-Fi NIC, which speaks with one MAC only, takes guests in l2, as what refuses a macvlan of it says."""
    from tests.lab.modules import radio_of

    guest = guest_ns()
    with radio_of(host):
        settle(host)
        watched = Unchanged(host)
        said = host.pipework("wlan0", guest.spec, "192.168.77.9/24").err
        assert "Share that: pipework --ipvlan l2 wlan0" in said
        watched.check()
        assert host.pipework("--ipvlan", "l2", "wlan0", guest.spec, "192.168.77.9/24") == (0, "", "")
        assert mode_of(guest) == "l2"
        assert host.pipework("del", guest.spec) == (0, "", "")

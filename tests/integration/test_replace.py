"""--replace: a wire that is as asked is left alone, one that is not becomes so, or stays what it was."""

from __future__ import annotations

import subprocess
from contextlib import ExitStack
from resource import RUSAGE_CHILDREN, getrusage
from typing import Callable

import pytest

from tests.integration.test_del import assert_as_before, on_bridge, rules
from tests.lab.command import COMMAND, Result
from tests.lab.faults import breaking
from tests.lab.guest import SLOW, Guest, eventually
from tests.lab.host import Host, settle
from tests.lab.netns import NamedNamespace, Nic, announcing, named_namespace
from tests.lab.scenes import bring_online
from tests.lab.snapshot import snapshot
from tests.lab.switch_host import switch_host

Namespaces = Callable[[], NamedNamespace]
Nics = Callable[..., Nic]
MAC, OTHER_MAC = "02:00:00:00:09:09", "02:00:00:00:09:0a"


def number(guest: Guest) -> int:
    """Return the number of the guest's eth1: another link has another."""
    link = guest.link("eth1")
    assert link is not None
    return int(link["ifindex"])


@pytest.mark.parametrize(
    "address", ["192.168.77.9/24", "192.168.77.9/24@192.168.77.1", "192.168.77.9/32@10.1.1.1", "fd00:7::9/64", "0/0"]
)
@pytest.mark.parametrize("kind", ["bridge", "macvlan", "direct"])
def test_same_line_again(kind: str, address: str, host: Host, host_nic: Nics, guest_ns: Namespaces) -> None:
    """The same line again is a success, says nothing and changes nothing."""
    guest, nic = guest_ns(), host_nic()
    bring_online(guest)
    on_bridge(host)
    words = {"bridge": ["br0"], "macvlan": [nic.name], "direct": ["--direct-phys", nic.name]}[kind]
    line = ["--replace", *words, guest.spec, address, MAC]
    assert host.pipework(*line) == (0, "", "")
    settle(host, guest)
    before, inside, link = snapshot(host), snapshot(guest), number(guest)
    assert host.pipework(*line) == (0, "", "")
    assert number(guest) == link
    assert_as_before(host, before)
    assert_as_before(guest, inside)
    assert host.pipework("--dry-run", *line) == (0, "", "")


@pytest.mark.parametrize("address", ["192.168.77.9/24", "fd00:77::9/64@fd00:77::2", "0/0"])
@pytest.mark.parametrize("kind", ["macvlan", "direct"])
def test_same_line_beside_routers(kind: str, address: str, host: Host, host_nic: Nics, guest_ns: Namespaces) -> None:
    """Addresses and default routes that the LAN's routers bring about are no reason to make the wire anew."""
    guest, nic = guest_ns(), host_nic()
    guest.run("sysctl", "-qw", "net.ipv6.conf.default.use_tempaddr=2")
    # or a NIC that is to be lent may have the host's default route by then
    host.run("sysctl", "-qw", f"net.ipv6.conf.{nic.name}.accept_ra=0")
    line = ["--replace", *{"macvlan": [nic.name], "direct": ["--direct-phys", nic.name]}[kind], guest.spec, address]
    with announcing(nic) as prefix:
        assert host.pipework(*line) == (0, "", "")
        wanted = 2 + (prefix in address)  # one for ever, and one for privacy
        assert eventually(lambda: sum(prefix in one for one in guest.addresses("eth1")) == wanted)
        assert eventually(lambda: "proto ra" in guest.run("ip", "-6", "route", "show", "default"))
        link = number(guest)
        assert host.pipework("--dry-run", *line) == (0, "", "")
        assert host.pipework(*line) == (0, "", "")
        assert number(guest) == link
        assert sum(prefix in one for one in guest.addresses("eth1")) == wanted
        assert sum(one.startswith("fd00:77:") for one in host.pipework("ls", "--json").out.split('"')) == wanted


def test_address_for_a_time(host: Host, guest_ns: Namespaces) -> None:
    """The address of a dynamic lease is not the fixed one that is asked for, nor is it none."""
    guest = guest_ns()
    line = ["--replace", "br0", guest.spec]
    assert host.pipework(*line, "192.168.77.9/24") == (0, "", "")
    passing = ["dev", "eth1", "valid_lft", "600", "preferred_lft", "600"]
    guest.run("ip", "addr", "add", "fd77::5/64", *passing)
    link = number(guest)
    assert host.pipework(*line, "192.168.77.9/24") == (0, "", "")
    assert number(guest) == link
    for address, there in (("192.168.77.9/24", ["192.168.77.9/24"]), ("0/0", [])):
        guest.run("ip", "addr", "replace", "192.168.77.9/24", *passing)
        assert host.pipework(*line, address) == (0, "", "")
        assert guest.addresses("eth1") == there
        assert number(guest) != link
        link = number(guest)


@pytest.mark.parametrize("address", ["0.0.0.0/24", "0.0.0.0/32@192.168.77.1"])
def test_address_that_the_kernel_does_not_keep(address: str, host: Host, guest_ns: Namespaces) -> None:
    """0.0.0.0 is no address, whatever its prefix."""
    guest = guest_ns()
    line = ["--replace", "br0", guest.spec, address]
    assert host.pipework(*line) == (0, "", "")
    assert guest.addresses("eth1") == []
    link = number(guest)
    assert host.pipework(*line) == (0, "", "")
    assert number(guest) == link


def test_same_line_on_openvswitch(guest_ns: Namespaces) -> None:
    """The same for a port of Open vSwitch; another VLAN is another wire."""
    guest = guest_ns()
    with switch_host() as taken:
        bridge = taken.add_bridge()
        line = ["--replace", bridge, guest.spec, "192.168.77.9/24"]
        assert taken.pipework(*line, f"{MAC}@100") == (0, "", "")
        settle(guest)
        rows, inside, link = taken.rows(), snapshot(guest), number(guest)
        assert taken.pipework(*line, f"{MAC}@100") == (0, "", "")
        assert (taken.rows(), number(guest)) == (rows, link)
        assert_as_before(guest, inside)
        assert taken.pipework(*line, f"{MAC}@200") == (0, "", "")
        [port] = taken.vsctl("list-ports", bridge).split()
        assert taken.vsctl("get", "Port", port, "tag").strip() == "200"
        assert guest.addresses("eth1") == ["192.168.77.9/24"]


@pytest.mark.parametrize("again", [[], ["--replace"]], ids=["again", "replace"])
def test_bridge_of_a_killed_run_stays(again: list[str], host: Host) -> None:
    """A bridge whose maker was killed once the wire was complete is one that stays, when the line is typed again."""
    with named_namespace() as guest:
        line = ["br0", guest.spec, "192.168.77.9/24"]
        with breaking(host.argv()) as run:
            assert run("KILL", "action Adopt", line).step == "action Adopt"
        _assert_complete(host.pipework(*again, *line))
        [link] = [entry["ifname"] for entry in host.ip("-j", "link", "show", "master", "br0")]
    assert eventually(lambda: host.link(link) is None)
    assert host.pipework("gc").code == 0
    assert host.link("br0")


@pytest.mark.parametrize("again", [[], ["--replace"]], ids=["again", "replace"])
def test_switch_of_a_killed_run_stays(again: list[str], guest_ns: Namespaces) -> None:
    """The same for a bridge of Open vSwitch."""
    guest = guest_ns()
    with switch_host() as taken:
        bridge = taken.add_bridge()
        line = [bridge, guest.spec, "192.168.77.9/24"]
        assert taken.pipework(*line).code == 0
        rows = taken.rows()
        taken.vsctl("br-set-external-id", bridge, "pipework.unfinished", "1.1")
        _assert_complete(taken.pipework(*again, *line))
        assert taken.rows() == rows


def _assert_complete(said: Result) -> None:
    assert said == (0, "", "") or (said.code == 1 and "exists and is up" in said.out and not said.err), said


def test_waits_for_who_makes_it(host: Host, guest_ns: Namespaces) -> None:
    """A wire that another command is just making is not taken from its hands: both end well, and it is made once."""
    guest = guest_ns()
    guest.run("sysctl", "-qw", "net.ipv6.conf.default.dad_transmits=3")  # so long it waits for its address
    line = ["--replace", "br0", guest.spec, "fd00:77::9/64"]
    first = subprocess.Popen(host.argv(*COMMAND, *line), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert eventually(lambda: guest.run("ip", "-6", "addr", "show", "dev", "eth1", "tentative", check=False))
    made = number(guest)
    assert host.pipework(*line) == (0, "", "")
    assert (*first.communicate(timeout=60 * SLOW), first.returncode) == ("", "", 0)
    assert number(guest) == made
    assert guest.addresses("eth1") == ["fd00:77::9/64"]


def test_looking_costs_little(host: Host) -> None:
    """The same line again costs no more of the processor's time than listing that one guest's wires."""
    with ExitStack() as stack:
        guests = [stack.enter_context(named_namespace()) for _ in range(12)]
        for place, guest in enumerate(guests):
            assert host.pipework("br0", guest.spec, f"10.1.0.{place + 5}/24").code == 0

        def cost(*words: str) -> float:
            before = getrusage(RUSAGE_CHILDREN)
            assert host.pipework(*words).code == 0
            after = getrusage(RUSAGE_CHILDREN)
            return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

        again = ["--replace", "br0", guests[-1].spec, "10.1.0.16/24"]
        looking = min(cost(*again) for _ in range(5))
        listing = min(cost("ls", guests[-1].spec) for _ in range(5))
        assert looking < listing + 0.05 * SLOW, (looking, listing)


CHANGES = {
    "address": ["192.168.77.10/24@192.168.77.1", MAC],
    "prefix": ["192.168.77.9/16@192.168.77.1", MAC],
    "gateway": ["192.168.77.9/24@192.168.77.254", MAC],
    "no gateway": ["192.168.77.9/24", MAC],
    "MAC": ["192.168.77.9/24@192.168.77.1", OTHER_MAC],
    "family": ["fd00:7::9/64@fd00:7::1", MAC],
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("kind", ["bridge", "macvlan", "direct"])
def test_change(kind: str, change: str, host: Host, host_nic: Nics, guest_ns: Namespaces) -> None:
    """What is asked differently is so afterwards, as if it had been asked at first."""
    guest, other, nic = guest_ns(), guest_ns(), host_nic()
    on_bridge(host)
    hostif = {"bridge": ["br0"], "macvlan": [nic.name], "direct": ["--direct-phys", nic.name]}[kind]
    for one in (guest, other):
        bring_online(one)
    assert host.pipework(*hostif, guest.spec, "192.168.77.9/24@192.168.77.1", MAC) == (0, "", "")
    assert host.pipework("--replace", *hostif, guest.spec, *CHANGES[change]) == (0, "", "")
    routes = [(route["gateway"], route["dev"]) for route in guest.ip("-j", "route", "show", "default")]
    addresses, link = guest.addresses("eth1"), guest.link("eth1")
    assert link is not None
    assert link["address"] == CHANGES[change][1]
    assert [entry["ifname"] for entry in guest.ip("-j", "link", "show") if entry["ifname"].startswith("vpo")] == []
    assert host.pipework("del", guest.spec) == (0, "", "")
    assert host.pipework(*hostif, other.spec, *CHANGES[change]) == (0, "", "")
    assert addresses == other.addresses("eth1")
    if "@" in CHANGES[change][0] and change != "family":
        assert routes == [(route["gateway"], route["dev"]) for route in other.ip("-j", "route", "show", "default")]


def test_default_route_comes_back_after_all(host: Host, guest_ns: Namespaces) -> None:
    """What the first attach had replaced comes back with del, however often the wire was replaced in between."""
    guest = guest_ns()
    bring_online(guest)
    on_bridge(host)
    settle(host, guest)
    before, inside = snapshot(host), snapshot(guest)
    for words in (["10.1.0.9/24@10.1.0.1"], ["10.1.0.9/24@10.1.0.2"], ["10.2.0.9/24@10.2.0.1"], ["10.2.0.9/24"]):
        assert host.pipework("--replace", "br0", guest.spec, *words) == (0, "", "")
    assert host.pipework("del", guest.spec) == (0, "", "")
    assert_as_before(guest, inside)
    assert_as_before(host, before)


def test_other_bridge(host: Host, guest_ns: Namespaces) -> None:
    """The guest moves to another bridge; the firewall rule of the first goes with its last guest."""
    guest = guest_ns()
    assert host.pipework("br0", guest.spec, "192.168.77.9/24").code == 0
    assert host.pipework("--replace", "br1", guest.spec, "192.168.77.9/24") == (0, "", "")
    assert host.ip("-j", "link", "show", "master", "br0") == []
    assert len(host.ip("-j", "link", "show", "master", "br1")) == 1
    assert len(rules(host)) == 1
    assert '"pipework: br1"' in rules(host)[0]


def test_other_kind(host: Host, host_nic: Nics, guest_ns: Namespaces) -> None:
    """A port of a bridge becomes a macvlan and a port again; nothing is left of what was before."""
    guest, nic = guest_ns(), host_nic()
    on_bridge(host)
    settle(host, guest)
    before = snapshot(host)
    assert host.pipework("br0", guest.spec, "192.168.77.9/24").code == 0
    assert host.pipework("--replace", nic.name, guest.spec, "192.168.77.9/24") == (0, "", "")
    assert guest.ping(nic.address)
    assert host.ip("-j", "link", "show", "type", "veth", "master", "br0")[0]["ifname"] == "br0p"
    assert host.pipework("--replace", "br0", guest.spec, "192.168.77.9/24") == (0, "", "")
    assert host.pipework("del", guest.spec) == (0, "", "")
    assert_as_before(host, before)


def test_nic_on_loan_for_another_wire(host: Host, host_nic: Nics, guest_ns: Namespaces) -> None:
    """A NIC on loan is not put aside: refused with the command that takes it back, nothing changed."""
    guest, nic = guest_ns(), host_nic()
    on_bridge(host)
    assert host.pipework("--direct-phys", nic.name, guest.spec, "192.168.77.9/24").code == 0
    settle(host, guest)
    before, inside = snapshot(host), snapshot(guest)
    done = host.pipework("--replace", "br0", guest.spec, "192.168.77.9/24")
    assert (done.code, done.out) == (1, "")
    assert f"pipework del {guest.spec}" in done.err
    assert_as_before(host, before)
    assert_as_before(guest, inside)


def test_without_it(host: Host, guest_ns: Namespaces) -> None:
    """Without --replace the same line says what the original says, exit 1."""
    guest = guest_ns()
    assert host.pipework("br0", "-l", "local", guest.spec, "192.168.77.9/24").code == 0
    done = host.pipework("br0", "-l", "local", guest.spec, "192.168.77.9/24")
    assert done == (1, "Link local exists and is up\n", "")


def test_users_own_link(host: Host, guest_ns: Namespaces) -> None:
    """A link of that name that pipework did not make is not replaced."""
    guest = guest_ns()
    on_bridge(host)
    guest.run("ip", "link", "add", "eth1", "type", "veth", "peer", "name", "mine")
    settle(host, guest)
    before, inside = snapshot(host), snapshot(guest)
    done = host.pipework("--replace", "br0", guest.spec, "192.168.77.9/24")
    assert done.code == 2
    assert "RTNETLINK answers: File exists" in done.err
    assert_as_before(host, before)
    assert_as_before(guest, inside)

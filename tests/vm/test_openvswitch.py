"""Open vSwitch with the kernel's datapath: bridges made, VLANs kept apart, traffic between bridges."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.lab.command import run_pipework
from tests.lab.guest import HOST, eventually
from tests.lab.netns import NamedNamespace
from tests.lab.switch import vsctl
from tests.vm.wiring import NO_ROUTER, Namespaces, fail, succeed, untouched

pytestmark = pytest.mark.vm


@pytest.fixture
def bridges(kernel_switch: None) -> Iterator[list[str]]:
    """Two names of bridges that are not there; what comes to be under them goes afterwards."""
    names = ["ovs1", "ovs12"]
    yield names
    for name in names:
        vsctl("--if-exists", "del-br", name)


def test_vlans_are_kept_apart(bridges: list[str], guest_ns: Namespaces) -> None:
    """A missing ovs* bridge is made; of four guests in VLANs 100 and 200 pairs reach each other, and nobody else."""
    guests: dict[int, NamedNamespace] = {number: guest_ns() for number in (1, 2, 3, 4)}
    for number, guest in guests.items():
        succeed(bridges[0], "-l", f"p{number}", guest.spec, f"192.168.1.{number}/24", "@100" if number < 3 else "@200")
    assert "system@ovs-system" in HOST.run("ovs-appctl", "dpctl/show")
    assert vsctl("get", "Port", "p4", "tag").strip() == "200"
    assert guests[1].ping("192.168.1.2")
    assert guests[4].ping("192.168.1.3")
    for one, other in ((1, 3), (2, 4), (3, 2), (4, 1)):
        assert not guests[one].ping(f"192.168.1.{other}", wait=3), f"{one} reaches {other}"
    again = run_pipework(bridges[0], "-l", "p1", guests[1].spec, "192.168.1.1/24")
    assert again == (1, "Link p1 exists and is up\n", "")


def test_bridge_to_bridge(bridges: list[str], guest_ns: Namespaces) -> None:
    """Guests on two bridges, the name of one a prefix of the other's, talk through a pair of patch ports."""
    one, two, stranger = guest_ns(), guest_ns(), guest_ns()
    succeed(bridges[1], "-l", "p2", two.spec, "192.168.1.2/24", "@100")
    succeed(bridges[0], "-l", "p1", one.spec, "192.168.1.1/24", "@100")
    succeed(bridges[1], "-l", "p3", stranger.spec, "192.168.1.3/24", "@200")
    assert vsctl("list-ports", bridges[0]).split() == ["p1"]
    assert not one.ping("192.168.1.2", wait=3)
    for here, there, bridge in (("patch1", "patch2", bridges[0]), ("patch2", "patch1", bridges[1])):
        settings = ["type=patch", f"options:peer={there}"]
        vsctl("add-port", bridge, here, "--", "set", "Interface", here, *settings)
    assert one.ping("192.168.1.2")
    assert not one.ping("192.168.1.3", wait=3)


def test_failure_takes_the_bridge_back(bridges: list[str], guest_ns: Namespaces) -> None:
    """A run that fails leaves no bridge that it made, and a bridge that was there without the port; exit 2."""
    guest = guest_ns()
    words = (guest.spec, "192.168.77.8/24@" + NO_ROUTER, "@100")
    with untouched(guest):
        fail(bridges[0], *words, code=2)
    vsctl("add-br", bridges[1])
    with untouched(guest):
        fail(bridges[1], *words, code=2)


def test_bridge_of_a_stopped_switch(bridges: list[str], guest_ns: Namespaces) -> None:
    """A bridge whose switch has stopped is not taken for a NIC: the kernel keeps its link."""
    guest = guest_ns()
    vsctl("add-br", bridges[0])
    with untouched(guest):
        done = run_pipework(bridges[0], guest.spec, "192.168.1.1/24", env={"OVS_RUNDIR": "/nowhere"})
    assert (done.code, done.out) == (1, "")
    assert "Open vSwitch is not running" in done.err


def test_fake_bridge(bridges: list[str], guest_ns: Namespaces) -> None:
    """A fake bridge is a VLAN of its parent; a port in another one is told with that, taken back and collected."""
    parent, fake = bridges
    vsctl("add-br", parent)
    vsctl("add-br", fake, parent, "10")
    one, two, other, dying = guest_ns(), guest_ns(), guest_ns(), guest_ns()
    with untouched(one):
        fail(fake, one.spec, "192.168.77.8/24@" + NO_ROUTER, code=2)
    rows = vsctl("show")
    succeed(fake, "-l", "p1", one.spec, "192.168.1.1/24")
    succeed(parent, "-l", "p2", two.spec, "192.168.1.2/24", "@10")
    succeed(fake, "-l", "p3", other.spec, "192.168.1.3/24", "@20")
    succeed(fake, "-l", "p4", dying.spec, "192.168.1.4/24", "@20")
    assert [vsctl("port-to-br", port).strip() for port in ("p1", "p2", "p3")] == [fake, fake, parent]
    assert one.ping("192.168.1.2")
    assert other.ping("192.168.1.4")
    assert not one.ping("192.168.1.3", wait=3)
    wires = {wire["link"]: wire for wire in json.loads(run_pipework("ls", "--json").out)}
    told = {port: (wire["hostif"], wire["vlan"]) for port, wire in wires.items()}
    assert told == {"p1": (fake, 10), "p2": (parent, 10), "p3": (fake, 20), "p4": (fake, 20)}
    before = other.link("eth1")
    succeed("--replace", fake, "-l", "p3", other.spec, "192.168.1.3/24", "@20")
    assert other.link("eth1") == before
    for guest in (one, two, other):
        succeed("del", guest.spec)
    HOST.run("ip", "netns", "del", dying.name)
    assert eventually(lambda: HOST.link("p4") is None)
    assert f"removed port p4 of {fake}, whose guest is gone\n" in run_pipework("gc").out
    assert vsctl("show") == rows

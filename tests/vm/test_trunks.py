"""Trunks, on a Linux bridge and on Open vSwitch; and bridges that come to keep VLANs apart while they are in use."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Callable

import pytest

from tests.lab.command import run_pipework
from tests.lab.guest import HOST, Guest
from tests.lab.switch import vsctl
from tests.lab.tcp import reaches
from tests.lab.trunks import TRUNK, check_told
from tests.vm.wiring import NO_ROUTER, Namespaces, delete, fail, succeed, untouched, vlan_on

pytestmark = pytest.mark.vm
Attach = Callable[..., None]


@pytest.fixture
def bridge() -> Iterator[str]:
    """The name of a Linux bridge that is not there; what comes to be under it goes afterwards."""
    yield "br-trunk"
    delete("br-trunk")


def vlans(port: str) -> list[tuple[int, int, list[str]]]:
    """The VLANs of a bridge's port: first, last, flags."""
    told = json.loads(HOST.run("bridge", "-j", "-compressvlans", "vlan", "show", "dev", port))
    return [(one["vlan"], one.get("vlanEnd", one["vlan"]), one.get("flags", [])) for one in told[0]["vlans"]]


def carries_its_vlans(attach: Attach, guest_ns: Namespaces) -> None:
    """A router on a trunk reaches a guest of its native VLAN and those of tagged ones, and nobody in another."""
    router = guest_ns()
    attach(router, "10.0.10.1/24", TRUNK)
    for vlan in (100, 201, 300):
        vlan_on(router, "eth1", vlan, f"10.0.{vlan % 256}.1/24")
    for vlan in (10, 100, 201, 300):
        guest = guest_ns()
        attach(guest, f"10.0.{vlan % 256}.2/24", f"@{vlan}")
        expected = vlan != 300
        assert reaches(guest, router, f"10.0.{vlan % 256}.1", wait=10 if expected else 1) == expected, vlan


def test_on_a_bridge(bridge: str, guest_ns: Namespaces) -> None:
    """Of a Linux bridge, which a trunk has made."""
    ports = iter(range(100))
    carries_its_vlans(lambda guest, *words: succeed(bridge, "-l", f"port{next(ports)}", guest.spec, *words), guest_ns)
    assert vlans("port0") == [(10, 10, ["PVID", "Egress Untagged"]), (100, 100, []), (200, 201, [])]


def test_told_of_a_bridge(bridge: str, guest_ns: Namespaces) -> None:
    """Of a Linux bridge whose ports start in a VLAN that the trunk has tagged, too."""
    HOST.run("ip", "link", "add", bridge, "up", "type", "bridge", "vlan_filtering", "1", "vlan_default_pvid", "100")
    router = guest_ns()
    succeed(bridge, router.spec, "10.0.10.1/24", TRUNK)
    check_told(run_pipework, bridge, router)


def test_on_openvswitch(kernel_switch: None, guest_ns: Namespaces) -> None:
    """Of Open vSwitch, with the kernel's datapath."""
    try:
        carries_its_vlans(lambda guest, *words: succeed("ovs-trunk", guest.spec, *words), guest_ns)
    finally:
        vsctl("--if-exists", "del-br", "ovs-trunk")


def answers(one: Guest, other: Guest, addresses: tuple[str, ...]) -> list[str]:
    """The addresses at which one guest reaches the other."""
    return [address for address in addresses if reaches(one, other, address)]


def test_filter(bridge: str, guest_ns: Namespaces) -> None:
    """Ports pass what they have passed, tagged or not, the host's too; the new one is alone in its VLAN."""
    one, other, guest = guest_ns(), guest_ns(), guest_ns()
    HOST.run("ip", "link", "add", bridge, "up", "type", "bridge")
    for number, plugged in enumerate((one, other), 1):
        HOST.run(
            "ip",
            "link",
            "add",
            f"plug{number}",
            "master",
            bridge,
            "type",
            "veth",
            "peer",
            "eth0",
            "netns",
            plugged.name,
        )
        HOST.run("ip", "link", "set", f"plug{number}", "up")
        plugged.run("ip", "addr", "add", f"10.1.0.{number}/24", "dev", "eth0")
        plugged.run("ip", "link", "set", "eth0", "up")
        vlan_on(plugged, "eth0", 55, f"10.1.55.{number}/24")
    vlan_on(HOST, bridge, 55, "10.1.55.9/24")
    try:
        there = ("10.1.0.2", "10.1.55.2")
        assert answers(one, other, there) == list(there)
        carried = [vlans(port) for port in (bridge, "plug1", "plug2")]
        with untouched(guest):
            assert "--filter" in fail(bridge, guest.spec, "10.0.100.1/24", "@100")
            fail("--filter", bridge, guest.spec, "192.168.77.8/24@" + NO_ROUTER, "@100", code=2)
        assert [vlans(port) for port in (bridge, "plug1", "plug2")] == carried
        succeed("--filter", bridge, guest.spec, "10.0.100.1/24", "@100")
        assert answers(one, other, there) == list(there)
        assert reaches(one, HOST, "10.1.55.9")
        assert HOST.link(bridge)["linkinfo"]["info_data"]["vlan_filtering"] == 1  # type: ignore[index]
        one.run("ip", "addr", "add", "10.0.100.2/24", "dev", "eth0")
        assert not reaches(one, guest, "10.0.100.1", wait=1)
        vlan_on(other, "eth0", 100, "10.0.100.3/24")
        assert reaches(other, guest, "10.0.100.1")
        succeed("--replace", "--filter", bridge, guest.spec, "10.0.100.1/24", "@100")
    finally:
        delete(f"{bridge}.55", "plug1", "plug2")


def test_refused(bridge: str, guest_ns: Namespaces) -> None:
    """Where a trunk cannot be: one line says so, and nothing is changed."""
    guest = guest_ns()
    HOST.run("ip", "link", "add", bridge, "type", "bridge", "vlan_filtering", "1")
    HOST.run("ip", "link", "add", "nic-trunk", "type", "dummy")
    try:
        with untouched(guest):
            for words, told in (
                ((bridge, guest.spec, "10.0.0.1/24", "@100,200"), "are all tagged, so 10.0.0.1/24 would be in none"),
                ((bridge, guest.spec, "0/0", "@200-100"), "200-100 ends before it begins"),
                ((bridge, guest.spec, "0/0", "@100,"), "'' is not a VLAN id"),
                ((bridge, guest.spec, "0/0", "@10:10,20"), "10 is native"),
                ((bridge, guest.spec, "0/0", "@1:2-4095"), "'4095' is not a VLAN id"),
                ((bridge, guest.spec, "0/0", "@:100"), "'' is not a VLAN id"),
                (("nic-trunk", guest.spec, "0/0", "@100,200"), "is a trunk, which only a port of a bridge can be"),
                (("--direct-phys", "nic-trunk", guest.spec, "0/0", "@100,200"), "is a trunk"),
                (("dummy-trunk", guest.spec, "0/0", "@100,200"), "a dummy link has no network to tag"),
                (("--filter", bridge, guest.spec, "0/0"), "--filter keeps VLANs apart, and none is named"),
                (("--filter", "nic-trunk", guest.spec, "0/0", "@100"), "--filter is for a Linux bridge"),
            ):
                assert told in fail(*words), words
    finally:
        delete("nic-trunk")

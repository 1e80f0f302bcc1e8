"""VLANs on a Linux bridge: access ports of a bridge that filters."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.lab.guest import HOST
from tests.vm.wiring import NO_ROUTER, Namespaces, delete, fail, succeed, untouched

pytestmark = pytest.mark.vm


@pytest.fixture
def bridge() -> Iterator[str]:
    """The name of a bridge that is not there; what comes to be under it goes afterwards."""
    yield "br-vlans"
    delete("br-vlans")


def vlans(port: str) -> list[dict[str, Any]]:
    """Return the VLANs of a bridge's port."""
    told = HOST.run("bridge", "-j", "vlan", "show", "dev", port)
    return list(json.loads(told)[0]["vlans"])


def test_access_ports(bridge: str, guest_ns: Namespaces) -> None:
    """A bridge made for a VLAN filters; guests of one VLAN reach each other, and nobody of another or of none."""
    guests = {number: guest_ns() for number in (1, 2, 3, 4)}
    for number, tag in ((1, ["@100"]), (2, ["@100"]), (3, ["@200"]), (4, [])):
        succeed(bridge, "-l", f"port{number}", guests[number].spec, f"192.168.1.{number}/24", *tag)
    made = HOST.link(bridge)
    assert made is not None
    assert made["linkinfo"]["info_data"]["vlan_filtering"] == 1
    assert vlans("port1") == [{"vlan": 100, "flags": ["PVID", "Egress Untagged"]}]
    assert vlans("port4") == [{"vlan": 1, "flags": ["PVID", "Egress Untagged"]}]
    assert guests[1].ping("192.168.1.2")
    for one, other in ((1, 3), (3, 2), (1, 4), (4, 3)):
        assert not guests[one].ping(f"192.168.1.{other}", wait=3), f"{one} reaches {other}"


def test_bridge_with_another_default(bridge: str, guest_ns: Namespaces) -> None:
    """Of a bridge whose ports start in a VLAN of its choice, or in none, ours is in the one that was asked."""
    HOST.run("ip", "link", "add", bridge, "up", "type", "bridge", "vlan_filtering", "1", "vlan_default_pvid", "7")
    succeed(bridge, "-l", "port1", guest_ns().spec, "192.168.1.1/24", "@100")
    succeed(bridge, "-l", "port2", guest_ns().spec, "192.168.1.2/24", "@7")
    assert [entry["vlan"] for entry in vlans("port1")] == [100]
    assert vlans("port2") == [{"vlan": 7, "flags": ["PVID", "Egress Untagged"]}]


def test_bridge_that_does_not_filter(bridge: str, guest_ns: Namespaces) -> None:
    """A bridge that does not filter is refused with the command that turns it on; so is what is no VLAN id."""
    guest = guest_ns()
    HOST.run("ip", "link", "add", bridge, "type", "bridge")
    with untouched(guest):
        said = fail(bridge, guest.spec, "192.168.1.1/24", "@100")
        assert f"bridge {bridge} does not filter VLANs" in said
        assert f"pipework --filter {bridge}" in said
        assert "VLAN @4095 is not a VLAN id" in fail(bridge, guest.spec, "192.168.1.1/24", "@4095")


def test_failure_takes_the_bridge_back(bridge: str, guest_ns: Namespaces) -> None:
    """A run that fails leaves no bridge; exit 2."""
    guest = guest_ns()
    with untouched(guest):
        fail(bridge, guest.spec, "192.168.77.8/24@" + NO_ROUTER, "@100", code=2)

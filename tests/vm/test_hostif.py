"""What HOSTIF can be that only a distribution's kernel has."""

from __future__ import annotations

from typing import Callable

import pytest

from tests.lab.host import Host, settle, without_dad
from tests.lab.netns import NamedNamespace, Nic
from tests.lab.refusal import refused_untouched
from tests.lab.tcp import reaches

pytestmark = pytest.mark.vm

Namespaces = Callable[[], NamedNamespace]
Nics = Callable[..., Nic]


def test_slave_of_a_bond_and_bearer_of_ipvlan(host: Host, host_nic: Nics, guest_ns: Namespaces) -> None:
    """A bond's slave is refused with the bond's name, a NIC with an ipvlan on it with what excludes ours."""
    first, second, guest = host_nic(), host_nic(), guest_ns()

    def line_of(nic: Nic) -> list[str]:
        return [nic.name, guest.spec, "10.3.0.1/24"]

    host.run("ip", "link", "add", "bond7", "type", "bond")
    host.run("ip", "link", "set", first.name, "down")
    host.run("ip", "link", "set", first.name, "master", "bond7")
    assert f"pipework bond7 {guest.spec} ..." in refused_untouched(host, guest, line_of(first))
    host.run("ip", "link", "add", "link", second.name, "ipv7", "type", "ipvlan")
    said = refused_untouched(host, guest, line_of(second))
    assert f"{second.name} bears ipv7, which is ipvlan: that and macvlan exclude each other" in said
    host.run("ip", "link", "set", "ipv7", "netns", guest.name)
    assert f"bears ipv7 in {guest.name}, which is ipvlan" in refused_untouched(host, guest, line_of(second))


def test_bridge_without_a_vlan_for_new_ports(host: Host, guest_ns: Namespaces) -> None:
    """Where default_pvid is 0 a line without @VLAN is told to pass nothing, and what to type; others see it."""
    host.run("ip", "link", "add", "lan0", "up", "type", "bridge", "vlan_filtering", "1", "vlan_default_pvid", "0")
    one, two = guest_ns(), guest_ns()
    for guest, address in ((one, "10.3.0.1/24"), (two, "10.3.0.2/24")):
        without_dad(guest)
        done = host.pipework("lan0", guest.spec, address)
        assert (done.code, done.out) == (0, "")
        assert "default_pvid 0" in done.err
        settle(guest)
        assert host.pipework("--replace", "lan0", guest.spec, address) == (0, "", done.err)
        assert host.pipework("ls", guest.spec).out.splitlines()[1].endswith("  no pvid")
        if guest is two:
            assert not reaches(one, two, "10.3.0.2", wait=1)
        host.run(*done.err.rpartition("type: ")[2].replace("VLAN", "7").split())
    assert reaches(one, two, "10.3.0.2")

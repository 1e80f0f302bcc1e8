"""uplink where VLANs are kept apart, on the kernel's Open vSwitch, and of cards that can be none."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.lab.guest import HOST
from tests.lab.host import Host, nic_of, settle, throwaway_host
from tests.lab.modules import radio_of
from tests.lab.netns import Nic
from tests.lab.refusal import refused_untouched
from tests.lab.scenes import bridge_on
from tests.lab.snapshot import Unchanged
from tests.lab.switch_host import switch_host
from tests.lab.tcp import reaches
from tests.lab.uplinks import CARD, ITS, MINE, network_of, online
from tests.vm.wiring import Namespaces, vlan_on

pytestmark = pytest.mark.vm


@pytest.fixture
def furnished() -> Iterator[tuple[Host, Nic]]:
    """A host with a NIC that is its way into its network, where VLAN 100 has an address, too."""
    with throwaway_host() as host, nic_of(host, CARD) as nic:
        online(host, nic)
        vlan_on(nic.lan, nic.far, 100, "192.168.100.1/24")
        settle(host)
        yield host, nic


def test_trunk(furnished: tuple[Host, Nic], guest_ns: Namespaces) -> None:
    """On a bridge that keeps VLANs apart the card carries all of them, and the host's frames without a tag."""
    (host, nic), untagged, tagged = furnished, guest_ns(), guest_ns()
    bridge_on(host)
    host.run("ip", "link", "set", "br0", "type", "bridge", "vlan_filtering", "1", "vlan_default_pvid", "7")
    settle(host)
    before, had = Unchanged(host), network_of(host, CARD)
    assert host.pipework("uplink", "br0", CARD) == (0, "", "")
    told = host.run("bridge", "-compressvlans", "vlan", "show", "dev", CARD).split()
    assert told[2:] == [CARD, "1-6", "7", "PVID", "Egress", "Untagged", "8-4094"]
    assert host.pipework("br0", untagged.spec, "192.168.77.9/24,fd00:77::9/64") == (0, "", "")
    assert host.pipework("br0", tagged.spec, "192.168.100.9/24", "@100") == (0, "", "")
    assert reaches(nic.lan, host, MINE)
    assert reaches(nic.lan, host, ITS)
    assert reaches(nic.lan, untagged, "fd00:77::9")
    assert reaches(tagged, nic.lan, "192.168.100.1")
    assert not tagged.ping(MINE, wait=2)
    for guest in (untagged, tagged):
        assert host.pipework("del", guest.spec) == (0, "", "")
    assert host.pipework("uplink", "--undo", "br0", CARD) == (0, "", "")
    settle(host)
    assert network_of(host, CARD) == had
    before.check()


def test_switch_of_the_kernel(guest_ns: Namespaces) -> None:
    """A bridge of Open vSwitch is made, and goes with the uplink; guests in a VLAN and without one are on the LAN."""
    HOST.run("modprobe", "openvswitch")
    with ExitStack() as stack:
        switch, untagged, tagged = stack.enter_context(switch_host()), guest_ns(), guest_ns()
        host = switch.host
        nic = stack.enter_context(nic_of(host, CARD))
        online(host, nic)
        vlan_on(nic.lan, nic.far, 100, "192.168.100.1/24")
        settle(host)
        had = network_of(host, CARD)
        assert host.pipework("uplink", "ovs0", CARD) == (0, "", "")
        assert network_of(host, "ovs0") == had
        assert host.pipework("ovs0", untagged.spec, "192.168.77.9/24") == (0, "", "")
        assert host.pipework("ovs0", tagged.spec, "192.168.100.9/24", "@100") == (0, "", "")
        assert reaches(nic.lan, host, MINE)
        assert reaches(nic.lan, host, ITS)
        assert reaches(nic.lan, untagged, "192.168.77.9")
        assert reaches(tagged, nic.lan, "192.168.100.1")
        for guest in (untagged, tagged):
            assert host.pipework("del", guest.spec) == (0, "", "")
        assert host.pipework("uplink", "--undo", "ovs0", CARD) == (0, "", "")
        assert network_of(host, CARD) == had
        assert switch.vsctl("list-br") == ""


def test_radio(guest_ns: Namespaces) -> None:
    """A Wi-Fi card is refused, whose access point would take no guest's frames."""
    with throwaway_host() as host, radio_of(host):
        assert "NIC wlan0 is Wi-Fi" in refused_untouched(host, guest_ns(), ["uplink", "br0", "wlan0"])

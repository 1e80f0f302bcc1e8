"""DHCP on LANs as they are: with routers that announce themselves, behind bridges that let frames pass late."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Callable

import pytest

from tests.lab.command import run_pipework
from tests.lab.engine import Container
from tests.lab.guest import HOST, eventually, fresh_name
from tests.lab.host import nic_of
from tests.lab.netns import DhcpServer, NamedNamespace, Nic, announcing, dnsmasq
from tests.lab.switch_host import SwitchHost

Namespaces = Callable[[], NamedNamespace]


def ifindex(guest: NamedNamespace) -> int:
    """Return the ifindex of the guest's eth1."""
    link = guest.link("eth1")
    assert link is not None
    return int(link["ifindex"])


DELAY = 2  # seconds, the least that the kernel allows


@pytest.fixture
def spanning(bridge: Callable[..., str], nic: Nic) -> str:
    """A bridge with STP on, whose way to the LAN is open."""
    name = bridge("brpw", create=True)
    for words in (["forward_delay", str(DELAY * 100)], ["stp_state", "1"]):
        HOST.run("ip", "link", "set", name, "type", "bridge", *words)
    HOST.run("ip", "link", "set", nic.name, "master", name)
    state = Path("/sys/class/net", nic.name, "brport/state")
    assert eventually(lambda: state.read_text().strip() == "3")
    return name


@pytest.mark.docker
@pytest.mark.parametrize("client", ["udhcpc", "udhcpc-f", "dhcp", "dhclient", "dhcpcd"])
def test_bridge_with_stp(
    client: str, container: Callable[..., Container], dhcp_server: DhcpServer, spanning: str, official_image: None
) -> None:
    """A client begins once a bridge with STP lets the new port's frames pass: its first question is heard."""
    guest = container()
    began = time.monotonic()
    assert run_pipework(spanning, guest.name, client) == (0, "", "")
    assert time.monotonic() - began > 2 * DELAY
    assert guest.addresses("eth1") == [f"{lease.address}/24" for lease in dhcp_server.leases()]


@pytest.mark.parametrize("fake", [False, True], ids=["bridge", "fake bridge"])
def test_switch_with_stp(switched: SwitchHost, guest_ns: Namespaces, fake: bool) -> None:
    """The same on a bridge of Open vSwitch, which is asked what its spanning tree does with the port."""
    shortest = ("stp-forward-delay=4", "stp-max-age=6")  # seconds
    bridge, guest, port = switched.add_bridge(), guest_ns(), fresh_name("pwo")
    switched.vsctl("set", "Bridge", bridge, "stp_enable=true", *(f"other_config:{one}" for one in shortest))
    if fake:
        switched.vsctl("add-br", "lab", bridge, "10")
        bridge = "lab"
    with nic_of(switched.host, "nic0") as nic, dnsmasq(nic):
        nic.lan.run("ethtool", "-K", nic.far, "tx", "off")  # the switch is one in userspace
        switched.vsctl("add-port", bridge, nic.name)
        switched.vsctl("wait-until", "Port", nic.name, "status:stp_state=forwarding")
        rehearsed = switched.pipework("--dry-run", bridge, "-l", port, guest.spec, "udhcpc").out.splitlines()
        assert f"ovs-vsctl wait-until Port {port} status:stp_state=forwarding" in rehearsed
        began = time.monotonic()
        env = {"PIPEWORK_DHCP_TIMEOUT": "7"}  # seconds, less than the tree takes
        assert switched.pipework(bridge, "-l", port, guest.spec, "udhcpc", env=env) == (0, "", "")
        assert time.monotonic() - began > 7
        [address] = guest.addresses("eth1")
        assert address.startswith(nic.address.rpartition(".")[0])


@pytest.mark.parametrize("client", ["udhcpc", "dhclient"])
def test_announced_address_is_no_lease(client: str, guest_ns: Namespaces, dhcp_server: DhcpServer, nic: Nic) -> None:
    """A guest that has but what the LAN's routers brought about gets its lease; one that has a lease is left alone."""
    guest = guest_ns()
    with announcing(nic) as prefix:
        assert run_pipework(nic.name, guest.spec, "0/0") == (0, "", "")
        assert eventually(lambda: any(prefix in one for one in guest.addresses("eth1")))
        line = ["--replace", nic.name, guest.spec, client]
        assert run_pipework(*line) == (0, "", "")
        [lease] = dhcp_server.leases()
        assert f"{lease.address}/24" in guest.addresses("eth1")
        assert eventually(lambda: any(prefix in one for one in guest.addresses("eth1")))
        link = ifindex(guest)
        assert run_pipework(*line) == (0, "", "")
        assert ifindex(guest) == link


def test_fixed_address_for_a_lease(guest_ns: Namespaces, dhcp_server: DhcpServer, nic: Nic) -> None:
    """The leased address asked for as a fixed one is a fixed one afterwards: nobody renews it, or gives it back."""
    guest = guest_ns()
    assert run_pipework(nic.name, guest.spec, "udhcpc-f") == (0, "", "")
    [address] = guest.addresses("eth1")
    link = ifindex(guest)
    line = ["--replace", nic.name, guest.spec, f"{address}@{dhcp_server.gateway}"]
    for _ in range(2):
        assert run_pipework(*line) == (0, "", "")
        assert (guest.addresses("eth1"), ifindex(guest) != link) == ([address], True)
    assert not run_pipework("--dry-run", *line).out

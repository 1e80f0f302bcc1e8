"""Whatever the tests in the virtual machine stand on is there, and works: a part that is missing fails the run."""

from __future__ import annotations

from pathlib import Path
from typing import Callable

import pytest

from tests.lab.engine import Container
from tests.lab.guest import HOST, Guest, eventually
from tests.lab.lxc import LxcContainer
from tests.lab.netns import NamedNamespace, Nic
from tests.lab.podman import PodmanContainer
from tests.lab.switch import vsctl

pytestmark = pytest.mark.vm


@pytest.mark.parametrize(
    ("kind", "arguments"),
    [
        ("dummy", ["type", "dummy"]),
        ("vlan", ["link", "eth0", "type", "vlan", "id", "100"]),
        ("macvlan", ["link", "eth0", "type", "macvlan", "mode", "bridge"]),
        ("ipvlan", ["link", "eth0", "type", "ipvlan", "mode", "l2"]),
        ("bridge", ["type", "bridge", "vlan_filtering", "1"]),
        ("bond", ["type", "bond"]),
    ],
)
def test_link_kind(kind: str, arguments: list[str]) -> None:
    """The kernel makes links of every kind that the host's may lack."""
    HOST.run("ip", "link", "add", "name", "part0", *arguments)
    try:
        link = HOST.link("part0")
        assert link and link["linkinfo"]["info_kind"] == kind
    finally:
        HOST.run("ip", "link", "del", "part0")


def test_card_comes_back(cable: Nic) -> None:
    """A network card returns to the host with the death of the namespace that it was moved to."""
    HOST.run("ip", "netns", "add", "borrower")
    HOST.run("ip", "link", "set", cable.name, "netns", "borrower")
    borrower = Guest("borrower", "/run/netns/borrower")
    borrower.run("ip", "addr", "add", "192.168.77.9/24", "dev", cable.name)
    borrower.run("ip", "link", "set", cable.name, "up")
    try:
        assert borrower.ping(cable.address)
        assert HOST.link(cable.name) is None
    finally:
        HOST.run("ip", "netns", "del", "borrower")
    assert eventually(lambda: HOST.link(cable.name) is not None)


def test_switch_in_the_kernel(kernel_switch: None, guest_ns: Callable[[], NamedNamespace]) -> None:
    """Open vSwitch makes a bridge with the kernel's datapath, which switches."""
    left, right = guest_ns(), guest_ns()
    vsctl("add-br", "part-br")
    try:
        for number, guest in enumerate((left, right), start=1):
            port = f"part-port{number}"
            HOST.run("ip", "link", "add", port, "type", "veth", "peer", "name", "eth1", "netns", guest.name)
            HOST.run("ip", "link", "set", port, "up")
            vsctl("add-port", "part-br", port, "tag=100")
            guest.run("ip", "addr", "add", f"10.9.9.{number}/24", "dev", "eth1")
            guest.run("ip", "link", "set", "eth1", "up")
        assert left.ping("10.9.9.2")
        assert "system@ovs-system" in HOST.run("ovs-appctl", "dpctl/show")
    finally:
        vsctl("del-br", "part-br")


def test_radios(radios: list[str], guest_ns: Callable[[], NamedNamespace]) -> None:
    """There are two Wi-Fi radios, and one moves to a namespace with its interface."""
    guest = guest_ns()
    assert len(radios) == 2
    HOST.run("iw", "phy", radios[0], "set", "netns", "name", guest.name)
    assert "Interface" in guest.run("iw", "dev")


def test_infiniband(infiniband: str, guest_ns: Callable[[], NamedNamespace]) -> None:
    """There is an IPoIB link, and children of it with a partition key are born in another namespace."""
    guest = guest_ns()
    assert Path("/sys/class/net", infiniband, "type").read_text().strip() == "32"
    # The kernel refuses a child that is born under its parent's name, in whatever namespace.
    child = ["link", infiniband, "name", "child0", "netns", guest.name, "type", "ipoib", "pkey", "0x8001"]
    HOST.run("ip", "link", "add", *child)
    guest.run("ip", "link", "set", "child0", "name", "ib0")
    link = guest.link("ib0")
    assert link and link["linkinfo"]["info_kind"] == "ipoib"
    assert link["linkinfo"]["info_data"]["key"] == "0x8001"


def test_one_cgroup_hierarchy() -> None:
    """Control groups are version 2, as on today's distributions."""
    assert Path("/sys/fs/cgroup/cgroup.controllers").exists()


def test_docker(container: Callable[..., Container]) -> None:
    """The Docker engine starts and runs a container."""
    assert [link["ifname"] for link in container().ip("-j", "link")] == ["lo"]


def test_lxc(lxc: Callable[[], LxcContainer]) -> None:
    """LXC runs a container without a network."""
    assert [link["ifname"] for link in lxc().ip("-j", "link")] == ["lo"]


def test_podman(podman: Callable[..., PodmanContainer]) -> None:
    """podman runs a container without a network."""
    assert [link["ifname"] for link in podman().ip("-j", "link")] == ["lo"]

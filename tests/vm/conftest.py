"""Parts that only the virtual machine has."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab.guest import HOST, eventually
from tests.lab.host import host, host_nic
from tests.lab.modules import unload
from tests.lab.netns import Nic, named_namespace

__all__ = ["cable", "host", "host_nic", "machine"]


@pytest.fixture(scope="session", autouse=True)
def machine() -> None:
    """Keep these tests, which load modules and use network cards, away from the host."""
    assert os.environ.get("PIPEWORK_MACHINE"), "tests/vm run in the virtual machine only: make test-vm"


def _macs() -> dict[str, str]:
    """The links of the host with their MACs."""
    return {link["ifname"]: link["address"] for link in HOST.ip("-j", "link", "show")}


@pytest.fixture
def cable() -> Iterator[Nic]:
    """A real network card, eth0, cabled to another one, eth1, in a namespace that plays the LAN.

    Unlike the veth of `nic`, eth0 comes back to the host when the namespace that it was moved to goes away.
    """
    with named_namespace("pwlan") as lan:
        nic = Nic("eth0", lan, far="eth1")
        HOST.run("ip", "link", "set", nic.far, "netns", lan.name)
        lan.run("ip", "addr", "add", f"{nic.address}/24", "dev", nic.far)
        lan.run("ip", "addr", "add", f"{nic.address6}/64", "dev", nic.far, "nodad")
        lan.run("ip", "link", "set", nic.far, "up")
        HOST.run("ip", "link", "set", nic.name, "up")
        mac = _macs()[nic.name]
        yield nic
        # The guest of a test that has failed gives it back some time later, under the guest's name for it.
        assert eventually(lambda: mac in _macs().values())
        (name,) = (name for name, its in _macs().items() if its == mac)
        HOST.run("ip", "link", "set", name, "down")
        if name != nic.name:
            HOST.run("ip", "link", "set", name, "alias", "", "name", nic.name)
        HOST.run("ip", "addr", "flush", "dev", nic.name)
        lan.run("ip", "link", "set", nic.far, "netns", "1")


@pytest.fixture(scope="session")
def kernel_switch(switch: None) -> None:
    """Open vSwitch with the kernel's datapath."""
    HOST.run("modprobe", "openvswitch")


@pytest.fixture
def infiniband() -> Iterator[str]:
    """An IPoIB link of the host, by name."""
    HOST.run("modprobe", "-a", "ib_ipoib", "voidib")
    yield "ib0"
    unload("voidib")


@pytest.fixture
def radios() -> Iterator[list[str]]:
    """Two Wi-Fi radios in reach of each other, by their phy's names."""
    HOST.run("modprobe", "mac80211_hwsim", "radios=2")
    phys = Path("/sys/class/ieee80211").iterdir()
    yield sorted((phy.name for phy in phys), key=lambda name: int(name.removeprefix("phy")))
    unload("mac80211_hwsim")

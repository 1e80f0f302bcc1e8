"""What a row may run on: Row.on names one of these."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Callable, Union

from tests.lab.guest import HOST
from tests.lab.host import Host, nic_of, throwaway_host
from tests.lab.modules import infiniband_of, radio_of
from tests.lab.netns import dnsmasq
from tests.lab.switch_host import SwitchHost, switch_host
from tests.parity import guests
from tests.parity.guests import Start
from tests.parity.rows import Row
from tests.parity.stage import NAMED, NIC, NIC_MAC, Machine, Stage, private_files

SWITCH = "sw0"
# of the LAN behind the NIC, in VLAN 100
TAGGED, TAGGED_ADDRESS = "lan0.100", "192.168.100.1/24"
SHORT_PATIENCE, SHORT_LIMIT = "3", 30.0  # seconds to wait for a lease that nobody gives


@contextmanager
def _staged(
    row: Row, host: Union[Host, Machine], start: Start = guests.plain, switch: Union[SwitchHost, None] = None
) -> Iterator[Stage]:
    named = any("{other}" in line for line in (row.line, *row.first))
    with ExitStack() as made:
        one = made.enter_context(start(host))
        stage = Stage(host, one, made.enter_context(start(host)) if named else one, switch=switch)
        try:
            yield stage
        finally:
            for name in stage.left():
                (NAMED / name).unlink()


@contextmanager
def plain_host(row: Row, start: Start = guests.plain) -> Iterator[Stage]:
    """A host with nothing but its firewall."""
    with throwaway_host() as host, _staged(row, host, start) as stage:
        yield stage


def numbered_guest(row: Row) -> AbstractContextManager[Stage]:
    """A guest whose name is a number."""
    return plain_host(row, guests.numbered)


def lxc_guest(row: Row) -> AbstractContextManager[Stage]:
    """An LXC container as the guest."""
    return plain_host(row, guests.lxc)


@contextmanager
def guest_on_the_machine(row: Row) -> Iterator[Stage]:
    """A guest that shares the network of the host, which is the machine itself."""
    assert os.environ.get("PIPEWORK_MACHINE"), "this may happen to a virtual machine only"
    with _staged(row, Machine(), guests.sharing) as stage:
        yield stage
        for link in ("br-host", "data0"):
            HOST.run("ip", "link", "del", link, check=False)


@contextmanager
def host_with_nic(row: Row) -> Iterator[Stage]:
    """A host with a NIC, whose cable ends in a LAN."""
    with plain_host(row) as stage, nic_of(stage.host, NIC) as nic:
        stage.host.run("ip", "link", "set", NIC, "address", NIC_MAC)
        yield stage._replace(nic=nic)


@contextmanager
def host_with_vlan(row: Row) -> Iterator[Stage]:
    """The same, the LAN in VLAN 100 as well."""
    with host_with_nic(row) as stage:
        assert stage.nic
        lan = stage.nic.lan
        lan.run("ip", "link", "add", "link", stage.nic.far, "name", TAGGED, "type", "vlan", "id", "100")
        lan.run("ip", "addr", "add", TAGGED_ADDRESS, "dev", TAGGED)
        lan.run("ip", "link", "set", TAGGED, "up")
        yield stage


@contextmanager
def host_with_switch(row: Row) -> Iterator[Stage]:
    """A host with an Open vSwitch of its own, and on it a bridge that switches in userspace."""
    with switch_host() as switch, _staged(row, switch.host, switch=switch) as stage:
        switch.add_bridge(SWITCH)
        yield stage


@contextmanager
def host_with_kernel_switch(row: Row) -> Iterator[Stage]:
    """A host with an Open vSwitch of its own that has no bridge yet, and a kernel with the datapath."""
    HOST.run("modprobe", "openvswitch")
    with switch_host() as switch, _staged(row, switch.host, switch=switch) as stage:
        yield stage
        for bridge in switch.vsctl("list-br").split():
            switch.vsctl("del-br", bridge)


@contextmanager
def host_with_infiniband(row: Row) -> Iterator[Stage]:
    """A host with an IPoIB interface, ib0."""
    with plain_host(row) as stage, infiniband_of(stage.host):
        yield stage


@contextmanager
def host_with_radio(row: Row) -> Iterator[Stage]:
    """A host with a Wi-Fi NIC, wlan0."""
    with plain_host(row) as stage, radio_of(stage.host):
        yield stage


@contextmanager
def host_with_dhcp(row: Row) -> Iterator[Stage]:
    """A host with a NIC, a DHCP server on its LAN, and private files, for clients of the original write everywhere."""
    with host_with_nic(row) as stage:
        assert stage.nic
        with dnsmasq(stage.nic) as server, private_files() as files:
            try:
                yield stage._replace(server=server, files=files)
            finally:
                stage.end_clients()


@contextmanager
def host_without_dhcp(row: Row) -> Iterator[Stage]:
    """The same without a server."""
    with host_with_nic(row) as stage, private_files() as files:
        try:
            yield stage._replace(files=files, patience=SHORT_PATIENCE, limit=SHORT_LIMIT)
        finally:
            stage.end_clients()


# Row.on -> what makes it
STAGES: dict[str, Callable[[Row], AbstractContextManager[Stage]]] = {
    "host": plain_host,
    "number": numbered_guest,
    "LXC": lxc_guest,
    "machine": guest_on_the_machine,
    "nic": host_with_nic,
    "vlan": host_with_vlan,
    "switch": host_with_switch,
    "kernel switch": host_with_kernel_switch,
    "InfiniBand": host_with_infiniband,
    "radio": host_with_radio,
    "dhcp": host_with_dhcp,
    "no dhcp": host_without_dhcp,
}

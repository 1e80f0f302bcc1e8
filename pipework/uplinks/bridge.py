"""A Linux bridge with an uplink."""

from __future__ import annotations

from collections.abc import Sequence

from pipework.actions.base import Action
from pipework.actions.links import Adopt, CreateBridge, DeleteLink, SetMac, SetUp
from pipework.actions.spanning_tree import AwaitForwarding
from pipework.actions.uplink import Enslave, Release
from pipework.actions.vlans import AddVlans
from pipework.kernel import sysfs
from pipework.kernel.namespaces import Namespace
from pipework.kernel.records import Link
from pipework.marks import NEWBORN
from pipework.typed import Optional
from pipework.uplinks.base import BridgeKind, Join
from pipework.vlans import the_others


class LinuxBridge(BridgeKind):
    """The NIC is a port of it; where it keeps VLANs apart, one that passes all of them."""

    def has_port(self, bridge: str, nic: Link, there: Optional[Link]) -> bool:
        return there is not None and nic.master == there.ifindex

    def mac(self, bridge: str, there: Optional[Link]) -> str:
        return there.mac if there else ""

    def join(self, host: Namespace, bridge: str, there: Optional[Link], nic: Link) -> Join:
        up = [] if there is None or there.up else [SetUp(host, bridge)]
        delay = sysfs.stp_delay(bridge)
        return Join(
            bridge=[CreateBridge(host, bridge, False, nic.mac)] if there is None else up,
            mac=[SetMac(host, bridge, nic.mac, there.mac)] if there and there.mac != nic.mac else [],
            port=[Enslave(host, nic.name, bridge), *_trunk(host, bridge, nic.name)],
            opening=[AwaitForwarding(nic.name, delay)] if delay else [],
            adopt=[Adopt(host, bridge)] if there is None or there.group == NEWBORN else [],
        )

    def leave(self, host: Namespace, bridge: Link, nic: Link) -> Sequence[Action]:
        return [Release(host, nic.name, bridge.name)] if nic.master == bridge.ifindex else []

    def give_mac(self, host: Namespace, bridge: Link, mac: str) -> Sequence[Action]:
        return [SetMac(host, bridge.name, mac, bridge.mac)] if mac not in ("", bridge.mac) else []

    def is_left_alone(self, bridge: str, nic: Link) -> bool:
        return not set(sysfs.ports(bridge)) - {nic.name}

    def remove(self, host: Namespace, bridge: str) -> Sequence[Action]:
        return [DeleteLink(host, bridge)]


def _trunk(host: Namespace, bridge: str, nic: str) -> list[Action]:
    """Every VLAN tagged, but that of new ports, which the kernel puts the NIC into untagged."""
    if not sysfs.vlan_filtering(bridge):
        return []
    default = sysfs.default_vlan(bridge)
    return [AddVlans(host, nic, False, None, tuple(the_others([(default, default)] if default else [])))]


KIND = LinuxBridge()

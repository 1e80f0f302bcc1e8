"""A bridge of Open vSwitch with an uplink."""

from __future__ import annotations

from collections.abc import Sequence

from pipework.actions.base import Action
from pipework.actions.links import SetUp
from pipework.actions.openvswitch import AddBridge, AddPort, AdoptBridge, RemoveBridge, RemovePort
from pipework.actions.uplink import SetSwitchMac
from pipework.errors import Refused
from pipework.kernel import ovsdb
from pipework.kernel.namespaces import Namespace
from pipework.kernel.records import Link
from pipework.typed import Optional
from pipework.uplinks.base import BridgeKind, Join


class SwitchBridge(BridgeKind):
    """The NIC is a port of it without a VLAN of its own, which is a trunk of all."""

    is_switch = True

    def check(self, bridge: str, there: Optional[Link], nic: Link) -> None:
        if there and ovsdb.fake_vlan(bridge):
            raise Refused(
                f"{bridge} is a fake bridge, which has one VLAN",
                f"Name the bridge that it is part of: pipework uplink $(ovs-vsctl br-to-parent {bridge}) {nic.name}",
            )
        port = ovsdb.port(nic.name)
        if port and port.bridge != bridge:
            raise Refused(
                f"{nic.name} is a port of bridge {port.bridge} already",
                f"Take it off that first: ovs-vsctl del-port {port.bridge} {nic.name}",
            )

    def has_port(self, bridge: str, nic: Link, there: Optional[Link]) -> bool:
        return there is not None and ovsdb.port(nic.name) is not None

    def mac(self, bridge: str, there: Optional[Link]) -> str:
        return _given_mac(bridge) if there else ""

    def join(self, host: Namespace, bridge: str, there: Optional[Link], nic: Link) -> Join:
        port = ovsdb.Port(bridge, nic.name, None, {})
        make = [AddBridge(bridge), SetUp(host, bridge)] if there is None else []
        return Join(
            bridge=make if there is None or there.up else [SetUp(host, bridge)],
            mac=[SetSwitchMac(bridge, nic.mac, self.mac(bridge, there))],
            port=[AddPort(port, bridge_is_ours=there is None)],
            adopt=[AdoptBridge(bridge)] if there is None else [],
        )

    def leave(self, host: Namespace, bridge: Link, nic: Link) -> Sequence[Action]:
        port = ovsdb.port(nic.name)
        return [RemovePort(port)] if port and port.bridge == bridge.name else []

    def give_mac(self, host: Namespace, bridge: Link, mac: str) -> Sequence[Action]:
        return [SetSwitchMac(bridge.name, mac, _given_mac(bridge.name))]

    def is_left_alone(self, bridge: str, nic: Link) -> bool:
        return not set(ovsdb.ports(bridge)) - {nic.name}

    def remove(self, host: Namespace, bridge: str) -> Sequence[Action]:
        return [RemoveBridge(bridge)]


def _given_mac(bridge: str) -> str:
    return ovsdb.vsctl("--if-exists", "get", "Bridge", bridge, "other_config:hwaddr").strip().strip('"[]{}')


KIND = SwitchBridge()

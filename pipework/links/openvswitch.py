"""An Open vSwitch bridge: a veth pair, one end a port of the bridge, the other in the guest."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pipework.actions.base import Action
from pipework.actions.links import SetUp
from pipework.actions.offload import ComputeChecksums
from pipework.actions.openvswitch import (
    AddBridge,
    AddPort,
    AdoptBridge,
    AwaitSwitchForwarding,
    RemoveBridge,
    RemovePort,
)
from pipework.errors import Refused
from pipework.kernel import ovsdb, processes
from pipework.kernel.records import Link
from pipework.links.base import SWITCHED, FarSide, Ground, Host, LinkPlan, Remnant, Seen, Wire, Wired, mark_finished
from pipework.links.conflicts import make_way
from pipework.links.switch_port import SwitchPortKind, computed_checksums, dead_port, external_ids
from pipework.links.veth import local_name, make_pair
from pipework.marks import MAKING
from pipework.typed import Optional

LONGEST_FORWARD_DELAY = 30.0  # seconds; the root of the tree chooses (IEEE 802.1D, forward delay: 4 to 30)


class OpenVSwitch(SwitchPortKind):
    """Guests of one switch reach each other as its flows have it."""

    name = "openvswitch"

    def hostif(self, host: Host, port: ovsdb.Port) -> str:
        """The bridge that was asked for, which may be a fake one, or the one that the port is on since that is gone."""
        asked = port.external_ids.get("pipework.bridge", "")
        return asked if host.named(asked) else port.bridge

    def plan(self, wire: Wire) -> LinkPlan:
        """Create the bridge if it is missing and plug the guest into it, its VLAN as access tag, several as a trunk."""
        request, host, bridge = wire.request, wire.far, wire.hostif
        trunk = request.tag.trunk if request.tag else None
        vlan = request.tag.vlan if request.tag and not trunk else None
        there = host.netlink.link(bridge)
        if there is None and ovsdb.is_bridge(bridge):
            raise _without_link(bridge)
        local = local_name(wire)
        way = make_way(wire, local)
        dead = dead_port(local)
        make: list[Action] = [*([RemovePort(dead)] if dead else []), *way.first]
        if there is None:
            make.append(AddBridge(bridge))
        if trunk and ovsdb.fake_vlan(bridge):
            raise Refused(
                f"VLANs @{trunk.text}: {bridge} is a fake bridge, which has one VLAN",
                f"Name the bridge that it is part of: pipework $(ovs-vsctl br-to-parent {bridge}) ...",
            )
        port = ovsdb.Port(bridge, local, vlan, external_ids(wire, bridge, local, trunk.text if trunk else vlan), trunk)
        make += [
            *make_pair(wire, local, there.mtu if there else None, None),
            *([ComputeChecksums(wire.near.namespace, wire.ifname)] if there and _is_in_userspace(there) else []),
            AddPort(port, bridge_is_ours=there is None),
            SetUp(host, local),
        ]
        adopt = [AdoptBridge(bridge)] if there is None else []
        return LinkPlan(make, [mark_finished(host, local, wire), *adopt, *way.last])

    def recognise(self, seen: Seen) -> Optional[FarSide]:
        if seen.end is None:
            return None
        port = self.ports(seen.host).get(seen.end.name)
        if port:
            return FarSide(self.hostif(seen.host, port), port.vlan, port.trunk)
        bridge = seen.host.named(seen.mark.hostif) if seen.mark else None
        if bridge and bridge.kind in SWITCHED:  # whose switch does not answer
            return FarSide(bridge.name)
        return None

    def complete(self, wire: Wire, end: Link) -> Sequence[Action]:
        bridge, guest = wire.far.netlink.link(wire.hostif), wire.near.namespace
        steps = computed_checksums(guest, wire.ifname) if bridge and _is_in_userspace(bridge) else []
        if wire.hostif in ovsdb.bridges_with(MAKING) and end.name in ovsdb.ports(wire.hostif):
            steps.append(AdoptBridge(wire.hostif))
        return steps

    def opening(self, wire: Wire) -> Sequence[Action]:
        there = wire.far.netlink.link(wire.hostif)
        late = there is not None and ovsdb.has_stp(wire.hostif)
        return (AwaitSwitchForwarding(local_name(wire), 2 * LONGEST_FORWARD_DELAY),) if late else ()

    def is_in_vlans(self, wire: Wire, there: Wired) -> bool:
        """Without one that is asked for in that of a fake bridge."""
        if wire.request.tag:
            return super().is_in_vlans(wire, there)
        return (there.vlan, there.trunk) == (ovsdb.fake_vlan(wire.hostif), None)

    def remnants(self, ground: Ground) -> Iterator[Remnant]:
        host = ground.host
        there = {link.name for link in host.links}
        yield from super().remnants(ground)
        if not any(link.kind in SWITCHED for link in host.links):
            return
        left = host.left_over()
        for name, run in ovsdb.bridges_with(MAKING).items():
            is_dead = not processes.is_alive(run) and ovsdb.bridges_with(MAKING).get(name) == run  # nor has ended well
            if name in there and is_dead and left.issuperset(ovsdb.ports(name)):
                yield Remnant(f"bridge {name}, half made", (RemoveBridge(name),))


def _without_link(bridge: str) -> Refused:
    """Why there is no guest for a bridge that the database has and the kernel shows no link of."""
    parent = ovsdb.vsctl("br-to-parent", bridge).strip()
    if ovsdb.vsctl("get", "Bridge", parent, "datapath_type").strip() == "netdev":
        return Refused(
            f"Open vSwitch has a bridge {bridge}, but its link is gone",
            f"Have it made again: systemctl restart openvswitch-switch; or remove it: ovs-vsctl del-br {bridge}",
        )
    return Refused(
        f"Open vSwitch has a bridge {bridge}, but the kernel shows no link of it: the switch could not set it up",
        f"Switch in userspace: ovs-vsctl set bridge {parent} datapath_type=netdev; or remove it: "
        f"ovs-vsctl del-br {bridge}",
    )


def _is_in_userspace(bridge: Link) -> bool:
    """Whether a bridge switches there, where its link is a tap (datapath_type netdev)."""
    return bridge.kind == "tun"


KIND = OpenVSwitch()

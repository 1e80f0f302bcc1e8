"""A Linux bridge: a veth pair, one end a port of the bridge, the other in the guest."""

from __future__ import annotations

from pipework.actions.base import Action
from pipework.actions.links import Adopt, CreateBridge, CreateVeth, SetAccessVlan, SetUp
from pipework.errors import Refused
from pipework.firewall import iptables as firewall
from pipework.kernel import sysfs
from pipework.kernel.records import NEWBORN
from pipework.links.base import LinkPlan, Wire
from pipework.links.conflicts import local_name, make_way, mark_finished, mark_unfinished

DEFAULT_MTU = 1500  # of a new bridge, in bytes
DEFAULT_VLAN = 1  # of the ports of a new bridge that filters


def plan(wire: Wire) -> LinkPlan:
    """Create the bridge if it is missing, plug the guest in, let its frames pass a Docker host's firewall.

    With a VLAN the guest's port is an access port of it; the bridge must filter VLANs, a new one does.
    """
    request, host, bridge = wire.request, wire.host, wire.hostif
    vlan = request.tag.vlan if request.tag else None
    inquiry = firewall.Inquiry(bridge, request.address)
    there = host.netlink.link(bridge)
    if vlan and there and not sysfs.vlan_filtering(bridge):
        raise Refused(
            f"VLAN @{vlan}: bridge {bridge} does not filter VLANs",
            f"Turn it on, which concerns every port: ip link set {bridge} type bridge vlan_filtering 1",
        )
    local = local_name(wire)
    aside = make_way(wire, local)
    make: list[Action] = [*aside.first]
    if there is None:
        make.append(CreateBridge(host, bridge, bool(vlan)))
    mtu = there.mtu if there else DEFAULT_MTU
    make += [
        CreateVeth(host, local, wire.guest.namespace, wire.ifname, mtu, request.mac, bridge),
        mark_unfinished(host, local),
    ]
    if vlan:
        default = sysfs.default_vlan(bridge) if there else DEFAULT_VLAN
        make.append(SetAccessVlan(host, local, vlan, default))
    make += [SetUp(host, local), *inquiry.plan()]
    adopt = [Adopt(host, bridge)] if there is None or there.group == NEWBORN else []
    return LinkPlan(make, [mark_finished(host, local, wire), *adopt, *aside.last])

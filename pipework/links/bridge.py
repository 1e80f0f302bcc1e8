"""A Linux bridge: a veth pair, one end a port of the bridge, the other in the guest."""

from __future__ import annotations

from pipework import firewall
from pipework.actions.links import CreateBridge, CreateVeth, SetUp
from pipework.carry_out import Action
from pipework.errors import Refused
from pipework.links import LinkPlan, Wire
from pipework.links.naming import local_name, make_way, mark_finished, mark_unfinished

DEFAULT_MTU = 1500  # of a new bridge, in bytes


def plan(wire: Wire) -> LinkPlan:
    """Create the bridge if it is missing, plug the guest into it, and let its frames pass a Docker host's firewall."""
    request, host, bridge = wire.request, wire.host, wire.hostif
    if request.tag:
        raise Refused(
            f"HOSTIF {bridge} is a Linux bridge: VLAN @{request.tag.text} is not supported on it",
            "Use an Open vSwitch bridge, or give a bridge a VLAN link of the NIC as its port.",
        )
    local = local_name(wire)
    aside = make_way(wire, local)
    there = host.netlink.link(bridge)
    make: list[Action] = [*aside.first]
    if there is None:
        make += [CreateBridge(host, bridge), SetUp(host, bridge)]
    mtu = there.mtu if there else DEFAULT_MTU
    make += [
        CreateVeth(host, local, wire.guest.namespace, wire.ifname, mtu, request.mac, bridge),
        mark_unfinished(host, local),
        SetUp(host, local),
        *firewall.plan(bridge, request.address),
    ]
    return LinkPlan(make, [mark_finished(host, local, wire), *aside.last])

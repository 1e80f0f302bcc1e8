"""An Open vSwitch bridge: a veth pair, one end a port of the bridge, the other in the guest."""

from __future__ import annotations

from pipework.actions.links import CreateVeth, SetUp
from pipework.actions.openvswitch import AddBridge, AddPort
from pipework.carry_out import Action
from pipework.kernel import ovsdb
from pipework.links import LinkPlan, Wire
from pipework.links.naming import local_name, make_way, mark_finished, mark_unfinished

DEFAULT_MTU = 1500  # of a new bridge, in bytes


def plan(wire: Wire) -> LinkPlan:
    """Create the bridge if it is missing and plug the guest into it, its VLAN as access tag."""
    request, host, bridge = wire.request, wire.host, wire.hostif
    vlan = request.tag.vlan if request.tag else None
    there = host.netlink.link(bridge)
    local = local_name(wire)
    aside = make_way(wire, local)
    make: list[Action] = [*aside.first]
    if there is None:
        make.append(AddBridge(bridge))
    port = ovsdb.Port(bridge, local, vlan, _external_ids(wire, local, vlan))
    make += [
        CreateVeth(
            host, local, wire.guest.namespace, wire.ifname, there.mtu if there else DEFAULT_MTU, request.mac, None
        ),
        mark_unfinished(host, local),
        AddPort(port, ovsdb.port(local)),
        SetUp(host, local),
    ]
    return LinkPlan(make, [mark_finished(host, local, wire), *aside.last])


def _external_ids(wire: Wire, local: str, vlan: object) -> dict[str, str]:
    """What the original leaves in the database, so that its users' scripts find it."""
    guest = wire.guest
    ids = {
        "interface": local,
        "bridge": wire.hostif,
        "containerid": guest.id,
        "containername": f"/{guest.name}" if guest.id else "",
        "nspid": str(guest.pid or ""),
        "vlan": str(vlan or ""),
    }
    return {f"pipework.{key}": value for key, value in ids.items() if value}

"""An Open vSwitch bridge: a veth pair, one end a port of the bridge, the other in the guest."""

from __future__ import annotations

from pipework.actions.base import Action
from pipework.actions.links import CreateVeth, SetUp
from pipework.actions.openvswitch import AddBridge, AddPort, AdoptBridge, RemovePort
from pipework.errors import Refused
from pipework.kernel import ovsdb
from pipework.links.base import LinkPlan, Wire
from pipework.links.conflicts import local_name, make_way, mark_finished, mark_unfinished
from pipework.typed import Optional

DEFAULT_MTU = 1500  # of a new bridge, in bytes


def plan(wire: Wire) -> LinkPlan:
    """Create the bridge if it is missing and plug the guest into it, its VLAN as access tag."""
    request, host, bridge = wire.request, wire.host, wire.hostif
    vlan = request.tag.vlan if request.tag else None
    there = host.netlink.link(bridge)
    if there is None and ovsdb.is_bridge(bridge):
        raise Refused(
            f"Open vSwitch has a bridge {bridge}, but the kernel shows no link of it: the switch could not set it up",
            f"Switch in userspace: ovs-vsctl set bridge {bridge} datapath_type=netdev; or remove it: "
            f"ovs-vsctl del-br {bridge}",
        )
    local = local_name(wire)
    aside = make_way(wire, local)
    dead = _dead_port(local)
    make: list[Action] = [*([RemovePort(dead)] if dead else []), *aside.first]
    if there is None:
        make.append(AddBridge(bridge))
    port = ovsdb.Port(bridge, local, vlan, _external_ids(wire, local, vlan))
    make += [
        CreateVeth(
            host, local, wire.guest.namespace, wire.ifname, there.mtu if there else DEFAULT_MTU, request.mac, None
        ),
        mark_unfinished(host, local),
        AddPort(port, bridge_is_ours=there is None),
        SetUp(host, local),
    ]
    adopt = [AdoptBridge(bridge)] if there is None else []
    return LinkPlan(make, [mark_finished(host, local, wire), *adopt, *aside.last])


def _dead_port(name: str) -> Optional[ovsdb.Port]:
    """What the database still has of an earlier guest's port of that name.  Raises Refused if it is none of ours."""
    port = ovsdb.port(name)
    if port and port.external_ids.get("pipework.interface") != name:
        raise Refused(
            f"{name} is a port of bridge {port.bridge} already, and not one of pipework's",
            f"Choose another name with -l, or remove it: ovs-vsctl del-port {port.bridge} {name}",
        )
    return port


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

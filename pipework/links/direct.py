"""``--direct-phys``: the NIC itself, or its VLAN link, leaves the host and becomes the guest's."""

from __future__ import annotations

from pipework.actions.links import CreateStacked, SetMac, SetUp
from pipework.actions.nic import MoveLink
from pipework.carry_out import Action
from pipework.errors import Refused
from pipework.kernel import sysfs
from pipework.kernel.records import Link
from pipework.links import LinkPlan, Wire
from pipework.links.naming import make_way
from pipework.links.nic import find_nic, find_vlan


def plan(wire: Wire) -> LinkPlan:
    """Move the NIC, unless this host itself hangs on it; with a VLAN only the VLAN link goes."""
    request, host, guest = wire.request, wire.host, wire.guest.namespace
    nic = find_nic(wire)
    aside = make_way(wire)
    make: list[Action] = [*aside.first]
    if request.tag:
        vlan = find_vlan(wire, nic, request.tag.vlan)
        if not nic.up:
            make.append(SetUp(host, nic.name))
        if vlan.link is None:
            tag = request.tag.vlan
            data = (("IFLA_VLAN_ID", tag),)
            make.append(CreateStacked("vlan", data, f"id {tag}", host, nic.name, guest, wire.ifname, request.mac))
            return LinkPlan(make, aside.last)
        nic = vlan.link
    make.append(_move(wire, nic))
    if request.mac:
        make.append(SetMac(guest, wire.ifname, request.mac, nic.mac))
    return LinkPlan(make, aside.last)


def _move(wire: Wire, nic: Link) -> MoveLink:
    host = wire.host.netlink
    routes = tuple(route for family in (4, 6) for route in host.routes(family) if route.link == nic.number)
    if any(route.destination is None for route in routes):
        raise Refused(
            f"HOSTIF {nic.name} carries this host's default route; moving it would cut the host off",
            f"Leave out --direct-phys to share it, or route the host elsewhere: ip route show dev {nic.name}",
        )
    master = next((link.name for link in host.links() if link.number == nic.master), None) if nic.master else None
    addresses = tuple(host.addresses(nic.number))
    return MoveLink(wire.host, wire.guest.namespace, wire.ifname, nic, sysfs.phy(nic.name), master, addresses, routes)

"""A NIC shared with the host: a macvlan of it, or of its VLAN link, mode bridge, in the guest."""

from __future__ import annotations

from pipework.actions.base import Action
from pipework.actions.links import CreateStacked, SetUp
from pipework.errors import Refused
from pipework.kernel import sysfs
from pipework.links.base import LinkPlan, Wire
from pipework.links.conflicts import make_way, mark_finished, mark_unfinished
from pipework.links.parent import find_nic, find_vlan


def plan(wire: Wire) -> LinkPlan:
    """Create the macvlan in the guest and see that what it stands on is up."""
    request, host, guest = wire.request, wire.host, wire.guest.namespace
    nic = find_nic(wire)
    if sysfs.phy(nic.name):
        raise Refused(
            f"HOSTIF {nic.name} is a Wi-Fi NIC, which speaks with one MAC address only",
            f"Hand it over whole: pipework --direct-phys {nic.name} ...",
        )
    aside = make_way(wire)
    make: list[Action] = [*aside.first]
    finish: list[Action] = []
    if not nic.up:
        make.append(SetUp(host, nic.name))
    parent = nic.name
    if request.tag:
        vlan = find_vlan(wire, nic, request.tag.vlan)
        parent = vlan.name
        make += vlan.make
        finish += vlan.finish
    make += [
        CreateStacked(
            "macvlan",
            (("IFLA_MACVLAN_MODE", "bridge"),),
            "mode bridge",
            host,
            parent,
            guest,
            wire.ifname,
            request.mac,
        ),
        mark_unfinished(guest, wire.ifname),
    ]
    return LinkPlan(make, [*finish, mark_finished(guest, wire.ifname, wire), *aside.last])

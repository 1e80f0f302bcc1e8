"""A NIC shared with the host: a macvlan of it, or of its VLAN link, mode bridge, in the guest."""

from __future__ import annotations

from collections.abc import Iterable

from pipework.actions.base import Action
from pipework.actions.links import CreateStacked, SetUp
from pipework.errors import Refused
from pipework.kernel import sysfs
from pipework.links.base import (
    FarSide,
    Ground,
    LinkKind,
    LinkPlan,
    Remnant,
    Seen,
    Wire,
    check_mtu,
    half_made,
    mark_finished,
    mark_unfinished,
)
from pipework.links.conflicts import make_way
from pipework.links.parent import check_shared, far_side, find_nic, find_vlan, half_made_vlans
from pipework.typed import Optional

MODE = (("IFLA_MACVLAN_MODE", "bridge"),)


class Macvlan(LinkKind):
    """The guest has a MAC of its own on the NIC's network."""

    unmarked = True
    uses_nic = True

    def plan(self, wire: Wire) -> LinkPlan:
        """Create the macvlan in the guest and see that what it stands on is up."""
        request, host, guest = wire.request, wire.far, wire.near.namespace
        nic = find_nic(wire)
        if sysfs.phy(nic.name):
            raise Refused(
                f"HOSTIF {nic.name} is a Wi-Fi NIC, which speaks with one MAC address only",
                f"Hand it over whole: pipework --direct-phys {nic.name} ...",
            )
        check_shared(wire, nic)
        check_mtu(wire, nic.name, nic.mtu)
        way = make_way(wire)
        make: list[Action] = [*way.first]
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
            CreateStacked("macvlan", MODE, "mode bridge", host, parent, guest, wire.ifname, request.mac),
            mark_unfinished(guest, wire.ifname),
        ]
        return LinkPlan(make, [*finish, mark_finished(guest, wire.ifname, wire), *way.last])

    def recognise(self, seen: Seen) -> Optional[FarSide]:
        return None if seen.loan else far_side(seen)

    def remnants(self, ground: Ground) -> Iterable[Remnant]:
        yield from half_made(ground, "macvlan")
        yield from half_made_vlans(ground)


KIND = Macvlan()

"""A NIC shared with the host: a macvlan of it, or of its VLAN link, in the guest."""

from __future__ import annotations

from collections.abc import Iterable
from errno import EBUSY, EINVAL

from pipework.actions.base import Action
from pipework.actions.links import CreateStacked, SetUp
from pipework.errors import Refused
from pipework.kernel import sysfs
from pipework.kernel.records import Link
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

EXCLUDED = (EBUSY, EINVAL)  # the latter where one is to be alone, in mode passthru (macvlan_common_newlink)


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
                f"Route over it: pipework --routed {nic.name} ...; "
                f"or hand it over whole: pipework --direct-phys {nic.name} ...",
            )
        check_shared(wire, nic)
        check_mtu(wire, nic.name, nic.mtu)
        mode = request.mode or "bridge"
        if mode == "passthru":
            _check_alone(wire, nic)
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
            CreateStacked(
                *("macvlan", (("IFLA_MACVLAN_MODE", mode),), f"mode {mode}", host, parent, guest, wire.ifname),
                *(request.mac, EXCLUDED),
            ),
            mark_unfinished(guest, wire.ifname),
        ]
        return LinkPlan(make, [*finish, mark_finished(guest, wire.ifname, wire), *way.last])

    def recognise(self, seen: Seen) -> Optional[FarSide]:
        return None if seen.loan else far_side(seen)

    def remnants(self, ground: Ground) -> Iterable[Remnant]:
        yield from half_made(ground, "macvlan")
        yield from half_made_vlans(ground)


def _check_alone(wire: Wire, nic: Link) -> None:
    """Refuse mode passthru, which takes all frames of the NIC and has its MAC, where the host itself would lose it."""
    request, netlink = wire.request, wire.far.netlink
    if request.mac not in (None, nic.mac):
        raise Refused(f"--mode passthru has the MAC of {nic.name} itself, {nic.mac}", "Leave the MAC out.")
    own = [one.text for one in netlink.addresses(nic.ifindex) if not one.is_link_local]
    if own and not request.tag:
        raise Refused(
            f"--mode passthru takes all frames of {nic.name}, which has this host's address {own[0]}",
            "Leave it out, or give that address to another NIC first.",
        )


KIND = Macvlan()

"""``--direct-phys``: the NIC itself, or its VLAN link, leaves the host and becomes the guest's."""

from __future__ import annotations

from pipework.actions.base import Action
from pipework.actions.links import CreateStacked, SetMac, SetUp
from pipework.actions.nic import Home, MoveLink, NoteHome
from pipework.errors import Refused
from pipework.kernel import sysfs
from pipework.kernel.records import Link
from pipework.links.base import LinkPlan, Wire
from pipework.links.conflicts import make_way, mark_finished, mark_unfinished
from pipework.links.parent import find_nic, find_vlan


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
            make += [
                CreateStacked("vlan", data, f"id {tag}", host, nic.name, guest, wire.ifname, request.mac),
                mark_unfinished(guest, wire.ifname),
            ]
            return LinkPlan(make, [mark_finished(guest, wire.ifname, wire), *aside.last])
        nic = vlan.link
    home = _home(wire, nic)
    make += [NoteHome(host, guest, wire.ifname, home, request.mac), MoveLink(host, guest, wire.ifname, home)]
    if request.mac:
        make.append(SetMac(guest, wire.ifname, request.mac, nic.mac))
    return LinkPlan(make, [mark_finished(guest, wire.ifname, wire), *aside.last])


def _home(wire: Wire, nic: Link) -> Home:
    host = wire.host.netlink
    links = host.links()
    resting = _resting_on(nic, links)
    if any(resting.intersection(route.links) for family in (4, 6) for route in host.default_routes(family)):
        raise Refused(
            f"HOSTIF {nic.name} carries this host's default route; moving it would cut the host off",
            "Leave out --direct-phys to share it, or route the host elsewhere first: ip route",
        )
    master = next((link.name for link in links if link.ifindex == nic.master), None)
    addresses = tuple(host.addresses(nic.ifindex))
    return Home(nic, sysfs.phy(nic.name), master, addresses, host.routes_via(nic.ifindex))


def _resting_on(nic: Link, links: list[Link]) -> set[int]:
    """The ifindexes of the NIC, of its bridge or bond, and of the links that stand on those."""
    resting, found = set[int](), {nic.ifindex}
    while found:
        resting |= found
        found = {link.master for link in links if link.ifindex in resting and link.master}
        # a veth names its peer where others name what they stand on
        found |= {link.ifindex for link in links if link.parent in resting and link.kind != "veth"}
        found -= resting
    return resting

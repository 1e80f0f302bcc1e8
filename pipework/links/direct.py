"""``--direct-phys``: the NIC itself leaves the host and becomes the guest's."""

from __future__ import annotations

from pipework.actions.links import MoveLink, SetMac
from pipework.carry_out import Action
from pipework.errors import Refused
from pipework.links import LinkPlan, Wire
from pipework.links.naming import make_way


def plan(wire: Wire) -> LinkPlan:
    """Move the NIC, unless this host itself hangs on it."""
    request, host, guest = wire.request, wire.host, wire.guest.namespace
    if request.tag:
        raise Refused(f"VLAN @{request.tag.text}: VLANs on a NIC are not supported yet")
    nic = host.netlink.link(wire.hostif)
    if nic is None or wire.hostif == "lo":
        raise Refused(f"HOSTIF {wire.hostif} is no NIC", "Name a NIC of this host: ip -br link")
    routes = [route for family in (4, 6) for route in host.netlink.routes(family) if route.link == nic.number]
    if any(route.destination is None for route in routes):
        raise Refused(
            f"HOSTIF {nic.name} carries this host's default route; moving it would cut the host off",
            f"Leave out --direct-phys to share it, or route the host elsewhere first: ip route show dev {nic.name}",
        )
    aside = make_way(wire)
    links = host.netlink.links() if nic.master else []
    master = next((link.name for link in links if link.number == nic.master), None)
    addresses = tuple(host.netlink.addresses(nic.number))
    make: list[Action] = [
        *aside.first,
        MoveLink(host, guest, wire.ifname, nic, master, addresses, tuple(routes)),
    ]
    if request.mac:
        make.append(SetMac(guest, wire.ifname, request.mac, nic.mac))
    return LinkPlan(make, aside.last)

"""A NIC shared with the host: a macvlan of it, mode bridge, in the guest."""

from __future__ import annotations

from pipework.actions.links import CreateMacvlan, SetUp
from pipework.carry_out import Action
from pipework.errors import Refused
from pipework.links import LinkPlan, Wire
from pipework.links.naming import make_way, mark_finished, mark_unfinished


def plan(wire: Wire) -> LinkPlan:
    """Create the macvlan in the guest and see that the NIC is up."""
    request, host, guest = wire.request, wire.host, wire.guest.namespace
    if request.tag:
        raise Refused(f"VLAN @{request.tag.text}: VLANs on a NIC are not supported yet")
    nic = host.netlink.link(wire.hostif)
    if nic is None or wire.hostif == "lo":
        raise Refused(f"HOSTIF {wire.hostif} is no NIC", "Name a NIC of this host: ip -br link")
    aside = make_way(wire)
    make: list[Action] = [*aside.first]
    if not nic.up:
        make.append(SetUp(host, wire.hostif))
    make += [
        CreateMacvlan(host, wire.hostif, guest, wire.ifname, request.mac),
        mark_unfinished(guest, wire.ifname),
    ]
    return LinkPlan(make, [mark_finished(guest, wire.ifname, wire), *aside.last])

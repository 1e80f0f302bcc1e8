"""``--direct-phys`` with a VLAN: the NIC's VLAN link leaves the host, or is born in the guest."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pipework.actions.base import Action
from pipework.actions.links import CreateStacked, DeleteLink, SetUp
from pipework.kernel.namespaces import Namespace
from pipework.links.base import (
    FarSide,
    Ground,
    Host,
    LinkKind,
    LinkPlan,
    Remnant,
    Seen,
    Wire,
    Wired,
    half_made,
    mark_finished,
    mark_unfinished,
)
from pipework.links.conflicts import make_way
from pipework.links.loan import lend, loan_of, take_home
from pipework.links.parent import find_nic, find_vlan
from pipework.typed import Optional


class Vlan(LinkKind):
    """The guest has that VLAN of the NIC for itself."""

    handed_over = True
    uses_nic = True

    def plan(self, wire: Wire) -> LinkPlan:
        """Move the VLAN link that is there, unless this host itself hangs on it, or create it in the guest."""
        request, host, guest = wire.request, wire.far, wire.near.namespace
        assert request.tag
        tag, nic = request.tag.vlan, find_nic(wire)
        way = make_way(wire)
        vlan = find_vlan(wire, nic, tag)
        make: list[Action] = [*way.first, *([] if nic.up else [SetUp(host, nic.name)])]
        if vlan.link:
            make += lend(wire, vlan.link)
        else:
            data = (("IFLA_VLAN_ID", tag),)
            make += [
                CreateStacked("vlan", data, f"id {tag}", host, nic.name, guest, wire.ifname, request.mac),
                mark_unfinished(guest, wire.ifname),
            ]
        return LinkPlan(make, [mark_finished(guest, wire.ifname, wire), *way.last])

    def recognise(self, seen: Seen) -> Optional[FarSide]:
        return FarSide(seen.host.name(seen.link.parent), seen.link.vlan) if seen.stands_here else None

    def remove(self, host: Host, guest: Namespace, wired: Wired) -> Sequence[Action]:
        """Bring home one that was there before; another was made for the guest."""
        loan = loan_of(guest, wired)
        return take_home(host.namespace, guest, wired, loan) if loan else (DeleteLink(guest, wired.ifname),)

    def remnants(self, ground: Ground) -> Iterable[Remnant]:
        return half_made(ground, "vlan")


KIND = Vlan()

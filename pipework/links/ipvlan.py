"""A NIC shared with the host under its one MAC address: an ipvlan of it, or of its VLAN link, in the guest.

By drivers/net/ipvlan of the kernel all ipvlans of a NIC have one mode: each that is made sets it for the others, too.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pipework.actions.base import Action
from pipework.actions.ipvlan import SetMode
from pipework.actions.links import CreateStacked
from pipework.actions.stash import DeleteAddress
from pipework.address import Auto, Dhcp, Range
from pipework.errors import Refused
from pipework.kernel.records import Link
from pipework.links.base import FarSide, Ground, Host, LinkKind, LinkPlan, Remnant, Seen, Wire, Wired, half_made
from pipework.links.parent import check_shared, far_side, find_footing, find_nic, stacked
from pipework.links.stash import Way
from pipework.links.tenants import IPVLANS, MACVLANS, Tenant, check_free, is_debris, makes_room, tenants
from pipework.marks import STASHED, stash_name
from pipework.model import IPVLAN_MODES, Attach
from pipework.typed import Optional


class Ipvlan(LinkKind):
    """The guest is on the NIC's network by its address alone."""

    uses_nic = True
    takes_mac = False

    def plan(self, wire: Wire) -> LinkPlan:
        """Create the ipvlan in the guest and see that what it stands on is up."""
        mode = wire.request.ipvlan
        assert mode
        _check_asked(wire.request, mode)
        nic = find_nic(wire)
        check_shared(wire, nic)
        footing = find_footing(wire, nic)
        turned = _turn(wire, footing.link, mode) if footing.link else ()
        data = (("IFLA_IPVLAN_MODE", mode),)
        born = (wire.far, footing.name, wire.near.namespace, wire.ifname, None)
        return stacked(wire, footing, [*turned, CreateStacked("ipvlan", data, f"mode {mode}", *born)])

    def recognise(self, seen: Seen) -> Optional[FarSide]:
        return None if seen.loan else far_side(seen)

    def put_aside(self, host: Host, wire: Wire, there: Wired) -> Way:
        """As others, without its addresses, which no other ipvlan of the NIC could have."""
        way, link = super().put_aside(host, wire, there), there.there
        assert link
        guest, name = wire.near.namespace, stash_name(link)
        addresses = reversed(guest.netlink.addresses(link.ifindex))
        return way.replace(first=[*way.first, *(DeleteAddress(guest, name, one) for one in addresses)])

    def remnants(self, ground: Ground) -> Iterable[Remnant]:
        return half_made(ground, "ipvlan")

    def is_whole(self, wire: Wire, there: Wired) -> bool:
        """Whether nobody has given the NIC's ipvlans another mode since."""
        return there.there is not None and there.there.mode == wire.request.ipvlan

    def is_looked_for(self, wire: Wire) -> bool:
        """In mode l3 frames find the guest by the host's routes."""
        return wire.request.ipvlan != "l3"


def _check_asked(request: Attach, mode: str) -> None:
    """Refuse what wants a MAC of the guest's own, and in mode l3 what wants frames to all of the network."""
    if request.mac:
        raise Refused(
            f"MAC {request.mac}: an ipvlan has the MAC of its NIC", "Leave the MAC out; or leave --ipvlan out."
        )
    for one in request.addresses:
        if isinstance(one, Dhcp):
            raise Refused(
                f"ADDRESS {one.text}: DHCP servers know hosts by their MAC, and all ipvlans of a NIC have the same",
                "Write IP/PREFIX, or leave --ipvlan out.",
            )
        if isinstance(one, Range):
            raise Refused(
                f"ADDRESS {one.text} is looked for by ARP, and what answers the NIC's MAC gets to the host alone",
                "Write one address, or leave --ipvlan out.",
            )
        if isinstance(one, Auto) and mode == "l3":
            raise Refused(f"ADDRESS {one.text}: no router's announcement gets to an ipvlan l3", _TRY_L2)
    if request.probes:
        raise Refused("--probe asks by ARP, and what answers the NIC's MAC gets to the host alone", "Leave it out.")
    if request.check and mode == "l3":
        raise Refused("--check asks by ARP and neighbour discovery, which ipvlan l3 has none of", _TRY_L2)


_TRY_L2 = "Leave it out, or write --ipvlan l2."


def _turn(wire: Wire, parent: Link, mode: str) -> Sequence[Action]:
    """Give an ipvlan that makes room the mode of the new one, whatever becomes of that.  Raises Refused for others."""
    check_free(wire, parent, MACVLANS, "ipvlan")
    there = [one for one in tenants(wire.far, parent) if one.link.kind in IPVLANS and one.link.mode != mode]
    for one in there:
        if not makes_room(wire, one):
            raise _has_other_mode(parent, one)
    guest = wire.near.namespace
    return [SetMode(guest, _aside(one.link), mode, one.link.mode) for one in there if not is_debris(wire, one)][:1]


def _aside(link: Link) -> str:
    """What it is called by then."""
    return link.name if link.name.startswith(STASHED) else stash_name(link)


def _has_other_mode(parent: Link, tenant: Tenant) -> Refused:
    its = tenant.link.mode
    same = f"Write --ipvlan {its}, or remove" if its in IPVLAN_MODES else "Use another NIC, or remove"
    return Refused(
        f"{parent.name} bears {tenant.called}, an ipvlan in mode {its}, and all of a NIC have one mode",
        f"{same} it first: {tenant.removal}",
    )


KIND = Ipvlan()

"""A NIC shared with the host: a macvlan of it, or of its VLAN link, in the guest."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from errno import EBUSY, EINVAL

from pipework.actions.base import Action
from pipework.actions.links import CreateStacked
from pipework.errors import Refused
from pipework.kernel import sysfs
from pipework.kernel.namespaces import Namespace
from pipework.kernel.records import Link
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
)
from pipework.links.parent import check_shared, far_side, find_footing, find_nic, half_made_vlans, stacked
from pipework.links.stash import Way
from pipework.marks import REACHING
from pipework.typed import Optional

EXCLUDED = (EBUSY, EINVAL)  # the latter where one is to be alone, in mode passthru (macvlan_common_newlink)


class Macvlan(LinkKind):
    """The guest has a MAC of its own on the NIC's network."""

    unmarked = True
    uses_nic = True

    def plan(self, wire: Wire) -> LinkPlan:
        """Create the macvlan in the guest and see that what it stands on is up."""
        nic = find_nic(wire)
        if sysfs.phy(nic.name):
            raise Refused(
                f"HOSTIF {nic.name} is a Wi-Fi NIC, which speaks with one MAC address only",
                f"Share that: pipework --ipvlan l2 {nic.name} ...; or route over it: pipework --routed {nic.name} ...; "
                f"or hand it over whole: --direct-phys {nic.name}",
            )
        check_shared(wire, nic)
        mode = wire.request.mode or "bridge"
        if mode == "passthru":
            _check_alone(wire, nic)
        footing = find_footing(wire, nic)
        if footing.link and sysfs.has_module("ipvlan"):
            from pipework.links.tenants import IPVLANS, check_free  # few hosts have any

            check_free(wire, footing.link, IPVLANS, "macvlan")
        data = (("IFLA_MACVLAN_MODE", mode),)
        born = (wire.far, footing.name, wire.near.namespace, wire.ifname, wire.request.mac, EXCLUDED)
        link = CreateStacked("macvlan", data, f"mode {mode}", *born)
        if not wire.request.host_access:
            return stacked(wire, footing, [link])
        from pipework.links import host_access  # few ask for it

        access = host_access.plan(wire, nic, footing)
        made = stacked(wire, footing, [link.replace(mac=access.mac)])
        return LinkPlan([*made.make, *access.make], [*access.finish, *made.finish])

    def recognise(self, seen: Seen) -> Optional[FarSide]:
        return None if seen.loan else far_side(seen)

    def remove(self, host: Host, guest: Namespace, wired: Wired) -> Sequence[Action]:
        return [*_released(host.namespace, guest, wired), *super().remove(host, guest, wired)]

    def put_aside(self, host: Host, wire: Wire, there: Wired) -> Way:
        way, tag = super().put_aside(host, wire, there), wire.request.tag
        same = (there.hostif, there.vlan) == (wire.hostif, tag.vlan if tag else None)
        steps = _released(wire.far, wire.near.namespace, there, keeps=same and wire.request.host_access)
        return way.replace(first=[*steps, *way.first])

    def is_whole(self, wire: Wire, there: Wired) -> bool:
        if not wire.request.host_access:
            return True
        from pipework.links import host_access  # as above

        return host_access.is_whole(wire, there)

    def remnants(self, ground: Ground) -> Iterable[Remnant]:
        yield from half_made(ground, "macvlan")
        yield from half_made_vlans(ground)
        if any(link.kind == "macvlan" for link in ground.host.links):
            from pipework.links import host_access  # few hosts have one themselves

            yield from host_access.remnants(ground)


def _released(host: Namespace, guest: Namespace, wired: Wired, keeps: bool = False) -> Sequence[Action]:
    """What the host has of a guest that it reaches."""
    if not wired.there or not any(name.startswith(REACHING) for name in sysfs.names()):
        return ()
    from pipework.links import host_access  # as above

    return host_access.release(host, guest, wired.there, keeps)


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

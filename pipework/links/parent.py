"""What lies beneath a guest's link: the NIC behind HOSTIF, and the VLAN link on it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pipework.actions.base import Action
from pipework.actions.links import Adopt, CreateVlan, DeleteLink, MarkNewborn, SetAlias, SetUp
from pipework.errors import Refused
from pipework.kernel import sysfs
from pipework.kernel.records import Link
from pipework.links.base import (
    SWITCHED,
    FarSide,
    Ground,
    LinkPlan,
    Remnant,
    Seen,
    Wire,
    check_mtu,
    mark_finished,
    mark_unfinished,
)
from pipework.links.conflicts import make_way
from pipework.marks import NEWBORN, digest_name, is_left_over, is_unfinished, unfinished_alias, vlan_alias
from pipework.model import LONGEST_NAME
from pipework.typed import Optional
from pipework.value import Value

SHARING = ("vrf",)  # masters that leave a NIC's frames to others as well


class Vlan(Value):
    """The VLAN link to use: its name, the link if it is there already, and how to get and keep it."""

    name: str
    link: Optional[Link]
    make: Sequence[Action] = ()
    finish: Sequence[Action] = ()


class Footing(Value):
    """What a guest's link is to stand on: its name, the link if it is there already, how to get it up, and keep it."""

    name: str
    link: Optional[Link]
    make: Sequence[Action]
    finish: Sequence[Action]


def find_nic(wire: Wire) -> Link:
    """The host's link behind HOSTIF.  Raises Refused for the loopback."""
    nic = wire.far.netlink.link(wire.hostif)
    if nic is None or wire.hostif == "lo":
        raise Refused(f"HOSTIF {wire.hostif} is no NIC", "Name a NIC of this host: ip -br link")
    return nic


def check_shared(wire: Wire, nic: Link) -> None:
    """Refuse a NIC that no macvlan can stand on, as the kernel would without a reason (netdev_rx_handler_register).

    So with an MTU that is more than its own.
    """
    host, name, guest = wire.far, nic.name, wire.request.guest
    if nic.type != sysfs.ETHERNET:
        raise Refused(
            f"HOSTIF {name} carries no Ethernet frames, so guests cannot share it",
            f"Hand it over whole: pipework --direct-phys {name} {guest} ...",
        )
    master = host.netlink.link_of(nic.master) if nic.master else None
    if master and master.kind in SWITCHED:
        raise Refused(
            f"HOSTIF {name} is a port of Open vSwitch, so guests cannot share it",
            f"Wire the guest to its bridge: pipework $(ovs-vsctl port-to-br {name}) {guest} ...",
        )
    if master and master.kind not in SHARING:
        raise Refused(
            f"HOSTIF {name} is a port of {master.name} ({master.kind}), so guests cannot share it",
            f"Wire the guest to that: pipework {master.name} {guest} ...",
        )
    check_mtu(wire, name, nic.mtu)


def find_footing(wire: Wire, nic: Link) -> Footing:
    """The NIC, or the VLAN link on it that is asked for.  Raises Refused."""
    up = [] if nic.up else [SetUp(wire.far, nic.name)]
    if not wire.request.tag:
        return Footing(nic.name, nic, up, ())
    vlan = find_vlan(wire, nic, wire.request.tag.vlan)
    return Footing(vlan.name, vlan.link, [*up, *vlan.make], vlan.finish)


def stacked(wire: Wire, footing: Footing, link: Sequence[Action]) -> LinkPlan:
    """A link of the guest's that stands there: link makes it."""
    guest, name, way = wire.near.namespace, wire.ifname, make_way(wire)
    return LinkPlan(
        [*way.first, *footing.make, *link, mark_unfinished(guest, name)],
        [*footing.finish, mark_finished(guest, name, wire), *way.last],
    )


def find_vlan(wire: Wire, nic: Link, vlan: int) -> Vlan:
    """The VLAN link of that id on the NIC: one that is there, under any name, or ``HOSTIF.VLAN`` to be made.

    Raises Refused if that name belongs to something else.
    """
    host = wire.far
    links = host.netlink.links()
    there = next((link for link in links if _is_vlan(link, nic, vlan)), None)
    if there is not None:
        adopt: list[Action] = [Adopt(host, there.name)] if there.group == NEWBORN else []
        if is_unfinished(there):
            adopt.append(SetAlias(host, there.name, vlan_alias(nic.name), there.alias))
        up = [] if there.up else [SetUp(host, there.name)]
        return Vlan(there.name, there, [*adopt, *up])
    name = f"{nic.name}.{vlan}"
    if len(name) > LONGEST_NAME:
        name = digest_name("vlan", name)
    if any(link.name == name for link in links):
        raise Refused(
            f"{name} exists already but is not a VLAN link for tag {vlan} of {nic.name}",
            f"See what it is: ip -d link show {name}",
        )
    mark = unfinished_alias()
    make: list[Action] = [CreateVlan(host, nic.name, name, vlan, mark), MarkNewborn(host, name, mark)]
    return Vlan(name, None, make, [SetAlias(host, name, vlan_alias(nic.name), mark)])


def _is_vlan(link: Link, nic: Link, vlan: int) -> bool:
    return link.kind == "vlan" and link.parent == nic.ifindex and link.vlan == vlan


def far_side(seen: Seen) -> Optional[FarSide]:
    """The NIC that a guest's link stands on, and the VLAN; None: on a link of another host, or of the guest's own."""
    parent = seen.parent()
    if not seen.stands_here or (parent is None and not seen.is_ours):
        return None
    if parent and parent.kind == "vlan":
        return FarSide(seen.host.name(parent.parent), parent.vlan)
    return FarSide(parent.name if parent else "", seen.link.vlan)


def half_made_vlans(ground: Ground) -> Iterator[Remnant]:
    """VLAN links of the host that a killed run has left."""
    host = ground.host
    for link in host.links:
        if link.kind == "vlan" and is_left_over(host.namespace, link):
            yield Remnant(f"link {link.name}, half made", (DeleteLink(host.namespace, link.name),))

"""IP over InfiniBand: a child of the host's interface, in the guest.

InfiniBand is no Ethernet, so neither bridges nor macvlan go with it; its partitions take the place of VLANs.
"""

from __future__ import annotations

from collections.abc import Iterable

from pipework.actions.base import Action, Heal
from pipework.actions.links import CreateStacked, DeleteLink, RenameLink, SetUp
from pipework.errors import Refused
from pipework.links.base import (
    FarSide,
    Ground,
    LinkKind,
    LinkPlan,
    Remnant,
    Seen,
    Wire,
    Wired,
    check_mtu,
    half_made,
    mark_finished,
    mark_unfinished,
)
from pipework.links.conflicts import make_way
from pipework.links.parent import far_side, find_nic
from pipework.marks import digest_name, is_left_over, read_mark
from pipework.typed import Optional

FULL_MEMBER = 0x8000  # of a partition, which children always are (drivers/infiniband/ulp/ipoib/ipoib_netlink.c)


class IPoIB(LinkKind):
    """The guest is a member of its parent's partition, or of another."""

    unmarked = True
    uses_nic = True
    takes_mac = False

    def plan(self, wire: Wire) -> LinkPlan:
        """Create the child in the parent's partition, or in that of the key given, and see that the parent is up."""
        request, host, guest = wire.request, wire.far, wire.near.namespace
        if request.mac:
            raise Refused(
                f"MAC {request.mac}: IPoIB interfaces take their address from the hardware", "Leave the MAC out."
            )
        pkey = request.tag.pkey if request.tag else None
        parent = find_nic(wire)
        check_mtu(wire, parent.name, parent.mtu)
        way = make_way(wire)
        make: list[Action] = [*way.first]
        # the kernel refuses a child that is born under its parent's name, in whatever namespace
        born = digest_name("vpi", f"{parent.name} {wire.near.tag} {wire.ifname}")
        debris = guest.netlink.link(born)
        if debris and is_left_over(guest, debris):
            make.append(Heal((DeleteLink(guest, born),)))
        if not parent.up:
            make.append(SetUp(host, parent.name))
        data = (("IFLA_IPOIB_PKEY", pkey),) if pkey else ()
        options = f"pkey {pkey:#06x}" if pkey else ""
        make += [
            CreateStacked("ipoib", data, options, host, parent.name, guest, born, None),
            RenameLink(guest, born, wire.ifname),
            mark_unfinished(guest, wire.ifname),
        ]
        return LinkPlan(make, [mark_finished(guest, wire.ifname, wire), *way.last])

    def recognise(self, seen: Seen) -> Optional[FarSide]:
        return None if seen.loan else far_side(seen)

    def remnants(self, ground: Ground) -> Iterable[Remnant]:
        """Children come to the host when their guest ends, where other links end with it."""
        yield from half_made(ground, "ipoib")
        host = ground.host
        for link in host.links:
            if link.kind == "ipoib" and is_left_over(host.namespace, link):
                yield Remnant(f"link {link.name}, half made", (DeleteLink(host.namespace, link.name),))
            elif link.kind == "ipoib" and read_mark(link):
                yield Remnant(f"link {link.name}, whose guest is gone", (DeleteLink(host.namespace, link.name),))

    def is_in_vlans(self, wire: Wire, there: Wired) -> bool:
        """By the partition key, which is the parent's where none is given."""
        if wire.request.tag:
            return there.vlan == wire.request.tag.pkey | FULL_MEMBER
        parent = wire.far.netlink.link(wire.hostif)
        return there.vlan == (parent.vlan if parent else None)

    def say_tag(self, tag: int) -> str:
        """A partition key is hexadecimal."""
        return f"{tag:#06x}"


KIND = IPoIB()

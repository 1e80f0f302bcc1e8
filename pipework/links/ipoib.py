"""IP over InfiniBand: a child of the host's interface, in the guest.

InfiniBand is no Ethernet, so neither bridges nor macvlan go with it; its partitions take the place of VLANs.
"""

from __future__ import annotations

from pipework.actions.base import Action, Heal
from pipework.actions.links import CreateStacked, DeleteLink, RenameLink, SetUp
from pipework.errors import Refused
from pipework.links.base import LinkPlan, Wire
from pipework.links.conflicts import digest_name, is_left_over, make_way, mark_finished, mark_unfinished
from pipework.links.parent import find_nic


def plan(wire: Wire) -> LinkPlan:
    """Create the child in the parent's partition, or in that of the key given, and see that the parent is up."""
    request, host, guest = wire.request, wire.host, wire.guest.namespace
    if request.mac:
        raise Refused(f"MAC {request.mac}: IPoIB interfaces take their address from the hardware", "Leave the MAC out.")
    pkey = request.tag.pkey if request.tag else None
    parent = find_nic(wire)
    aside = make_way(wire)
    make: list[Action] = [*aside.first]
    # the kernel refuses a child that is born under its parent's name, in whatever namespace
    born = digest_name("vpi", f"{parent.name} {wire.guest.tag} {wire.ifname}")
    debris = guest.netlink.link(born)
    if debris and is_left_over(debris):
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
    return LinkPlan(make, [mark_finished(guest, wire.ifname, wire), *aside.last])

"""A free address of a range: the first that nobody has, the same as before where the guest has had one."""

from __future__ import annotations

from pipework.actions.addresses import AddRoute
from pipework.actions.base import Action
from pipework.actions.dhcp import AnnounceLease
from pipework.actions.files import MakeFolder, missing_folders
from pipework.actions.ranged import TakeFree
from pipework.address import Range
from pipework.addressing.base import Part, Room, ways_to
from pipework.links.base import Wire
from pipework.reserved import FILE, Holder, address_of


def plan(wire: Wire, wanted: Range, room: Room) -> Part:
    """Take it once the link is up, then the default route."""
    guest, link, near = wire.near.namespace, wire.ifname, wire.near
    holder = Holder(wire.hostif, f"{near.runtime}:{near.name}", link)
    settle: list[Action] = [
        *map(MakeFolder, missing_folders(FILE)),
        TakeFree(guest, link, wanted, holder, address_of(holder)),
    ]
    if wanted.gateway:
        far = wanted.gateway not in wanted.first.network
        settle += ways_to(wire, [wanted.gateway]) if far else []
        if room.routes:
            from pipework.actions.default_route import DeleteRoute  # few guests have one before

            settle += [DeleteRoute(guest, route) for route in room.routes]
        settle.append(AddRoute(guest, link, wanted.family, None, wanted.gateway, wire.request.metric))
    return Part(settle=[*settle, AnnounceLease(guest, link, wanted.family)])

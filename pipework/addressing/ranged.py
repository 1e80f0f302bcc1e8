"""A free address of a range: the first that nobody has, the same as before where the guest has had one."""

from __future__ import annotations

from pipework.actions.base import Action
from pipework.actions.dhcp import AnnounceLease
from pipework.actions.files import MakeFolder, missing_folders
from pipework.actions.ranged import TakeFree
from pipework.address import Range
from pipework.addressing.base import Part, Room, default_route
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
        settle += default_route(wire, wanted.gateway, room)
    return Part(settle=[*settle, AnnounceLease(guest, link, wanted.family)])

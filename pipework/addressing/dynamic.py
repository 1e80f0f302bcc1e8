"""An address that the network itself chooses: a switch of OVN."""

from __future__ import annotations

from pipework import links
from pipework.actions.base import Action
from pipework.actions.dhcp import AnnounceLease
from pipework.address import Dynamic
from pipework.addressing.base import Part, Room, default_route
from pipework.links.base import Wire


def plan(wire: Wire, wanted: Dynamic, room: Room) -> Part:
    """Take it, then the default route."""
    guest, link = wire.near.namespace, wire.ifname
    settle: list[Action] = list(links.kind(wire.kind).dynamic(wire))
    if wanted.gateway:
        settle += default_route(wire, wanted.gateway, room)
    return Part(settle=[*settle, AnnounceLease(guest, link, wanted.family)])

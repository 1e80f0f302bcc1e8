"""A fixed address, or none: the address, the default route, the announcement."""

from __future__ import annotations

from pipework import links
from pipework.actions.addresses import AddAddress, SettleAddress, broadcast_of
from pipework.actions.announce import Announce
from pipework.actions.base import Action
from pipework.address import Static
from pipework.addressing.base import Part, Room, default_route, ways_to
from pipework.links.base import Wire


def plan(wire: Wire, static: Static, room: Room) -> Part:
    """Decide, in the order that the kernel needs: a route needs its link up, a gateway its own route."""
    guest, link = wire.near.namespace, wire.ifname
    interface, gateway = static.interface, static.gateway
    prepare, assign, settle = list[Action](), list[Action](), list[Action]()
    if interface:
        prepare.append(AddAddress(guest, link, interface, broadcast_of(interface)))
    if gateway and wire.request.beside:
        assign += ways_to(wire, [gateway])
    elif gateway:
        assign += default_route(wire, gateway, room)
    if interface and interface.version == 6:
        settle.append(SettleAddress(guest, link, interface))
    if interface and links.kind(wire.kind).is_looked_for(wire):
        settle.append(Announce(*links.kind(wire.kind).neighbourhood(wire), interface.ip))
    if interface and interface.ip in wire.request.probed:
        return Part(settle=[*prepare, *assign, *settle])  # nothing before it is known that nobody has it
    return Part(prepare, assign, settle)

"""A fixed address, or none: the address, the default route, the announcement."""

from __future__ import annotations

from ipaddress import IPv4Interface

from pipework.actions.addresses import AddAddress, AddRoute, SettleAddress
from pipework.actions.announce import Announce
from pipework.actions.base import Action
from pipework.address import Address, Interface, Static
from pipework.addressing.base import Part, Room, ways_to
from pipework.links.base import Wire
from pipework.typed import Optional

LONGEST_WITH_BROADCAST = 30  # /31 and /32 have no broadcast address (RFC 3021)


def plan(wire: Wire, static: Static, room: Room) -> Part:
    """Decide, in the order that the kernel needs: a route needs its link up, a gateway its own route."""
    guest, link = wire.near.namespace, wire.ifname
    interface, gateway = static.interface, static.gateway
    prepare, assign, settle = list[Action](), list[Action](), list[Action]()
    if interface:
        prepare.append(AddAddress(guest, link, interface, _broadcast(interface)))
    if gateway:
        assign += ways_to(wire, [gateway])
    if gateway and not wire.request.beside:
        if room.routes:
            from pipework.actions.default_route import DeleteRoute  # few guests have one before

            assign += [DeleteRoute(guest, route) for route in room.routes]
        assign.append(AddRoute(guest, link, static.family, None, gateway, wire.request.metric))
    if interface and interface.version == 6:
        settle.append(SettleAddress(guest, link, interface))
    if interface:
        settle.append(Announce(guest, link, interface.ip))
    if interface and interface.ip in wire.request.probed:
        return Part(settle=[*prepare, *assign, *settle])  # nothing before it is known that nobody has it
    return Part(prepare, assign, settle)


def _broadcast(interface: Interface) -> Optional[Address]:
    if isinstance(interface, IPv4Interface) and interface.network.prefixlen <= LONGEST_WITH_BROADCAST:
        return interface.network.broadcast_address
    return None

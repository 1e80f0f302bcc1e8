"""A fixed address, or none: the address, the link up, the default route, the announcement."""

from __future__ import annotations

from ipaddress import IPv4Interface

from pipework.actions.addresses import AddAddress, AddRoute, EnableIPv6, SettleAddress
from pipework.actions.announce import Announce
from pipework.actions.base import Action
from pipework.actions.links import SetUp
from pipework.addressing.base import AddressPlan, replaced_routes
from pipework.links.base import Wire
from pipework.model import Address, Interface, Static
from pipework.typed import Optional

LONGEST_WITH_BROADCAST = 30  # /31 and /32 have no broadcast address (RFC 3021)


def plan(wire: Wire) -> AddressPlan:
    """Decide, in the order that the kernel needs: a route needs its link up, a gateway its own route."""
    static, guest, link = wire.request.address, wire.near.namespace, wire.ifname
    assert isinstance(static, Static)
    interface, gateway = static.interface, static.gateway
    assign: list[Action] = []
    if static.family == 6 and (interface or gateway):
        assign.append(EnableIPv6(guest, link))
    if interface:
        assign.append(AddAddress(guest, link, interface, _broadcast(interface)))
    assign.append(SetUp(guest, link))
    if gateway:
        assign += _default_route(wire, static, gateway)
    settle: list[Action] = []
    if interface and interface.version == 6:
        settle.append(SettleAddress(guest, link, interface))
    if interface:
        settle.append(Announce(guest, link, interface.ip))
    return AddressPlan(assign, settle)


def _broadcast(interface: Interface) -> Optional[Address]:
    if isinstance(interface, IPv4Interface) and interface.network.prefixlen <= LONGEST_WITH_BROADCAST:
        return interface.network.broadcast_address
    return None


def _default_route(wire: Wire, static: Static, gateway: Address) -> list[Action]:
    guest, link, family = wire.near.namespace, wire.ifname, static.family
    on_link = gateway.is_link_local and family == 6
    on_link = on_link or bool(static.interface and gateway in static.interface.network)
    steps: list[Action] = [] if on_link else [AddRoute(guest, link, family, gateway, None)]
    replaced = replaced_routes(wire, family)
    if replaced:
        from pipework.actions.default_route import DeleteRoute  # few guests have one before
        from pipework.actions.notes import NoteRoutes

        steps += [NoteRoutes(guest, link, replaced), *(DeleteRoute(guest, route) for route in replaced)]
    return [*steps, AddRoute(guest, link, family, None, gateway)]

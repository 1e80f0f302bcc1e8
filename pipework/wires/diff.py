"""How a wire that is there differs from the one that is asked for."""

from __future__ import annotations

from ipaddress import ip_interface

from pipework import links
from pipework.kernel.namespaces import Namespace
from pipework.links.base import Wire, Wired
from pipework.model import Dhcp, Static
from pipework.typed import Union


def is_as_asked(wire: Wire, there: Wired) -> bool:
    """Whether nothing is left to do: it leads to the same place, has the same names and addresses, and works."""
    request = wire.request
    # the cable of a NIC is not ours to plug in
    works = there.state == "up" or (there.state == "no carrier" and not there.link)
    leads = (there.kind, there.hostif, there.vlan) == (wire.kind, wire.hostif, links.kind(wire.kind).wanted_tag(wire))
    same_names = request.mac in (None, there.mac) and (not there.link or request.local_name in (None, there.link))
    return works and leads and same_names and _has_address(request.address, wire.near.namespace, there)


def _has_address(address: Union[Static, Dhcp], guest: Namespace, there: Wired) -> bool:
    if not isinstance(address, Static):
        return bool(there.addresses)
    wanted = [address.interface] if address.interface else []
    if list(map(ip_interface, there.addresses)) != wanted:
        return False
    ifindex = there.there.ifindex if there.there else 0
    gateways = [route.gateway for route in guest.netlink.default_routes(address.family) if route.link == ifindex]
    return gateways == ([str(address.gateway)] if address.gateway else [])

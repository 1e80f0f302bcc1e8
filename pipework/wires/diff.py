"""How a wire that is there differs from the one that is asked for."""

from __future__ import annotations

from pipework import links, notes
from pipework.kernel import processes
from pipework.kernel.namespaces import Namespace
from pipework.kernel.records import Link
from pipework.links.base import Wire, Wired
from pipework.model import Dhcp, Static
from pipework.notes import Asked, Lease
from pipework.typed import Union


def is_as_asked(wire: Wire, there: Wired) -> bool:
    """Whether nothing is left to do: it leads to the same place, has the same names and addresses, and works."""
    request = wire.request
    # the cable of a NIC is not ours to plug in
    works = there.state == "up" or (there.state == "no carrier" and not there.link)
    leads = (there.kind, there.hostif, there.vlan) == (wire.kind, wire.hostif, links.kind(wire.kind).wanted_tag(wire))
    same_names = request.mac in (None, there.mac) and (not there.link or request.local_name in (None, there.link))
    return works and leads and same_names and _has_address(request.address, wire.near.namespace, there)


def _has_address(address: Union[Static, Dhcp], guest: Namespace, wired: Wired) -> bool:
    link, there = wired.there, wired.assigned
    if link is None:
        return False
    if not isinstance(address, Static):
        return any(one.may_be_leased(address.family) for one in there) and _is_kept_as_asked(address, guest, link)
    # what the LAN's routers have brought about comes and goes with them
    kept = [one for one in there if not one.is_routers]
    wanted = [address.interface] if address.interface else []
    if [one.interface for one in kept] != wanted or not all(one.is_permanent for one in kept):
        return False
    routes = [route for route in guest.netlink.default_routes(address.family) if route.link == link.ifindex]
    gateways = [route.gateway for route in routes if not route.is_routers]
    leased = notes.of_link(Lease, guest, link)  # who keeps a lease would change what is fixed
    return leased is None and gateways == ([str(address.gateway)] if address.gateway else [])


def _is_kept_as_asked(address: Dhcp, guest: Namespace, link: Link) -> bool:
    """Whether the client is the one that is asked for, and goes on if it is to."""
    asked = notes.of_link(Asked, guest, link)  # which earlier versions have not noted
    if asked and asked.address != address.text:
        return False
    from pipework.addressing.dhcp import stays  # most wires have no lease

    lease = notes.of_link(Lease, guest, link)
    if not stays(address):
        return lease is None
    return lease is not None and (not lease.supervisor or processes.is_alive(lease.supervisor))

"""``--replace``: leave a wire that is as asked alone, and put one that is not aside for the new one."""

from __future__ import annotations

from collections.abc import Sequence
from errno import ENODEV

from pipework import firewall, guests, links
from pipework.actions.openvswitch import RemovePort
from pipework.addressing.returning import bring_back, noted_routes
from pipework.attach import decide
from pipework.carry_out import Action, rehearsing, undoing
from pipework.errors import KernelRefused, Refused
from pipework.guests import Guest
from pipework.inventory import Host, Wired, find_of
from pipework.kernel import ovsdb, sysfs
from pipework.kernel.namespaces import Namespace
from pipework.kernel.records import Link, Route
from pipework.links import Wire
from pipework.links.naming import put_aside, removal
from pipework.request import Attach
from pipework.typed import Optional, Union
from pipework.value import Value
from pipework.words import Dhcp, Static


def replace(request: Attach) -> None:
    """See to it that the guest has the wire that is asked for, or leave everything as it was.  Raises PipeworkError."""
    guest = guests.find(request.guest)
    with Namespace.own() as host, guest.namespace, rehearsing() if request.dry_run else undoing() as log:
        with log.alone():
            if _is_lent_as_asked(request, host, guest):
                return
            kind, wire = links.resolve(request, host, guest)
            old = _look(wire)
            if old.as_asked:
                return
            log.carry_out(old.first)
            plan = decide(kind, wire.replace(vacated=bool(old.first), returned=old.returned))
            log.carry_out(plan.at_once)
        log.carry_out([*plan.afterwards, *old.last])
    if plan.hold and not request.dry_run:
        plan.hold()


class Old(Value):
    """The wire that is there: whether it is as asked, what puts it aside at first, and what removes it in the end.

    returned: the default routes that it had replaced, which come back at first.
    """

    as_asked: bool
    first: Sequence[Action] = ()
    last: Sequence[Action] = ()
    returned: tuple[Route, ...] = ()


def _is_lent_as_asked(request: Attach, host: Namespace, guest: Guest) -> bool:
    """Whether HOSTIF is in the guest already, as --direct-phys would put it there: it is not on the host then."""
    if not request.direct_phys or sysfs.exists(request.hostif):
        return False
    ifname = request.ifname or "eth1"
    there = _find(Host.read(host), guest, ifname)
    if there is None or (there.kind, there.hostif) != ("nic", request.hostif):
        return False
    return request.mac in (None, there.mac) and _has_address(request.address, guest.namespace, there)


def _look(wire: Wire) -> Old:
    """Look at the wire that the guest has under that name.

    Raises Refused for a NIC on loan, which is not put aside but brought home.
    """
    host, guest = Host.read(wire.host), wire.guest.namespace
    there = _find(host, wire.guest, wire.ifname)
    if there is None:
        return Old(False)
    if _is_as_asked(wire, there):
        return Old(True)
    if there.kind in ("nic", "vlan"):
        raise Refused(
            f"{wire.ifname} of {wire.guest.name} is a NIC on loan",
            f"Take it back first: pipework del {wire.request.guest} -i {wire.ifname}",
        )
    first: list[Action] = []
    port = ovsdb.port(there.link) if there.kind == "openvswitch" else None
    if port:
        first.append(RemovePort(port))
    ends = [(wire.host, there.link)] if there.link else []
    links = [(namespace, _link(namespace, name)) for namespace, name in [*ends, (guest, wire.ifname)]]
    last: list[Action] = [removal(*links[0])]
    if there.kind == "bridge" and there.hostif != wire.hostif and host.guests_of(there.hostif) <= {there.link}:
        last += firewall.withdrawal(there.hostif)
    first += [put_aside(namespace, link) for namespace, link in links]
    first += bring_back(guest, wire.ifname, there.mac)
    return Old(False, first, last, noted_routes(guest, wire.ifname, there.mac))


def _find(host: Host, guest: Guest, ifname: str) -> Optional[Wired]:
    return next((wired for wired in find_of(host, guest) if wired.ifname == ifname), None)


def _is_as_asked(wire: Wire, there: Wired) -> bool:
    request = wire.request
    vlan = request.tag.vlan if request.tag and wire.kind != "ipoib" else None
    same_link = (there.kind, there.hostif, there.vlan) == (wire.kind, wire.hostif, vlan) and there.state == "up"
    same_names = request.mac in (None, there.mac) and request.local_name in (None, there.link)
    return same_link and same_names and _has_address(request.address, wire.guest.namespace, there)


def _has_address(address: Union[Static, Dhcp], guest: Namespace, there: Wired) -> bool:
    if not isinstance(address, Static):
        return bool(there.addresses)
    wanted = (address.interface.with_prefixlen,) if address.interface else ()
    if there.addresses != wanted:
        return False
    number = guest.netlink.index(there.ifname)
    gateways = [route.gateway for route in guest.netlink.default_routes(address.family) if route.link == number]
    return gateways == ([str(address.gateway)] if address.gateway else [])


def _link(namespace: Namespace, name: str) -> Link:
    link = namespace.netlink.link(name)
    if link is None:
        raise KernelRefused(ENODEV, f"there is no link {name}")
    return link

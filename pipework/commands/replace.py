"""``--replace``: leave a wire that is as asked alone, and put one that is not aside for the new one."""

from __future__ import annotations

from collections.abc import Sequence
from errno import ENODEV

from pipework import addressing, guests, links, notes
from pipework.actions.base import Action
from pipework.actions.links import SetMac
from pipework.actions.nic import Home
from pipework.actions.openvswitch import RemovePort
from pipework.actions.stash import Strip
from pipework.commands.attach import Plan, decide
from pipework.default_routes import bring_back, noted_routes
from pipework.errors import KernelRefused, Refused
from pipework.executor import rehearsing, undoing
from pipework.firewall import iptables as firewall
from pipework.guests.base import Guest
from pipework.kernel import ovsdb, sysfs
from pipework.kernel.namespaces import Namespace
from pipework.kernel.records import Link, Route
from pipework.links.base import Wire
from pipework.links.completing import left_to_do
from pipework.links.conflicts import mark_finished, mark_unfinished, put_aside, removal
from pipework.model import Attach, Dhcp, Static
from pipework.notes import Page
from pipework.typed import Optional, Union
from pipework.value import Value
from pipework.wires.inventory import Host, Wired, find_of
from pipework.wires.teardown import farewell

LENT = ("nic", "vlan")  # kinds of links that --direct-phys hands over
FULL_MEMBER = 0x8000  # of a partition, which IPoIB children always are (drivers/infiniband/ulp/ipoib/ipoib_netlink.c)


def replace(request: Attach) -> None:
    """See to it that the guest has the wire that is asked for, or leave everything as it was.  Raises PipeworkError."""
    guest = guests.find(request.guest)
    with Namespace.own() as host, guest.namespace, rehearsing() if request.dry_run else undoing() as log:
        with log.alone():
            lent = _find_lent(request, host, guest)
            if lent and _is_as_asked(lent.wire, lent.there):
                return
            if lent:
                plan = _change_in_place(lent)
            else:
                kind, wire = links.resolve(request, host, guest)
                old = _look(wire)
                if old.as_asked:
                    log.carry_out(left_to_do(wire, old.local))
                    return
                log.carry_out(old.first)
                plan = decide(kind, wire.replace(vacated=bool(old.first), returned=old.returned))
                plan = plan.replace(afterwards=[*plan.afterwards, *old.last])
            log.carry_out(plan.at_once)
        log.carry_out(plan.afterwards)
    if plan.hold and not request.dry_run:
        plan.hold()


class Old(Value):
    """The wire that is there: whether it is as asked, what puts it aside at first, and what removes it in the end.

    returned: the default routes that it had replaced, which come back at first; local: the host's end.
    """

    as_asked: bool
    first: Sequence[Action] = ()
    last: Sequence[Action] = ()
    returned: tuple[Route, ...] = ()
    local: str = ""


class Lent(Value):
    """A NIC that the guest has already, as --direct-phys would put it there: the wire as asked, and as it is."""

    wire: Wire
    there: Wired
    home_mac: str


def _find_lent(request: Attach, host: Namespace, guest: Guest) -> Optional[Lent]:
    """The NIC, or the VLAN link of one, that is on loan to the guest; None: it is not the one that is asked for."""
    ifname = request.ifname or "eth1"
    there = _find(Host.read(host), guest, ifname) if request.direct_phys else None
    if there is None or there.kind not in LENT:
        return None
    note = notes.read(Page("nic", guest.namespace.cookie, ifname))
    home = Home.from_note(note) if note else None
    names = [there.hostif, f"mac:{home.link.mac}"] if home else [there.hostif]
    vlan = request.tag.vlan if request.tag else None
    if (request.hostif in names or _is_mac_of(request.hostif, there)) and vlan == there.vlan:
        return Lent(Wire(request, host, guest, "direct", there.hostif, ifname), there, home.link.mac if home else "")
    return None


def _is_mac_of(hostif: str, there: Wired) -> bool:
    return hostif.startswith("mac:") and sysfs.with_mac(hostif[len("mac:") :]) == there.hostif


def _change_in_place(lent: Lent) -> Plan:
    """Another address, gateway or MAC for a NIC on loan, which stays where it is."""
    wire, guest, name = lent.wire, lent.wire.guest.namespace, lent.wire.ifname
    netlink, link = guest.netlink, _link(guest, name)
    at_once: list[Action] = [
        *farewell(guest, lent.there),
        mark_unfinished(guest, name, link.alias),
        *bring_back(guest, name, link.mac),
        Strip(guest, name, link.up, tuple(netlink.addresses(link.ifindex)), netlink.routes_via(link.ifindex)),
    ]
    mac = wire.request.mac or lent.home_mac or link.mac
    if mac != link.mac:
        at_once.append(SetMac(guest, name, mac, link.mac))
    address = addressing.choose(wire).plan(wire)
    finish = [*address.settle, mark_finished(guest, name, wire)]
    return Plan([*at_once, *address.assign], finish, address.hold)


def _look(wire: Wire) -> Old:
    """Look at the wire that the guest has under that name.

    Raises Refused for a NIC on loan, which is not put aside but brought home.
    """
    host, guest = Host.read(wire.host), wire.guest.namespace
    there = _find(host, wire.guest, wire.ifname)
    if there is None:
        return Old(False)
    if _is_as_asked(wire, there):
        return Old(True, local=there.link)
    if there.kind in LENT:
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
    returning = bring_back(guest, wire.ifname, there.mac)
    last: list[Action] = [removal(*links[0])]
    if there.kind == "bridge" and there.hostif != wire.hostif and host.guests_of(there.hostif) <= {there.link}:
        last += firewall.withdrawal(there.hostif)
    for namespace, link in links:
        first += put_aside(namespace, link, returning if namespace is guest else ())
    return Old(False, first, last, noted_routes(guest, wire.ifname, there.mac))


def _find(host: Host, guest: Guest, ifname: str) -> Optional[Wired]:
    return next((wired for wired in find_of(host, guest) if wired.ifname == ifname), None)


def _is_as_asked(wire: Wire, there: Wired) -> bool:
    request = wire.request
    kinds = LENT if wire.kind == "direct" else (wire.kind,)
    # the cable of a NIC is not ours to plug in
    works = there.state == "up" or (there.state == "no carrier" and not there.link)
    same_link = works and there.kind in kinds and (there.hostif, there.vlan) == (wire.hostif, _tag(wire))
    same_names = request.mac in (None, there.mac) and (not there.link or request.local_name in (None, there.link))
    return same_link and same_names and _has_address(request.address, wire.guest.namespace, there)


def _tag(wire: Wire) -> Optional[int]:
    """The VLAN, or the partition key of an IPoIB child."""
    tag = wire.request.tag
    if wire.kind != "ipoib":
        return tag.vlan if tag else None
    parent = wire.host.netlink.link(wire.hostif)
    return tag.pkey | FULL_MEMBER if tag else parent.vlan if parent else None


def _has_address(address: Union[Static, Dhcp], guest: Namespace, there: Wired) -> bool:
    if not isinstance(address, Static):
        return bool(there.addresses)
    wanted = (address.interface.with_prefixlen,) if address.interface else ()
    if there.addresses != wanted:
        return False
    ifindex = guest.netlink.index(there.ifname)
    gateways = [route.gateway for route in guest.netlink.default_routes(address.family) if route.link == ifindex]
    return gateways == ([str(address.gateway)] if address.gateway else [])


def _link(namespace: Namespace, name: str) -> Link:
    link = namespace.netlink.link(name)
    if link is None:
        raise KernelRefused(ENODEV, f"there is no link {name}")
    return link

"""``--replace``: leave a wire that is as asked alone, put one that is not aside for the new one."""

from __future__ import annotations

from pipework import addressing, guests, links, notes
from pipework.actions.base import Action
from pipework.actions.links import SetAlias, SetMac
from pipework.actions.stash import DeleteAddress, TakeDown
from pipework.commands.session import Plan, decide, session
from pipework.default_routes import bring_back, noted_routes
from pipework.errors import Refused
from pipework.guests.base import Guest
from pipework.kernel import sysfs
from pipework.leases import clients_of, leases_of
from pipework.links.base import Host, Wire, Wired, mark_finished
from pipework.links.conflicts import left_to_do
from pipework.links.loan import loan_of
from pipework.links.stash import Way
from pipework.marks import unfinished_alias
from pipework.model import Attach
from pipework.typed import Optional
from pipework.value import Value
from pipework.wires.diff import is_as_asked
from pipework.wires.inventory import find


def replace(request: Attach) -> None:
    """See to it that the guest has the wire that is asked for, or leave everything as it was.  Raises PipeworkError."""
    notes.check_kept()
    guest = guests.find(request.guest)
    with session(request.dry_run, guest) as (host, log):
        with log.alone():
            known = Host(host)
            lent = _find_lent(request, known, guest)
            if lent and is_as_asked(lent.wire, lent.there):
                return
            if lent:
                plan = _change_in_place(lent)
            else:
                kind, wire = links.resolve(request, host, guest)
                old = _look(known, wire)
                if old and is_as_asked(wire, old):
                    log.carry_out(left_to_do(kind, wire, old.link))
                    return
                way = _put_aside(known, wire, old) if old else Way()
                returned = noted_routes(guest.namespace, old.there) if old and old.there else ()
                log.carry_out(way.first)
                plan = decide(kind, wire.replace(vacated=old is not None, returned=returned))
                plan = plan.replace(afterwards=[*plan.afterwards, *way.last])
            log.carry_out(plan.at_once)
        log.carry_out(plan.afterwards)
    if plan.hold and not request.dry_run:
        plan.hold()


class Lent(Value):
    """A NIC that the guest has already, as --direct-phys would put it there: the wire as asked, and as it is."""

    wire: Wire
    there: Wired
    home_mac: str


def _find_lent(request: Attach, host: Host, guest: Guest) -> Optional[Lent]:
    """The NIC, or the VLAN link of one, that is on loan to the guest; None: it is not the one that is asked for."""
    ifname = request.ifname or "eth1"
    there = find(host, guest, ifname) if request.direct_phys else None
    if there is None or not links.kind(there.kind).handed_over:
        return None
    loan = loan_of(guest.namespace, there)
    home_mac = loan.home.link.mac if loan else ""
    names = (there.hostif, f"mac:{home_mac}")
    vlan = request.tag.vlan if request.tag else None
    if (request.hostif in names or _is_mac_of(request.hostif, there)) and vlan == there.vlan:
        return Lent(Wire(request, host.namespace, guest, there.kind, there.hostif, ifname), there, home_mac)
    return None


def _is_mac_of(hostif: str, there: Wired) -> bool:
    return hostif.startswith("mac:") and sysfs.with_mac(hostif[len("mac:") :]) == there.hostif


def _change_in_place(lent: Lent) -> Plan:
    """Another address, gateway or MAC for a NIC on loan, which stays where it is."""
    wire, guest, name, link = lent.wire, lent.wire.near.namespace, lent.wire.ifname, lent.there.there
    assert link
    addresses = guest.netlink.addresses(link.ifindex)
    returning = bring_back(guest, link)
    at_once: list[Action] = [
        *clients_of(guest, link),
        SetAlias(guest, name, unfinished_alias(), link.alias, passing=True),
        *returning.steps,
        TakeDown(guest, name, link.up, tuple(addresses), guest.netlink.routes_via(link.ifindex)),
        *returning.finish,
        # the first one last, for others may go with it
        *(DeleteAddress(guest, name, address) for address in reversed(addresses)),
    ]
    mac = wire.request.mac or lent.home_mac or link.mac
    if mac != link.mac:
        at_once.append(SetMac(guest, name, mac, link.mac))
    address = addressing.choose(wire).plan(wire)
    finish = [*address.settle, mark_finished(guest, name, wire)]
    return Plan([*at_once, *address.assign], finish, address.hold)


def _look(host: Host, wire: Wire) -> Optional[Wired]:
    """The wire that the guest has under that name, or None.

    Raises Refused for a NIC on loan that is not as asked, for that is not put aside but brought home.
    """
    there = find(host, wire.near, wire.ifname)
    if there and links.kind(there.kind).handed_over and not is_as_asked(wire, there):
        raise Refused(
            f"{wire.ifname} of {wire.near.name} is a NIC on loan",
            f"Take it back first: pipework del {wire.request.guest} -i {wire.ifname}",
        )
    return there


def _put_aside(host: Host, wire: Wire, there: Wired) -> Way:
    """Put it aside, and forget in the end who kept its lease: without its link that one ends by itself."""
    assert there.there
    way = links.kind(there.kind).put_aside(host, wire, there)
    return way.replace(last=[*way.last, *leases_of(wire.near.namespace, there.there)])

"""``--replace``: leave a wire that is as asked alone, put one that is not aside for the new one."""

from __future__ import annotations

import time

from pipework import addressing, guests, links, notes
from pipework.actions.addresses import SetMtu
from pipework.actions.base import Action
from pipework.actions.links import SetAlias, SetMac
from pipework.actions.stash import DeleteAddress, TakeDown
from pipework.commands.session import Log, Plan, decide, keep, session
from pipework.default_routes import bring_back, noted_routes
from pipework.errors import BeingMade, Refused
from pipework.guests.base import Guest
from pipework.kernel import signals
from pipework.kernel.namespaces import Namespace
from pipework.leases import asked_of, clients_of, leases_of
from pipework.links.base import Host, Wire, Wired, mark_finished
from pipework.links.conflicts import left_to_do
from pipework.links.stash import Way
from pipework.marks import unfinished_alias
from pipework.model import Attach
from pipework.typed import Callable, Optional
from pipework.wires.diff import is_as_asked
from pipework.wires.inventory import find, maker_of
from pipework.wires.lent import Lent, find_lent

PATIENCE = 60.0  # seconds for another command to finish a wire
PAUSE = 0.02  # seconds between two looks at it


def replace(request: Attach) -> None:
    """See to it that the guest has the wire that is asked for, or leave everything as it was.  Raises PipeworkError."""
    notes.check_kept()
    guest = guests.find(request.guest)
    with session(request.dry_run, guest) as (host, log):
        kept = keep(request, guest)
        plan = see_to(request, guest, host, log)
        log.carry_out(kept)
    if plan and plan.hold and not request.dry_run:
        plan.hold()


def see_to(request: Attach, guest: Guest, host: Namespace, log: Log) -> Optional[Plan]:
    """Look, decide and carry out; what was carried out, None where the wire is as asked.  Raises PipeworkError."""
    return in_turn(lambda: _begin(request, guest, host, log), log)


def in_turn(begin: Callable[[], Plan], log: Log) -> Optional[Plan]:
    """Begin while no other command decides or plugs, nor is just making that wire, and do what is left to do.

    What was carried out, None where begin has found nothing to do.  Raises PipeworkError.
    """
    until = time.monotonic() + PATIENCE
    while True:
        try:
            with log.alone():
                plan = begin()
            break
        except BeingMade:  # by a command that needs the lock to finish it
            if time.monotonic() > until:
                raise
            signals.sleep(PAUSE)
    log.carry_out(plan.afterwards)
    return plan if plan.at_once else None


def _begin(request: Attach, guest: Guest, host: Namespace, log: Log) -> Plan:
    """What must be done while no other command decides or plugs; what is left is to do afterwards."""
    known = Host(host)
    on_loan = find(known, guest, request.ifname or "eth1") if request.direct_phys else None
    lent = find_lent(request, host, guest, on_loan)
    if lent and is_as_asked(lent.wire, lent.there):
        return Plan((), addressing.checks(lent.wire))
    if lent:
        plan = _change_in_place(lent)
    else:
        kind, wire = links.resolve(request, host, guest)
        old = look(known, wire)
        if old and is_as_asked(wire, old):
            log.carry_out(left_to_do(kind, wire, old.link))
            return Plan((), addressing.checks(wire))
        way = put_aside(known, wire, old) if old else Way()
        returned = noted_routes(guest.namespace, old.there) if old and old.there else ()
        log.carry_out(way.first)
        plan = decide(kind, wire.replace(vacated=old is not None, returned=returned))
        plan = plan.replace(afterwards=[*plan.afterwards, *way.last])
    log.carry_out(plan.at_once)
    return plan


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
    home = lent.home or link
    mac = wire.request.mac or home.mac
    if mac != link.mac:
        at_once.append(SetMac(guest, name, mac, link.mac))
    if not wire.request.mtu and home.mtu != link.mtu:
        at_once.append(SetMtu(guest, name, home.mtu, link.mtu))
    address = addressing.plan(wire)
    finish = [*address.settle, mark_finished(guest, name, wire)]
    return Plan([*at_once, *address.assign], finish, address.hold)


def look(host: Host, wire: Wire) -> Optional[Wired]:
    """The wire that the guest has under that name, or None.

    Raises Refused for a NIC on loan that is not as asked, for that is not put aside but brought home, and BeingMade.
    """
    there = find(host, wire.near, wire.ifname)
    maker = maker_of(host, there) if there else 0
    if maker:
        raise BeingMade(
            f"{wire.ifname} of {wire.near.name} has been in the making by process {maker} for {PATIENCE:.0f} s",
            f"See what that waits for: ps -fp {maker}",
        )
    if there and there.state == "unfinished":  # it may have been finished since that look
        there = find(Host(host.namespace), wire.near, wire.ifname)
    if there and links.kind(there.kind).handed_over and not is_as_asked(wire, there):
        raise Refused(
            f"{wire.ifname} of {wire.near.name} is a NIC on loan",
            f"Take it back first: pipework del {wire.request.guest} -i {wire.ifname}",
        )
    return there


def put_aside(host: Host, wire: Wire, there: Wired) -> Way:
    """Put it aside, and forget in the end who kept its lease: without its link that one ends by itself."""
    assert there.there
    guest, way = wire.near.namespace, links.kind(there.kind).put_aside(host, wire, there)
    return Way([*way.first, *asked_of(guest, there.there)], [*way.last, *leases_of(guest, there.there)])

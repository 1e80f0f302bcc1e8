"""``wire``: find both guests, plan the pair and the addresses of both ends, carry out."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack

from pipework import addressing, notes
from pipework.actions.notice import Notice
from pipework.commands.replace import in_turn, look, put_aside
from pipework.commands.session import Log, Plan, checked, session
from pipework.default_routes import noted_routes
from pipework.guests.base import Guest
from pipework.kernel import signals, sysfs
from pipework.kernel.namespaces import Namespace
from pipework.links import peer
from pipework.links.base import Host, Wire, Wired
from pipework.requests import Connect
from pipework.typed import Optional
from pipework.wires.pairs import are_as_asked, are_joined, find_guests, leads_nowhere, wires_of

PATIENCE = 2.0  # seconds for the kernel to remove what a guest that has ended leaves in the other
PAUSE = 0.02  # seconds between two looks at it


def connect(request: Connect) -> None:
    """Join the guests, or leave everything as it was.  Raises PipeworkError."""
    if request.replace_wire:
        notes.check_kept()
    with ExitStack() as opened:
        found = find_guests(request.ends, opened)
        with session(request.dry_run) as (host, log):
            if request.replace_wire:
                see_to(request, found, host, log)
            else:
                _make(wires_of(request, found), log)


def see_to(request: Connect, found: Sequence[Guest], host: Namespace, log: Log) -> Optional[Plan]:
    """Look, decide and carry out; what was carried out, None where the wire is as asked.  Raises PipeworkError."""
    wires = wires_of(request, found)
    _await_removal(wires)
    return in_turn(lambda: _begin(wires, host, log), log)


def _make(wires: tuple[Wire, Wire], log: Log) -> None:
    _await_removal(wires)
    with log.alone():
        plan = _decide(wires)
        log.carry_out(plan.at_once)
    log.carry_out(plan.afterwards)


def _await_removal(wires: Sequence[Wire]) -> None:
    """Where the guest at the other end of what is in the way has ended, wait until the kernel has removed that."""
    until = time.monotonic() + PATIENCE
    while any(map(leads_nowhere, wires)) and time.monotonic() < until:
        signals.sleep(PAUSE)


def _decide(wires: tuple[Wire, Wire]) -> Plan:
    """Read both guests and decide what to do.  Raises PipeworkError, having touched nothing."""
    link = peer.plan(*wires)
    # both ends are born with their MTU
    ends = [addressing.plan(wire.replace(request=wire.request.replace(mtu=None))) for wire in wires]
    assign = [step for end in ends for step in end.assign]
    settle = [step for end in ends for step in end.settle]
    notices = [notice for wire in wires for notice in _dead_ends(wire)]
    return checked(Plan([*link.make, *assign], [*settle, *link.finish, *notices]))


def _dead_ends(wire: Wire) -> Iterator[Notice]:
    """What to say of a default route by way of a guest that passes nothing on."""
    for family in sorted({one.family for one in wire.request.addresses if one.sets_default_route}):
        with wire.far.entered():
            if sysfs.passes_on(family):
                continue
        setting = "net.ipv4.ip_forward" if family == 4 else "net.ipv6.conf.all.forwarding"
        yield Notice(
            f"{wire.hostif} does not forward IPv{family}, so the default route of {wire.near.name} ends there; "
            f"to have it do so: {wire.far.say(f'sysctl -w {setting}=1')}"
        )


def _begin(wires: tuple[Wire, Wire], host: Namespace, log: Log) -> Plan:
    """What must be done while no other command decides or plugs; what is left is to do afterwards."""
    known = Host(host)
    there = [look(known, wire) for wire in wires]
    if are_as_asked(wires, there):
        return Plan((), ())
    in_the_way = list(zip(wires, there))[: 1 if are_joined(wires, there) else None]
    ways = [put_aside(known, wire, old) for wire, old in in_the_way if old]
    one, other = (_vacated(wire, old) for wire, old in zip(wires, there))
    for way in ways:
        log.carry_out(way.first)
    plan = _decide((one, other))
    log.carry_out(plan.at_once)
    return plan.replace(afterwards=[*plan.afterwards, *(step for way in ways for step in way.last)])


def _vacated(wire: Wire, old: Optional[Wired]) -> Wire:
    """The same, where what has its name is put out of the way."""
    if old is None or old.there is None:
        return wire
    return wire.replace(vacated=True, returned=noted_routes(wire.near.namespace, old.there))

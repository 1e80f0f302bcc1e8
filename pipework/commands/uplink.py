"""``uplink``: make a NIC a bridge's way into the network, with this host's own addresses; or take that back."""

from __future__ import annotations

import sys

from pipework import links, notes, uplinks
from pipework.actions.uplink import AwaitConsent
from pipework.commands.session import session
from pipework.errors import Refused, one_line, warn
from pipework.kernel import guard
from pipework.kernel.namespaces import Namespace
from pipework.links.base import Host
from pipework.requests import Uplink
from pipework.typed import Optional
from pipework.uplinks.base import Plan
from pipework.wires.inventory import find_all


def uplink(request: Uplink) -> None:
    """Do it in a child that outlives the terminal, for this host may be reached by that very NIC.

    All is as before unless the gateway answers over the bridge and, where somebody sits at a terminal, they agree.
    Raises PipeworkError.
    """
    notes.check_kept()
    if request.confirm is not None and not sys.stdin.isatty():
        raise Refused("--confirm asks at a terminal, and standard input is none", "Leave it out.")
    if request.dry_run:
        _carry_out(request, None)
        return
    side = guard.apart()
    if isinstance(side, guard.Asker):
        _carry_out(request, side)
        return
    status = side.wait()
    if status < 0:
        _go_back(request)
        back = "has all again that it had" if request.undo else "is as before"
        warn(f"was killed by signal {-status} while it moved {request.nic}, which {back}")
        status = 128 - status
    guard.leave(status)


def _carry_out(request: Uplink, asker: Optional[guard.Asker]) -> None:
    if request.undo:
        _take_back(request)
    else:
        _make(request, asker)


def _make(request: Uplink, asker: Optional[guard.Asker]) -> None:
    with session(request.dry_run) as (host, log):
        with log.alone():
            plan = uplinks.plan(host, request.bridge, request.nic, request.timeout)
            if plan.home:
                _check_wires(host, request)
            log.carry_out(plan.at_once)
        log.carry_out(plan.awaited)
        if plan.home and asker and sys.stdin.isatty():
            log.carry_out([AwaitConsent(asker, request.patience)])
        log.carry_out(plan.done)
    if plan.home:
        _tell(request, plan)


def _check_wires(host: Namespace, request: Uplink) -> None:
    """Refuse a NIC that guests stand on, which excludes being a bridge's port.  Raises Refused."""
    # one that is handed over whole is not here, so it was another host's
    shared = (wired for wired in find_all(Host(host)) if not links.kind(wired.kind).handed_over)
    standing = next((wired for wired in shared if wired.hostif == request.nic), None)
    if standing and not standing.vlan:
        raise Refused(
            f"{standing.ifname} of {standing.guest} stands on {request.nic} ({standing.kind}), "
            "which excludes being a bridge's port",
            f"Take that back first, and wire it to {request.bridge} then: "
            f"pipework del {standing.runtime}:{standing.guest} -i {standing.ifname}",
        )


def _tell(request: Uplink, plan: Plan) -> None:
    """Say who else minds the NIC, and where nobody was there to answer."""
    if not plan.targets:
        warn(f"nobody behind {request.nic} is known, so nobody was asked whether the network is still there")
    for line in plan.told:
        print(one_line(line if line.startswith(" ") else f"pipework: {line}"), file=sys.stderr)


def _take_back(request: Uplink) -> None:
    with session(request.dry_run) as (host, log), log.alone():
        note = uplinks.note_of(host, request.nic)
        if note is None or note.bridge != request.bridge:
            raise Refused(
                f"pipework has made no uplink of {request.nic} to {request.bridge} since the last boot",
                f"See what it is: ip -d link show {request.nic}",
            )
        log.carry_out(uplinks.plan_back(host, note))


def _go_back(request: Uplink) -> None:
    """Take back what a child that was killed has left half made."""
    with session(False) as (host, log), log.alone():
        for note in uplinks.left_over(host):
            log.carry_out(uplinks.plan_back(host, note))

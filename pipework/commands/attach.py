"""Attach: find the guest, choose the link, plan, carry out."""

from __future__ import annotations

from pipework import guests, links
from pipework.commands.session import decide, keep, session
from pipework.errors import AlreadyWired
from pipework.links.conflicts import left_to_do
from pipework.links.veth import local_name
from pipework.model import Attach


def attach(request: Attach) -> None:
    """Put the guest on the network, or leave everything as it was.  Raises PipeworkError."""
    guest = guests.find(request.guest)
    with session(request.dry_run, guest) as (host, log):
        kept = keep(request, guest)
        with log.alone():
            if request.direct_phys and not request.dry_run:
                from pipework.links.loan import take_back  # no other kind needs it

                log.carry_out(take_back(request, host, guest))
            kind, wire = links.resolve(request, host, guest)
            try:
                plan = decide(kind, wire)
            except AlreadyWired as there:
                log.carry_out(left_to_do(kind, wire, local_name(wire)))
                if request.keep:
                    there.come_after("To have its line kept, type it with --replace.")
                raise
            log.carry_out(plan.at_once)
        log.carry_out(plan.afterwards)
        log.carry_out(kept)
    if plan.hold and not request.dry_run:
        plan.hold()

"""The story of an attach: find the guest, choose the link, plan, carry out."""

from __future__ import annotations

from collections.abc import Sequence

from pipework import addressing, guests, links
from pipework.actions.base import Action
from pipework.errors import AlreadyWired
from pipework.executor import rehearsing, undoing
from pipework.kernel.namespaces import Namespace
from pipework.links.base import LinkKind, Wire
from pipework.links.conflicts import local_name
from pipework.model import Attach
from pipework.typed import Callable, Optional
from pipework.value import Value


class Plan(Value):
    """All that an attach does: at once, while no other command may plug; afterwards, where waiting is allowed; and
    hold, where there is one, keeps the command busy once all is done (a DHCP client in the foreground)."""

    at_once: Sequence[Action]
    afterwards: Sequence[Action]
    hold: Optional[Callable[[], None]]


def attach(request: Attach) -> None:
    """Put the guest on the network, or leave everything as it was.  Raises PipeworkError."""
    guest = guests.find(request.guest)
    with Namespace.own() as host, guest.namespace, rehearsing() if request.dry_run else undoing() as log:
        with log.alone():
            if request.direct_phys and not request.dry_run:
                from pipework.links.loan import take_back  # no other kind needs it

                log.carry_out(take_back(request, host, guest))
            kind, wire = links.resolve(request, host, guest)
            try:
                plan = decide(kind, wire)
            except AlreadyWired:
                from pipework.links.completing import left_to_do  # seldom is it needed

                log.carry_out(left_to_do(wire, local_name(wire)))
                raise
            log.carry_out(plan.at_once)
        log.carry_out(plan.afterwards)
    if plan.hold and not request.dry_run:
        plan.hold()


def decide(kind: LinkKind, wire: Wire) -> Plan:
    """Read what there is and decide what to do.  Raises PipeworkError, having touched nothing."""
    link = kind.plan(wire)
    address = addressing.choose(wire).plan(wire)
    return Plan([*link.make, *address.assign], [*address.settle, *link.finish], address.hold)

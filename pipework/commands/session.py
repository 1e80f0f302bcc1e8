"""What the verbs share: this host, the guest held open, and a log that undoes what fails, or only says a plan."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext

from pipework import addressing, notes
from pipework.actions.base import Action
from pipework.executor import Rehearsal, UndoLog, undoing
from pipework.guests.base import Guest
from pipework.kernel.namespaces import Namespace
from pipework.kernel.own_sys import see_own_sys
from pipework.links.base import LinkKind, Wire
from pipework.model import Attach
from pipework.typed import Callable, Optional, Union
from pipework.value import Value

Log = Union[UndoLog, Rehearsal]


class Plan(Value):
    """All that makes a wire: at once, while no other command may plug; afterwards, where waiting is allowed; and
    hold, where there is one, keeps the command busy once all is done (a DHCP client in the foreground)."""

    at_once: Sequence[Action]
    afterwards: Sequence[Action]
    hold: Optional[Callable[[], None]] = None


@contextmanager
def session(dry_run: bool, guest: Optional[Guest] = None) -> Iterator[tuple[Namespace, Log]]:
    """This host's namespace and a log to carry out plans by; the guest's namespace is closed at the end.

    Leaving it by an error undoes what was done.  Raises Interrupted on a signal.
    """
    if not dry_run:
        notes.sweep()
    with Namespace.own() as host:
        try:
            see_own_sys(host)
            with nullcontext(Rehearsal()) if dry_run else undoing() as log:
                yield host, log
        finally:
            if guest:
                guest.namespace.close()


def decide(kind: LinkKind, wire: Wire) -> Plan:
    """Read what there is and decide what to do.  Raises PipeworkError, having touched nothing."""
    link = kind.plan(wire)
    address = addressing.plan(wire)
    return checked(Plan([*link.make, *address.assign], [*address.settle, *link.finish], address.hold))


def checked(plan: Plan) -> Plan:
    """The same, once it is sure that the notes are kept that it leaves, if any.  Raises Refused."""
    if any(step.keeps_note for step in (*plan.at_once, *plan.afterwards)):
        notes.check_kept()
    return plan


def keep(request: Attach, guest: Guest) -> Sequence[Action]:
    """What keeps the line, where that is asked for.  Raises Refused."""
    if not request.keep:
        return ()
    from pipework.commands import keeping  # few lines are kept

    return keeping.keep(request, guest)

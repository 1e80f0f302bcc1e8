"""The story of ``del``: find the guest, see what is wired, plan, carry out."""

from __future__ import annotations

from pipework import guests
from pipework.errors import GuestNotFound, GuestStopped, Refused
from pipework.executor import rehearsing, undoing
from pipework.kernel.namespaces import Namespace
from pipework.model import Delete
from pipework.wires import teardown
from pipework.wires.inventory import Host, find_of


def detach(request: Delete) -> None:
    """Take back what was asked for, all of it or nothing.  Raises PipeworkError, if nothing is there too."""
    try:
        guest = guests.find(request.guest)
    except GuestNotFound:
        if request.if_exists:
            return
        raise
    except GuestStopped as stopped:
        if request.if_exists:
            return
        raise GuestStopped(
            f"{stopped.message}, so its links are gone", "Remove what else it may have left: pipework gc"
        ) from None
    log_kind = rehearsing if request.dry_run else undoing
    with Namespace.own() as own, guest.namespace as namespace, log_kind() as log, log.alone():
        host = Host.read(own)
        # --all is for what pipework has surely made; the rest must be named
        wires = [
            wire
            for wire in find_of(host, guest)
            if wire.ifname == request.ifname or (request.ifname is None and not wire.guessed)
        ]
        if not wires and not request.if_exists:
            raise _nothing(request)
        log.carry_out(teardown.plan(host, namespace, wires))


def _nothing(request: Delete) -> Refused:
    what = f"no {request.ifname} that pipework made" if request.ifname else "nothing that pipework made"
    return Refused(f"{request.guest} has {what}", f"See what it has: pipework ls {request.guest}")

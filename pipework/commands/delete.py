"""The story of ``del``: find the guest, see what is wired, plan, carry out."""

from __future__ import annotations

from pipework import guests
from pipework.commands.session import session
from pipework.errors import GuestNotFound, GuestStopped, PipeworkError, Refused
from pipework.links.base import Wired
from pipework.model import Delete
from pipework.wires import teardown
from pipework.wires.inventory import find_of, read_host


def detach(request: Delete) -> None:
    """Take back what was asked for, each wire wholly or not at all.  Raises PipeworkError, if nothing is there too."""
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
    with session(request.dry_run, guest) as (own, log), log.alone():
        host = read_host(own)
        # --all is for what pipework has surely made; the rest must be named
        wires = [
            wired
            for wired in find_of(host, guest)
            if wired.ifname == request.ifname or (request.ifname is None and not wired.guessed)
        ]
        if not wires and not request.if_exists:
            raise _nothing(request)
        done: list[Wired] = []
        for wired, steps in list(teardown.plan(host, guest.namespace, wires)):
            try:
                log.carry_out(steps)
            except PipeworkError as error:
                if done:
                    names = ", ".join(one.ifname for one in done)
                    error.come_after(f"Taken back before that: {names}; type it again for the rest.")
                raise
            log.keep()
            done.append(wired)


def _nothing(request: Delete) -> Refused:
    what = f"no {request.ifname} that pipework made" if request.ifname else "nothing that pipework made"
    return Refused(f"{request.guest} has {what}", f"See what it has: pipework ls {request.guest}")

"""``del``: find the guest, see what is wired, plan, carry out."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from pipework import guests, notes
from pipework.actions.base import Action
from pipework.commands import keeping
from pipework.commands.session import Log, session
from pipework.default_routes import bring_back_all_late
from pipework.errors import GuestNotFound, GuestStopped, PipeworkError, Refused, warn
from pipework.kernel.namespaces import Namespace
from pipework.links.base import Host, Wired
from pipework.requests import Delete
from pipework.typed import Callable
from pipework.wires import teardown
from pipework.wires.inventory import find_of


def detach(request: Delete) -> None:
    """Take back what was asked for, each wire wholly or not at all.  Raises PipeworkError, if nothing is there too."""
    notes.check_kept()
    try:
        guest = guests.find(request.guest)
    except GuestNotFound:
        if _forget_gone(request) or request.if_exists:
            return
        raise
    except GuestStopped as stopped:
        if _forget_gone(request) or request.if_exists:
            return
        raise GuestStopped(
            f"{stopped.message}, so its links are gone", "Remove what else it may have left: pipework gc"
        ) from None
    with session(request.dry_run, guest) as (own, log), log.alone():
        host = Host(own)
        # --all is for what pipework has surely made; the rest must be named
        wires = [
            wired
            for wired in find_of(host, guest)
            if wired.ifname == request.ifname or (request.ifname is None and not wired.guessed)
        ]
        lines = keeping.lines_of(guest)
        without = keeping.forget(lines, request.ifname, {wired.ifname for wired in wires})
        if not (wires or without or request.if_exists):
            raise _nothing(request)
        take_back(host, guest.namespace, wires, log, partial(keeping.forget, lines))
        log.carry_out(without)


def _forget_gone(request: Delete) -> bool:
    """Keep lines no longer of a guest that is not there; whether there were any.  Raises Refused."""
    steps = keeping.forget_gone(request)
    if steps:
        with session(request.dry_run) as (_, log):
            log.carry_out(steps)
    return bool(steps)


def take_back(
    host: Host,
    guest: Namespace,
    wires: Sequence[Wired],
    log: Log,
    forget: Callable[[str], Sequence[Action]] = lambda _: (),
) -> None:
    """Take back wires of a guest, each wholly or not at all.  Raises PipeworkError, with what had gone by then.

    forget: what is to be done about the line that is kept for a link, where it is not to come again.
    """
    log.carry_out(bring_back_all_late(guest) if wires else [])
    gone = list[str]()
    planned = list(teardown.plan(host, guest, wires))  # what can be seen to fail fails before anything is touched
    while planned:
        (wired, steps), *rest = planned
        try:
            log.carry_out([*forget(wired.ifname), *steps])
            log.keep()
            gone.append(wired.ifname)
            left = [wired for wired, _ in rest]  # which may have lost what the one before had of theirs
            planned = rest if log.only_says else list(teardown.plan(Host(host.namespace), guest, left))
        except Exception as error:
            _tell_of([*gone, *([wired.ifname] if log.is_final else [])], error)
            raise


def _tell_of(gone: list[str], error: Exception) -> None:
    """Say, together with an error, which wires had gone by then."""
    told = f"taken back before that: {', '.join(gone)}; type it again for the rest"
    if gone and isinstance(error, PipeworkError):
        error.come_after(told)
    elif gone:
        warn(told)


def _nothing(request: Delete) -> Refused:
    what = f"no {request.ifname} that pipework made" if request.ifname else "nothing that pipework made"
    return Refused(f"{request.guest} has {what}", f"See what it has: pipework ls {request.guest}")

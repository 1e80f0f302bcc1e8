"""Clear up after a guest that has ended: as the hook of its end, and in ``watch``."""

from __future__ import annotations

import time
from collections.abc import Container, Iterator
from contextlib import ExitStack
from itertools import groupby

from pipework import notes
from pipework.actions.links import DeleteLink
from pipework.commands.delete import take_back
from pipework.commands.gc import remove_remnants
from pipework.commands.session import Log, session
from pipework.kernel import signals
from pipework.kernel.census import inhabited
from pipework.kernel.namespaces import Namespace
from pipework.links.base import Host
from pipework.links.ends import other_end
from pipework.marks import read_mark
from pipework.notes import Loan
from pipework.typed import Optional
from pipework.wires.inventory import find_all

PATIENCE = 2.0  # seconds for a namespace to end in which somebody lives yet, and for a NIC to come home
PAUSE = 0.01  # seconds between two looks, at first


def clear_up(guests: Container[str], takes_back: bool) -> Iterator[str]:
    """Remove what guests that are gone have left, and say what each was.  Raises PipeworkError.

    guests: names and ids of those that have just ended; takes_back: whether they want none of their wires back, also
    where their namespaces outlive them, as a pod's does.
    """
    until, pause = time.monotonic() + PATIENCE, PAUSE
    while True:
        with ExitStack() as opened, session(False) as (own, log), log.alone():
            if takes_back:
                _take_back(Host(own), guests, log, opened)
                log.keep()
            _cut(own, guests, log, opened)
            yield from remove_remnants(own, log, opened)
            if not _is_left(own, guests) or time.monotonic() > until:
                return
        signals.sleep(pause)
        pause *= 2


def _take_back(host: Host, guests: Container[str], log: Log, opened: ExitStack) -> None:
    """Take back the wires in namespaces that are still there; opened: keeps those open for the undo."""
    wires = [wired for wired in find_all(host) if wired.guest in guests and wired.path and not wired.guessed]
    for path, of_guest in groupby(wires, lambda wired: wired.path):
        try:
            namespace = opened.enter_context(Namespace.open(path))
        except OSError:  # it has just ended
            continue
        take_back(host, namespace, list(of_guest), log)


def _cut(own: Namespace, guests: Container[str], log: Log, opened: ExitStack) -> None:
    """Remove the near ends of wires whose far ends were in a namespace that is gone: the kernel does so when its turn
    comes, behind all that have ended before, and not while an engine that waits for us has it open.
    """
    living: set[Optional[int]] = {None}
    for residence, guest in inhabited():
        living.add(own.netlink.known_namespace_id(guest.fd))
        for link in guest.netlink.links(loopback=False):
            mark = read_mark(link)
            is_cut = mark and mark.is_between_guests and mark.far_guest in guests and other_end(guest, link) is None
            there = residence.open() if is_cut else None  # None: it has just ended, too
            if there:
                log.carry_out([DeleteLink(opened.enter_context(there), link.name)])
    for link in own.netlink.links():
        mark = read_mark(link)
        if mark and mark.guest in guests and link.peer_namespace not in living:
            log.carry_out([DeleteLink(own, link.name)])
    log.keep()


def _is_left(own: Namespace, guests: Container[str]) -> bool:
    """Whether somebody still lives where they did, or a NIC has not come home yet."""
    marks = filter(None, map(read_mark, own.netlink.links()))
    if any(mark.guest in guests for mark in marks):
        return True
    coming = {loan.cookie for loan in notes.every(Loan) if loan.host == own.cookie and not loan.home.link.kind}
    return bool(coming) and not coming <= {guest.cookie for _, guest in inhabited()}

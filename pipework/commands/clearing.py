"""Clear up after a guest that has ended: as the hook of its end, and in ``watch``."""

from __future__ import annotations

import time
from collections.abc import Container, Iterator
from contextlib import ExitStack
from itertools import groupby

from pipework import notes
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
KERNELS = 10.0  # seconds for the kernel to remove the links of one that has ended: it does so for one after the other
PAUSE, LONGEST_PAUSE = 0.01, 0.32  # seconds between two looks, at first and later


def clear_up(guests: Container[str], takes_back: bool) -> Iterator[str]:
    """Remove what guests that are gone have left, and say what each was.  Raises PipeworkError.

    guests: names and ids of those that have just ended, for whose links the kernel gets some time; takes_back: whether
    they want none of their wires back, also where their namespaces outlive them, as a pod's does.
    """
    began, pause = time.monotonic(), PAUSE
    while True:
        with ExitStack() as opened, session(False) as (own, log), log.alone():
            if takes_back:
                _take_back(Host(own), guests, log, opened)
                log.keep()
            yield from remove_remnants(own, log, opened)
            if time.monotonic() - began >= _patience(own, guests):
                return
        signals.sleep(pause)
        pause = min(2 * pause, LONGEST_PAUSE)


def _take_back(host: Host, guests: Container[str], log: Log, opened: ExitStack) -> None:
    """Take back the wires in namespaces that are still there; opened: keeps those open for the undo."""
    wires = [wired for wired in find_all(host) if wired.guest in guests and wired.path and not wired.guessed]
    for path, of_guest in groupby(wires, lambda wired: wired.path):
        try:
            namespace = opened.enter_context(Namespace.open(path))
        except OSError:  # it has just ended
            continue
        take_back(host, namespace, list(of_guest), log)


def _has_lost(guest: Namespace, others: Container[str]) -> bool:
    """Whether a guest has an end of a wire whose other end was in one of these, and is in none any more."""
    links = ((link, read_mark(link)) for link in guest.netlink.links(loopback=False))
    ends = [link for link, mark in links if mark and mark.is_between_guests and mark.far_guest in others]
    return any(other_end(guest, link) is None for link in ends)


def _patience(own: Namespace, guests: Container[str]) -> float:
    """For how many seconds the kernel may go on with what they had: the host's ends of wires, a NIC that comes home."""
    marked = ((link, read_mark(link)) for link in own.netlink.links())
    ends = [link for link, mark in marked if mark and mark.guest in guests]
    living: set[Optional[int]] = {None}
    cookies, have_lost = set[int](), False
    for _, namespace in inhabited():
        living.add(own.netlink.known_namespace_id(namespace.fd))
        cookies.add(namespace.cookie)
        have_lost = have_lost or _has_lost(namespace, guests)
    if have_lost or any(end.peer_namespace not in living for end in ends):
        return KERNELS
    coming = {loan.cookie for loan in notes.every(Loan) if loan.host == own.cookie and not loan.home.link.kind}
    return PATIENCE if ends or not coming <= cookies else 0.0

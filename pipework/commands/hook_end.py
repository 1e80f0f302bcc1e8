"""``pipework hook run``, as a container's runtime types it after the last process: clear up."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import groupby

from pipework import notes
from pipework.commands.delete import take_back
from pipework.commands.gc import remove_remnants
from pipework.commands.session import Log, session
from pipework.kernel import signals
from pipework.kernel.census import residences
from pipework.kernel.namespaces import Namespace
from pipework.links.base import Host
from pipework.marks import read_mark
from pipework.notes import Loan
from pipework.oci import State
from pipework.wires.inventory import find_all

PATIENCE = 2.0  # seconds for the kernel to give back what a network namespace had
PAUSE = 0.01  # seconds between two looks


def clear_up(state: State) -> None:
    """Take back what the container still has, and what it has left.  Raises PipeworkError."""
    until = time.monotonic() + PATIENCE
    while True:
        with ExitStack() as opened, session(False) as (own, log), log.alone():
            _take_back(Host(own), state.id, log, opened)
            log.keep()
            for _ in remove_remnants(own, log):
                pass
            if not _is_left(own, state.id) or time.monotonic() > until:
                return
        signals.sleep(PAUSE)


def _take_back(host: Host, identifier: str, log: Log, opened: ExitStack) -> None:
    """Take back its wires in namespaces that outlive it, as a pod's does; opened: keeps those open for the undo."""
    wires = [wired for wired in find_all(host) if wired.guest == identifier and wired.path and not wired.guessed]
    for path, of_guest in groupby(wires, lambda wired: wired.path):
        try:
            namespace = opened.enter_context(Namespace.open(path))
        except OSError:  # it has just ended
            continue
        take_back(host, namespace, list(of_guest), log)


def _is_left(own: Namespace, identifier: str) -> bool:
    """Whether the kernel has not done yet with what it had: the host's ends of its wires, a NIC that comes home."""
    marks = filter(None, map(read_mark, own.netlink.links()))
    if any(mark.guest == identifier for mark in marks):
        return True
    coming = {loan.cookie for loan in notes.every(Loan) if loan.host == own.cookie and not loan.home.link.kind}
    return bool(coming) and not coming <= set(_living())


def _living() -> Iterator[int]:
    """The cookies of the network namespaces that somebody lives in."""
    for residence in residences():
        guest = residence.open()
        if guest is not None:
            with guest:
                yield guest.cookie

"""Signals that ask us to stop, taken only where nothing is half done.

Between ``held()`` and its end SIGINT, SIGTERM and SIGHUP stay pending; ``check()`` and ``sleep()`` are the
points at which they are noticed.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from pipework.errors import Interrupted
from pipework.kernel.bare import signal

# one that whoever started us has set to be ignored (nohup, a job in the background) stays ignored
STOPPING = frozenset(
    number
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    if signal.getsignal(number) is not signal.SIG_IGN
)


@contextmanager
def held() -> Iterator[None]:
    """Keep stopping signals pending during the block."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, STOPPING)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def check() -> None:
    """Raise Interrupted if a stopping signal is pending, and take it."""
    sleep(0)


def ignore_pending() -> None:
    """Take stopping signals that came too late to change anything."""
    while signal.sigtimedwait(STOPPING, 0) is not None:
        pass


def sleep(seconds: float) -> None:
    """Wait, but no longer than until a stopping signal arrives: that raises Interrupted."""
    arrived = signal.sigtimedwait(STOPPING, seconds)
    if arrived is not None:
        raise Interrupted(arrived.si_signo)

"""One command at a time decides and plugs: locks for the moments in which two could trip over each other."""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager

from pipework.errors import Refused
from pipework.kernel import signals

RUN = "/run/pipework"
WATCHING = "watching"  # the lock that watch holds together with others of its kind
PATIENCE = 60.0  # seconds; the lock is held for milliseconds


def run_directory() -> str:
    """The directory for what pipework itself keeps while it runs, root's alone.  Raises Refused."""
    try:
        os.mkdir(RUN, 0o700)
    except FileExistsError:
        status = os.lstat(RUN)
        if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid() or status.st_mode & 0o022:
            raise Refused(
                f"{RUN} is not a directory of ours alone", f"Look at it, then remove it: ls -ld {RUN}"
            ) from None
    except OSError as error:
        raise Refused(f"cannot make {RUN}: {error.strerror}", "pipework needs a writable /run.") from None
    return RUN


@contextmanager
def host_lock(patient: bool = False, name: str = "lock") -> Iterator[None]:
    """Hold the lock of this host.  The kernel frees it when we die, however we die.

    name: of its file, for one that is not of the links.  Raises Refused if that is a link, or after PATIENCE seconds,
    and Interrupted on a signal unless patient (as an undo step is).
    """
    fd = _open(name)
    try:
        pause, waited = 0.001, 0.0
        while not _try(fd, fcntl.LOCK_EX):
            if waited > PATIENCE:
                raise Refused(
                    f"another pipework has held {RUN}/{name} for {PATIENCE:.0f} s",
                    f"See which: fuser -v {RUN}/{name}",
                )
            (time.sleep if patient else signals.sleep)(pause)
            waited += pause
            pause = min(pause * 1.5, 0.02)
        yield
    finally:
        os.close(fd)


def show_watching() -> int:
    """Let others see that this process watches, for as long as it lives and the file is open that comes back."""
    fd = _open(WATCHING)
    fcntl.flock(fd, fcntl.LOCK_SH)
    return fd


def is_watched() -> bool:
    """Whether a process watches."""
    fd = _open(WATCHING)
    try:
        return not _try(fd, fcntl.LOCK_EX)
    finally:
        os.close(fd)


def _open(name: str) -> int:
    path = f"{run_directory()}/{name}"
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise Refused(f"cannot open {path}: {error.strerror}", f"Look at it, then remove it: ls -l {path}") from None


def _try(fd: int, how: int) -> bool:
    try:
        fcntl.flock(fd, how | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno not in (errno.EAGAIN, errno.EACCES):
            raise
        return False
    return True

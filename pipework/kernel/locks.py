"""One command at a time decides and plugs: a lock for the moments in which two could trip over each other."""

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
def host_lock(patient: bool = False) -> Iterator[None]:
    """Hold the lock of this host.  The kernel frees it when we die, however we die.

    Raises Refused if its file is a link, or after PATIENCE seconds, and Interrupted on a signal unless patient (as
    an undo step is).
    """
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    path = f"{run_directory()}/lock"
    try:
        fd = os.open(path, flags, 0o600)
    except OSError as error:
        raise Refused(f"cannot open {path}: {error.strerror}", f"Look at it, then remove it: ls -l {path}") from None
    try:
        pause, waited = 0.001, 0.0
        while not _try(fd):
            if waited > PATIENCE:
                raise Refused(
                    f"another pipework has held {RUN}/lock for {PATIENCE:.0f} s",
                    f"See which: fuser -v {RUN}/lock",
                )
            (time.sleep if patient else signals.sleep)(pause)
            waited += pause
            pause = min(pause * 1.5, 0.02)
        yield
    finally:
        os.close(fd)


def _try(fd: int) -> bool:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno not in (errno.EAGAIN, errno.EACCES):
            raise
        return False
    return True

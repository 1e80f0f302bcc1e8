"""Who a process is, for its number alone is used again after it has ended; and how one ends with another."""

from __future__ import annotations

import os
from functools import cache

from pipework.kernel.bare import signal
from pipework.kernel.libc import call
from pipework.typed import Optional

PR_SET_PDEATHSIG = 1  # linux/prctl.h
# of the fields behind the name in /proc/PID/stat; proc(5) fields 4 and 22
PARENT, START_TIME = 1, 19


def identity(pid: int) -> Optional[str]:
    """``PID.START``, with the start in clock ticks since boot: unique until the next boot.

    None: no such process, or one that has ended and is not yet reaped.
    """
    fields = _fields(pid)
    return f"{pid}.{fields[START_TIME]}" if fields and fields[0] not in "ZX" else None


def _fields(pid: int) -> list[str]:
    """The fields behind the name in /proc/PID/stat; none: no such process."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            return file.read().rpartition(")")[2].split()
    except OSError:
        return []


def own_identity() -> str:
    """The identity of this process."""
    return _once(os.getpid()) or ""


_once = cache(identity)


def is_alive(identity_text: str) -> bool:
    """Whether the process of that identity still runs."""
    pid = identity_text.partition(".")[0]
    return pid.isdecimal() and identity(int(pid)) == identity_text


def in_cgroup_of(pid: int, container_id: str) -> bool:
    """Whether the process belongs to the container of that id: every runtime names its cgroups after the id."""
    try:
        with open(f"/proc/{pid}/cgroup", encoding="utf-8", errors="replace") as file:
            return container_id in file.read()
    except OSError:
        return False


def is_child_of_monitor_of(pid: int, container_id: str) -> bool:
    """Whether the process is a child of what watches the container of that id; engines have one for each container.

    That has the id in its command line.  This holds where the cgroup does not tell, as with
    ``podman --cgroups=disabled``, and whatever has become of the clock since.
    """
    fields = _fields(pid)
    try:
        with open(f"/proc/{fields[PARENT]}/cmdline", "rb") as file:
            return container_id.encode() in file.read().split(b"\0")
    except (IndexError, OSError):
        return False


def end_with(parent: int) -> None:
    """Have the kernel send this process SIGTERM once its parent has ended, however that does; prctl(2)."""
    call("prctl", PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:  # it has ended already
        os.kill(os.getpid(), signal.SIGTERM)

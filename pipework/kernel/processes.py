"""Who a process is: its number alone is used again after it has ended."""

from __future__ import annotations

import os
from functools import cache

from pipework.typed import Optional

START_TIME = 19  # of the fields behind the name in /proc/PID/stat, proc(5) field 22


def identity(pid: int) -> Optional[str]:
    """``PID.START``, with the start in clock ticks since boot: unique until the next boot.

    None: no such process, or one that has ended and is not yet reaped.
    """
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            fields = file.read().rpartition(")")[2].split()
            return f"{pid}.{fields[START_TIME]}" if fields[0] not in "ZX" else None
    except OSError:
        return None


def own_identity() -> str:
    """The identity of this process."""
    return _once(os.getpid()) or ""


_once = cache(identity)


def is_alive(identity_text: str) -> bool:
    """Whether the process of that identity still runs."""
    pid = identity_text.partition(".")[0]
    return pid.isdecimal() and identity(int(pid)) == identity_text


def began_at(pid: int) -> Optional[float]:
    """When a process began, in seconds since the epoch; None: there is no such process."""
    found = identity(pid)
    if found is None:
        return None
    with open("/proc/stat", encoding="ascii") as file:
        boot = next(int(line.split()[1]) for line in file if line.startswith("btime "))
    return boot + int(found.partition(".")[2]) / os.sysconf("SC_CLK_TCK")


def in_cgroup_of(pid: int, container_id: str) -> bool:
    """Whether the process belongs to the container of that id: every runtime names its cgroups after the id."""
    try:
        with open(f"/proc/{pid}/cgroup", encoding="utf-8", errors="replace") as file:
            return container_id in file.read()
    except OSError:
        return False

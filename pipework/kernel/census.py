"""Every network namespace of this host, by who lives in it or what it is called."""

from __future__ import annotations

import os
from collections.abc import Iterator

from pipework.value import Value

NAMED = "/var/run/netns"


class Residence(Value):
    """A network namespace: a path that opens it, its inode, its name if ``ip netns`` keeps one, and a process of it.

    pid is the lowest number among its processes, 0 if only its name keeps it.
    """

    path: str
    inode: int
    name: str
    pid: int


def residences() -> list[Residence]:
    """The namespaces of this host other than our own, each once."""
    own = _inode("/proc/self/ns/net")
    pids: dict[int, int] = {}
    for pid in _pids():
        pids.setdefault(_inode(f"/proc/{pid}/ns/net"), pid)
    names = {_inode(f"{NAMED}/{name}"): name for name in _names()}
    return [
        Residence(
            f"{NAMED}/{names[inode]}" if inode in names else f"/proc/{pids[inode]}/ns/net",
            inode,
            names.get(inode, ""),
            pids.get(inode, 0),
        )
        for inode in {**pids, **names}
        if inode not in (0, own)
    ]


def _pids() -> Iterator[int]:
    return iter(sorted(int(entry) for entry in os.listdir("/proc") if entry.isdecimal()))


def _names() -> list[str]:
    try:
        # a link to a process's namespace is the original's, and no name
        return [entry.name for entry in os.scandir(NAMED) if not entry.is_symlink()]
    except FileNotFoundError:
        return []


def _inode(path: str) -> int:
    try:
        return os.stat(path).st_ino
    except OSError:
        return 0

"""Every network namespace of this host, by who lives in it or what it is called."""

from __future__ import annotations

import os
from collections.abc import Iterator

from pipework.kernel.namespaces import Namespace
from pipework.typed import Optional
from pipework.value import Value

NAMED = "/var/run/netns"
NAMED_AT = "/run/netns/"  # as mountinfo has it, for /var/run is a link to /run
ROOT, MOUNT_POINT = 3, 4  # of the fields of a line of proc(5) /proc/PID/mountinfo


class Residence(Value):
    """A network namespace: a path that opens it, its inode, its name, and a process of it.

    name: under which ``ip netns`` keeps it, or the path where it is mounted elsewhere, "" if only processes keep it;
    pid: the lowest number among its processes, 0 if there are none.
    """

    path: str
    inode: int
    name: str
    pid: int

    def open(self) -> Optional[Namespace]:
        """The namespace, or None if it has just ended."""
        try:
            namespace = Namespace.open(self.path)
        except OSError:
            return None
        if namespace.identity[1] == self.inode:
            return namespace
        namespace.close()
        return None


def residences() -> list[Residence]:
    """The namespaces of this host other than our own, each once."""
    own = _inode("/proc/self/ns/net")
    pids: dict[int, int] = {}
    for pid in _pids():
        pids.setdefault(_inode(f"/proc/{pid}/ns/net"), pid)
    mounted = _mounted()
    return [
        Residence(
            mounted.get(inode) or f"/proc/{pids[inode]}/ns/net",
            inode,
            _name(mounted.get(inode, ""), inode in pids),
            pids.get(inode, 0),
        )
        for inode in {**pids, **mounted}
        if inode not in (0, own)
    ]


def inhabited() -> Iterator[tuple[Residence, Namespace]]:
    """Those of them that are still there, each open until the next is asked for."""
    for residence in residences():
        namespace = residence.open()
        if namespace is not None:
            with namespace:
                yield residence, namespace


def _pids() -> Iterator[int]:
    return iter(sorted(int(entry) for entry in os.listdir("/proc") if entry.isdecimal()))


def _mounted() -> dict[int, str]:
    """Where namespaces are mounted, by their inodes; one of the names of ``ip netns`` rather than another place."""
    found: dict[int, str] = {}
    with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as file:
        for fields in (line.split() for line in file if " - nsfs " in line):
            inode, path = _inode_in(fields[ROOT]), _unescaped(fields[MOUNT_POINT])
            if inode and _inode(path) == inode and not found.get(inode, "").startswith(NAMED_AT):
                found[inode] = path
    return found


def _inode_in(root: str) -> int:
    """The inode of a network namespace as it is called there, net:[INODE]; 0 for one of another kind."""
    kind, _, inode = root.rstrip("]").partition(":[")
    return int(inode) if kind == "net" and inode.isdecimal() else 0


def _unescaped(place: str) -> str:
    """A path that has octal numbers in it for blanks and backslashes."""
    head, *parts = place.split("\\")
    return head + "".join(chr(int(part[:3], 8)) + part[3:] for part in parts)


def _name(path: str, inhabited: bool) -> str:
    if path.startswith(NAMED_AT):
        return path[len(NAMED_AT) :]
    return "" if inhabited else path


def _inode(path: str) -> int:
    try:
        return os.stat(path).st_ino
    except OSError:
        return 0

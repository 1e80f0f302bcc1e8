"""Every network namespace of this host, by who lives in it or what it is called."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator

from pipework.kernel.namespaces import Namespace
from pipework.typed import Optional
from pipework.value import Value

NAMED = "/var/run/netns"
NAMED_AT = "/run/netns/"  # as mountinfo has it, for /var/run is a link to /run
# a line of proc(5) /proc/PID/mountinfo: the namespace as root of the mount, and where it is mounted
MOUNTED = re.compile(r" net:\[(\d+)\] (\S+) .* - nsfs ")
ESCAPED = re.compile(r"\\([0-7]{3})")


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


def _pids() -> Iterator[int]:
    return iter(sorted(int(entry) for entry in os.listdir("/proc") if entry.isdecimal()))


def _mounted() -> dict[int, str]:
    """Where namespaces are mounted, by their inodes; one of the names of ``ip netns`` rather than another place."""
    found: dict[int, str] = {}
    with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as file:
        for number, place in MOUNTED.findall(file.read()):
            path = ESCAPED.sub(lambda octal: chr(int(octal[1], 8)), place)
            if _inode(path) == int(number) and not found.get(int(number), "").startswith(NAMED_AT):
                found[int(number)] = path
    return found


def _name(path: str, inhabited: bool) -> str:
    if path.startswith(NAMED_AT):
        return path[len(NAMED_AT) :]
    return "" if inhabited else path


def _inode(path: str) -> int:
    try:
        return os.stat(path).st_ino
    except OSError:
        return 0

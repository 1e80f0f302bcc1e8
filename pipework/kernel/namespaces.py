"""Network namespaces, held open by file descriptor so that they cannot be exchanged under our feet."""

from __future__ import annotations

import fcntl
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType

from pipework.kernel.bare import socket
from pipework.kernel.libc import setns
from pipework.quoting import quote
from pipework.typed import TYPE_CHECKING, Optional

if TYPE_CHECKING:
    from pipework.kernel.netlink import Netlink

OWN = "/proc/self/ns/net"
CLONE_NEWNET = 0x40000000
NS_GET_NSTYPE = 0xB703  # linux/nsfs.h
NETNS_COOKIE = 71  # SO_NETNS_COOKIE, asm-generic/socket.h

_way_back: list[int] = []


class Namespace:
    """A network namespace.

    path is where it was found, as ``nsenter --net=`` takes it; "" is the namespace that we run in.
    """

    def __init__(self, fd: int, path: str = "") -> None:
        self.fd = fd
        self.path = path
        self._netlink: Optional[Netlink] = None
        self._visited = dict[tuple[str, int], Namespace]()

    @classmethod
    def own(cls) -> Namespace:
        """The namespace in which this command runs: the host's."""
        return cls(os.open(OWN, os.O_RDONLY | os.O_CLOEXEC))

    @classmethod
    def open(cls, path: str) -> Namespace:
        """The namespace behind a file, which must be one.  Raises OSError."""
        return cls(os.open(path, os.O_RDONLY | os.O_CLOEXEC), path)

    @property
    def netlink(self) -> Netlink:
        """An rtnetlink socket that speaks of this namespace, opened once."""
        if self._netlink is None:
            from pipework.kernel.netlink import Netlink  # the verbs need the namespace without it

            with self.entered():
                self._netlink = Netlink()
        return self._netlink

    @contextmanager
    def entered(self) -> Iterator[None]:
        """Run the block inside this namespace: for sockets to open and /proc/sys/net to read and write."""
        if not self.path:
            yield
            return
        own = _own()
        setns(self.fd, CLONE_NEWNET)
        try:
            yield
        finally:
            setns(own, CLONE_NEWNET)

    @property
    def identity(self) -> tuple[int, int]:
        """Device and inode of the namespace: equal for equal namespaces."""
        status = os.fstat(self.fd)
        return status.st_dev, status.st_ino

    @property
    def cookie(self) -> int:
        """A number that no other namespace has or will have until the next boot.

        Before Linux 5.14 it is the inode, which the kernel gives out again.
        """
        try:
            return int.from_bytes(self.netlink.socket.getsockopt(socket.SOL_SOCKET, NETNS_COOKIE, 8), sys.byteorder)
        except OSError:
            return self.identity[1]

    def visit(self, path: str, inode: int) -> Namespace:
        """Another namespace, opened once, which stays open as long as this one.  Raises OSError if it has ended."""
        place = path, inode
        if place not in self._visited:
            there = Namespace.open(path)
            if there.identity[1] != inode:
                there.close()
                raise FileNotFoundError(path)
            self._visited[place] = there
        return self._visited[place]

    def say(self, command: str) -> str:
        """The shell line that runs a command in this namespace."""
        return f"nsenter --net={quote(self.path)} {command}" if self.path else command

    def close(self) -> None:
        while self._visited:
            self._visited.popitem()[1].close()
        if self._netlink is not None:
            self._netlink.close()
            self._netlink = None
        os.close(self.fd)

    def __enter__(self) -> Namespace:
        return self

    def __exit__(
        self,
        kind: Optional[type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        self.close()


def is_network_namespace(fd: int) -> bool:
    """Whether fd is open on a network namespace (ioctl NS_GET_NSTYPE, Linux 4.11)."""
    try:
        return fcntl.ioctl(fd, NS_GET_NSTYPE) == CLONE_NEWNET
    except OSError:
        return False


def enter(fd: int) -> None:
    """Move this process into the network namespace behind fd, to stay there.  Raises OSError."""
    setns(fd, CLONE_NEWNET)
    while _way_back:
        os.close(_way_back.pop())


def _own() -> int:
    """The namespace that this process is in, opened once."""
    if not _way_back:
        _way_back.append(os.open(OWN, os.O_RDONLY | os.O_CLOEXEC))
    return _way_back[0]

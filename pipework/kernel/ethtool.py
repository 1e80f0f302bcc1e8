"""What a link leaves to its hardware, read and set as ``ethtool -k`` and ``-K`` do (linux/ethtool.h)."""

from __future__ import annotations

import fcntl
from array import array
from struct import pack

from pipework.kernel.bare import socket

SIOCETHTOOL = 0x8946  # linux/sockios.h
GTXCSUM, STXCSUM = 0x16, 0x17  # ETHTOOL_*


def leaves_checksums(netlink: socket.socket, link: str) -> bool:
    """Whether a link leaves the checksums of what it sends to its hardware.  Raises OSError."""
    return bool(_ask(netlink, link, GTXCSUM, 0))


def leave_checksums(netlink: socket.socket, link: str, leave: bool) -> None:
    """Have a link do so, or not; segmentation, which needs it, follows.  Raises OSError."""
    _ask(netlink, link, STXCSUM, int(leave))


def _ask(netlink: socket.socket, link: str, command: int, value: int) -> int:
    told = array("I", (command, value))  # struct ethtool_value
    place, _ = told.buffer_info()
    name = link.encode("utf-8", "surrogateescape")
    fcntl.ioctl(netlink, SIOCETHTOOL, pack("16sP16x", name, place))  # struct ifreq, linux/if.h
    return told[1]

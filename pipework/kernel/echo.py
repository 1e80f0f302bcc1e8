"""Echo requests over one link: whether a host answers there (RFC 792, RFC 4443)."""

from __future__ import annotations

import os
import struct
import time
from errno import EACCES, EADDRNOTAVAIL, EHOSTUNREACH, ENETDOWN, ENETUNREACH, ENOBUFS, EPERM

from pipework.address import Address
from pipework.kernel import signals
from pipework.kernel.bare import socket
from pipework.kernel.namespaces import Namespace
from pipework.typed import Any

HEADER = struct.Struct("!BBHHH")  # type, code, checksum, identifier, sequence number
REQUEST, REPLY = {4: 8, 6: 128}, {4: 0, 6: 129}
AGAIN, PAUSE = 0.5, 0.01  # seconds between two requests, and between two looks at what has come in
# nobody is there yet, or the address is still being checked; a firewall in the guest drops what is sent; a broadcast
LATER = (EADDRNOTAVAIL, EHOSTUNREACH, ENETDOWN, ENETUNREACH, ENOBUFS, EPERM, EACCES)


def answers(namespace: Namespace, link: str, source: Address, target: Address, seconds: float) -> bool:
    """Whether a host answers within that time; one in the link's own network need only be found there.

    Raises OSError, Interrupted.
    """
    netlink = namespace.netlink
    index = netlink.index(link)
    until, due = time.monotonic() + seconds, 0.0
    with namespace.entered():
        asker = _asker(target.version)
    try:
        asker.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, link.encode("utf-8", "surrogateescape"))
        while time.monotonic() < until:
            if time.monotonic() > due:
                due = time.monotonic() + AGAIN
                _ask(asker, _place(source, index), _place(target, index))
            if _has_reply(asker, target) or str(target) in netlink.neighbours(index):
                return True
            signals.sleep(PAUSE)
    finally:
        asker.close()
    return False


def _asker(version: int) -> socket.socket:
    if version == 4:
        return socket.socket(socket.AF_INET, socket.SOCK_RAW | socket.SOCK_NONBLOCK, socket.IPPROTO_ICMP)
    return socket.socket(socket.AF_INET6, socket.SOCK_RAW | socket.SOCK_NONBLOCK, socket.IPPROTO_ICMPV6)


def _place(address: Address, index: int) -> tuple[Any, ...]:
    if address.version == 4:
        return str(address), 0
    return str(address), 0, 0, index if address.is_link_local else 0


def _ask(asker: socket.socket, source: tuple[Any, ...], target: tuple[Any, ...]) -> None:
    kind = REQUEST[4 if len(source) == 2 else 6]
    plain = HEADER.pack(kind, 0, 0, os.getpid() & 0xFFFF, 1)
    total = sum(struct.unpack("!4H", plain))
    checksum = ~(total + (total >> 16)) & 0xFFFF  # the kernel fills in that of IPv6, whatever is there
    try:
        asker.bind(source)
        asker.sendto(HEADER.pack(kind, 0, checksum, os.getpid() & 0xFFFF, 1), target)
    except OSError as error:
        if error.errno not in LATER:
            raise


def _has_reply(asker: socket.socket, target: Address) -> bool:
    """Whether the target's reply is among what has come in."""
    while True:
        try:
            told, sender = asker.recvfrom(1 << 16)
        except BlockingIOError:
            return False
        except OSError:  # what a router says of an earlier one
            continue
        start = (told[0] & 0xF) * 4 if target.version == 4 else 0  # IPv4 is told with its header
        if len(told) < start + HEADER.size or sender[0].partition("%")[0] != str(target):
            continue
        kind, _, _, ident, _ = HEADER.unpack_from(told, start)
        if (kind, ident) == (REPLY[target.version], os.getpid() & 0xFFFF):
            return True

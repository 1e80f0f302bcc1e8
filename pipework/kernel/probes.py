"""ARP probes: whether a host of the network has an IPv4 address already, before a guest gets it (RFC 5227)."""

from __future__ import annotations

import struct
import time
from collections.abc import Iterator, Sequence

from pipework.address import Address
from pipework.kernel import signals
from pipework.kernel.bare import socket
from pipework.kernel.namespaces import Namespace
from pipework.kernel.packets import ETHERTYPE_ARP, close_aside
from pipework.typed import Optional

# ethernet's destination, source and type; ARP's hardware, protocol, their lengths, operation, sender and target
ARP = struct.Struct("!6s6sH HHBBH 6s4s6s4s")
REQUEST = 1
PROBES, BETWEEN, LAST = 3, 1.0, 2.0  # PROBE_NUM, PROBE_MIN and ANNOUNCE_WAIT of RFC 5227, 1.1, in seconds
PAUSE = 0.01  # seconds between two looks at what has come in


def holder(namespace: Namespace, link: str, mac: bytes, addresses: Sequence[Address]) -> Optional[tuple[str, str]]:
    """One of the addresses that another host of the network has or is about to take, and that one's MAC, or None.

    Takes four seconds if nobody answers (RFC 5227, 2.1.1, without the pause at the beginning, which is for hosts that
    are all switched on at once).  Raises OSError, Interrupted.
    """
    with namespace.entered():
        asker = socket.socket(socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_NONBLOCK, 0)
    try:
        asker.bind((link, ETHERTYPE_ARP))
        for number in range(PROBES):
            for address in addresses:
                asker.send(_probe(mac, address.packed))
            found = _claim(asker, mac, addresses, BETWEEN if number < PROBES - 1 else LAST)
            if found:
                return found
    finally:
        close_aside(asker)
    return None


def _probe(mac: bytes, address: bytes) -> bytes:
    """One that nobody learns our MAC from: it says no sender's address."""
    return ARP.pack(b"\xff" * 6, mac, ETHERTYPE_ARP, 1, 0x0800, 6, 4, REQUEST, mac, bytes(4), bytes(6), address)


def _claim(asker: socket.socket, mac: bytes, addresses: Sequence[Address], seconds: float) -> Optional[tuple[str, str]]:
    """Somebody's claim to one of the addresses, for as long: a packet from it, or another's probe for it."""
    packed = {address.packed: str(address) for address in addresses}
    for told in _received(asker, seconds):
        if len(told) < ARP.size:
            continue
        *_, operation, sender_mac, sender, _, target = ARP.unpack_from(told)
        if sender_mac == mac:
            continue
        is_probe = operation == REQUEST and sender == bytes(4)
        claimed = packed.get(target if is_probe else sender)
        if claimed:
            return claimed, sender_mac.hex(":")
    return None


def _received(listener: socket.socket, seconds: float) -> Iterator[bytes]:
    """What comes in within that time."""
    until = time.monotonic() + seconds
    while True:
        try:
            yield listener.recv(1 << 16)
        except BlockingIOError:
            if time.monotonic() > until:
                return
            signals.sleep(PAUSE)
        if time.monotonic() > until:
            return

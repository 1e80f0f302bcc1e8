"""Frames that tell the neighbours where an address now lives; sent once, nothing is waited for."""

from __future__ import annotations

import os
import sys
from contextlib import closing, suppress
from ipaddress import IPv4Address, IPv6Address

from pipework.kernel.bare import socket
from pipework.kernel.namespaces import Namespace

ETHERTYPE_ARP = 0x0806
IPV6_MULTICAST_IF, IPV6_MULTICAST_HOPS = 17, 18  # linux/in6.h
NEIGHBOUR_ADVERTISEMENT, OVERRIDE, TARGET_LINK_LAYER = 136, 0x20, 2  # RFC 4861, 4.4 and 4.6.1


def gratuitous_arp(namespace: Namespace, link: str, mac: bytes, address: IPv4Address) -> None:
    """Broadcast an ARP reply for our own address (RFC 826; the original runs ``arping -A``).

    The target's MAC is our own, too (RFC 5944, 4.6): else Linux takes it for a late answer and, right after
    another one, drops it.  Raises OSError.
    """
    ethernet = b"\xff" * 6 + mac + ETHERTYPE_ARP.to_bytes(2, "big")
    reply = b"\x00\x01\x08\x00\x06\x04\x00\x02" + mac + address.packed + mac + address.packed
    with namespace.entered():
        sender = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    try:
        sender.bind((link, 0))
        sender.send(ethernet + reply)
    finally:
        close_aside(sender)


def close_aside(packet_socket: socket.socket) -> None:
    """Close a packet socket without waiting for the kernel, which takes an RCU grace period (8 to 20 ms) over it.

    The last to close it pays (net/packet/af_packet.c, packet_release): a program to which it is sent.
    """
    with suppress(OSError):  # without it closing takes its time
        if _closers and not _closers[0].left:
            _closers.pop().end()
        if not _closers:
            _closers.append(_Closer())
        _closers[0].take(packet_socket)
    packet_socket.close()


class _Closer:
    """A program that is sent sockets and does not take them: the kernel drops them with its end.

    That comes with ours, or once it has as many as it can hold, and is not waited for.  left: how many more it can.
    """

    def __init__(self) -> None:
        """Start it.  Raises OSError."""
        self.left = 100  # the kernel's default for what may wait in a socket is some more
        self._sender, its = socket.socketpair()
        stops, self._stop = os.pipe()
        # it keeps nothing else open: whoever reads our stderr to its end would wait, too
        kept = [(os.POSIX_SPAWN_DUP2, fd, to) for to, fd in enumerate((stops, its.fileno(), stops))]
        try:
            os.posix_spawnp("cat", ["cat"], {}, file_actions=kept)
        finally:
            os.close(stops)
            its.close()

    def take(self, packet_socket: socket.socket) -> None:
        """Send it one.  Raises OSError."""
        self.left -= 1
        fd = packet_socket.fileno().to_bytes(4, sys.byteorder)
        self._sender.sendmsg([b"\0"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, fd)])

    def end(self) -> None:
        """Let it end, and drop what it holds."""
        self._sender.close()
        os.close(self._stop)


_closers: list[_Closer] = []  # the present one


def unsolicited_advertisement(namespace: Namespace, index: int, mac: bytes, address: IPv6Address) -> None:
    """Send an unsolicited neighbour advertisement with the override flag to all nodes (RFC 4861, 7.2.6).

    The kernel fills in the checksum.  index: of the link.  Raises OSError.
    """
    message = bytes((NEIGHBOUR_ADVERTISEMENT, 0, 0, 0, OVERRIDE, 0, 0, 0)) + address.packed
    message += bytes((TARGET_LINK_LAYER, 1)) + mac
    with namespace.entered():
        opened = socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6)
    with closing(opened) as sender:
        sender.setsockopt(socket.IPPROTO_IPV6, IPV6_MULTICAST_HOPS, 255)
        sender.setsockopt(socket.IPPROTO_IPV6, IPV6_MULTICAST_IF, index)
        with suppress(OSError):  # it is a guest's that the host routes for: then by the link's own
            sender.bind((str(address), 0, 0, index))
        sender.sendto(message, ("ff02::1", 0, 0, index))

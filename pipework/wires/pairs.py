"""Wires between two guests: both ends looked at together."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import ExitStack, suppress

from pipework import guests, links
from pipework.errors import Refused
from pipework.guests.base import Guest
from pipework.kernel.namespaces import Namespace
from pipework.kernel.records import Link
from pipework.links import peer
from pipework.links.base import Host, Wire, Wired
from pipework.links.ends import joins_guests, other_end
from pipework.model import Attach
from pipework.requests import Connect
from pipework.typed import Optional
from pipework.wires.diff import is_as_asked
from pipework.wires.inventory import find_at

IFNAME = "eth1"  # of an end, where no other is asked for


def find_guests(ends: Sequence[Attach], opened: ExitStack, patience: float = guests.STARTING) -> list[Guest]:
    """The guests of these ends, as guests.find finds them; opened: closes their namespaces.

    Raises Refused where two of them are one.
    """
    found = list[Guest]()
    for end in ends:
        guest = guests.find(end.guest, patience)
        opened.enter_context(guest.namespace)
        if any(guest.namespace.identity == before.namespace.identity for before in found):
            raise Refused(
                f"{ends[0].guest} and {end.guest} share one network, so there is nothing to join",
                "Name two guests that have a network each: pipework ls",
            )
        found.append(guest)
    return found


def wires_of(request: Connect, found: Sequence[Guest]) -> tuple[Wire, Wire]:
    """The ends that are asked for, each as a wire of its guest whose far side is the other."""
    one, other = (
        Wire(end, far.namespace, near, peer.NAME, f"{far.runtime}:{far.name}", end.ifname or IFNAME)
        for end, near, far in zip(request.ends, found, reversed(found))
    )
    return one, other


def are_as_asked(wires: Sequence[Wire], there: Sequence[Optional[Wired]]) -> bool:
    """Whether both ends are there, joined with each other, with addresses and routes as asked."""
    if not are_joined(wires, there):
        return False
    # a guest that has another name since is the same
    return all(wired and is_as_asked(wire, wired.replace(hostif=wire.hostif)) for wire, wired in zip(wires, there))


def are_joined(wires: Sequence[Wire], there: Sequence[Optional[Wired]]) -> bool:
    """Whether what is there are the ends of one pair."""
    one, other = (wired.there if wired else None for wired in there)
    near, far = (wire.near.namespace for wire in wires)
    return one is not None and other is not None and _is_pair(near, far, one, other)


def _is_pair(near: Namespace, far: Namespace, link: Link, other: Link) -> bool:
    """Whether links of two guests are the ends of one pair."""
    both = (link.peer, link.ifindex) == (other.ifindex, other.peer)
    return both and link.peer_namespace is not None and near.netlink.known_namespace_id(far.fd) == link.peer_namespace


def leads_nowhere(wire: Wire) -> bool:
    """Whether the guest has under that name an end whose other guest has ended, so that the kernel is to remove it."""
    guest = wire.near.namespace
    link = guest.netlink.link(wire.ifname)
    return link is not None and joins_guests(link) and other_end(guest, link) is None


def other_side(host: Host, guest: Namespace, wired: Wired, among: Sequence[Wired]) -> Optional[tuple[Namespace, Wired]]:
    """The other end of a guest's wire, as a wire of its own guest; None where it is in no guest of this host.

    among: wires of which it is likely to be one, which spares looking for it everywhere.
    """
    own = f"{wired.runtime}:{wired.guest}"
    for other in (one for one in among if one.hostif == own and f"{one.runtime}:{one.guest}" == wired.hostif):
        with suppress(OSError):  # it has just ended
            namespace = host.namespace.visit(other.path, os.stat(other.path).st_ino)
            if wired.there and other.there and _is_pair(guest, namespace, wired.there, other.there):
                return namespace, other
    return _look_for_other_side(host, guest, wired)


def _look_for_other_side(host: Host, guest: Namespace, wired: Wired) -> Optional[tuple[Namespace, Wired]]:
    found = other_end(guest, wired.there) if wired.there else None
    if found is None:
        return None
    try:
        namespace = host.namespace.visit(found.residence.path, found.residence.inode)
    except OSError:  # it has just ended
        return None
    there = find_at(host, found.residence, namespace, found.link.name)
    return (namespace, there) if there else None


def each_once(wires: Sequence[Wired]) -> list[Wired]:
    """The same, of each pair the first end only."""
    told, left = set[tuple[object, ...]](), list[Wired]()
    for wired in wires:
        link, guest = wired.there, f"{wired.runtime}:{wired.guest}"
        if link and links.kind(wired.kind).between_guests:
            if (wired.hostif, link.peer, guest, link.ifindex) in told:
                continue
            told.add((guest, link.ifindex, wired.hostif, link.peer))
        left.append(wired)
    return left

"""The two ends of a pair that joins two guests: where the other one is, and whether a killed run has left them."""

from __future__ import annotations

from pipework.kernel.census import Residence, inhabited
from pipework.kernel.namespaces import Namespace
from pipework.kernel.records import Link
from pipework.marks import is_left_over, is_unfinished, read_mark
from pipework.typed import Optional
from pipework.value import Value


class OtherEnd(Value):
    """The other end of a guest's link: in whose namespace it lives, that namespace's cookie, and the link there."""

    residence: Residence
    cookie: int
    link: Link
    is_left_over: bool


def other_end(guest: Namespace, link: Link) -> Optional[OtherEnd]:
    """The other end of a guest's link; None: it is no pair, or the other end is in no guest of this host."""
    if not link.peer or link.peer_namespace is None:
        return None
    for residence, there in inhabited():
        if guest.netlink.known_namespace_id(there.fd) == link.peer_namespace:
            peer = there.netlink.link_of(link.peer)
            return OtherEnd(residence, there.cookie, peer, is_left_over(there, peer)) if peer else None
    return None


def visit(keeper: Namespace, guest: Namespace, link: Link) -> Optional[tuple[Namespace, Link]]:
    """The same, and its namespace, open as long as another is that keeps it."""
    other = other_end(guest, link)
    if other is None:
        return None
    try:
        return keeper.visit(other.residence.path, other.residence.inode), other.link
    except OSError:  # it has just ended
        return None


def joins_guests(link: Link) -> bool:
    """Whether a link of a guest may be an end of such a pair, finished or not, as far as it says itself."""
    mark = read_mark(link)
    is_ours = mark.is_between_guests if mark else is_unfinished(link)
    return bool(link.peer) and link.peer_namespace is not None and is_ours


def is_half_made(guest: Namespace, link: Link) -> bool:
    """Whether a run that was killed has left this link of a guest half made: itself, or its other end."""
    if is_left_over(guest, link):
        return True
    other = other_end(guest, link) if joins_guests(link) else None
    return other is not None and other.is_left_over and joins_guests(other.link)

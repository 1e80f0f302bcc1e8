"""What guests that are gone and runs that were killed have left, of every kind of link and beside them."""

from __future__ import annotations

import os
from collections.abc import Iterator

from pipework import links, notes
from pipework.actions.names import RemoveName
from pipework.actions.notes import Forget
from pipework.default_routes import bring_back_late
from pipework.kernel.census import NAMED
from pipework.kernel.records import Link
from pipework.links.base import Ground, Inhabitant, Remnant
from pipework.links.ends import is_half_made, joins_guests
from pipework.marks import is_unfinished
from pipework.notes import Asked, Lease, Note, Replaced
from pipework.typed import Optional


def find_remnants(ground: Ground) -> Iterator[Remnant]:
    """All of it, in the order in which it can be removed; each is looked for once those before are gone."""
    for kind in links.every():
        yield from kind.remnants(ground)
    yield from _stale_names()
    guests = {guest.cookie: guest for guest in ground.guests}
    for replaced in notes.every(Replaced):
        yield from _unreturned_routes(ground, guests.get(replaced.cookie), replaced)
    for lease in notes.every(Lease):
        yield from _ended_leases(ground, guests.get(lease.cookie), lease)
    for asked in notes.every(Asked):
        guest = guests.get(asked.cookie)
        if guest is None:
            yield _of_the_dead(asked)
        elif not _is_there(ground, guest, asked):
            what = " ".join(filter(None, [asked.address, *asked.options]))
            yield Remnant(f"note of {asked.ifname}, which was asked for with {what}", (Forget(asked),))


def _stale_names() -> Iterator[Remnant]:
    """Links to the namespace of a process that has ended, which the original leaves when it fails."""
    if not os.path.isdir(NAMED):
        return
    for entry in os.scandir(NAMED):
        target = os.readlink(entry.path) if entry.is_symlink() else ""
        its_own = entry.name.isdecimal() and target == f"/proc/{entry.name}/ns/net"
        if its_own and not os.path.exists(f"/proc/{entry.name}"):
            yield Remnant(f"name {entry.path} of a process that has ended", (RemoveName(entry.path, target),))


def _unreturned_routes(ground: Ground, guest: Optional[Inhabitant], note: Replaced) -> Iterator[Remnant]:
    """Default routes of a guest whose link has gone without bringing back what it had replaced."""
    if guest is None:
        yield _of_the_dead(note)
        return
    if _is_there(ground, guest, note):
        return
    returning = bring_back_late(ground.enter(guest.residence), note, _find(guest, note))
    had = "had replaced a default route" if note.routes else "had routes in a table besides"
    yield Remnant(f"note of {note.ifname}, which {had}", (*returning.steps, *returning.finish))


def _ended_leases(ground: Ground, guest: Optional[Inhabitant], note: Lease) -> Iterator[Remnant]:
    """The note of a client that has ended, or is about to, with its link or with its guest."""
    if guest is None:
        yield _of_the_dead(note)
    elif not _is_there(ground, guest, note) and note.supervisor:
        from pipework.actions.dhcp import EndClient  # few guests have a lease

        yield Remnant(f"note of {note.ifname}, whose DHCP client has ended", (EndClient(note),))


def _of_the_dead(note: Note) -> Remnant:
    return Remnant(f"note of {note.ifname} of a guest that is gone", (Forget(note),))


def _is_there(ground: Ground, guest: Inhabitant, note: Note) -> bool:
    """Whether the guest has the link of a note, other than as what a killed run has left half made."""
    link = _find(guest, note)
    if link is None:
        return False
    namespace = ground.enter(guest.residence)
    back = namespace.netlink.known_namespace_id(ground.host.namespace.fd)
    end = ground.host.link(link.peer) if back is not None and link.peer_namespace == back else None
    if end:
        return end.name not in ground.host.left_over()
    if not (is_unfinished(link) or joins_guests(link)):
        return True
    return namespace.netlink.link_of(link.ifindex) is not None and not is_half_made(namespace, link)


def _find(guest: Inhabitant, note: Note) -> Optional[Link]:
    return next((link for link in guest.links if note.is_of(link)), None)

"""Who got and who keeps the lease of a link, which its notes tell, and how that ends."""

from __future__ import annotations

from pipework import notes
from pipework.actions.base import Action
from pipework.actions.notes import Forget
from pipework.kernel.namespaces import Namespace
from pipework.kernel.records import Link
from pipework.notes import Asked, Lease, Note


def clients_of(guest: Namespace, link: Link, is_final: bool = False) -> list[Action]:
    """The end of what keeps a link's lease, if it has one, while it has the link to give the lease back.

    is_final: whether the link is to go, too.  Raises Refused.
    """
    note, asked = notes.of_link(Lease, guest, link), _forget(Asked, guest, link)
    if note is None:
        return asked
    if note.container:
        from pipework.actions.dhcp_container import EndClientInContainer  # docker takes its time to import

        return [EndClientInContainer(note, is_final), *asked]
    from pipework.actions.dhcp import EndClient  # most links have no lease

    return [EndClient(note, is_final), *asked]


def leases_of(guest: Namespace, link: Link) -> list[Action]:
    """Forget who keeps a link's lease, if it has one.  Raises Refused."""
    return _forget(Lease, guest, link)


def asked_of(guest: Namespace, link: Link) -> list[Action]:
    """Forget what was asked for.  Raises Refused."""
    return _forget(Asked, guest, link)


def _forget(kind: type[Note], guest: Namespace, link: Link) -> list[Action]:
    note = notes.of_link(kind, guest, link)
    return [Forget(note)] if note else []

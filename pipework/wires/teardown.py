"""How wires are taken back: in which order, what comes back with each, and what is forgotten once it has."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pipework import links, notes
from pipework.actions.base import Action
from pipework.default_routes import bring_back, default_routes, hand_on, has_replaced
from pipework.kernel.namespaces import Namespace
from pipework.kernel.records import Link
from pipework.leases import clients_of
from pipework.links.base import Host, Wired
from pipework.notes import Replaced


def plan(host: Host, guest: Namespace, wires: Sequence[Wired]) -> Iterator[tuple[Wired, list[Action]]]:
    """For each wire what takes it back, wholly.  Raises PipeworkError for whatever can be seen to fail.

    A wire that replaced another's default route goes before that, so that each finds what it puts back.
    """
    there = default_routes(guest)
    going = list(map(_link, wires))
    for wired in _latest_first(guest, wires):
        link = _link(wired)
        returning = hand_on(guest, link, going, there) or bring_back(guest, link, there)
        removal = links.kind(wired.kind).remove(host, guest, wired)
        yield wired, [*clients_of(guest, link, is_final=True), *returning.steps, *removal, *returning.finish]
        there, host = returning.there, host.without(wired.link)


def _link(wired: Wired) -> Link:
    assert wired.there, "a wire of a guest that is held open"
    return wired.there


def _latest_first(guest: Namespace, wires: Sequence[Wired]) -> list[Wired]:
    kept = notes.every(Replaced, guest.cookie)
    remaining, ordered = list(wires), list[Wired]()
    while remaining:
        others = [note for note in kept if any(note.is_of(_link(wired)) for wired in remaining)]
        free = [wired for wired in remaining if not any(has_replaced(note, _link(wired)) for note in others)]
        ordered.append((free or remaining)[-1])
        remaining.remove(ordered[-1])
    return ordered

"""The default routes that a link had replaced, which its note keeps: they come back when it goes."""

from __future__ import annotations

from pipework import notes
from pipework.actions.addresses import DeleteRoute, PutBackRoute
from pipework.actions.base import Action
from pipework.actions.default_route import is_postponed
from pipework.actions.notes import Forget
from pipework.kernel.namespaces import Namespace
from pipework.kernel.records import Route
from pipework.notes import Page
from pipework.typed import Any, Optional


def noted_routes(guest: Namespace, ifname: str, mac: str) -> tuple[Route, ...]:
    """What the link of that name and MAC had replaced; the note of an earlier link of that name says nothing."""
    note = _note(guest, ifname, mac)
    return tuple(map(Route.from_note, note["routes"])) if note else ()


def bring_back(guest: Namespace, ifname: str, mac: str) -> list[Action]:
    """Put them back, and drop the note."""
    note = _note(guest, ifname, mac)
    if note is None:
        return []
    return [*put_back_noted(guest, note), Forget(Page("routes", guest.cookie, ifname), note)]


def put_back_noted(guest: Namespace, note: dict[str, Any]) -> list[Action]:
    """Give the guest those routes of a note that it lacks."""
    steps: list[Action] = []
    there = [route for family in (4, 6) for route in guest.netlink.default_routes(family)]
    for noted in map(Route.from_note, note["routes"]):
        same_way = [route for route in there if (route.link, route.gateway) == (noted.link, noted.gateway)]
        if noted.metric not in [route.metric for route in same_way]:
            steps.append(PutBackRoute(guest, noted))
        # a run that was killed while it waited for a lease
        steps += [DeleteRoute(guest, route) for route in same_way if is_postponed(route)]
    return steps


def _note(guest: Namespace, ifname: str, mac: str) -> Optional[dict[str, Any]]:
    note = notes.read(Page("routes", guest.cookie, ifname))
    return note if note and note["mac"] == mac else None

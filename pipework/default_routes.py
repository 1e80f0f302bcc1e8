"""The default routes that a link has taken the place of, which its note keeps: they come back when it goes."""

from __future__ import annotations

from pipework import notes
from pipework.actions.base import Action
from pipework.actions.default_route import DeleteRoute, PutBackRoute, is_postponed
from pipework.actions.notes import Forget, Rewrite
from pipework.kernel.namespaces import Namespace
from pipework.kernel.records import Link, Route
from pipework.notes import Replaced
from pipework.typed import Optional
from pipework.value import Value


class Returning(Value):
    """How a link's default routes go, and those come back that it had replaced.

    steps: while the link is still there; finish: once it has gone; there: the default routes that the guest has then.
    """

    steps: tuple[Action, ...] = ()
    finish: tuple[Action, ...] = ()
    there: tuple[Route, ...] = ()


def default_routes(guest: Namespace) -> tuple[Route, ...]:
    """The default routes of a guest, of both families."""
    return tuple(route for family in (4, 6) for route in guest.netlink.default_routes(family))


def noted_routes(guest: Namespace, link: Link) -> tuple[Route, ...]:
    """The default routes that a link had replaced."""
    note = notes.of_link(Replaced, guest, link)
    return note.routes if note else ()


def bring_back(guest: Namespace, link: Link, there: Optional[tuple[Route, ...]] = None) -> Returning:
    """Bring back what a link had replaced.  Raises Refused.

    there: the default routes that the guest has by then, if other than now.
    """
    note = notes.of_link(Replaced, guest, link)
    there = default_routes(guest) if there is None else there
    if note is None:
        return Returning(there=tuple(route for route in there if link.ifindex not in route.links))
    return bring_back_noted(guest, note, link.ifindex, there)


def bring_back_noted(guest: Namespace, note: Replaced, ifindex: int, there: tuple[Route, ...]) -> Returning:
    """The same for a link that may have gone already; ifindex: what it is, or was."""
    going = [route for route in there if ifindex in route.links]
    staying = [route for route in there if route not in going]
    steps: list[Action] = [DeleteRoute(guest, route) for route in going]
    known = {route.way for route in staying}
    coming = [route for route in note.routes if route.way not in known]
    steps += [PutBackRoute(guest, route) for route in coming]
    # a run that was killed while it waited for a lease
    late = [route for route in staying if is_postponed(route) and _is_one_of(route, note.routes)]
    steps += [DeleteRoute(guest, route) for route in late]
    left = tuple(route for route in (*staying, *coming) if route not in late)
    return Returning((*steps, *_withdrawn(guest, note)), (Forget(note),), left)


def bring_back_late(guest: Namespace, note: Replaced, link: Optional[Link]) -> Returning:
    """The same for what a killed run has left half made, or has not brought back; link: its link, if it is there.

    A guest that has found another default route since keeps that.
    """
    there = default_routes(guest)
    returning = bring_back_noted(guest, note, link.ifindex if link else note.ifindex, there)
    noted = {route.way for route in note.routes}
    families = {route.family for route in note.routes}
    others = [route for route in there if route.family in families and route.way not in noted]
    own = link.ifindex if link else 0
    found_another = any(not is_postponed(route) and route.link != own for route in others)
    return returning.replace(steps=_withdrawn(guest, note)) if found_another else returning


def bring_back_all_late(guest: Namespace) -> list[Action]:
    """The same for every link that has gone without bringing back what it had replaced.  Raises Refused."""
    kept = notes.every(Replaced, guest.cookie)
    links = guest.netlink.links() if kept else []
    late = [note for note in kept if not any(note.is_of(link) for link in links)]
    returning = [bring_back_late(guest, note, None) for note in late]
    return [step for one in returning for step in (*one.steps, *one.finish)]


def _withdrawn(guest: Namespace, note: Replaced) -> tuple[Action, ...]:
    """What takes back the tables that a link has."""
    if not note.tables:
        return ()
    from pipework.source_routes import withdraw  # seldom has one any

    return tuple(withdraw(guest, note.tables))


def _is_one_of(route: Route, noted: tuple[Route, ...]) -> bool:
    return any((route.link, route.gateway) == (other.link, other.gateway) for other in noted)


def hand_on(guest: Namespace, link: Link, going: list[Link], there: tuple[Route, ...]) -> Optional[Returning]:
    """Leave what a link had replaced to the links that have replaced its own; None: there are none but those going."""
    note = notes.of_link(Replaced, guest, link)
    others = [other for other in notes.every(Replaced, guest.cookie) if not other.is_of(link)]
    staying = [other for other in others if not any(other.is_of(gone) for gone in going)]
    successors = [other for other in staying if has_replaced(other, link)]
    if not note or not successors:
        return None
    there = tuple(route for route in default_routes(guest) if link.ifindex not in route.links)
    inherited = (Rewrite(successor, _inheriting(successor, link, note)) for successor in successors)
    return Returning(
        (*inherited, *_withdrawn(guest, note)),
        (Forget(note),),
        there,
    )


def has_replaced(note: Replaced, link: Link) -> bool:
    """Whether the link of a note has replaced default routes of another."""
    return any(link.ifindex in route.links for route in note.routes)


def _inheriting(successor: Replaced, link: Link, note: Replaced) -> Replaced:
    """What remains to put back: not the route that goes, but those that it had replaced."""
    own = tuple(route for route in successor.routes if link.ifindex not in route.links)
    return successor.replace(routes=(*own, *note.routes))

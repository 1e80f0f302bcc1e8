"""Default routes that make room for one that is still to come, and come back if it does not."""

from __future__ import annotations

from pipework.actions.addresses import DeleteRoute, PutBackRoute
from pipework.actions.base import Action, Together
from pipework.actions.notes import NoteRoutes
from pipework.kernel.namespaces import Namespace
from pipework.kernel.records import Route

LAST = 0xFFFF0000  # metrics from here on: behind every route that somebody has set


class PostponeDefault(Action):
    """Give IPv4 default routes the last metrics: they serve until a better one comes, and are in nobody's way."""

    namespace: Namespace
    routes: tuple[Route, ...]

    def do(self) -> None:
        _exchange(self.namespace, self.routes, _postponed(self.routes)).do()

    def undo(self) -> None:
        _exchange(self.namespace, _postponed(self.routes), self.routes).do()

    def say(self) -> str:
        return "\n".join(DeleteRoute(self.namespace, route).say() for route in self.routes)


class YieldDefault(Action):
    """Remove postponed default routes if a link has one of its own by now; else they are again what they were, and the
    note of them goes."""

    namespace: Namespace
    link: str
    routes: tuple[Route, ...]

    def do(self) -> None:
        netlink = self.namespace.netlink
        ifindex = netlink.index(self.link)
        if any(route.link == ifindex for route in netlink.default_routes(4)):
            _exchange(self.namespace, _postponed(self.routes), ()).do()
        else:
            _exchange(self.namespace, _postponed(self.routes), self.routes).do()
            self._note.undo()

    def undo(self) -> None:
        Together((_exchange(self.namespace, self.routes, _postponed(self.routes)), self._note)).do()

    @property
    def _note(self) -> NoteRoutes:
        return NoteRoutes(self.namespace, self.link, self.routes)


def is_postponed(route: Route) -> bool:
    """Whether a route waits at the end of the line, as PostponeDefault leaves it."""
    return route.family == 4 and route.metric >= LAST


def _exchange(namespace: Namespace, old: tuple[Route, ...], new: tuple[Route, ...]) -> Together:
    """Add the new routes that are missing, then remove the old ones that are there: the guest is never without."""
    there = {route.way for route in namespace.netlink.default_routes(4)}
    adding = [PutBackRoute(namespace, route) for route in new if route.way not in there]
    # a metric of 0 in a request would stand for any metric
    removing = [DeleteRoute(namespace, route) for route in old if route.way in there]
    return Together((*adding, *removing))


def _postponed(routes: tuple[Route, ...]) -> tuple[Route, ...]:
    return tuple(route.with_metric(LAST + place) for place, route in enumerate(routes))

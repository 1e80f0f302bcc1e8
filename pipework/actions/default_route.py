"""Default routes that make room for one that is still to come, and come back if it does not."""

from __future__ import annotations

from errno import EEXIST, ESRCH

from pipework.actions.addresses import DeleteRoute
from pipework.actions.base import Action
from pipework.actions.links import suppress_errno
from pipework.actions.notes import NoteRoutes
from pipework.kernel.namespaces import Namespace
from pipework.kernel.records import Route
from pipework.typed import Optional

LAST = 0xFFFF0000  # metrics from here on: behind every route that somebody has set


class PostponeDefault(Action):
    """Give IPv4 default routes the last metrics: they serve until a better one comes, and are in nobody's way.

    link: the one whose default route is to come.  They are noted first, to come back with its end.
    """

    namespace: Namespace
    link: str
    routes: tuple[Route, ...]

    def do(self) -> None:
        note = NoteRoutes(self.namespace, self.link, self.routes)
        note.do()
        try:
            _exchange(self.namespace, self.routes, _postponed(self.routes))
        except BaseException:
            note.undo()
            raise

    def undo(self) -> None:
        _exchange(self.namespace, _postponed(self.routes), self.routes)
        NoteRoutes(self.namespace, self.link, self.routes).undo()

    def say(self) -> str:
        return "\n".join(DeleteRoute(self.namespace, route).say() for route in self.routes)


class YieldDefault(Action):
    """Remove postponed default routes if a link has one of its own by now; else they are again what they were."""

    namespace: Namespace
    link: str
    routes: tuple[Route, ...]

    def do(self) -> None:
        netlink = self.namespace.netlink
        ifindex = netlink.index(self.link)
        replaced = any(route.link == ifindex for route in netlink.default_routes(4))
        _exchange(self.namespace, _postponed(self.routes), () if replaced else self.routes)
        if not replaced:
            NoteRoutes(self.namespace, self.link, self.routes).undo()

    def undo(self) -> None:
        _exchange(self.namespace, self.routes, _postponed(self.routes))
        NoteRoutes(self.namespace, self.link, self.routes).do()


def is_postponed(route: Route) -> bool:
    """Whether a route waits at the end of the line, as PostponeDefault leaves it."""
    return route.family == 4 and route.metric >= LAST


def _exchange(namespace: Namespace, old: tuple[Route, ...], new: tuple[Route, ...]) -> None:
    """Add the new routes, then remove the old ones that are there: the guest is never without."""
    netlink = namespace.netlink
    there = {_key(route) for route in netlink.default_routes(4)}
    added: list[Route] = []
    try:
        for route in new:
            if _key(route) not in there:
                netlink.put_back_route(route)
                added.append(route)
        for route in old:
            if _key(route) in there:  # a metric of 0 in a request would stand for any metric
                with suppress_errno(ESRCH):  # somebody else has removed it meanwhile
                    netlink.delete_route(route)
    except BaseException:
        for route in old:
            if _key(route) in there:
                with suppress_errno(EEXIST):
                    netlink.put_back_route(route)
        for route in added:
            with suppress_errno(ESRCH):
                netlink.delete_route(route)
        raise


def _key(route: Route) -> tuple[int, Optional[str], int]:
    return route.link, route.gateway, route.metric


def _postponed(routes: tuple[Route, ...]) -> tuple[Route, ...]:
    return tuple(route.with_metric(LAST + place) for place, route in enumerate(routes))

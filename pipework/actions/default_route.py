"""Default routes that make room for one that is still to come, and come back if it does not."""

from __future__ import annotations

from contextlib import suppress
from errno import EEXIST

from pipework.actions.addresses import DeleteRoute
from pipework.actions.ledger import NoteRoutes
from pipework.actions.links import suppress_errno
from pipework.errors import KernelRefused
from pipework.kernel.namespaces import Namespace
from pipework.kernel.records import Route
from pipework.typed import Any, Optional
from pipework.value import Value

LAST = 0xFFFF0000  # metrics from here on: behind every route that somebody has set


class PostponeDefault(Value):
    """Give IPv4 default routes the last metrics: they serve until a better one comes, and are in nobody's way."""

    namespace: Namespace
    routes: tuple[Route, ...]

    def do(self) -> None:
        _exchange(self.namespace, self.routes, _postponed(self.routes))

    def undo(self) -> None:
        _exchange(self.namespace, _postponed(self.routes), self.routes)

    def say(self) -> str:
        return "\n".join(DeleteRoute(self.namespace, route).say() for route in self.routes)


class YieldDefault(Value):
    """Remove postponed default routes if a link has one of its own by now; else they are again what they were.

    Removed ones are noted, to come back with the link's end.
    """

    namespace: Namespace
    link: str
    routes: tuple[Route, ...]

    def do(self) -> None:
        netlink = self.namespace.netlink
        number = netlink.index(self.link)
        replaced = any(route.link == number for route in netlink.default_routes(4))
        _exchange(self.namespace, _postponed(self.routes), () if replaced else self.routes)
        if replaced:
            self._note.do()

    def undo(self) -> None:
        self._note.undo()
        _exchange(self.namespace, self.routes, _postponed(self.routes))

    @property
    def _note(self) -> NoteRoutes:
        return NoteRoutes(self.namespace, self.link, self.routes)

    def say(self) -> str:
        return ""


def _exchange(namespace: Namespace, old: tuple[Route, ...], new: tuple[Route, ...]) -> None:
    """Add the new routes, then remove the old ones that are there: the guest is never without."""
    netlink = namespace.netlink
    for route in new:
        with suppress_errno(EEXIST):
            netlink.put_back_route(route)
    there = {_key(route) for route in netlink.default_routes(4)}
    for route in old:
        if _key(route) in there:  # a metric of 0 in a request would stand for any metric
            with suppress(KernelRefused):  # somebody else has removed it meanwhile
                netlink.delete_route(route)


def _key(route: Route) -> tuple[int, Optional[str], int]:
    return route.link, route.gateway, route.metric


def _postponed(routes: tuple[Route, ...]) -> tuple[Route, ...]:
    return tuple(_with_metric(route, LAST + place) for place, route in enumerate(routes))


def _with_metric(route: Route, metric: int) -> Route:
    attributes: list[tuple[str, Any]] = [pair for pair in route.message["attrs"] if pair[0] != "RTA_PRIORITY"]
    message = {**route.message, "attrs": [*attributes, ("RTA_PRIORITY", metric)]}
    return route.replace(metric=metric, message=message)

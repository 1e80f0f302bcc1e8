"""Default routes that go for another, come back, or make room for one that is still to come."""

from __future__ import annotations

from errno import EEXIST, EHOSTUNREACH, EINVAL, ENETDOWN, ENETUNREACH, ENODEV, ESRCH

from pipework.actions.base import Action, Together
from pipework.actions.lines import link_names, route_line
from pipework.actions.notes import NoteRoutes
from pipework.actions.stash import has_route, put_back_route
from pipework.errors import KernelRefused, warn
from pipework.kernel.namespaces import Namespace
from pipework.kernel.records import Route
from pipework.model import MOST_METRIC

# The link of a route is down or gone, or the gateway or the source address that it names; or somebody was faster.
NO_WAY = (EEXIST, ENETDOWN, ENODEV, ENETUNREACH, EHOSTUNREACH, EINVAL)
LAST = MOST_METRIC + 1  # metrics from here on: behind every route that somebody has set
NOWHERE = 0xFFFFFFFF  # of the kernel's own default route of IPv6, which leads nowhere (ip6_null_entry)


class DeleteRoute(Action):
    """Remove a default route that another is to take the place of; undone, it is what it was."""

    namespace: Namespace
    route: Route

    def do(self) -> None:
        netlink = self.namespace.netlink
        try:
            netlink.delete_route(self.route)
        except KernelRefused as refusal:  # somebody else may have removed it meanwhile
            if refusal.errno != ESRCH or has_route(netlink, self.route):
                raise

    def undo(self) -> None:
        put_back_route(self.namespace.netlink, self.route)

    def say(self) -> str:
        return route_line(self.namespace, "delete", self.route, link_names(self.namespace))


class PutBackRoute(Action):
    """Add again a default route that an attach had replaced, if the guest still has a way for it."""

    namespace: Namespace
    route: Route

    def do(self) -> None:
        netlink = self.namespace.netlink
        try:
            put_back_route(netlink, self.route)
        except KernelRefused as refusal:
            if refusal.errno not in NO_WAY:
                raise
            if self._has_way():
                warn(f"a default route of before does not come back ({refusal.message}); to try it again: {self.say()}")

    def _has_way(self) -> bool:
        """Whether the links that it goes out of are all there, and up."""
        links = {link.ifindex: link for link in self.namespace.netlink.links()}
        return all(ifindex in links and links[ifindex].up for ifindex in self.route.links - {0})

    def undo(self) -> None:
        DeleteRoute(self.namespace, self.route).do()

    def say(self) -> str:
        names = link_names(self.namespace)
        there = self.route.links <= {0, *names}
        return route_line(self.namespace, "add", self.route, names) if there else ""


class PostponeDefault(Action):
    """Give default routes of one family the last metrics: they serve until a better one comes, in nobody's way."""

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
    note is of the others only, and of the link's tables."""

    namespace: Namespace
    link: str
    routes: tuple[Route, ...]
    others: tuple[Route, ...]
    tables: tuple[int, ...] = ()

    def do(self) -> None:
        netlink = self.namespace.netlink
        ifindex, family = netlink.index(self.link), self.routes[0].family
        if any(route.link == ifindex for route in netlink.default_routes(family)):
            _exchange(self.namespace, _postponed(self.routes), ()).do()
            return
        _exchange(self.namespace, _postponed(self.routes), self.routes).do()
        if self.others or self.tables:
            NoteRoutes(self.namespace, self.link, self.others, self.tables).do()
        else:
            self._note.undo()

    def undo(self) -> None:
        Together((_exchange(self.namespace, self.routes, _postponed(self.routes)), self._note)).do()

    @property
    def _note(self) -> NoteRoutes:
        return NoteRoutes(self.namespace, self.link, (*self.routes, *self.others), self.tables)


def is_postponed(route: Route) -> bool:
    """Whether a route waits at the end of the line, as PostponeDefault leaves it."""
    return LAST <= route.metric < NOWHERE


def _exchange(namespace: Namespace, old: tuple[Route, ...], new: tuple[Route, ...]) -> Together:
    """Add the new routes that are missing, then remove the old ones that are there: the guest is never without."""
    family = (*old, *new)[0].family
    there = {route.way for route in namespace.netlink.default_routes(family)}
    adding = [PutBackRoute(namespace, route) for route in new if route.way not in there]
    # a metric of 0 in a request would stand for any metric
    removing = [DeleteRoute(namespace, route) for route in old if route.way in there]
    return Together((*adding, *removing))


def _postponed(routes: tuple[Route, ...]) -> tuple[Route, ...]:
    return tuple(route.with_metric(LAST + place) for place, route in enumerate(routes))

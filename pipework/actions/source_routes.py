"""Routes in a table of their own, and the rules that lead there by the address that something comes from."""

from __future__ import annotations

from pipework.actions.base import Action
from pipework.actions.default_route import DeleteRoute
from pipework.actions.lines import link_names, route_line
from pipework.actions.stash import put_back_route
from pipework.kernel.namespaces import Namespace
from pipework.kernel.records import Route
from pipework.kernel.rules import Rule, add_rule, delete_rule


class CopyRoute(Action):
    """Add a route that was read in another table."""

    namespace: Namespace
    route: Route

    def do(self) -> None:
        put_back_route(self.namespace.netlink, self.route)

    def undo(self) -> None:
        DeleteRoute(self.namespace, self.route).do()

    def say(self) -> str:
        return route_line(self.namespace, "add", self.route, link_names(self.namespace))


class AddRule(Action):
    """Have looked up in a table what comes from an address."""

    namespace: Namespace
    rule: Rule

    def do(self) -> None:
        add_rule(self.namespace.netlink, self.rule)

    def undo(self) -> None:
        delete_rule(self.namespace.netlink, self.rule)

    def say(self) -> str:
        return self._say("add")

    def _say(self, verb: str) -> str:
        rule = self.rule
        where = f"from {rule.source} lookup {rule.table} priority {rule.priority}"
        return self.namespace.say(f"ip -{rule.family} rule {verb} {where}")


class DeleteRule(AddRule):
    """Have it looked up there no more."""

    def do(self) -> None:
        delete_rule(self.namespace.netlink, self.rule)

    def undo(self) -> None:
        add_rule(self.namespace.netlink, self.rule)

    def say(self) -> str:
        return self._say("delete")

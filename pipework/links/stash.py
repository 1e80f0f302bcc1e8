"""A link put aside for another that is to take its place: out of its name, with all that it takes to come back."""

from __future__ import annotations

from collections.abc import Sequence

from pipework.actions.base import Action
from pipework.actions.links import DeleteLink, RenameLink, SetAlias
from pipework.kernel.namespaces import Namespace
from pipework.kernel.records import Link
from pipework.marks import stash_name, unfinished_alias
from pipework.value import Value


class Way(Value):
    """How to get links out of the way that hold our names: at first put aside, removed in the end."""

    first: Sequence[Action] = ()
    last: Sequence[Action] = ()


def stash(namespace: Namespace, link: Link, is_guests: bool = False) -> list[Action]:
    """Put a link aside.  is_guests: its default routes go first, and those come back that they had replaced."""
    from pipework.actions.stash import TakeDown  # few links are put aside
    from pipework.default_routes import bring_back

    netlink = namespace.netlink
    addresses, routes = tuple(netlink.addresses(link.ifindex)), netlink.routes_via(link.ifindex)
    returning = bring_back(namespace, link) if is_guests else None
    return [
        *(returning.steps if returning else ()),
        TakeDown(namespace, link.name, link.up, addresses, routes),
        *(returning.finish if returning else ()),
        SetAlias(namespace, link.name, unfinished_alias(), link.alias, passing=True),
        RenameLink(namespace, link.name, stash_name(link)),
    ]


def removal(namespace: Namespace, link: Link) -> Action:
    """Remove a link that has been put aside."""
    return DeleteLink(namespace, stash_name(link))

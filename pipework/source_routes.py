"""Replies leave where the request came in: a guest's addresses, each with the routes of its own link (RFC 3704, 4.3).

A wire with a gateway takes the default route from the link that had it, and one without may lead to the client's own
network: what comes in by the other link, as for a published port, would be answered by the wire.  So the routes of that
link stand in a table besides, to which rules lead by the link's addresses.  Each wire has tables of its own, which its
note keeps, and they go with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count

from pipework import notes
from pipework.actions.addresses import AddRoute
from pipework.actions.base import Action
from pipework.actions.default_route import DeleteRoute
from pipework.actions.source_routes import AddRule, CopyRoute, DeleteRule
from pipework.address import Static
from pipework.kernel.messages import MAIN_TABLE
from pipework.kernel.namespaces import Namespace
from pipework.kernel.records import Link, Route
from pipework.kernel.rules import rule_for, rules
from pipework.notes import Replaced
from pipework.value import Value

FIRST = 170  # of the tables' numbers: nobody is known to count from there, and busybox knows those to 255
RESERVED = (253, 254, 255)  # RT_TABLE_DEFAULT, MAIN and LOCAL of linux/rtnetlink.h


class SourceRoutes(Value):
    """tables: the numbers of the wire's own; before: while its link is down; after: once that is up."""

    tables: tuple[int, ...] = ()
    before: Sequence[Action] = ()
    after: Sequence[Action] = ()


def plan(guest: Namespace, ifname: str, defaults: Sequence[Route], beside: Sequence[Static] = ()) -> SourceRoutes:
    """Let all links of a guest go on answering that have default routes, and the link ifname beside them.

    defaults: the guest's without that link, of the families that it has addresses of; beside: the addresses of that
    link that are to answer through their own gateways.
    """
    there = _routes(guest)
    own = _tables_of(guest, ifname)
    ruled = list(rules(guest.netlink))
    families = {rule.family for rule in ruled}  # each has some, where the kernel has rules
    taken = {*RESERVED, *(route.table for route in there), *(rule.table for rule in ruled)}
    taken |= {table for note in notes.readable(Replaced, guest.cookie) for table in note.tables}
    free = (number for number in count(FIRST) if number in own or number not in taken)
    tables, before = list[int](), list[Action]()
    for link in guest.netlink.links(loopback=False):
        ways = [route for route in defaults if link.ifindex in route.links and route.family in families]
        if link.up and link.name != ifname and ways:
            tables.append(next(free))
            before += _answering(guest, link, there, ways, tables[-1])
    after = list[Action]()
    if beside:
        tables.append(next(free))
        after = _beside(guest, ifname, beside, tables[-1])
    return SourceRoutes(tuple(tables), before, after)


def withdraw(guest: Namespace, tables: Sequence[int]) -> list[Action]:
    """Take back the rules that lead to these tables, and what stands in them."""
    leading = [rule for rule in rules(guest.netlink) if rule.table in tables and rule.source]
    standing = [route for route in _routes(guest) if route.table in tables]
    return [
        *(DeleteRule(guest, rule) for rule in leading),
        *(DeleteRoute(guest, route) for route in standing),
    ]


def _routes(guest: Namespace) -> list[Route]:
    return [route for family in (4, 6) for route in guest.netlink.all_routes(family)]


def _tables_of(guest: Namespace, ifname: str) -> tuple[int, ...]:
    """Those of a link that goes before the new one comes."""
    link = guest.netlink.link(ifname)
    note = notes.of_link(Replaced, guest, link) if link else None
    return note.tables if note else ()


def _answering(
    guest: Namespace, link: Link, routes: Sequence[Route], ways: Sequence[Route], table: int
) -> list[Action]:
    """Answer from the addresses of a link by its routes; ways: the default routes that it has, or had before."""
    families = {route.family for route in ways}
    own = [route for route in routes if link.ifindex in route.links and route.table == MAIN_TABLE]
    networks = [route for route in own if route.family in families and route.destination and not route.is_link_locals]
    copies = {copy.way: copy for copy in (route.in_table(table) for route in (*networks, *ways))}
    # a router can be named once its own network is there
    direct_first = sorted(copies.values(), key=lambda route: route.gateway is not None)
    addresses = [one.interface.ip for one in guest.netlink.addresses(link.ifindex) if not one.is_link_local]
    return [
        *(CopyRoute(guest, route) for route in direct_first),
        *(AddRule(guest, rule_for(address, table)) for address in addresses if address.version in families),
    ]


def _beside(guest: Namespace, ifname: str, addresses: Sequence[Static], table: int) -> list[Action]:
    """Answer from the addresses of a link by their own gateways."""
    gateways = {one.family: one.gateway for one in addresses if one.gateway}
    interfaces = [one.interface for one in addresses if one.interface and one.family in gateways]
    networks = dict.fromkeys(one.network for one in interfaces if one.network.num_addresses > 1)
    return [
        *(AddRoute(guest, ifname, one.version, one, None, table=table) for one in networks),
        *(AddRoute(guest, ifname, family, None, gateway, table=table) for family, gateway in gateways.items()),
        *(AddRule(guest, rule_for(one.ip, table)) for one in interfaces),
    ]

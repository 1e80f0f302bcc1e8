"""Uplinks: a NIC of this host as a bridge's port, and its addresses, routes and MAC as the bridge's; there and back.

A kind of bridge is a file and a row.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module

from pipework import links, notes
from pipework.actions.base import Action
from pipework.actions.links import SetDown, SetUp
from pipework.actions.nic import describe
from pipework.actions.notes import Forget, Keep, Rewrite
from pipework.actions.uplink import (
    AwaitGateways,
    CopySettings,
    Manage,
    MoveNetwork,
    PutBackNetwork,
    Unmanage,
    UnmanageNew,
)
from pipework.errors import Refused
from pipework.kernel import processes
from pipework.kernel.namespaces import Namespace
from pipework.kernel.records import Link, LinkAddress, Route
from pipework.links.base import Remnant
from pipework.notes import Home, Uplink
from pipework.typed import Optional, cast
from pipework.uplinks.base import BridgeKind, Plan, witnesses
from pipework.uplinks.obstacles import check_bridge, check_host, check_nic
from pipework.uplinks.owners import is_managers, words_for

# The kinds of links that a NIC can be a port of, and what tells one that is there.
ROWS = {"openvswitch": links.is_openvswitch, "bridge": links.is_bridge}


def plan(host: Namespace, bridge: str, nic: str, patience: float) -> Plan:
    """What makes the NIC an uplink of the bridge; nothing where it is one already.  Raises Refused."""
    kind_name, there = _resolve(host, bridge)
    card = check_nic(host, nic, bridge)
    kind = _load(kind_name)
    check_bridge(kind, bridge, there, card)
    home = describe(host, card, host.netlink.links())
    home = home.replace(routes=_own_routes(host, card))
    is_port = kind.has_port(bridge, card, there)
    if is_port and not _counts(home):
        return Plan()
    check_host(host, home, bridge)
    note = Uplink(
        *(host.cookie, nic, card.ifindex, "", processes.own_identity(), bridge),
        is_made=there is None,
        mac=kind.mac(bridge, there),
        home=home,
        is_managed=is_managers(card),
    )
    join = kind.join(host, bridge, there, card)
    its = tuple(host.netlink.addresses(there.ifindex)) if there else ()
    at_once = [
        Keep(note),
        *([Unmanage(nic)] if note.is_managed else []),
        *join.bridge,
        *([UnmanageNew(bridge)] if there is None and note.is_managed else []),
        *([CopySettings(host, nic, bridge)] if there is None else []),
        *join.mac,
        *([] if card.up else [SetUp(host, nic)]),
        *([] if is_port else join.port),
        MoveNetwork(host, nic, bridge, home.addresses, home.routes, its),
    ]
    targets = witnesses(host, home)
    awaited = [*join.opening, *([AwaitGateways(host, bridge, targets, patience)] if targets else [])]
    done: list[Action] = [*join.adopt, Rewrite(note, note.replace(run=""))]
    told = words_for(host, home, bridge, kind.is_switch, note.is_managed)
    return Plan(at_once, awaited, done, home, targets, told)


def plan_back(host: Namespace, note: Uplink) -> list[Action]:
    """What gives the NIC back what it had, of that what is the bridge's by now; all of it where a run was killed.

    Raises Refused.
    """
    netlink, home = host.netlink, note.home
    nic, bridge = netlink.link_of(note.ifindex), netlink.link(note.bridge)
    if nic is None:
        return [Forget(note)]
    last: list[Action] = [] if home.link.up or not nic.up else [SetDown(host, nic.name)]
    last += [Manage(nic.name)] if note.is_managed else []
    if bridge is None:
        return [PutBackNetwork(host, nic.name, home.addresses, home.routes), *last, Forget(note)]
    kind = _load(_resolve(host, note.bridge)[0])
    goes = note.is_made and kind.is_left_alone(note.bridge, nic)
    begin: list[Action] = []
    if not note.run:  # from here on, whoever finds it half done does the rest
        addresses, routes = _of_the_nic(host, bridge, nic, home, goes)
        home = home.replace(addresses=addresses, routes=routes)
        begin = [Rewrite(note, note.replace(run=processes.own_identity(), home=home))]
    its = () if note.run else tuple(netlink.addresses(nic.ifindex))
    move = MoveNetwork(host, bridge.name, nic.name, home.addresses, home.routes, its, as_it_was=True)
    mac = [] if goes else kind.give_mac(host, bridge, note.mac)
    removal = kind.remove(host, note.bridge) if goes else []
    return [*begin, move, *kind.leave(host, bridge, nic), *last, *mac, Forget(note), *removal]


def note_of(host: Namespace, nic: str) -> Optional[Uplink]:
    """The note of a NIC that is an uplink, under whatever name, or None.  Raises Refused for one that is unreadable."""
    link = host.netlink.link(nic)
    return notes.of_link(Uplink, host, link) if link else None


def remnants(host: Namespace) -> Iterator[Remnant]:
    """What killed runs have left half made, and the notes of NICs that are gone."""
    for note in left_over(host):
        yield Remnant(f"uplink {note.ifname} of {note.bridge}, half made", tuple(plan_back(host, note)))
    for note in notes.every(Uplink, host.cookie):
        if not note.run and host.netlink.link_of(note.ifindex) is None:
            yield Remnant(f"note of uplink {note.ifname}, which is gone", (Forget(note),))


def left_over(host: Namespace) -> list[Uplink]:
    """The notes of uplinks that a killed run has left half made."""
    there = notes.every(Uplink, host.cookie)
    return [note for note in there if note.run and not processes.is_alive(note.run)]


def _of_the_nic(
    host: Namespace, bridge: Link, nic: Link, home: Home, goes: bool
) -> tuple[tuple[LinkAddress, ...], tuple[Route, ...]]:
    """Of the bridge's addresses and routes those that were the NIC's, or all, where the bridge goes."""
    netlink = host.netlink
    had = {one.interface: one for one in home.addresses}
    addresses = tuple(
        had[one.interface] if one.interface in had and one.is_permanent else one.on(nic.name)
        for one in netlink.addresses(bridge.ifindex)
        if one.interface in had or (goes and not one.is_link_local)
    )
    ways = {route.rerouted(nic.ifindex, bridge.ifindex).way for route in home.routes}
    routes = netlink.routes_through(bridge.ifindex)
    own = (route for route in routes if route.way in ways or (goes and not route.is_link_locals))
    return addresses, tuple(route.rerouted(bridge.ifindex, nic.ifindex) for route in own)


def _own_routes(host: Namespace, nic: Link) -> tuple[Route, ...]:
    """All but that of its link-local addresses, which comes and goes with those."""
    return tuple(route for route in host.netlink.routes_through(nic.ifindex) if not route.is_link_locals)


def _counts(home: Home) -> bool:
    """Whether a NIC has anything that a bridge's port should not have."""
    return bool(home.routes) or any(not one.is_link_local for one in home.addresses)


def _resolve(host: Namespace, bridge: str) -> tuple[str, Optional[Link]]:
    """The kind of a bridge, and its link if it is there.  Raises Refused."""
    there = host.netlink.link(bridge)
    for name, is_one in ROWS.items():
        if is_one(there) if there else bridge.startswith(links.NAMED[name].made):
            return name, there
    if there:
        raise Refused(f"BRIDGE {bridge} is no bridge", "See what is one: bridge link; ovs-vsctl list-br")
    raise Refused(
        f"this host has no bridge {bridge}, and its name does not say what to make",
        "Names that start with br or ovs are made when missing.",
    )


def _load(name: str) -> BridgeKind:
    return cast(BridgeKind, import_module(f"pipework.uplinks.{name}").KIND)

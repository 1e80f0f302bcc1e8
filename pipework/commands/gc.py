"""The story of ``gc``: look for what guests that are gone, and runs that were killed, have left behind; remove it."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator

from pipework import notes
from pipework.actions.base import Action
from pipework.actions.default_route import is_postponed
from pipework.actions.links import DeleteLink
from pipework.actions.names import RemoveName
from pipework.actions.nic import BringHome, Home
from pipework.actions.notes import Forget
from pipework.actions.openvswitch import RemoveBridge, RemovePort
from pipework.default_routes import bring_back
from pipework.errors import one_line
from pipework.executor import rehearsing, undoing
from pipework.firewall import iptables as firewall
from pipework.kernel import ovsdb, processes
from pipework.kernel.census import NAMED, Residence, residences
from pipework.kernel.namespaces import Namespace
from pipework.kernel.records import Link, Route
from pipework.links.conflicts import is_left_over, read_mark
from pipework.links.loan import find_lent
from pipework.model import Collect
from pipework.notes import Page
from pipework.typed import Any
from pipework.value import Value
from pipework.wires.inventory import STACKED, Host

PROCESS = re.compile(r"/proc/(\d+)/ns/net")


class Remnant(Value):
    """Something left behind: what it is, in words, and the actions that remove it."""

    what: str
    removal: tuple[Action, ...]


def collect(request: Collect) -> None:
    """Remove every remnant and say so, or say with ``--dry-run`` how it would be removed.  Raises PipeworkError."""
    log_kind = rehearsing if request.dry_run else undoing
    with Namespace.own() as own, log_kind() as log, log.alone():
        for remnant in _remnants(Host.read(own)):
            log.carry_out(remnant.removal)
            if not request.dry_run:
                print(one_line(f"removed {remnant.what}"))


def _remnants(host: Host) -> Iterator[Remnant]:
    yield from _dead_ports(host)
    yield from _half_made_links(host)
    yield from _half_made_switches(host)
    yield from _homeless_children(host)
    yield from _stale_names()
    yield from _idle_rules(host)
    yield from _orphaned_notes(host)


def _dead_ports(host: Host) -> Iterator[Remnant]:
    there = {link.name for link in host.links.values()}
    for port in host.ports.values():
        if port.name not in there:
            yield Remnant(f"port {port.name} of {port.bridge}, whose guest is gone", (RemovePort(port),))


def _half_made_links(host: Host) -> Iterator[Remnant]:
    left = _left_over(host)
    for link in sorted(left, key=lambda link: link.kind == "bridge"):  # after its ports
        if link.kind == "bridge" and _ports(host, link) - {other.name for other in left}:
            continue  # somebody has come to use it
        removal: list[Action] = [DeleteLink(host.namespace, link.name)]
        if link.name in host.ports:
            removal.insert(0, RemovePort(host.ports[link.name]))
        yield Remnant(f"link {link.name}, half made", tuple(removal))
    for residence, guest in _guests():
        links = [link for link in guest.netlink.links() if is_left_over(link) and link.kind in STACKED]
        back = guest.netlink.known_namespace_id(host.namespace.fd) if links else None
        for link in links:
            if link.peer_namespace in (None, back):  # what stands on another host's link is that one's to remove
                where = residence.name or f"process {residence.pid}"
                yield Remnant(f"link {link.name} in {where}, half made", (DeleteLink(guest, link.name),))


def _left_over(host: Host) -> list[Link]:
    return [link for link in host.links.values() if is_left_over(link)]


def _ports(host: Host, bridge: Link) -> set[str]:
    return {link.name for link in host.links.values() if link.master == bridge.ifindex}


def _half_made_switches(host: Host) -> Iterator[Remnant]:
    gone = {link.name for link in _left_over(host)}
    for name, run in ovsdb.unfinished_bridges().items():
        if host.ifindex(name) and not processes.is_alive(run) and gone.issuperset(ovsdb.ports(name)):
            yield Remnant(f"bridge {name}, half made", (RemoveBridge(name),))


def _guests() -> Iterator[tuple[Residence, Namespace]]:
    """Every namespace but our own, open until the next is asked for."""
    for residence in residences():
        guest = residence.open()
        if guest is not None:
            with guest:
                yield residence, guest


def _homeless_children(host: Host) -> Iterator[Remnant]:
    """IPoIB children, which come to the host when their guest ends, where other links end with it."""
    for link in host.links.values():
        if link.kind == "ipoib" and read_mark(link):
            yield Remnant(f"link {link.name}, whose guest is gone", (DeleteLink(host.namespace, link.name),))


def _stale_names() -> Iterator[Remnant]:
    """Links to the namespace of a process that has ended, which the original leaves when it fails."""
    if not os.path.isdir(NAMED):
        return
    for entry in os.scandir(NAMED):
        target = PROCESS.fullmatch(os.readlink(entry.path)) if entry.is_symlink() else None
        if target and target[1] == entry.name and not os.path.exists(f"/proc/{entry.name}"):
            yield Remnant(f"name {entry.path} of a process that has ended", (RemoveName(entry.path, target[0]),))


def _idle_rules(host: Host) -> Iterator[Remnant]:
    gone = {link.name for link in _left_over(host)}
    for rule in firewall.standing():
        if host.guests_of(rule.bridge) <= gone:
            yield Remnant(f"{rule.iptables} rule of {rule.bridge}, which leads to no guest", (rule,))


def _orphaned_notes(host: Host) -> Iterator[Remnant]:
    pages = notes.pages()
    kept = {page: note for page in pages for note in [notes.read(page)] if note is not None}
    own = host.namespace.cookie
    alive = {own}
    for _residence, guest in _guests() if kept else ():
        alive.add(guest.cookie)
        for page, note in kept.items():
            if (page.kind, page.cookie, note.get("host")) == ("nic", guest.cookie, own):
                yield from _half_lent_nic(host, guest, page, note)
            elif (page.kind, page.cookie) == ("routes", guest.cookie):
                yield from _unreturned_routes(host, guest, page, note)
    for page, note in kept.items():
        if page.cookie in alive:
            continue
        if page.kind == "nic" and note.get("host") == own:
            yield from _lent_nic(host, page, note)
        elif page.kind != "nic" or note.get("host") not in alive:
            yield Remnant(f"note of {page.ifname} of a guest that is gone", (Forget(page, note),))


def _half_lent_nic(host: Host, guest: Namespace, page: Page, note: dict[str, Any]) -> Iterator[Remnant]:
    """A NIC in a guest that bears no mark: the run that moved it there was killed."""
    home = Home.from_note(note)
    link = find_lent(guest, page.ifname, home, note.get("given"))
    if processes.is_alive(note.get("run", "")):
        return
    if link and not read_mark(link) and not host.ifindex(home.link.name):
        routes = bring_back(guest, page.ifname, link.mac)
        bring = BringHome(host.namespace, guest, link.name, home)
        yield Remnant(f"the loan of {home.link.name}, half made", (*routes, bring, Forget(page, note)))


def _unreturned_routes(host: Host, guest: Namespace, page: Page, note: dict[str, Any]) -> Iterator[Remnant]:
    """Default routes of a guest whose link has gone without bringing back what it had replaced."""
    link = guest.netlink.link(page.ifname)
    end = host.links.get(link.parent) if link and link.kind == "veth" else None
    if link and not is_left_over(end or link):
        return
    steps = bring_back(guest, page.ifname, note["mac"])
    if not steps:
        return  # they have come back with a NIC
    noted = [Route.from_note(route) for route in note["routes"]]
    known = {(route.link, route.gateway, route.metric) for route in noted}
    there = [route for family in {route.family for route in noted} for route in guest.netlink.default_routes(family)]
    others = [route for route in there if (route.link, route.gateway, route.metric) not in known]
    if any(not is_postponed(route) and not (link and route.link == link.ifindex) for route in others):
        steps = [Forget(page, note)]  # it has found another way
    yield Remnant(f"note of {page.ifname}, which had replaced a default route", tuple(steps))


def _lent_nic(host: Host, page: Page, note: dict[str, Any]) -> Iterator[Remnant]:
    """The kernel gives a NIC back when its namespace ends, down and under the name that it had there."""
    home = Home.from_note(note)
    back = next((link for link in host.links.values() if link.kind == home.link.kind and _is(link, home)), None)
    if back:
        bring = BringHome(host.namespace, None, back.name, home)
        yield Remnant(f"the loan of {home.link.name}, which is home again", (bring, Forget(page, note)))
    elif home.link.kind:  # one that is no hardware is destroyed with the namespace
        yield Remnant(f"note of {home.link.name}, which went with its guest", (Forget(page, note),))


def _is(link: Link, home: Home) -> bool:
    return home.link.mac in (link.mac, link.permanent_mac)

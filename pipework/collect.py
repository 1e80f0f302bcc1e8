"""The story of ``gc``: look for what guests that are gone, and runs that were killed, have left behind; remove it."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator

from pipework import firewall
from pipework.actions.ledger import Forget
from pipework.actions.links import DeleteLink
from pipework.actions.names import RemoveName
from pipework.actions.nic import BringHome, Home
from pipework.actions.openvswitch import RemovePort
from pipework.carry_out import Action, rehearsing, undoing
from pipework.inventory import STACKED, Host
from pipework.kernel import ledger, processes
from pipework.kernel.census import NAMED, Residence, residences
from pipework.kernel.ledger import Page
from pipework.kernel.namespaces import Namespace
from pipework.kernel.records import Link
from pipework.links.naming import is_left_over, read_mark
from pipework.request import Collect
from pipework.typed import Any
from pipework.value import Value

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
                print(f"removed {remnant.what}")


def _remnants(host: Host) -> Iterator[Remnant]:
    yield from _dead_ports(host)
    yield from _half_made_links(host)
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
    for link in host.links.values():
        if is_left_over(link):
            yield Remnant(f"link {link.name}, half made", (DeleteLink(host.namespace, link.name),))
    for residence, guest in _guests():
        links = [link for link in guest.netlink.links() if is_left_over(link) and link.kind in STACKED]
        back = guest.netlink.known_namespace_id(host.namespace.fd) if links else None
        for link in links:
            if link.peer_namespace in (None, back):  # what stands on another host's link is that one's to remove
                where = residence.name or f"process {residence.pid}"
                yield Remnant(f"link {link.name} in {where}, half made", (DeleteLink(guest, link.name),))


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
    for rule in firewall.standing():
        if not host.guests_of(rule.bridge):
            yield Remnant(f"{rule.iptables} rule of {rule.bridge}, which leads to no guest", (rule,))


def _orphaned_notes(host: Host) -> Iterator[Remnant]:
    pages = ledger.pages()
    notes = {page: note for page in pages for note in [ledger.read(page)] if note is not None}
    own = host.namespace.cookie
    alive = {own}
    for _residence, guest in _guests() if notes else ():
        alive.add(guest.cookie)
        for page, note in notes.items():
            if (page.kind, page.cookie, note.get("host")) == ("nic", guest.cookie, own):
                yield from _half_lent_nic(host, guest, page, note)
    for page, note in notes.items():
        if page.cookie in alive:
            continue
        if page.kind == "nic" and note.get("host") == own:
            yield from _lent_nic(host, page, note)
        elif page.kind != "nic" or note.get("host") not in alive:
            yield Remnant(f"note of {page.ifname} of a guest that is gone", (Forget(page, note),))


def _half_lent_nic(host: Host, guest: Namespace, page: Page, note: dict[str, Any]) -> Iterator[Remnant]:
    """A NIC in a guest that bears no mark: the run that moved it there was killed."""
    home, link = Home.from_note(note), guest.netlink.link(page.ifname)
    if processes.is_alive(note.get("run", "")):
        return
    if link and not read_mark(link) and _is(link, home) and not host.number(home.link.name):
        bring = BringHome(host.namespace, guest, page.ifname, home)
        yield Remnant(f"the loan of {home.link.name}, half made", (bring, Forget(page, note)))


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

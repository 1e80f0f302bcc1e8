"""The story of ``gc``: look for what guests that are gone, and runs that were killed, have left behind; remove it."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from typing import Any

from pipework import firewall
from pipework.actions.ledger import Forget
from pipework.actions.links import DeleteLink
from pipework.actions.names import RemoveName
from pipework.actions.nic import BringHome, Home
from pipework.actions.openvswitch import RemovePort
from pipework.carry_out import Action, rehearsing, undoing
from pipework.inventory import Host
from pipework.kernel import ledger
from pipework.kernel.census import NAMED, residences
from pipework.kernel.ledger import Page
from pipework.kernel.namespaces import Namespace
from pipework.kernel.records import Link
from pipework.links.naming import is_left_over, read_mark
from pipework.request import Collect
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
    for residence in residences():
        guest = residence.open()
        if guest is None:
            continue
        with guest:
            for link in guest.netlink.links():
                if is_left_over(link):
                    where = residence.name or f"process {residence.pid}"
                    yield Remnant(f"link {link.name} in {where}, half made", (DeleteLink(guest, link.name),))


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
    alive = {residence.inode for residence in residences()}
    for page in ledger.pages():
        note = ledger.read(page)
        if page.inode in alive or note is None:
            continue
        if page.kind == "nic":
            yield _lent_nic(host, page, note)
        else:
            yield Remnant(f"note of the routes of a guest that is gone ({page.ifname})", (Forget(page, note),))


def _lent_nic(host: Host, page: Page, note: dict[str, Any]) -> Remnant:
    """The kernel gives a NIC back when its namespace ends, down and under the name that it had there."""
    home = Home.from_note(note)
    back = next((link for link in host.links.values() if link.kind == home.link.kind and _is(link, home)), None)
    if back is None:
        return Remnant(f"note of {home.link.name}, which has not come back", (Forget(page, note),))
    bring = BringHome(host.namespace, None, back.name, home)
    return Remnant(f"the loan of {home.link.name}, which is home again", (bring, Forget(page, note)))


def _is(link: Link, home: Home) -> bool:
    return home.link.mac in (link.mac, link.permanent_mac)

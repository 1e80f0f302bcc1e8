"""A NIC that a killed run of --direct-phys left on its way: it comes home first, then the command starts over."""

from __future__ import annotations

from pipework import notes
from pipework.actions.base import Action, Heal
from pipework.actions.nic import BringHome, Home
from pipework.actions.notes import Forget
from pipework.default_routes import bring_back
from pipework.errors import AlreadyWired
from pipework.guests.base import Guest
from pipework.kernel import processes
from pipework.kernel.namespaces import Namespace
from pipework.kernel.records import Link
from pipework.links.conflicts import read_mark
from pipework.model import Attach
from pipework.notes import Page
from pipework.typed import Optional


def take_back(request: Attach, host: Namespace, guest: Guest) -> list[Action]:
    """What brings HOSTIF home, if the guest has it under IFNAME and the run that lent it never ended.

    Raises AlreadyWired if that run did end.
    """
    ifname = request.ifname or "eth1"
    page = Page("nic", guest.namespace.cookie, ifname)
    note = notes.read(page)
    home = Home.from_note(note) if note else None
    if not note or not home or request.hostif not in (home.link.name, f"mac:{home.link.mac}"):
        return []
    there = find_lent(guest.namespace, ifname, home, note.get("given"))
    if not there or host.netlink.link(home.link.name):
        return []
    if read_mark(there):
        raise AlreadyWired(f"Link {ifname} exists and is up")
    if processes.is_alive(note.get("run", "")):
        return []
    routes = bring_back(guest.namespace, ifname, there.mac)
    return [Heal((*routes, BringHome(host, guest.namespace, there.name, home), Forget(page, note)))]


def find_lent(guest: Namespace, ifname: str, home: Home, mac: Optional[str] = None) -> Optional[Link]:
    """The NIC in the guest, which may bear the MAC that it was to be given there.

    A radio that a killed run has moved may not have brought its link under the name that it was to have.
    """
    known = {home.link.mac, home.link.permanent_mac, mac} - {"", None}
    for link in guest.netlink.links():
        same = link.kind == home.link.kind and not known.isdisjoint((link.mac, link.permanent_mac))
        if same and (link.name == ifname or home.phy):
            return link
    return None

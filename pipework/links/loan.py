"""A NIC that a killed run of --direct-phys left on its way: it comes home first, then the command starts over."""

from __future__ import annotations

from pipework.actions.ledger import Forget
from pipework.actions.nic import BringHome, Home
from pipework.carry_out import Action
from pipework.errors import AlreadyWired
from pipework.guests import Guest
from pipework.kernel import ledger, processes
from pipework.kernel.ledger import Page
from pipework.kernel.namespaces import Namespace
from pipework.links.naming import read_mark
from pipework.request import Attach


def take_back(request: Attach, host: Namespace, guest: Guest) -> list[Action]:
    """What brings HOSTIF home, if the guest has it under IFNAME and the run that lent it never ended.

    Raises AlreadyWired if that run did end.
    """
    ifname = request.ifname or "eth1"
    page = Page("nic", guest.namespace.cookie, ifname)
    note = ledger.read(page)
    home = Home.from_note(note) if note else None
    there = guest.namespace.netlink.link(ifname)
    if not note or not home or not there or request.hostif not in (home.link.name, f"mac:{home.link.mac}"):
        return []
    same = {home.link.mac, request.mac} & {there.mac, there.permanent_mac} and there.kind == home.link.kind
    if not same or host.netlink.link(home.link.name):
        return []
    if read_mark(there):
        raise AlreadyWired(f"Link {ifname} exists and is up")
    if processes.is_alive(note.get("run", "")):
        return []
    return [BringHome(host, guest.namespace, ifname, home), Forget(page, note)]

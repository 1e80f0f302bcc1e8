"""How a wire is taken back: the plan that undoes, later, what an attach has done."""

from __future__ import annotations

from pipework import firewall
from pipework.actions.addresses import PutBackRoute
from pipework.actions.ledger import Forget
from pipework.actions.links import DeleteLink
from pipework.actions.nic import BringHome, Home
from pipework.actions.openvswitch import RemovePort
from pipework.carry_out import Action
from pipework.errors import Refused
from pipework.inventory import Host, Wired
from pipework.kernel import ledger, ovsdb
from pipework.kernel.ledger import Page
from pipework.kernel.namespaces import Namespace
from pipework.kernel.records import Route


def plan(host: Host, guest: Namespace, wire: Wired) -> list[Action]:
    """Remove the link, its port, and the firewall rule with the last port; bring back the default route."""
    steps: list[Action] = []
    if wire.kind == "openvswitch":
        port = ovsdb.port(wire.link)
        steps += [RemovePort(port)] if port else []
    replaced = Page("routes", guest.identity[1], wire.ifname)
    note = ledger.read(replaced)
    steps += _removal(host, guest, wire)
    if note and note["mac"] == wire.mac:
        steps += [PutBackRoute(guest, Route.from_note(route)) for route in note["routes"]]
    if note:
        steps.append(Forget(replaced, note))
    if wire.kind == "bridge" and host.ports_of(wire.hostif) == [wire.link]:
        steps += firewall.withdrawal(wire.hostif)
    return steps


def _removal(host: Host, guest: Namespace, wire: Wired) -> list[Action]:
    lent = Page("nic", guest.identity[1], wire.ifname)
    note = ledger.read(lent)
    home = Home.from_note(note) if note else None
    if note and home and _is_from(home, wire):
        return [BringHome(host.namespace, guest, wire.ifname, home), Forget(lent, note)]
    if wire.kind == "nic":  # a NIC cannot be deleted, and where it was nobody has noted
        hint = f"Bring it back yourself: nsenter --net={guest.path} ip link set {wire.ifname} netns 1"
        raise Refused(f"{wire.ifname} is a NIC on loan, but the note of its home is gone", hint)
    return [DeleteLink(host.namespace, wire.link) if wire.link else DeleteLink(guest, wire.ifname)]


def _is_from(home: Home, wire: Wired) -> bool:
    """Whether the note is of this link, and not of one that an earlier guest had under the same number."""
    return home.link.name == wire.hostif if wire.kind == "nic" else home.link.vlan == wire.vlan is not None

"""How a wire is taken back: the plan that undoes, later, what an attach has done."""

from __future__ import annotations

from pipework import firewall
from pipework.actions.addresses import PutBackRoute
from pipework.actions.ledger import Forget
from pipework.actions.links import DeleteLink
from pipework.actions.openvswitch import RemovePort
from pipework.carry_out import Action
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
    steps.append(DeleteLink(host.namespace, wire.link) if wire.link else DeleteLink(guest, wire.ifname))
    if note and note["mac"] == wire.mac:
        steps += [PutBackRoute(guest, Route.from_note(route)) for route in note["routes"]]
    if note:
        steps.append(Forget(replaced, note))
    if wire.kind == "bridge" and _ports(host, wire.hostif) == [wire.link]:
        steps += firewall.withdrawal(wire.hostif)
    return steps


def _ports(host: Host, bridge: str) -> list[str]:
    number = next((link.number for link in host.links.values() if link.name == bridge), 0)
    return [link.name for link in host.links.values() if link.master == number]

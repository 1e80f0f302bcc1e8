"""How a wire is taken back: the plan that undoes, later, what an attach has done."""

from __future__ import annotations

from collections.abc import Sequence

from pipework import notes
from pipework.actions.base import Action
from pipework.actions.dhcp import EndClient
from pipework.actions.links import DeleteLink
from pipework.actions.nic import BringHome, Home
from pipework.actions.notes import Forget, Rewrite
from pipework.actions.openvswitch import RemovePort
from pipework.default_routes import put_back_noted
from pipework.errors import Refused
from pipework.firewall import iptables as firewall
from pipework.kernel import ovsdb
from pipework.kernel.namespaces import Namespace
from pipework.notes import Page
from pipework.typed import Any
from pipework.wires.inventory import Host, Wired


def plan(host: Host, guest: Namespace, wires: Sequence[Wired]) -> list[Action]:
    """Remove links and ports, and firewall rules with the last of them; bring back the default routes.

    Whoever replaced another's default route goes before it, so that each finds what it puts back.
    """
    steps: list[Action] = []
    going = {wire.link for wire in wires}
    pages = {_page(guest, wire) for wire in wires}
    for wire in _latest_first(guest, wires):
        steps += _plan(host, guest, wire, pages)
        if wire.kind == "bridge" and host.guests_of(wire.hostif) <= going:
            steps += [rule for rule in firewall.withdrawal(wire.hostif) if rule not in steps]
    return steps


def _plan(host: Host, guest: Namespace, wire: Wired, going: set[Page]) -> list[Action]:
    steps = farewell(guest, wire)
    if wire.kind == "openvswitch":
        port = ovsdb.port(wire.link)
        steps += [RemovePort(port)] if port else []
    steps += _removal(host, guest, wire)
    page = _page(guest, wire)
    note = notes.read(page)
    if note is None:
        return steps
    steps.append(Forget(page, note))
    if note["mac"] != wire.mac:
        return steps  # of an earlier link of that name
    heirs = [(heir, told) for heir, told in _who_replaced(guest, wire) if heir not in going]
    if heirs:
        return [*steps, *(Rewrite(heir, told, _inherited(guest, wire, told, note)) for heir, told in heirs)]
    return [*steps, *put_back_noted(guest, note)]


def farewell(guest: Namespace, wire: Wired) -> list[Action]:
    """The end of the DHCP client, while it still has the link to give its lease back."""
    page = Page("dhcp", guest.cookie, wire.ifname)
    note = notes.read(page)
    if note is None:
        return []
    if "container" in note:
        from pipework.actions.dhcp_container import EndClientInContainer  # docker takes its time to import

        return [EndClientInContainer(page, note)]
    return [EndClient(page, note)]


def _latest_first(guest: Namespace, wires: Sequence[Wired]) -> list[Wired]:
    remaining, ordered = list(wires), list[Wired]()
    while remaining:
        pages = {_page(guest, wire) for wire in remaining}
        free = [wire for wire in remaining if pages.isdisjoint(page for page, _ in _who_replaced(guest, wire))]
        ordered.append((free or remaining)[-1])
        remaining.remove(ordered[-1])
    return ordered


def _page(guest: Namespace, wire: Wired) -> Page:
    return Page("routes", guest.cookie, wire.ifname)


def _who_replaced(guest: Namespace, wire: Wired) -> list[tuple[Page, dict[str, Any]]]:
    """The notes of the links whose default routes have replaced that of a link."""
    ifindex = guest.netlink.index(wire.ifname)
    kept = [(page, notes.read(page)) for page in notes.pages()]
    return [
        (page, note)
        for page, note in kept
        if (page.kind, page.cookie) == ("routes", guest.cookie)
        and page.ifname != wire.ifname
        and note
        and any(route["link"] == ifindex for route in note["routes"])
    ]


def _inherited(guest: Namespace, wire: Wired, heir: dict[str, Any], note: dict[str, Any]) -> dict[str, Any]:
    """What remains for the heir to put back: not the route that goes, but those that it had replaced."""
    ifindex = guest.netlink.index(wire.ifname)
    own = [route for route in heir["routes"] if route["link"] != ifindex]
    return {**heir, "routes": [*own, *note["routes"]]}


def _removal(host: Host, guest: Namespace, wire: Wired) -> list[Action]:
    lent = Page("nic", guest.cookie, wire.ifname)
    note = notes.read(lent)
    home = Home.from_note(note) if note else None
    if note and home and _is_from(home, wire):
        return [BringHome(host.namespace, guest, wire.ifname, home), Forget(lent, note)]
    if wire.kind == "nic":  # a NIC cannot be deleted, and where it was nobody has noted
        hint = f"Bring it back yourself: nsenter --net={guest.path} ip link set {wire.ifname} netns 1"
        raise Refused(f"{wire.ifname} is a NIC on loan, but the note of its home is gone", hint)
    return [DeleteLink(host.namespace, wire.link) if wire.link else DeleteLink(guest, wire.ifname)]


def _is_from(home: Home, wire: Wired) -> bool:
    """Whether the note is of this link, and not of one that an earlier guest had under the same ifindex."""
    return home.link.name == wire.hostif if wire.kind == "nic" else home.link.vlan == wire.vlan is not None

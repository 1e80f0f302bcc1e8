"""``--routed``: the host routes for the guest, and the NIC answers for its addresses: one MAC outside.

A veth pair; the host has a route to each address on its end, and that end has GATEWAYS, by which the guest knows it.
What guests that are gone have left is known by notes, which are kept before anything is done outside the pair.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from ipaddress import ip_address, ip_network

from pipework import notes
from pipework.actions.addresses import AddRoute
from pipework.actions.base import Action
from pipework.actions.iptables import WithdrawRouted
from pipework.actions.links import SetUp
from pipework.actions.routed import Answer, Forward, gateway_of
from pipework.firewall import routed
from pipework.kernel.namespaces import Namespace
from pipework.kernel.records import Link
from pipework.links.base import (
    FarSide,
    Ground,
    Host,
    LinkPlan,
    Remnant,
    Seen,
    Wire,
    Wired,
    check_mtu,
    mark_finished,
)
from pipework.links.claims import (
    addresses_of,
    check_nic,
    claim,
    is_claimed,
    is_forwarded,
    of_end,
    others_of,
    owner_of,
    stop,
)
from pipework.links.conflicts import make_way
from pipework.links.parent import find_nic
from pipework.links.stash import Way
from pipework.links.veth import VethKind, local_name, make_pair
from pipework.notes import Routed as Note
from pipework.typed import Optional


class Routed(VethKind):
    """Whoever reaches the NIC's network reaches the guest, the host itself too; broadcasts do not."""

    uses_nic = True
    routes = True

    def plan(self, wire: Wire) -> LinkPlan:
        """Make the pair and the routes, and have the NIC answer, once each address is known to be free on this host.

        The guest's traffic is forwarded only where the administrator has the host forward.
        """
        request, host, nic = wire.request, wire.far, find_nic(wire)
        check_nic(wire, nic)
        check_mtu(wire, nic.name, nic.mtu)
        local, families = local_name(wire), tuple(sorted({ip.version for ip in addresses_of(wire.request)}))
        way = make_way(wire, local)
        inquiry = routed.Inquiry(host)
        claimed = claim(wire, nic)
        make: list[Action] = [*way.first, *claimed.heal, *make_pair(wire, local, request.mtu or nic.mtu, None)]
        make += [Forward(host, local, families), *claimed.notes, SetUp(host, local)]
        make += [gateway_of(host, local, family) for family in families]
        make += [AddRoute(host, local, ip.version, ip_network(ip), None) for ip in addresses_of(wire.request)]
        ways, notices = inquiry.ways(nic.name, local, addresses_of(wire.request), list(others_of(wire, nic)))
        make += [*ways, *([] if request.probed else claimed.answers)]
        return LinkPlan(make, [mark_finished(host, local, wire), *claimed.going, *way.last, *notices, *claimed.told])

    def neighbourhood(self, wire: Wire) -> tuple[Namespace, str]:
        return wire.far, wire.hostif

    def once_probed(self, wire: Wire) -> Sequence[Action]:
        return claim(wire, find_nic(wire)).answers

    def recognise(self, seen: Seen) -> Optional[FarSide]:
        if seen.end is None or seen.end.master:
            return None
        host, end = seen.host, seen.end
        own = (note for note in host.ask(_noted, "") if (note.host, note.end) == (host.namespace.cookie, end.ifindex))
        note = next(own, None)
        return FarSide(seen.host.name(note.nic)) if note else None

    def remove(self, host: Host, guest: Namespace, wired: Wired) -> Sequence[Action]:
        stops = [stop(host.namespace, note) for note in of_end(host.namespace, host.named(wired.link))]
        return (*_rules_of(wired.link), *stops, *super().remove(host, guest, wired))

    def put_aside(self, host: Host, wire: Wire, there: Wired) -> Way:
        """What the next wire answers for, too, goes on being answered for; the rest ends while its link is known."""
        way, nic = super().put_aside(host, wire, there), host.named(wire.hostif)
        noted = of_end(host.namespace, host.named(there.link))
        going = [note for note in noted if not (wire.request.routed and nic and is_claimed(wire, nic, note))]
        rules = [rule for rule in _rules_of(there.link) if not _serves(wire, there, rule)]
        return way.replace(first=[*rules, *(stop(host.namespace, note) for note in going), *way.first])

    def complete(self, wire: Wire, end: Link) -> Sequence[Action]:
        host, nic = wire.far, find_nic(wire)
        mine = [note for note in notes.readable(Note, wire.near.namespace.cookie) if note.host == host.cookie]
        own = [note for note in mine if note.end == end.ifindex and is_claimed(wire, nic, note)]
        if not own:  # it is another wire
            return ()
        answered = host.netlink.proxied(nic.ifindex)
        others = list(others_of(wire, nic))
        ways, notices = routed.Inquiry(host).ways(nic.name, end.name, addresses_of(wire.request), others)
        return (
            *(stop(host, note) for note in mine if owner_of(host, note) is None),
            *(Answer(host, nic.name, ip_address(note.address), note) for note in own if note.address not in answered),
            *ways,
            *notices,
        )

    def troubles(self, host: Namespace, wires: Sequence[Wired]) -> Iterator[tuple[Wired, str]]:
        inquiry, every = routed.Inquiry(host), notes.readable(Note)
        for wired in wires:
            families = {6 if ":" in address else 4 for address in wired.addresses}
            if not all(is_forwarded(wired.hostif, family) for family in families):
                yield wired, "not forwarded"
                continue
            end, nic = host.netlink.link(wired.link), host.netlink.link(wired.hostif)
            noted = {note.address for note in every if end and (note.host, note.end) == (host.cookie, end.ifindex)}
            if nic is None or nic.master or not noted <= host.netlink.proxied(nic.ifindex):
                yield wired, "not answered for"
            elif inquiry.stop_some(wired.hostif, wired.link, list(map(ip_address, sorted(noted)))):
                yield wired, "filtered"

    def remnants(self, ground: Ground) -> Iterable[Remnant]:
        host = ground.host.namespace
        there = [(note, owner_of(host, note)) for note in notes.every(Note) if note.host == host.cookie]
        for note, owner in there:
            if owner is None:
                yield Remnant(f"answers for {note.address}, which is no guest's any more", (stop(host, note),))
        ends = {(owner.name, str(ip_network(note.address))) for note, owner in there if owner}
        links = {name for note, owner in there if owner for name in (owner.name, ground.host.name(note.nic))}
        for rule in routed.standing():
            if (rule.end, rule.address) not in ends or rule.nic not in links:
                yield Remnant(f"{rule.what}, which leads to no guest", (rule,))


def _noted(_: str) -> list[Note]:
    """All notes, which who looks at many wires reads once."""
    return notes.readable(Note)


def _rules_of(end: str) -> list[WithdrawRouted]:
    """The rules of a wire by the name of the host's end, the last first, for each comes back to where it was."""
    return [rule for rule in reversed(routed.standing()) if end in (rule.nic, rule.end)]


def _serves(wire: Wire, there: Wired, rule: WithdrawRouted) -> bool:
    """Whether a rule lets frames of the next wire pass, too."""
    if not wire.request.routed or (there.hostif, there.link) != (wire.hostif, local_name(wire)):
        return False
    return rule.nic == there.link or rule.address in [str(ip_network(ip)) for ip in addresses_of(wire.request)]


KIND = Routed()

"""A wire straight between two guests: a veth pair, an end in each, and nothing of it on the host."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pipework.actions.base import Action
from pipework.actions.links import CreateVeth, DeleteLink
from pipework.default_routes import Returning, bring_back, default_routes, hand_on
from pipework.errors import Refused
from pipework.kernel.namespaces import Namespace
from pipework.kernel.records import Link
from pipework.links.base import (
    FarSide,
    Ground,
    Host,
    Inhabitant,
    LinkKind,
    LinkPlan,
    Remnant,
    Seen,
    Wire,
    Wired,
    mark_finished,
    mark_unfinished,
)
from pipework.links.conflicts import make_way
from pipework.links.ends import OtherEnd, joins_guests, other_end, visit
from pipework.links.stash import Way, removal, stash
from pipework.marks import LONGEST_ALIAS, is_left_over, is_unfinished
from pipework.requests import DEFAULT_MTU
from pipework.typed import Optional


class Peer(LinkKind):
    """Both ends are guests'; each bears a mark, and the wire is whole once both do."""

    between_guests = True

    def recognise(self, seen: Seen) -> Optional[FarSide]:
        if seen.end or seen.loan or not joins_guests(seen.link) or seen.link.peer_namespace == seen.back:
            return None
        if seen.mark:
            return FarSide(seen.mark.hostif)
        other = _other_of(seen)  # the port of a host that is itself a guest has one without a mark
        return FarSide("") if other and joins_guests(other.link) else None

    def remove(self, host: Host, guest: Namespace, wired: Wired) -> Sequence[Action]:
        """With one end the other goes, and that guest has again what its end had replaced."""
        assert wired.there
        returning = _returning(visit(host.namespace, guest, wired.there))
        return (*returning.steps, DeleteLink(guest, wired.ifname), *returning.finish)

    def put_aside(self, host: Host, wire: Wire, there: Wired) -> Way:
        guest = wire.near.namespace
        assert there.there
        other = visit(host.namespace, guest, there.there)
        first = stash(guest, there.there, is_guests=True)
        if other:
            first += stash(*other, is_guests=True)
        return Way(first, [removal(guest, there.there)])

    def remnants(self, ground: Ground) -> Iterator[Remnant]:
        told = set[tuple[int, int]]()
        for guest in ground.guests:
            for link in filter(is_unfinished, guest.links):  # as one end at least of half a pair is
                other = _left_over(ground, guest, link)
                if other and (guest.cookie, link.ifindex) not in told:
                    told.add((other.cookie, other.link.ifindex))
                    yield _half_made(ground, guest, link, other)


def plan(one: Wire, other: Wire) -> LinkPlan:
    """Make the pair, each end born in its guest; one, other: its ends.  Raises PipeworkError."""
    for wire in (one, other):
        _check_mark(wire)
    ways = [make_way(one), make_way(other)]
    near, far = one.near.namespace, other.near.namespace
    mtu = one.request.mtu or DEFAULT_MTU
    make = [
        *(step for way in ways for step in way.first),
        CreateVeth(near, one.ifname, far, other.ifname, mtu, None, None, both=True),
        mark_unfinished(near, one.ifname),
        mark_unfinished(far, other.ifname),
    ]
    return LinkPlan(make, [mark_finished(far, other.ifname, other), mark_finished(near, one.ifname, one)])


def _check_mark(wire: Wire) -> None:
    """Refuse names of guests that the mark of an end cannot tell."""
    near, far = f"{wire.near.runtime}:{wire.near.name}", wire.hostif
    if any(c.isspace() for c in far):
        raise Refused(f"GUEST {far} has a blank in its name, which a wire's mark cannot tell", "Give it another.")
    if len(f"pipework {far} {near} {wire.ifname}".encode("utf-8", "replace")) > LONGEST_ALIAS:
        raise Refused(f"{near}, {far}: these names are too long for a wire's mark", "Give one a shorter name.")


def _other_of(seen: Seen) -> Optional[OtherEnd]:
    guest = seen.residence.open()
    if guest is None:
        return None
    with guest:
        return other_end(guest, seen.link)


def _returning(other: Optional[tuple[Namespace, Link]]) -> Returning:
    """What the guest of the other end has again once that goes."""
    if other is None:
        return Returning()
    guest, link = other
    return hand_on(guest, link, [link], default_routes(guest)) or bring_back(guest, link)


def _left_over(ground: Ground, guest: Inhabitant, link: Link) -> Optional[OtherEnd]:
    """The other end of a pair that a killed run has left half made; None: it is none."""
    if not joins_guests(link):
        return None
    namespace = ground.enter(guest.residence)
    other = other_end(namespace, link) if is_left_over(namespace, link) else None
    return other if other and joins_guests(other.link) else None


def _half_made(ground: Ground, guest: Inhabitant, link: Link, other: OtherEnd) -> Remnant:
    places = [
        f"{end.name} in {home.name or f'process {home.pid}'}"
        for end, home in ((link, guest.residence), (other.link, other.residence))
    ]
    return Remnant(f"link {' and '.join(places)}, half made", (DeleteLink(ground.enter(guest.residence), link.name),))


NAME = __name__.rpartition(".")[2]  # as links.Row has it
KIND = Peer()

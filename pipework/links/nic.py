"""``--direct-phys``: the NIC itself leaves the host and becomes the guest's."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pipework.actions.base import Action
from pipework.errors import Refused
from pipework.kernel.namespaces import Namespace
from pipework.links.base import FarSide, Ground, Host, LinkKind, LinkPlan, Remnant, Seen, Wire, Wired, mark_finished
from pipework.links.conflicts import make_way
from pipework.links.loan import lend, loan_of, loans_left_over, take_home
from pipework.links.parent import find_nic
from pipework.typed import Optional


class Nic(LinkKind):
    """The guest has the NIC for itself."""

    handed_over = True
    uses_nic = True

    def plan(self, wire: Wire) -> LinkPlan:
        """Move the NIC, unless this host itself hangs on it."""
        nic = find_nic(wire)
        way = make_way(wire)
        return LinkPlan(
            [*way.first, *lend(wire, nic)], [mark_finished(wire.near.namespace, wire.ifname, wire), *way.last]
        )

    def recognise(self, seen: Seen) -> Optional[FarSide]:
        """Hardware that bears our mark, or whatever a note tells of.

        A mark alone may be that of another host's end of a pair, for that host can be a guest of ours; or, for this one
        can be another's, of an end that leads here.
        """
        link, mark = seen.link, seen.mark
        named = mark is not None and mark.ifname == link.name and not mark.is_between_guests
        if seen.end or not (seen.loan or named or not link.kind):
            return None
        home = seen.loan.home.link.name if seen.loan else ""
        return FarSide(mark.hostif if mark else home)

    def remove(self, host: Host, guest: Namespace, wired: Wired) -> Sequence[Action]:
        """Bring it home.  Raises Refused where nobody has noted where that is, for a NIC cannot be deleted."""
        loan = loan_of(guest, wired)
        if loan is None:
            hint = f"Bring it back yourself: nsenter --net={guest.path} ip link set {wired.ifname} netns 1"
            raise Refused(f"{wired.ifname} is a NIC on loan, but the note of its home is gone", hint)
        return take_home(host.namespace, guest, wired, loan)

    def remnants(self, ground: Ground) -> Iterable[Remnant]:
        """What is on loan, of every kind: a note tells of it."""
        return loans_left_over(ground)


KIND = Nic()

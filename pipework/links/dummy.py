"""A dummy link: an address to bind to, and no network behind it."""

from __future__ import annotations

from collections.abc import Iterable

from pipework.actions.links import CreateDummy
from pipework.errors import Refused
from pipework.links.base import (
    FarSide,
    Ground,
    LinkKind,
    LinkPlan,
    Remnant,
    Seen,
    Wire,
    half_made,
    mark_finished,
    mark_unfinished,
)
from pipework.links.conflicts import make_way
from pipework.typed import Optional


class Dummy(LinkKind):
    """The guest's alone."""

    unmarked = True

    def plan(self, wire: Wire) -> LinkPlan:
        """Create the link in the guest; the host has nothing of it."""
        request, guest = wire.request, wire.near.namespace
        if request.tag:
            raise Refused(
                f"VLAN @{request.tag.text}: a dummy link has no network to tag", f"Leave out @{request.tag.text}."
            )
        way = make_way(wire)
        make = [*way.first, CreateDummy(guest, wire.ifname, request.mac), mark_unfinished(guest, wire.ifname)]
        return LinkPlan(make, [mark_finished(guest, wire.ifname, wire), *way.last])

    def recognise(self, seen: Seen) -> Optional[FarSide]:
        return None if seen.loan else FarSide("")

    def remnants(self, ground: Ground) -> Iterable[Remnant]:
        return half_made(ground, "dummy")


KIND = Dummy()

"""A dummy link: an address to bind to, and no network behind it."""

from __future__ import annotations

from pipework.actions.links import CreateDummy
from pipework.errors import Refused
from pipework.links.base import LinkPlan, Wire
from pipework.links.conflicts import make_way, mark_finished, mark_unfinished


def plan(wire: Wire) -> LinkPlan:
    """Create the link in the guest; the host has nothing of it."""
    request, guest = wire.request, wire.guest.namespace
    if request.tag:
        raise Refused(
            f"VLAN @{request.tag.text}: a dummy link has no network to tag", f"Leave out @{request.tag.text}."
        )
    aside = make_way(wire)
    make = [*aside.first, CreateDummy(guest, wire.ifname, request.mac), mark_unfinished(guest, wire.ifname)]
    return LinkPlan(make, [mark_finished(guest, wire.ifname, wire), *aside.last])

"""An IPv6 address of the prefix that the network's router announces, and that router as gateway."""

from __future__ import annotations

from pipework.actions.auto import AcceptRouters, AwaitAuto, SetToken
from pipework.actions.base import Action
from pipework.actions.default_route import PostponeDefault
from pipework.address import Auto
from pipework.addressing.base import Part, Room
from pipework.links.base import Wire


def plan(wire: Wire, auto: Auto, room: Room) -> Part:
    """Have the kernel do it, and wait; the default routes of before serve until there is another."""
    guest, link = wire.near.namespace, wire.ifname
    prepare: list[Action] = [AcceptRouters(guest, link, wire.request.metric)]
    if auto.token:
        prepare.append(SetToken(guest, link, auto.token))
    settle: list[Action] = [AwaitAuto(guest, link)]
    if room.routes:
        settle = [PostponeDefault(guest, room.routes), *settle, room.yielded(guest, link)]
    return Part(prepare=prepare, settle=settle)

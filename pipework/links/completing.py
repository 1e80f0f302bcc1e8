"""What a run that was killed after its last mark of a wire had left to do."""

from __future__ import annotations

from pipework.actions.base import Action, Heal
from pipework.actions.links import Adopt, DeleteLink
from pipework.kernel.records import NEWBORN, Link
from pipework.links.base import SWITCHED, Wire
from pipework.links.conflicts import is_left_over, put_aside_for, read_mark


def left_to_do(wire: Wire, local: str) -> list[Action]:
    """Remove the link whose place the finished wire has taken, and let the bridge that was made for it stay.

    local: the host's end of the wire; nothing is left to do where there is no such link, or it is not finished.
    """
    host = wire.host
    end = host.netlink.link(local)
    if end is None or read_mark(end) is None:
        return []
    steps: list[Action] = [DeleteLink(host, link.name) for link in put_aside_for(host, local) if is_left_over(link)]
    steps += _adoption(wire, end)
    return [Heal(steps)] if steps else []


def _adoption(wire: Wire, end: Link) -> list[Action]:
    bridge = wire.host.netlink.link(wire.hostif)
    if bridge and bridge.group == NEWBORN and end.master == bridge.ifindex:
        return [Adopt(wire.host, bridge.name)]
    if bridge and bridge.kind in SWITCHED:
        from pipework.actions.openvswitch import AdoptBridge  # no other kind needs it
        from pipework.kernel import ovsdb

        if bridge.name in ovsdb.unfinished_bridges() and end.name in ovsdb.ports(bridge.name):
            return [AdoptBridge(bridge.name)]
    return []

"""Whether frames pass this host's firewall, and what lets them: one file for each kind of firewall."""

from __future__ import annotations

import os

from pipework import notes
from pipework.actions.base import Action
from pipework.actions.iptables import WithdrawBridged
from pipework.firewall import inquiry, iptables, none
from pipework.kernel.namespaces import Namespace
from pipework.marks import COMMENT, rule_comment
from pipework.typed import TYPE_CHECKING, Union

if TYPE_CHECKING:
    from pipework.actions.firewalld import LeaveZone


def inquire(host: Namespace, *bridges: str) -> Union[inquiry.Inquiry, none.Inquiry]:
    """Ask who stops frames that stay on a bridge.  PIPEWORK_FIREWALL=off opts out."""
    return none.Inquiry() if is_off() else inquiry.Inquiry(host, {one: inquiry.meeting(one) for one in bridges})


def withdrawal(host: Namespace, bridge: str, port: str, last: bool) -> list[Action]:
    """Take the rules back that a port has, and if it is the last that leads to a guest what the bridge has.

    The last first, for each comes back to where it was.
    """
    there = standing(host, rule_comment(bridge, "" if last else port))
    return [one for one in reversed(there) if one.bridge == bridge and (last or one.port == port)]


def standing(host: Namespace, comment: str = COMMENT) -> list[Union[WithdrawBridged, LeaveZone]]:
    """All that stands of what let frames pass, as what takes it back.

    comment: rules are listed only if one's comment begins so.  Raises Refused.
    """
    if is_off():
        return []
    return [*_entered(host), *iptables.standing(comment)]


def _entered(host: Namespace) -> list[LeaveZone]:
    """The zones of firewalld that bridges were put into."""
    there = notes.every(notes.Zone, host.cookie)
    if not there:
        return []
    from pipework.actions.firewalld import LeaveZone  # few hosts have firewalld

    return list(map(LeaveZone, there))


def is_off() -> bool:
    """Whether somebody else sees to it."""
    return os.environ.get("PIPEWORK_FIREWALL") == "off"

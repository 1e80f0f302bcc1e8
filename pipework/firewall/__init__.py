"""Whether frames pass this host's firewall, and what lets them: one file for each kind of firewall."""

from __future__ import annotations

import os

from pipework.actions.iptables import WithdrawBridged
from pipework.firewall import inquiry, iptables, none
from pipework.kernel.namespaces import Namespace
from pipework.marks import COMMENT, rule_comment
from pipework.typed import Union


def inquire(host: Namespace, *bridges: str) -> Union[inquiry.Inquiry, none.Inquiry]:
    """Ask who stops frames that stay on a bridge.  PIPEWORK_FIREWALL=off opts out."""
    return none.Inquiry() if _is_off() else inquiry.Inquiry(host, bridges)


def withdrawal(bridge: str, port: str, last: bool) -> list[WithdrawBridged]:
    """Take the rules back that a port has, and if it is the last that leads to a guest those of the bridge."""
    there = standing(rule_comment(bridge, "" if last else port))
    return [rule for rule in there if rule.bridge == bridge and (last or rule.port == port)]


def standing(comment: str = COMMENT) -> list[WithdrawBridged]:
    """Every rule of ours that stands, as what takes it back; see iptables.standing.  Raises Refused."""
    return [] if _is_off() else iptables.standing(comment)


def _is_off() -> bool:
    return os.environ.get("PIPEWORK_FIREWALL") == "off"

"""Whether frames pass this host's firewall, and what lets them: one file for each kind of firewall."""

from __future__ import annotations

import os

from pipework.actions.iptables import WithdrawBridged
from pipework.firewall import iptables, none
from pipework.firewall.base import Inquiry
from pipework.model import Dhcp, Static
from pipework.typed import Union


def inquire(bridge: str, address: Union[Static, Dhcp]) -> Inquiry:
    """Ask whether frames of a bridge pass, on behalf of a guest of that address.  PIPEWORK_FIREWALL=off opts out."""
    return none.Inquiry() if _is_off() else iptables.Inquiry(bridge, address)


def withdrawal(bridge: str) -> list[WithdrawBridged]:
    """Take the bridge's rules back, where there are any."""
    return [rule for rule in standing() if rule.bridge == bridge]


def standing() -> list[WithdrawBridged]:
    """Every rule of ours that stands, as what takes it back.  Raises Refused."""
    return [] if _is_off() else iptables.standing()


def _is_off() -> bool:
    return os.environ.get("PIPEWORK_FIREWALL") == "off"

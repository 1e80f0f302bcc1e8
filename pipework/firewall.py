"""Whether frames of a bridge need a rule to pass this host's firewall, and the plan for it."""

from __future__ import annotations

import os
from typing import Union

from pipework.actions.firewall import CHAIN, TIMEOUT, AllowBridged, comment
from pipework.errors import NotInstalled
from pipework.kernel import sysfs
from pipework.kernel.programs import run
from pipework.request import Dhcp, Static


def plan(bridge: str, address: Union[Static, Dhcp]) -> list[AllowBridged]:
    """One tagged rule for a bridge and each family it needs, unless it stands already.

    Needed where bridged frames meet the firewall, Docker keeps a DOCKER-USER chain and FORWARD drops what
    nobody accepts.  PIPEWORK_FIREWALL=off opts out.
    """
    if os.environ.get("PIPEWORK_FIREWALL") == "off":
        return []
    return [AllowBridged(iptables, bridge) for iptables in _firewalls(address) if _needs_rule(iptables, bridge)]


def _firewalls(address: Union[Static, Dhcp]) -> list[str]:
    if isinstance(address, Static) and address.interface is None:
        return ["iptables", "ip6tables"]  # the guest will choose its own address
    return ["ip6tables" if isinstance(address, Static) and address.family == 6 else "iptables"]


def _needs_rule(iptables: str, bridge: str) -> bool:
    if not sysfs.bridged_frames_meet(iptables):
        return False
    try:
        chain = run([iptables, "-w", "5", "-S", CHAIN], TIMEOUT, "iptables")
    except NotInstalled:
        return False
    if chain.status != 0 or f'"{comment(bridge)}"' in chain.out:
        return False
    forward = run([iptables, "-w", "5", "-S", "FORWARD"], TIMEOUT, "iptables")
    return "-P FORWARD DROP" in forward.out

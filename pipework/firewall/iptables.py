"""iptables on a Docker host: whether bridged frames need a rule, and the plan for it."""

from __future__ import annotations

from pipework.actions.iptables import CHAIN, TIMEOUT, AllowBridged, WithdrawBridged
from pipework.errors import NotInstalled, Refused
from pipework.kernel import sysfs
from pipework.kernel.programs import Running, run
from pipework.marks import COMMENT, rule_comment
from pipework.model import Dhcp, Static
from pipework.typed import Optional, Union

NO_CHAIN = (1, 3)  # exit statuses of iptables -S: no chain of that name, no such table in this kernel


class Inquiry:
    """The question put to iptables, ip6tables or both."""

    def __init__(self, bridge: str, address: Union[Static, Dhcp]) -> None:
        self._bridge = bridge
        self._asked: dict[str, Optional[Running]] = {iptables: _ask(iptables) for iptables in _firewalls(address)}

    def plan(self) -> list[AllowBridged]:
        """One tagged rule for the bridge and each family that needs it, unless it stands already.

        Needed where bridged frames meet the firewall, Docker keeps a DOCKER-USER chain and FORWARD drops
        what nobody accepts.  Raises Refused for a bridge that no rule can name.
        """
        lacking = [
            iptables for iptables, listing in self._asked.items() if listing and self._lacks_rule(iptables, listing)
        ]
        if lacking and (self._bridge.endswith("+") or set("\"'\\").intersection(self._bridge)):
            raise Refused(
                f"bridge {self._bridge} cannot be named in a firewall rule: a + at the end would stand for any name, "
                "quotes and backslashes are changed",
                "Choose another name, or see to the rules yourself and run pipework with PIPEWORK_FIREWALL=off.",
            )
        return [AllowBridged(iptables, self._bridge, tuple(sysfs.ports(self._bridge))) for iptables in lacking]

    def _lacks_rule(self, iptables: str, listing: Running) -> bool:
        chain = listing.outcome(TIMEOUT)
        if chain.status in NO_CHAIN or f'"{rule_comment(self._bridge)}"' in chain.out:
            return False
        forward = run([iptables, "-w", "5", "-S", "FORWARD"], TIMEOUT, "iptables")
        for asked in (chain, forward):
            if asked.status != 0:
                raise Refused(
                    f"{iptables} does not tell whether frames pass {self._bridge}: {asked.err.strip()}",
                    "See to the rules yourself and run pipework with PIPEWORK_FIREWALL=off.",
                )
        return "-P FORWARD DROP" in forward.out


def standing() -> list[WithdrawBridged]:
    """Every rule of ours that stands, as what takes it back.  Raises Refused."""
    asked = {iptables: _ask(iptables) for iptables in ("iptables", "ip6tables")}
    listings = [(iptables, listing) for iptables, listing in asked.items() if listing]
    return [WithdrawBridged(*rule) for listing in listings for rule in _rules(*listing)]


def _rules(iptables: str, listing: Running) -> list[tuple[str, str]]:
    """The rules of ours that stand, each as iptables or ip6tables and a bridge.  Raises Refused."""
    chain = listing.outcome(TIMEOUT)
    if chain.status in NO_CHAIN:
        return []
    if chain.status != 0:
        raise Refused(
            f"{iptables} does not tell which rules stand: {chain.err.strip()}",
            "See to the rules yourself and run pipework with PIPEWORK_FIREWALL=off.",
        )
    tagged = [line.partition(f'"{COMMENT}')[2] for line in chain.out.splitlines()]
    return [(iptables, rest.partition('"')[0]) for rest in tagged if '"' in rest]


def _firewalls(address: Union[Static, Dhcp]) -> list[str]:
    if isinstance(address, Static) and address.interface is None:
        return ["iptables", "ip6tables"]  # the guest will choose its own address
    return ["ip6tables" if isinstance(address, Static) and address.family == 6 else "iptables"]


def _ask(iptables: str) -> Optional[Running]:
    if not sysfs.bridged_frames_meet(iptables):
        return None
    try:
        return Running([iptables, "-w", "5", "-S", CHAIN], "iptables")
    except NotInstalled:
        return None

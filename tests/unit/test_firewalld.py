"""What firewalld says is read alike from each of its versions."""

from __future__ import annotations

from pipework.firewall.firewalld import Zone, _in_policies, _zone_of

RICH = 'rule family="ipv4" source address="192.0.2.1" accept'


def test_zone() -> None:
    """It has its name, whether anything is in it, whether it forwards, and all else that it says but for people."""
    said = {"version": "", "short": "Work", "description": "...", "target": "default", "interfaces": ["eth0"]}
    said |= {"services": ["ssh", "dhcpv6-client"], "rules_str": [RICH], "sources": [], "forward": True, "ports": []}
    rules = {"target: default", "services: ssh", "services: dhcpv6-client", f"rules_str: {RICH}"}
    assert _zone_of("work", said) == Zone("work", True, True, frozenset(rules))
    other = {"target": "default", "rules_str": [RICH], "services": ["dhcpv6-client", "ssh"], "sources": ["fd00::/8"]}
    assert _zone_of("home", other) == Zone("home", True, False, frozenset(rules))
    assert not _zone_of("drop", {"target": "DROP"}).is_used


def test_policies() -> None:
    """The zones that they name; of one that is disabled, none; versions before 2.4 have no such thing."""
    policies = {
        "allow-host-ipv6": {"disable": False, "ingress_zones": ["ANY"], "egress_zones": ["HOST"], "rich_rules": []},
        "gateway": {"disable": True, "ingress_zones": ["home"], "egress_zones": ["work"]},
        "mine": {"ingress_zones": ["dmz", "internal"]},
    }
    assert _in_policies(policies) == {"ANY", "HOST", "dmz", "internal"}

"""What firewalld lists is read alike from each of its versions."""

from __future__ import annotations

import pytest

from pipework.firewall.firewalld import Zone, _in_policies, _zones

# As of 1.3 and as of 2.5.
GAPS = pytest.mark.parametrize("gap", ["\n", ""], ids=["blank lines between", "none"])
RICH = '\trule family="ipv4" source address="192.0.2.1" accept'
ZONES = (
    "public (default, active)\n  target: default\n  interfaces: eth0\n  sources: \n  services: ssh\n  forward: yes\n",
    "trusted\n  target: ACCEPT\n  interfaces: \n  sources: 192.0.2.0/24\n  services: \n  forward: no\n",
    f"work\n  target: default\n  interfaces: \n  sources: \n  services: ssh\n  forward: yes\n  rich rules: \n{RICH}\n",
)
POLICIES = (
    "allow-host-ipv6 (active)\n  disable: no\n  ingress-zones: ANY\n  egress-zones: HOST\n  rich rules: \n",
    "gateway (disabled)\n  disable: yes\n  ingress-zones: home\n  egress-zones: work\n",
    "mine\n  ingress-zones: dmz internal\n  egress-zones: \n",
)


@GAPS
def test_zones(gap: str) -> None:
    """Each has its name, whether anything is in it, whether it forwards, and all else that it says."""
    assert _zones(gap.join(ZONES)) == {
        "public": Zone("public", True, True, ("target: default", "services: ssh")),
        "trusted": Zone("trusted", True, False, ("target: ACCEPT", "services: ")),
        "work": Zone("work", False, True, ("target: default", "services: ssh", "rich rules: ", RICH)),
    }


@GAPS
def test_policies(gap: str) -> None:
    """The zones that they name; of one that is disabled, none."""
    assert _in_policies(gap.join(POLICIES)) == {"ANY", "HOST", "dmz", "internal"}

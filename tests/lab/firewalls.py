"""Hosts with the firewalls that users have: what makes each, and whether pipework lets a wire's frames pass there."""

from __future__ import annotations

from typing import NamedTuple

BRIDGE = "br1"
DOCKER = "for t in iptables ip6tables; do $t -N DOCKER-USER; $t -A FORWARD -j DOCKER-USER; $t -P FORWARD DROP; done"
UFW = """
for t in iptables ip6tables; do
    for c in before after reject; do $t -N ufw-$c-forward; $t -A FORWARD -j ufw-$c-forward; done
    $t -A ufw-before-forward -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
    $t -P FORWARD DROP
done
iptables -A ufw-before-forward -p icmp -m icmp --icmp-type 8 -j ACCEPT
ip6tables -A ufw-before-forward -p ipv6-icmp -j ACCEPT
"""
FIREWALLD = """
nft -f - <<'N'
table inet firewalld {
    chain filter_FORWARD {
        type filter hook forward priority filter + 10; policy accept;
        ct state { established, related } accept
        ct status dnat accept
        iifname "lo" accept
        ct state invalid drop
        jump filter_FORWARD_POLICIES
        reject with icmpx admin-prohibited
    }
    chain filter_FORWARD_POLICIES { iifname "eth0" goto filter_FWD_public; return; }
    chain filter_FWD_public { oifname "eth0" accept; reject with icmpx admin-prohibited; }
}
N
"""
NETAVARK = """
nft -f - <<'N'
table inet netavark {
    chain NETAVARK-ISOLATION-3 { oifname "podman1" drop; jump NETAVARK-ISOLATION-2; }
    chain NETAVARK-ISOLATION-2 { oifname "podman0" drop; }
    chain FORWARD {
        type filter hook forward priority filter; policy accept;
        ct state invalid drop
        ip daddr 10.88.0.0/16 ct state related,established accept
        ip saddr 10.88.0.0/16 accept
    }
}
N
"""
DOCKER_29_NFT = """
nft -f - <<'N'
table ip docker-bridges {
    map filter-forward-in-jumps { type ifname : verdict; elements = { "docker0" : jump filter-forward-in__docker0 }; }
    map filter-forward-out-jumps { type ifname : verdict; elements = { "docker0" : jump filter-forward-out__docker0 }; }
    chain filter-FORWARD {
        type filter hook forward priority filter; policy accept;
        oifname vmap @filter-forward-in-jumps
        iifname vmap @filter-forward-out-jumps
    }
    chain filter-forward-in__docker0 { ct state established,related counter accept; iifname "docker0" accept; drop; }
    chain filter-forward-out__docker0 { ct state established,related accept; oifname != "docker0" accept; }
}
N
"""


class Shape(NamedTuple):
    """A host's firewall.

    make: as a shell script; flows: whether frames pass once pipework has wired two guests; later: what happens on the
    host when they are wired; hidden: programs that pipework does not find there.
    """

    name: str
    make: str
    flows: bool
    later: str = ""
    hidden: tuple[str, ...] = ()


def nft_table(family: str, rules: str, policy: str = "drop", hook: str = "forward") -> str:
    """A table of an administrator's own."""
    chain = f"type filter hook {hook} priority filter; policy {policy}; {rules};"
    return f"nft -f - <<'N'\ntable {family} filter {{ chain {hook} {{ {chain} }}; }}\nN\n"


def both(rules: str) -> str:
    """The same lines for iptables and ip6tables."""
    return f"for t in iptables ip6tables; do {rules}; done"


def handed_on(switch: int) -> str:
    """Whether bridged frames are handed to iptables, 1 or 0."""
    return both(f"echo {switch} >/proc/sys/net/bridge/bridge-nf-call-$t")


SHAPES = (
    Shape("open", "true", True),
    Shape("Docker 20 to 27", f"{DOCKER}; {both('$t -A DOCKER-USER -j RETURN')}", True),
    Shape("Docker 28", DOCKER, True),
    Shape("Docker and ufw", f"{UFW}{DOCKER.replace('-A FORWARD', '-I FORWARD')}", True),
    Shape("DROP, no DOCKER-USER", both("$t -P FORWARD DROP"), False),
    Shape(
        "REJECT at the end, policy ACCEPT", f"{DOCKER}; {both('$t -P FORWARD ACCEPT; $t -A FORWARD -j REJECT')}", True
    ),
    Shape("REJECT at the end, no Docker", both("$t -A FORWARD -j REJECT"), False),
    Shape("DOCKER-USER that nobody jumps to", both("$t -N DOCKER-USER; $t -P FORWARD DROP"), False),
    Shape(
        "DOCKER-USER for one bridge",
        both("$t -N DOCKER-USER; $t -A FORWARD -i br9 -j DOCKER-USER; $t -P FORWARD DROP"),
        False,
    ),
    Shape("ufw", UFW, False),
    Shape("firewalld beside Docker", f"{DOCKER}\n{FIREWALLD}", False),
    Shape("firewalld", FIREWALLD, False),
    Shape("podman", NETAVARK, True),
    Shape("Docker, but no iptables here", DOCKER, False, hidden=("xtables-nft-multi", "xtables-legacy-multi")),
    Shape(
        "DROP, and nothing here that could list it",
        DOCKER,
        False,
        hidden=("xtables-nft-multi", "xtables-legacy-multi", "nft"),
    ),
    Shape(
        "DROP in iptables-legacy, but no iptables here",
        both("$t-legacy -P FORWARD DROP"),
        False,
        hidden=("xtables-nft-multi", "xtables-legacy-multi"),
    ),
    Shape("Docker 29, nftables", DOCKER_29_NFT, True),
    Shape("nft drop", nft_table("inet", ""), False),
    Shape("nft drop, but for this bridge", nft_table("inet", f'iifname "{BRIDGE}" oifname "{BRIDGE}" accept'), True),
    Shape(
        "nft drop, but for these addresses",
        nft_table("inet", "ip saddr 10.1.0.0/16 accept; ip6 saddr { fd00::/8, fe80::/10 } accept"),
        True,
    ),
    Shape("nft drop, but for TCP on one port", nft_table("inet", "tcp dport 22 accept"), False),
    Shape("nft reject of the rest", nft_table("inet", "iifname lo accept; reject", "accept"), False),
    Shape("nft tables of each family", nft_table("ip", "") + nft_table("ip6", ""), False),
    Shape(
        "nft on the bridge itself",
        nft_table("bridge", "ether type arp accept; icmpv6 type nd-neighbor-solicit accept"),
        False,
    ),
    Shape(
        "nft that asks for what nobody knows", nft_table("inet", "meta mark 7 drop; tcp dport 22 drop", "accept"), True
    ),
    Shape("dropped before it is forwarded", both("$t -t raw -P PREROUTING DROP"), False),
    Shape(
        "nft filter of reverse paths",
        nft_table("inet", "fib saddr . iif oif missing drop", "accept", "prerouting"),
        False,
    ),
    Shape("iptables filter of reverse paths", both("$t -t raw -A PREROUTING -m rpfilter --invert -j DROP"), False),
    Shape("Docker in iptables-legacy", DOCKER.replace("iptables ip6tables", "iptables-legacy ip6tables-legacy"), True),
    Shape("DROP in iptables-legacy", both("$t-legacy -P FORWARD DROP"), False),
    Shape(
        "Docker, br_netfilter comes later",
        f"{handed_on(0)}; {DOCKER}",
        True,
        handed_on(1),
    ),
    Shape(
        "the switch of this bridge alone",
        f"{handed_on(0)}; ip link add {BRIDGE} up type bridge nf_call_iptables 1 nf_call_ip6tables 1; "
        + both("$t -P FORWARD DROP"),
        False,
    ),
)
# what an administrator has decided for one guest, or an engine for a bridge of its own
CLOSED = (
    Shape(
        "DROP of one guest in DOCKER-USER",
        f"{DOCKER}; iptables -A DOCKER-USER -i {BRIDGE} -o {BRIDGE} -s 10.1.1.1 -j DROP",
        False,
    ),
    Shape("DROP at the end of DOCKER-USER", f"{DOCKER}; iptables -A DOCKER-USER -j DROP", False),
    Shape("icc=false", f"{DOCKER}; iptables -A FORWARD -i {BRIDGE} -o {BRIDGE} -j DROP", False),
    Shape("isolated networks", f"{DOCKER}; iptables -A FORWARD ! -s 172.16.0.0/12 -o {BRIDGE} -j DROP", False),
    Shape("nft drop of one guest", f"{DOCKER}; " + nft_table("inet", "ip saddr 10.1.1.1 drop", "accept"), False),
    Shape(
        "nft verdict map of pairs",
        nft_table(
            "inet", f"iifname . oifname vmap {{ {BRIDGE} . {BRIDGE} : drop, eth0 . {BRIDGE} : accept }}", "accept"
        ),
        False,
    ),
    Shape(
        "nft drop of a range",
        nft_table("inet", "ip saddr 10.1.1.1-10.1.1.9 drop; ip6 saddr fd00:1::1-fd00:1::9 drop", "accept"),
        False,
    ),
)

"""What speaks against an uplink, seen before anything is touched."""

from __future__ import annotations

from collections.abc import Iterator

from pipework import links
from pipework.errors import NotInstalled, Refused
from pipework.kernel import sysfs
from pipework.kernel.namespaces import Namespace
from pipework.kernel.programs import run
from pipework.kernel.records import Link
from pipework.kernel.rules import links_named
from pipework.links.base import SWITCHED
from pipework.links.tenants import IPVLANS, MACVLANS
from pipework.marks import is_access, is_hosts_end
from pipework.notes import Home
from pipework.typed import Optional
from pipework.uplinks.base import BridgeKind

LIMIT = 10.0  # seconds for a firewall's program
RULES = (("iptables-save",), ("ip6tables-save",), ("nft", "list", "ruleset"))
ALONE = (*MACVLANS, *IPVLANS)  # what excludes a master, as they have a NIC's frames first


def check_nic(host: Namespace, nic: str, bridge: str) -> Link:
    """The NIC.  Raises Refused if it can be no bridge's port."""
    card = host.netlink.link(nic)
    if card is None or nic == "lo":
        raise Refused(f"NIC {nic} is no NIC of this host", "See what there is: ip -br link")
    if card.type != sysfs.ETHERNET or links.is_bridge(card) or card.kind in SWITCHED or nic == bridge:
        raise Refused(f"NIC {nic} can be no bridge's port ({card.kind or 'no Ethernet'})", "Name another: ip -br link")
    if is_hosts_end(card):
        raise Refused(f"NIC {nic} leads to a guest", "Name the one that leads to the network: ip route")
    if sysfs.phy(nic):
        raise Refused(
            f"NIC {nic} is Wi-Fi, whose access point takes frames of one MAC only, so it can be no uplink",
            f"Name a wired one; or have guests share its one MAC: pipework --routed {nic} GUEST ADDRESS",
        )
    alone = (link for link in host.netlink.links() if link.parent == card.ifindex and link.kind in ALONE)
    standing = next((link for link in alone if not is_access(link)), None)  # which goes with the guests that it is for
    if standing:
        raise Refused(
            f"NIC {nic} bears {standing.name} ({standing.kind}), which excludes being a bridge's port",
            f"Remove it first: ip link del {standing.name}",
        )
    return card


def check_bridge(kind: BridgeKind, bridge: str, there: Optional[Link], nic: Link) -> None:
    """Refuse a NIC that is a port of something else, and what the bridge's kind cannot do.  Raises Refused."""
    kind.check(bridge, there, nic)
    master = sysfs.master(nic.name)
    if master and nic.master and not kind.has_port(bridge, nic, there):
        raise Refused(
            f"NIC {nic.name} is a port of {master} already",
            f"Name that as the NIC, or take it off first: ip link set {nic.name} nomaster",
        )


def check_host(host: Namespace, home: Home, bridge: str) -> None:
    """Refuse what this host's rules say of the NIC by name and not of the bridge, which would be said of nobody then.

    Raises Refused.
    """
    nic = home.link.name
    if any(route.by_object for route in home.routes):
        raise Refused(
            f"a route out of {nic} leads to a nexthop object, which stays with that link",
            "See which, and put plain routes in its place: ip nexthop; ip route",
        )
    named = links_named(host.netlink)
    if nic in named and bridge not in named:
        raise Refused(
            f"a policy rule of this host names {nic}, and would meet nothing any more",
            f"Add the same for {bridge} first: ip rule",
        )
    told = [line for words in RULES for line in _untold(words, nic, bridge)]
    if told:
        raise Refused(
            f"the firewall names {nic} in {len(told)} rules, which would meet nothing any more, such as: {told[0]}",
            f"Add the same for {bridge} first: iptables-save; nft list ruleset; "
            f"with firewalld: firewall-cmd --zone=ZONE --add-interface={bridge}",
        )


def _untold(words: tuple[str, ...], nic: str, bridge: str) -> Iterator[str]:
    """The lines of a program that name the NIC, and have no twin that names the bridge."""
    try:
        lines = {line.strip() for line in run(words, LIMIT, words[0]).out.splitlines()}
    except NotInstalled:
        return
    for line in sorted(lines):
        # a set may name both
        if _names(line, nic) and f'"{bridge}"' not in line and _renamed(line, nic, bridge) not in lines:
            yield line


def _names(line: str, nic: str) -> bool:
    """Whether a rule is about what comes or goes by the NIC; hooks of the NIC itself stay with it."""
    if f'"{nic}"' in line:
        return "hook ingress" not in line and "hook egress" not in line
    words = line.split()
    return any(pair in (("-i", nic), ("-o", nic)) for pair in zip(words, words[1:]))


def _renamed(line: str, nic: str, bridge: str) -> str:
    words = [bridge if word == nic else word for word in line.replace(f'"{nic}"', f'"{bridge}"').split(" ")]
    return " ".join(words)

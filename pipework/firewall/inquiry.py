"""Whether frames that stay on a bridge pass: asked of everything that may stop them, at once."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import ip_interface, ip_network

from pipework.actions.base import Action
from pipework.actions.notice import Notice
from pipework.address import AnyAddress, Interface, Static
from pipework.errors import KernelRefused
from pipework.firewall.base import Firewall, Source
from pipework.firewall.iptables import FIREWALL as IPTABLES
from pipework.firewall.iptables import PROGRAMS, reads
from pipework.firewall.ruleset import ADDRESSES, PORTS, UNSEEN, WAY_BACK, Frame, Stop, Table, stops_in
from pipework.kernel import nf_tables, sysfs
from pipework.kernel.namespaces import Namespace
from pipework.kernel.records import Route
from pipework.typed import Callable, Optional

LINK_LOCAL = ip_network("fe80::/64")


class Inquiry:
    """Who stops frames that stay on one of these bridges; put at once, answered when it is needed."""

    def __init__(self, host: Namespace, meet: dict[str, list[int]]) -> None:
        """meet: the families whose frames meet the firewall, on each bridge."""
        self._host = host
        self._meet = meet
        families = sorted({family for those in meet.values() for family in those})
        generation = nf_tables.generation()
        chains = nf_tables.chains(generation)
        self._asked: list[tuple[Firewall, Source]] = [
            (IPTABLES, one) for one in IPTABLES.ask(chains, families, generation)
        ]
        others = [chain for chain in chains if chain.hook and not reads(chain)]
        if others:
            from pipework.firewall.nftables import FIREWALL  # few hosts have such tables

            self._asked += [(FIREWALL, one) for one in FIREWALL.ask(others, families, generation)]
        self._tables: Optional[list[tuple[Firewall, Table]]] = None
        self._asks: frozenset[str] = frozenset()  # what the tables' rules do
        self._told: dict[object, bool] = {}
        self._routes: dict[str, list[Route]] = {}

    def plan(
        self,
        bridge: str,
        port: str,
        addresses: Sequence[AnyAddress],
        ours_alone: Callable[[], bool],
    ) -> tuple[list[Action], list[Action]]:
        """What lets a guest's frames pass, and what says who still stops them.

        port: the bridge's that leads to the guest; ours_alone: whether a rule for all of the bridge would let only
        frames pass that come from our guests, or go to them.  Raises Refused.
        """
        interfaces = [one.interface for one in addresses if isinstance(one, Static) and one.interface]
        ways, stopped = dict[Action, None](), list[tuple[Firewall, Stop]]()
        for firewall, stop in self._stops(_frames(bridge, port, interfaces)):
            way = firewall.way_past(self._host, stop, None)
            if way and not ours_alone():
                way = firewall.way_past(self._host, stop, port)
            ways.update(dict.fromkeys(way))
            if not way and self._is_now(stop):
                stopped.append((firewall, stop))
        return list(ways), [notice(f"that stay on {bridge}", stopped)] if stopped else []

    def stops(self, bridge: str, port: str, addresses: Sequence[str]) -> bool:
        """Whether frames of a guest that is wired are stopped now.  port: the bridge's that leads to it.

        Wires that no rule tells from one another are asked about once.
        """
        self._read()
        families = {":" in address for address in addresses}
        same = addresses if self._asks & {*ADDRESSES, WAY_BACK} else families
        alike = bridge, port if self._asks & PORTS else "", frozenset(same)
        if alike not in self._told:
            frames = _frames(bridge, port, list(map(ip_interface, addresses)))
            self._told[alike] = any(self._is_now(stop) for _, stop in self._stops(frames))
        return self._told[alike]

    def _read(self) -> list[tuple[Firewall, Table]]:
        """All tables, waited for once."""
        if self._tables is None:
            self._tables = [(firewall, table) for firewall, source in self._asked for table in source.tables()]
            self._asks = frozenset().union(*(table.asks for _, table in self._tables))
        return self._tables

    def _stops(self, frames: Sequence[Frame]) -> list[tuple[Firewall, Stop]]:
        tables = self._read()
        if WAY_BACK in self._asks:
            frames = [frame.replace(has_way_back=self._has_way_back(frame)) for frame in frames]
        return [(firewall, stop) for firewall, table in tables for frame in frames for stop in stops_in(table, frame)]

    def _is_now(self, stop: Stop) -> bool:
        """Whether it does so as the host is set now, not only once br_netfilter hands bridged frames on."""
        return stop.table.always or stop.frame.family in self._meet[stop.frame.bridge]

    def _has_way_back(self, frame: Frame) -> bool:
        """Whether the host has a route to the source of a frame over its bridge."""
        source = frame.source
        if not frame.is_bridged or source is None or source == LINK_LOCAL:  # which each link has that may have IPv6
            return True
        known = [route for route in self._routes_over(frame.bridge) if route.family == frame.family]
        return any(route.destination is None or ip_network(route.prefix).overlaps(source) for route in known)

    def _routes_over(self, bridge: str) -> list[Route]:
        """The host's routes over a bridge, read once; none where there is no such bridge yet."""
        if bridge not in self._routes:
            netlink = self._host.netlink
            try:
                self._routes[bridge] = list(netlink.routes_via(netlink.index(bridge)))
            except KernelRefused:
                self._routes[bridge] = []
        return self._routes[bridge]


def meeting(bridge: str) -> list[int]:
    """The families whose bridged frames are handed to the firewall of hosts."""
    return [family for family, program in PROGRAMS.items() if sysfs.bridged_frames_meet(program, bridge)]


def _frames(bridge: str, port: str, interfaces: Sequence[Interface]) -> list[Frame]:
    """One frame from the guest and one to it: for each of its addresses, and of a family without any, of unknown ones.

    Each guest has IPv6, by its link-local address at least.
    """
    frames, known = list[Frame](), {interface.version for interface in interfaces}
    for interface in interfaces:
        own = type(interface)(interface.ip).network
        frames.append(Frame(interface.version, bridge, port, "", own, interface.network))
        frames.append(Frame(interface.version, bridge, "", port, interface.network, own))
    if not known:
        frames += [Frame(4, bridge, port, ""), Frame(4, bridge, "", port)]
    if 6 not in known:
        frames += [Frame(6, bridge, *ports, LINK_LOCAL, LINK_LOCAL) for ports in ((port, ""), ("", port))]
    return frames


def _route(frame: Frame) -> str:
    """What gives the host that route."""
    networks = [network for network in (frame.source, frame.destination) if network]
    network = min(networks, key=lambda network: network.prefixlen)
    return f"ip -{frame.family} route add {network} dev {frame.bridge}"


def notice(which: str, stopped: Sequence[tuple[Firewall, Stop]]) -> Notice:
    """Who stops which frames, and what to type, each once."""
    families, advice = dict[str, dict[str, None]](), dict[str, None]()
    for firewall, stop in stopped:
        families.setdefault(_who(stop), {})[f"IPv{stop.frame.family}"] = None
        advice[_route(stop.frame) if stop.lacks_way_back else firewall.advice(stop)] = None
    who = ", ".join(f"{' and '.join(those)} by {one}" for one, those in families.items())
    return Notice(f"frames {which} are dropped, {who}; type: {'; '.join(advice)}")


def _who(stop: Stop) -> str:
    if stop.rule and stop.rule.text:
        return f"{stop.table.program}: {stop.rule.text}"
    what = "a rule" if stop.rule else "the policy"
    if stop.table.chains[stop.chain].policy == UNSEEN and not stop.rule:
        what = "what cannot be seen"
    return f"{what} of chain {stop.chain} in table {stop.table.name}"

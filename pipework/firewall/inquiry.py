"""Whether frames that stay on a bridge pass: asked of everything that may stop them, at once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pipework.actions.base import Action
from pipework.actions.notice import Notice
from pipework.firewall.base import Firewall, Source
from pipework.firewall.iptables import FIREWALL as IPTABLES
from pipework.firewall.iptables import PROGRAMS, is_its
from pipework.firewall.ruleset import UNSEEN, Frame, Stop, Table, stop_in
from pipework.kernel import nf_tables, sysfs
from pipework.model import Dhcp, Interface, Static
from pipework.typed import Callable, Optional, Union


class Inquiry:
    """Who stops frames that stay on a bridge; put at once, answered when it is needed."""

    def __init__(self, bridge: str) -> None:
        self._bridge = bridge
        self._meet = [family for family, program in PROGRAMS.items() if sysfs.bridged_frames_meet(program, bridge)]
        chains = nf_tables.chains()
        self._asked: list[tuple[Firewall, Source]] = [(IPTABLES, one) for one in IPTABLES.ask(chains, self._meet)]
        others = [chain for chain in chains if chain.hook and not is_its(chain)]
        if others:
            from pipework.firewall.nftables import FIREWALL  # few hosts have such tables

            self._asked += [(FIREWALL, one) for one in FIREWALL.ask(others, self._meet)]
        self._tables: Optional[list[tuple[Firewall, Table]]] = None

    def plan(
        self, port: str, address: Union[Static, Dhcp], ours_alone: Callable[[], bool]
    ) -> tuple[list[Action], list[Action]]:
        """What lets a guest's frames pass, and what says who still stops them.

        port: the bridge's that leads to the guest; ours_alone: whether a rule for all of the bridge would let only
        frames pass that come from our guests, or go to them.  Raises Refused.
        """
        interface = address.interface if isinstance(address, Static) else None
        ways, notices = dict[Action, None](), dict[str, None]()
        for firewall, stop in self._stops(port, [interface] if interface else []):
            way = firewall.way_past(stop, None)
            if way and not ours_alone():
                way = firewall.way_past(stop, port)
            ways.update(dict.fromkeys(way))
            if not way and self._is_now(stop):
                notices[_notice(stop, firewall.advice(stop))] = None
        return list(ways), [Notice(text) for text in notices]

    def stops(self, port: str, addresses: Iterable[str]) -> bool:
        """Whether frames of a guest that is wired are stopped now.  port: the bridge's that leads to it."""
        from ipaddress import ip_interface  # which is there already, but for ls

        interfaces = [ip_interface(address) for address in addresses]
        return any(self._is_now(stop) for _, stop in self._stops(port, interfaces))

    def _stops(self, port: str, interfaces: Sequence[Interface]) -> list[tuple[Firewall, Stop]]:
        if self._tables is None:
            self._tables = [(firewall, table) for firewall, source in self._asked for table in source.tables()]
        frames = _frames(self._bridge, port, interfaces) if self._tables else []
        stops = ((firewall, stop_in(table, frame)) for firewall, table in self._tables for frame in frames)
        return [(firewall, stop) for firewall, stop in stops if stop]

    def _is_now(self, stop: Stop) -> bool:
        """Whether it does so as the host is set now, not only once br_netfilter hands bridged frames on."""
        return stop.table.always or stop.frame.family in self._meet


def _frames(bridge: str, port: str, interfaces: Sequence[Interface]) -> list[Frame]:
    """One frame from the guest and one to it: for each of its addresses, and of a family without any, of unknown ones.

    Each guest has IPv6, link-local at least.
    """
    frames, known = list[Frame](), {interface.version for interface in interfaces}
    for interface in interfaces:
        own = type(interface)(interface.ip).network
        frames.append(Frame(interface.version, bridge, port, "", own, interface.network))
        frames.append(Frame(interface.version, bridge, "", port, interface.network, own))
    for version in {6} - known if known else (4, 6):
        frames.append(Frame(version, bridge, port, ""))
        frames.append(Frame(version, bridge, "", port))
    return frames


def _notice(stop: Stop, advice: str) -> str:
    policy = stop.table.chains[stop.chain].policy
    if stop.rule and stop.rule.text:
        who = f"{stop.table.program}: {stop.rule.text}"
    else:
        who = f"chain {stop.chain} of table {stop.table.name}" + ("" if stop.rule or policy == UNSEEN else " (its policy)")
    may = "may be dropped" if not stop.rule and policy == UNSEEN else "are dropped"
    return f"IPv{stop.frame.family} frames that stay on {stop.frame.bridge} {may} by {who}; type: {advice}"

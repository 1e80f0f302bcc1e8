"""Whether frames pass that the host routes to a guest and for it, and the rules that let them."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import ip_network

from pipework import firewall
from pipework.actions.base import Action
from pipework.actions.iptables import AllowRouted, WithdrawRouted
from pipework.address import Address, Network
from pipework.firewall import inquiry
from pipework.firewall.base import Firewall
from pipework.firewall.iptables import FIREWALL, check_name, place_past, rules_with
from pipework.firewall.ruleset import Frame, RoutedFrame, Stop
from pipework.kernel.namespaces import Namespace
from pipework.marks import ROUTED
from pipework.typed import Optional


class Inquiry(inquiry.Inquiry):
    """Who stops frames between NICs and routed guests; put at once, answered when it is needed."""

    def __init__(self, host: Namespace) -> None:
        self._host = host
        if not firewall.is_off():
            super().__init__(host, {"": [4, 6]})

    def ways(
        self, nic: str, end: str, addresses: Sequence[Address], others: Sequence[tuple[str, Address]]
    ) -> tuple[list[Action], list[Action]]:
        """What lets a guest's frames pass between NIC and the host's end, and what says who still stops them.

        others: the ends of other guests of that NIC, and their addresses, each of which the guest reaches, too.  Raises
        Refused.
        """
        ways, stopped = dict[Action, None](), list[tuple[Firewall, Stop]]()
        for asked, stop in self._of(nic, end, addresses, others):
            way = _way_past(stop, end) if asked is FIREWALL else None
            if way:
                ways[way] = None
            else:
                stopped.append((asked, stop))
        return list(ways), [inquiry.notice(f"between {nic} and the guest", stopped)] if stopped else []

    def stop_some(self, nic: str, end: str, addresses: Sequence[Address]) -> bool:
        """Whether frames of a guest that is wired are stopped."""
        return bool(self._of(nic, end, addresses))

    def _of(
        self, nic: str, end: str, addresses: Sequence[Address], others: Sequence[tuple[str, Address]] = ()
    ) -> list[tuple[Firewall, Stop]]:
        if firewall.is_off():
            return []
        known = [one.interface for one in self._host.netlink.addresses(self._host.netlink.index(nic))]
        frames = list[Frame]()
        for ip in addresses:
            frames += _frames(end, ip, nic, next((one.network for one in known if ip in one.network), None))
            for link, other in others:
                frames += _frames(end, ip, link, ip_network(other)) if ip.version == other.version else []
        return self._stops(frames)


def _frames(end: str, address: Address, link: str, network: Optional[Network]) -> list[Frame]:
    """One frame from the guest to a network over a link, and one from there; None: that is not known."""
    own, version = ip_network(address), address.version
    return [RoutedFrame(version, end, end, link, own, network), RoutedFrame(version, end, link, end, network, own)]


def _way_past(stop: Stop, end: str) -> Optional[Action]:
    """The rule that lets such frames pass: of that address, between these two links."""
    place, frame = place_past(stop), stop.frame
    if place is None:
        return None
    side, link, own = "in", frame.going, frame.source
    if frame.coming != end:
        side, link, own = "out", frame.coming, frame.destination
    check_name("link", link)
    check_name("link", end)
    return AllowRouted(stop.table.program, link, end, str(own), side, place)


def standing(comment: str = ROUTED) -> list[WithdrawRouted]:
    """Our rules for routed guests, as what takes them back; none are asked for unless one's comment begins so.

    Raises Refused.
    """
    if firewall.is_off():
        return []
    found = list[WithdrawRouted]()
    for rule in rules_with(comment):
        nic, _, end = rule.comment[len(ROUTED) :].partition(" ")
        option, side = ("-s", "in") if "-s" in rule.words else ("-d", "out")
        if rule.comment.startswith(ROUTED) and option in rule.words:
            address = rule.words[rule.words.index(option) + 1]
            found.append(WithdrawRouted(rule.program, nic, end, address, side, rule.place))
    return found

"""A Linux bridge: a veth pair, one end a port of the bridge, the other in the guest."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from pipework import firewall
from pipework.actions.base import Action
from pipework.actions.links import Adopt, CreateBridge, DeleteLink, SetUp
from pipework.actions.notice import Notice
from pipework.actions.spanning_tree import AwaitForwarding
from pipework.errors import Refused
from pipework.kernel import sysfs
from pipework.kernel.namespaces import Namespace
from pipework.kernel.records import Link
from pipework.links.base import FarSide, Ground, Host, LinkPlan, Remnant, Seen, Wire, Wired, mark_finished
from pipework.links.conflicts import make_way
from pipework.links.stash import Way
from pipework.links.veth import VethKind, half_made_ends, local_name, make_pair
from pipework.marks import NEWBORN, is_hosts_end
from pipework.tag import Tag
from pipework.typed import TYPE_CHECKING, Optional

if TYPE_CHECKING:
    from pipework.vlans import Trunk

DEFAULT_VLAN = 1  # of the ports of a new bridge that filters


class Bridge(VethKind):
    """Guests of one bridge reach each other, and whatever else is a port of it."""

    def plan(self, wire: Wire) -> LinkPlan:
        """Create the bridge if it is missing, plug the guest in, let its frames pass a Docker host's firewall.

        With a VLAN the guest's port is an access port of it, with several a trunk; the bridge must filter VLANs, a new
        one does.
        """
        request, host, bridge = wire.request, wire.far, wire.hostif
        vlans = _wanted(request.tag) if request.tag else None
        inquiry = firewall.inquire(host, bridge)
        there = host.netlink.link(bridge)
        if request.tag and there and not (request.filters or sysfs.vlan_filtering(bridge)):
            raise Refused(
                f"VLAN @{request.tag.text}: bridge {bridge} does not filter VLANs",
                f"Have it do so, and its ports pass what they pass: pipework --filter {bridge} ...",
            )
        local = local_name(wire)
        way = make_way(wire, local)
        make: list[Action] = [*way.first]
        ways, notices = inquiry.plan(bridge, local, request.addresses, lambda: _is_ours_alone(host, bridge))
        if there is None:
            make.append(CreateBridge(host, bridge, bool(vlans)))
        elif request.filters and not sysfs.vlan_filtering(bridge):
            from pipework.links.filtering import filter_vlans  # which is asked for once in a bridge's life

            make += filter_vlans(host, there)
        make += make_pair(wire, local, there.mtu if there else None, bridge)
        if vlans:
            from pipework.actions.vlans import SetVlans  # few ask for one

            default = sysfs.default_vlan(bridge) if there else DEFAULT_VLAN
            make.append(SetVlans(host, local, vlans, default))
        elif there and _joins_no_vlan(bridge):
            notices = [*notices, _in_no_vlan(bridge, local)]
        if there and not there.up:
            make.append(SetUp(host, bridge))
        make += [SetUp(host, local), *ways]
        adopt = [Adopt(host, bridge)] if there is None or there.group == NEWBORN else []
        return LinkPlan(make, [mark_finished(host, local, wire), *adopt, *way.last, *notices])

    def recognise(self, seen: Seen) -> Optional[FarSide]:
        if seen.end is None:
            return None
        return _far_side(seen.host, seen.host.name(seen.end.master), seen.end)

    def is_in_vlans(self, wire: Wire, there: Wired) -> bool:
        """Without any that is asked for, in that of all ports, and in whatever the administrator has added."""
        tag, default = wire.request.tag, sysfs.default_vlan(wire.hostif)
        if tag is None:
            return there.trunk.native == default if there.trunk else there.vlan is None
        if tag.trunk or there.trunk:
            return tag.trunk == there.trunk
        return sysfs.vlan_filtering(wire.hostif) and tag.vlan == (there.vlan or default)

    def remove(self, host: Host, guest: Namespace, wired: Wired) -> Sequence[Action]:
        """The firewall's rules go with their port, or with the last that leads to a guest."""
        last = not host.leads_to_guests(wired.hostif, (wired.link,))
        return (
            *firewall.withdrawal(host.namespace, wired.hostif, wired.link, last),
            *super().remove(host, guest, wired),
        )

    def put_aside(self, host: Host, wire: Wire, there: Wired) -> Way:
        way = super().put_aside(host, wire, there)
        if (there.hostif, there.link) == (wire.hostif, local_name(wire)):
            return way  # what its frames pass by is the next one's, too
        last = there.hostif != wire.hostif and not host.leads_to_guests(there.hostif, (there.link,))
        return way.replace(last=[*way.last, *firewall.withdrawal(host.namespace, there.hostif, there.link, last)])

    def complete(self, wire: Wire, end: Link) -> Sequence[Action]:
        bridge = wire.far.netlink.link(wire.hostif)
        ours = bridge and bridge.group == NEWBORN and end.master == bridge.ifindex
        ways, notices = firewall.inquire(wire.far, wire.hostif).plan(
            wire.hostif, end.name, wire.request.addresses, lambda: _is_ours_alone(wire.far, wire.hostif)
        )
        if _joins_no_vlan(wire.hostif) and wire.far.netlink.port_vlans(end.ifindex) is None:
            notices = [*notices, _in_no_vlan(wire.hostif, end.name)]
        up = [SetUp(wire.far, wire.hostif)] if bridge and not bridge.up else []
        return (*((Adopt(wire.far, wire.hostif),) if ours else ()), *up, *ways, *notices)

    def troubles(self, host: Namespace, wires: Sequence[Wired]) -> Iterator[tuple[Wired, str]]:
        bridges = {wired.hostif for wired in wires}
        inquiry, down = firewall.inquire(host, *bridges), {bridge for bridge in bridges if not sysfs.is_up(bridge)}
        without_vlan = set(filter(_joins_no_vlan, bridges))
        for wired in wires:
            if wired.hostif in down:
                yield wired, "bridge down"
            elif wired.hostif in without_vlan and wired.vlan is None and wired.trunk is None:
                yield wired, "no pvid"
            elif inquiry.stops(wired.hostif, wired.link, wired.addresses):
                yield wired, "filtered"

    def opening(self, wire: Wire) -> Sequence[Action]:
        delay = sysfs.stp_delay(wire.hostif)
        return (AwaitForwarding(local_name(wire), delay),) if delay else ()

    def remnants(self, ground: Ground) -> Iterable[Remnant]:
        host = ground.host
        for end in half_made_ends(host):
            if end.name not in host.ports:
                yield Remnant(f"link {end.name}, half made", (DeleteLink(host.namespace, end.name),))
        left = host.left_over()
        for link in filter(None, map(host.named, sorted(left))):
            ports = {port.name for port in host.links if port.master == link.ifindex}
            if link.kind == "bridge" and ports <= left:  # else somebody has come to use it
                yield Remnant(f"link {link.name}, half made", (DeleteLink(host.namespace, link.name),))
        for way in firewall.standing(host.namespace):
            if not host.leads_to_guests(way.bridge, left):
                yield Remnant(f"{way.what}, which leads to no guest", (way,))
            elif way.port and way.port not in sysfs.ports(way.bridge):
                yield Remnant(f"{way.what}, which is no port of {way.bridge}", (way,))


def _joins_no_vlan(bridge: str) -> bool:
    """Whether a port of a bridge is in no VLAN until somebody names one for it."""
    return sysfs.vlan_filtering(bridge) and not sysfs.default_vlan(bridge)


def _in_no_vlan(bridge: str, port: str) -> Notice:
    return Notice(
        f"bridge {bridge} puts new ports into no VLAN (default_pvid 0), so no frame of the guest passes; "
        f"name one behind the MAC address, @VLAN, or type: bridge vlan add dev {port} vid VLAN pvid untagged"
    )


def _is_ours_alone(host: Namespace, bridge: str) -> bool:
    """Whether no two ports of a bridge lead elsewhere than to guests, which a rule for all of it would join."""
    ports = (host.netlink.link(name) for name in sysfs.ports(bridge))
    return sum(port is not None and not is_hosts_end(port) for port in ports) < 2


def _wanted(tag: Tag) -> Trunk:
    """The VLANs of a port: of an access port one, untagged.  Raises BadArgument."""
    from pipework.vlans import Trunk  # few ask for one

    return tag.trunk or Trunk(tag.vlan, ())


def _far_side(host: Host, bridge: str, port: Link) -> FarSide:
    vlans = host.namespace.netlink.port_vlans(port.ifindex) if host.ask(sysfs.vlan_filtering, bridge) else None
    if vlans is None:
        return FarSide(bridge)
    if vlans.tagged:
        return FarSide(bridge, None, vlans)
    return FarSide(bridge, vlans.native if vlans.native != host.ask(sysfs.default_vlan, bridge) else None)


KIND = Bridge()

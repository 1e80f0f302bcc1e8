"""A switch of OVN, on many hosts: a veth pair, one end a port of the integration bridge, the other in the guest."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from ipaddress import ip_address

from pipework.actions.base import Action
from pipework.actions.links import CreateVeth, SetUp
from pipework.actions.offload import ComputeChecksums
from pipework.actions.openvswitch import AddPort, RemovePort
from pipework.actions.ovn import (
    AddLogicalPort,
    AwaitInstalled,
    ChangeLogicalPort,
    MakeSwitch,
    RemoveLogicalPort,
    TakeDynamic,
    is_taken,
    taken,
)
from pipework.address import Dhcp, Dynamic, Range, Static
from pipework.errors import NotInstalled, Refused, warn
from pipework.kernel import ovn, ovsdb
from pipework.kernel.namespaces import Namespace
from pipework.kernel.ovn import Chassis, LogicalPort, LogicalSwitch
from pipework.kernel.records import Link
from pipework.links.base import (
    FarSide,
    Ground,
    Host,
    LinkPlan,
    Remnant,
    Seen,
    Wire,
    Wired,
    mark_finished,
    mark_unfinished,
)
from pipework.links.conflicts import make_way
from pipework.links.stash import Way
from pipework.links.switch_port import SwitchPortKind, computed_checksums, dead_port, external_ids
from pipework.links.veth import local_name
from pipework.mac import derive_mac
from pipework.marks import IFACE_ID, LOGICAL, is_left_over, read_mark
from pipework.model import OVN
from pipework.typed import Optional

GENEVE = {4: 58, 6: 78}  # bytes around a guest's packet: outer IP, UDP, Geneve with OVN's option, inner Ethernet
MOST_MTU = 1500


class Ovn(SwitchPortKind):
    """Guests of one switch reach each other, wherever they are."""

    name = "ovn"
    is_logical = True
    always_opens = True

    def hostif(self, host: Host, port: ovsdb.Port) -> str:
        return OVN + port.external_ids[LOGICAL]

    def plan(self, wire: Wire) -> LinkPlan:
        """Have OVN know the guest's port, and plug the guest into the integration bridge as that."""
        _check(wire)
        chassis = _ready_chassis(wire.far)
        host, guest, local = wire.far, wire.near.namespace, local_name(wire)
        switch = ovn.find_switch(chassis.database, wire.hostif[len(OVN) :])
        port, mac, mtu = _port(wire, chassis, switch), _mac(wire, chassis), _mtu(wire, chassis)
        way, dead = make_way(wire, local), dead_port(local)
        ids = {
            **external_ids(wire, chassis.bridge, local),
            LOGICAL: switch.name,
            IFACE_ID: port.name,
            "attached-mac": mac,
        }
        make: list[Action] = [
            *([RemovePort(dead)] if dead else []),
            *way.first,
            *([] if switch.uuid else [MakeSwitch(chassis.database, switch)]),
            *_claim(wire, chassis, switch, port),
            CreateVeth(host, local, guest, wire.ifname, mtu, mac, None),
            mark_unfinished(host, local),
            *([ComputeChecksums(guest, wire.ifname)] if chassis.in_userspace else []),
            AddPort(ovsdb.Port(chassis.bridge, local, None, ids)),
            SetUp(host, local),
        ]
        return LinkPlan(make, [*_superseded(wire, chassis), mark_finished(host, local, wire), *way.last])

    def opening(self, wire: Wire) -> Sequence[Action]:
        return [AwaitInstalled(local_name(wire))]

    def dynamic(self, wire: Wire) -> Sequence[Action]:
        chassis = _chassis()
        switch = ovn.find_switch(chassis.database, wire.hostif[len(OVN) :])
        name = _port_name(wire, chassis)
        return [TakeDynamic(wire.near.namespace, wire.ifname, chassis.database, name, switch.subnet)]

    def recognise(self, seen: Seen) -> Optional[FarSide]:
        if seen.end is None:
            return None
        if seen.mark:
            return FarSide(seen.mark.hostif) if seen.mark.hostif.startswith(OVN) else None
        port = self.ports(seen.host).get(seen.end.name)
        return FarSide(self.hostif(seen.host, port)) if port else None

    def complete(self, wire: Wire, end: Link) -> Sequence[Action]:
        chassis = _chassis()
        checksums = computed_checksums(wire.near.namespace, wire.ifname) if chassis.in_userspace else []
        return [*checksums, *_superseded(wire, chassis)]

    def is_whole(self, wire: Wire, there: Wired) -> bool:
        """Whether OVN still has the port, for this host."""
        chassis, port = _chassis(), ovsdb.port(there.link)
        logical = ovn.find_port(chassis.database, port.external_ids.get(IFACE_ID, "")) if port else None
        return logical is not None and logical.chassis == chassis.name

    def remove(self, host: Host, guest: Namespace, wired: Wired) -> Sequence[Action]:
        """The database is asked first: without it nothing is taken back."""
        return [*_withdraw(wired), *super().remove(host, guest, wired)]

    def put_aside(self, host: Host, wire: Wire, there: Wired) -> Way:
        """If the new wire is OVN's, too, it sees to the logical port, which may be its own: much may hang on that."""
        way = super().put_aside(host, wire, there)
        return way if wire.kind == self.name else way.replace(last=[*_withdraw(there), *way.last])

    def remnants(self, ground: Ground) -> Iterator[Remnant]:
        host = ground.host
        yield from super().remnants(ground)
        chassis = _chassis_if_any()
        if chassis and ovn.is_named(chassis):
            try:
                yield from _logical_remnants(host, chassis)
            except (ovsdb.Fault, ovn.NoConnection, ovn.NoAnswer) as fault:
                warn(f"what OVN has of guests that are gone stays for now: {fault.message}")

    def remnants_of(self, name: str) -> Iterator[Remnant]:
        chassis = _chassis()
        if name in (chassis.name, chassis.host):
            raise Refused(f"--host {name} is this host", "Type: pipework gc")
        found = {
            port.name: port for key in (ovn.CHASSIS, ovn.HOST) for port in ovn.ports_of(chassis.database, key, name)
        }
        for port in found.values():
            yield Remnant(f"port {port.name} of OVN, of {port.whose}", (RemoveLogicalPort(chassis.database, port),))


def _check(wire: Wire) -> None:
    """Refuse what no switch of OVN can do."""
    request, name = wire.request, wire.hostif
    if request.tag:
        raise Refused(
            f"VLAN @{request.tag.text}: {name} is a network of its own, without VLANs",
            "Leave it out, and name another switch for each network.",
        )
    if request.direct_phys:
        raise Refused(f"--direct-phys is for a NIC, and HOSTIF {name} is none", "Leave it out.")
    ranges = [one.text for one in request.addresses if isinstance(one, Range)]
    if ranges:
        raise Refused(f"ADDRESS {ranges[0]}: the addresses of {name} are OVN's to choose", "Write dynamic.")


def _chassis_if_any() -> Optional[Chassis]:
    """This host, if it is one of OVN's."""
    try:
        return ovn.find_chassis() if ovn.is_installed() and ovsdb.listens() else None
    except (NotInstalled, ovsdb.Fault):
        return None


def _chassis() -> Chassis:
    """This host.  Raises Refused if it is none of OVN's."""
    chassis = ovn.find_chassis()
    if chassis is None:
        raise Refused(
            "this host is none of OVN's: Open vSwitch here knows no ovn-remote, or no system-id",
            "Make it one: ovs-vsctl set open . external_ids:ovn-remote=tcp:CENTRE:6642 "
            "external_ids:ovn-encap-type=geneve external_ids:ovn-encap-ip=THIS-HOST",
        )
    if not ovn.is_named(chassis):
        raise Refused(
            "nobody says where OVN's northbound database is",
            "Say it: ovs-vsctl set open . external_ids:ovn-nb=tcp:CENTRE:6641; or export OVN_NB_DB",
        )
    return chassis


def _ready_chassis(host: Namespace) -> Chassis:
    """This host, whose controller is at work.  Raises Refused."""
    chassis = _chassis()
    status = ovn.connection_status()
    if status not in (ovn.CONNECTED, ovn.BUSY):
        raise Refused(
            f"ovn-controller of this host is {status}, so no port would work",
            "See to it: systemctl status ovn-controller; ovs-vsctl get open . external_ids",
        )
    if host.netlink.link(chassis.bridge) is None:
        raise Refused(
            f"this host has no integration bridge {chassis.bridge}, which ovn-controller makes",
            "See why: ovs-vsctl show; systemctl status ovn-controller",
        )
    return chassis


def _ips(wire: Wire) -> list[str]:
    return [str(one.interface.ip) for one in wire.request.addresses if isinstance(one, Static) and one.interface]


def _port_name(wire: Wire, chassis: Chassis) -> str:
    """After switch and address, so that the database, which has each name once, has each address once; else after the
    guest."""
    ips, near = _ips(wire), wire.near
    switch = wire.hostif[len(OVN) :]
    return f"pipework:{switch}:{ips[0] if ips else f'{chassis.name}:{near.runtime}:{near.name}:{wire.ifname}'}"


def _mac(wire: Wire, chassis: Chassis) -> str:
    """The same after a restart."""
    return wire.request.mac or derive_mac(_port_name(wire, chassis))


def _port(wire: Wire, chassis: Chassis, switch: LogicalSwitch) -> LogicalPort:
    """The port as OVN is to know it.  Raises Refused."""
    request, mac, dhcp = wire.request, _mac(wire, chassis), ""
    chosen: Sequence[str] = _ips(wire)
    if any(isinstance(one, Dynamic) for one in request.addresses):
        if not switch.subnet:
            raise Refused(
                f"{wire.hostif} has no subnet to choose an address of",
                f"Give it one: ovn-nbctl --may-exist ls-add {switch.name} -- set Logical_Switch {switch.name} "
                "other_config:subnet=10.7.1.0/24",
            )
        chosen = ["dynamic", *chosen]
    elif any(isinstance(one, Dhcp) and one.family == 4 for one in request.addresses):
        dhcp = ovn.dhcp_options(chassis.database, switch.subnet)
        chosen = ["dynamic", *chosen] if dhcp else chosen
    ids = {
        ovn.SWITCH: switch.name,
        ovn.CHASSIS: chassis.name,
        ovn.HOST: chassis.host,
        ovn.GUEST: f"{wire.near.runtime}:{wire.near.name}",
        ovn.INTERFACE: wire.ifname,
    }
    return LogicalPort(_port_name(wire, chassis), (" ".join([mac, *chosen]),), chassis.name, dhcp, ids)


def _claim(wire: Wire, chassis: Chassis, switch: LogicalSwitch, port: LogicalPort) -> list[Action]:
    """Have the port made, or take over that of a guest of this host that is gone.  Raises Refused."""
    conflict = taken(switch, port)
    if conflict:
        raise conflict
    synced = any("dynamic" in one for one in port.addresses)
    there = next((one for one in switch.ports if one.name == port.name), None)
    if there is None:
        return [AddLogicalPort(chassis.database, switch, port, synced)]
    plugged = [one for one in map(ovsdb.port, ovsdb.interfaces_with(IFACE_ID, port.name)) if one]
    links = [wire.far.netlink.link(one.name) for one in plugged]
    is_same = wire.vacated and there.end == port.end
    is_alive = any(link and not is_left_over(wire.far, link) for link in links)
    if there.owner != chassis.name or (is_alive and not is_same):
        ip = min(port.ips, default=port.name)
        raise is_taken(switch, ip, there.whose)
    stale = [RemovePort(one) for one, link in zip(plugged, links) if link is None]
    return [*stale, ChangeLogicalPort(chassis.database, port, there, synced)]


def _mtu(wire: Wire, chassis: Chassis) -> int:
    """What a guest may send through the tunnels.  Raises Refused if it is to be more."""
    netlink, most, under = wire.far.netlink, MOST_MTU, ""
    for text in chassis.encap:
        try:
            address = ip_address(text)
        except ValueError:  # which ovn-controller does not take either
            continue
        holder = netlink.holder(address)
        link = netlink.link_of(holder) if holder else None
        if link and link.mtu - GENEVE[address.version] < most:
            most, under = link.mtu - GENEVE[address.version], link.name
    if wire.request.mtu and wire.request.mtu > most:
        raise Refused(
            f"--mtu {wire.request.mtu} is more than the tunnels over {under or 'this host'} carry, {most}",
            "Leave it out, or raise that of the hosts' links first.",
        )
    return most


def _withdraw(wired: Wired) -> list[RemoveLogicalPort]:
    """Have OVN forget the logical port of a wire, if it is this host's.  Raises Refused."""
    chassis, port = _chassis(), ovsdb.port(wired.link)
    if port:
        named = ovn.find_port(chassis.database, port.external_ids.get(IFACE_ID, ""))
        found = [named] if named and named.owner == chassis.name else []
    else:  # a run that was killed has unplugged it already
        found = _ports_of(chassis, f"{wired.runtime}:{wired.guest}", wired.ifname)
    return [RemoveLogicalPort(chassis.database, one) for one in found]


def _ports_of(chassis: Chassis, guest: str, ifname: str) -> list[LogicalPort]:
    """The logical ports of an end of a guest of this host."""
    every = ovn.ports_of(chassis.database, ovn.GUEST, guest)
    return [one for one in every if one.end == (chassis.name, guest, ifname)]


def _superseded(wire: Wire, chassis: Chassis) -> list[RemoveLogicalPort]:
    """Other logical ports that the same end of the same guest has had: the wire replaces them, or was to."""
    its_own = _ports_of(chassis, f"{wire.near.runtime}:{wire.near.name}", wire.ifname)
    return [RemoveLogicalPort(chassis.database, one) for one in its_own if one.name != _port_name(wire, chassis)]


def _logical_remnants(host: Host, chassis: Chassis) -> Iterator[Remnant]:
    """Logical ports of this host that no link of it stands behind.  Raises Fault, Refused."""
    plugged, marked = set[str](), set[tuple[str, str]]()
    for name, logical in ovsdb.interfaces_by(IFACE_ID).items():
        link = host.namespace.netlink.link(name)
        if link and not is_left_over(host.namespace, link):
            plugged.add(logical)
    for link in host.namespace.netlink.links():
        mark = read_mark(link)
        if mark and mark.hostif.startswith(OVN):  # also where Open vSwitch has lost its port
            marked.add((f"{mark.runtime}:{mark.guest}", mark.ifname))
    for port in ovn.ports_of(chassis.database, ovn.CHASSIS, chassis.name):
        ids = port.external_ids
        if port.name not in plugged and (ids.get(ovn.GUEST), ids.get(ovn.INTERFACE)) not in marked:
            yield Remnant(f"port {port.name} of OVN, whose guest is gone", (RemoveLogicalPort(chassis.database, port),))


KIND = Ovn()

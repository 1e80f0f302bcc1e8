"""What is wired on this host, read from the kernel and from Open vSwitch: ours by their marks, and the original's.

The original leaves no marks; its veth pairs are known by their name, its other links in a container by being
none that the container's runtime has made.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from pipework.guests.base import Guest
from pipework.guests.by_process import guest_of_process, is_the_runtimes_own
from pipework.kernel import ovsdb, sysfs
from pipework.kernel.census import Residence, residences
from pipework.kernel.namespaces import Namespace
from pipework.kernel.ovsdb import Port
from pipework.kernel.records import Link
from pipework.links.base import SWITCHED
from pipework.links.conflicts import Mark, is_unfinished, read_mark
from pipework.typed import Optional
from pipework.value import Value

ORIGINAL = re.compile(r"v(.+)pl(\d+)")
STACKED = ("macvlan", "ipoib", "dummy", "vlan")


class Wired(Value):
    """One wire.

    guest, runtime, pid: whose (pid 0: unknown); path: opens its namespace, "" if the guest is gone; ifname: its end;
    kind: bridge, openvswitch, macvlan, ipoib, dummy, vlan or nic; link: the host's end, or ""; hostif: the bridge or
    NIC; vlan: on IPoIB the partition key; mtu in bytes; state: up, down, no carrier, unfinished or guest gone;
    guessed: it bears no mark of ours and no name of the original's, and is taken for the original's because nobody
    else is known to have made it.
    """

    guest: str
    runtime: str
    pid: int
    path: str
    ifname: str
    kind: str
    link: str
    hostif: str
    vlan: Optional[int]
    addresses: tuple[str, ...]
    mac: str
    mtu: int
    state: str
    guessed: bool = False


class Host(Value):
    """The host's side of all wires, read once.

    links: by ifindex; ports: of Open vSwitch, by name; ends: veth links by the id of the namespace of their peers.
    """

    namespace: Namespace
    links: dict[int, Link]
    ports: dict[str, Port]
    ends: dict[Optional[int], list[Link]]

    @classmethod
    def read(cls, namespace: Namespace) -> Host:
        """Read it."""
        links = {link.ifindex: link for link in namespace.netlink.links()}
        names = {link.name for link in links.values()}
        # where several hosts share one Open vSwitch, its bridges tell whose a port is
        ports = {port.name: port for port in ovsdb.wired_ports() if port.bridge in names}
        ends: dict[Optional[int], list[Link]] = {}
        for link in links.values():
            if link.kind == "veth":
                ends.setdefault(link.peer_namespace, []).append(link)
        return cls(namespace, links, ports, ends)

    def guests_of(self, bridge: str) -> set[str]:
        """The names of those ports of a Linux bridge that lead into guests, ours and the original's."""
        ifindex = self.ifindex(bridge)
        return {
            link.name for link in self.links.values() if ifindex and link.master == ifindex and _is_a_hosts_end(link)
        }

    def ifindex(self, name: str) -> int:
        """The ifindex of the host's link of that name, or 0."""
        return next((link.ifindex for link in self.links.values() if link.name == name), 0)

    def name(self, ifindex: int) -> str:
        """The name of the host's link of that ifindex, or ""."""
        return self.links[ifindex].name if ifindex in self.links else ""


def find_all(host: Host) -> list[Wired]:
    """Every wire of this host, in order of guest and interface."""
    wires = [wire for residence in residences() for wire in find_in(host, residence)]
    wires += _dead_ports(host)
    return sorted(wires, key=lambda wire: (wire.guest, wire.ifname))


def find_of(host: Host, guest: Guest) -> list[Wired]:
    """The wires of a guest that is held open."""
    return find_in(host, Residence(guest.namespace.path, guest.namespace.identity[1], "", guest.pid or 0))


def find_in(host: Host, residence: Residence) -> list[Wired]:
    """The wires of one namespace."""
    guest = residence.open()
    if guest is None:
        return []
    with guest:
        known = host.namespace.netlink.known_namespace_id(guest.fd)
        pairs = {link.parent: link for link in host.ends.get(known, ())} if known is not None else {}
        links = guest.netlink.links()
        stacked = any(link.kind in STACKED and link.peer_namespace is not None for link in links)
        back = guest.netlink.known_namespace_id(host.namespace.fd) if stacked else None
        found = [_wire(host, residence, link, pairs.get(link.ifindex), back) for link in links]
        return [_with_addresses(guest, wire, link) for wire, link in zip(found, links) if wire]


def _wire(host: Host, residence: Residence, link: Link, end: Optional[Link], back: Optional[int]) -> Optional[Wired]:
    """The wire that a guest's link is; end: of a veth pair on the host, back: the guest's id for the host."""
    if end is not None and not _is_a_hosts_end(end):
        end = None  # the far end of a NIC on loan that is itself a veth
    if link.kind in STACKED and link.peer_namespace not in (None, back):
        return None  # stands on a link of another host than ours
    marked = end or link
    mark = read_mark(marked)
    if mark and not end and mark.ifname != link.name:
        return None  # another host's end of a pair, for that host is a guest of ours
    known = is_unfinished(marked) or (end is not None and ORIGINAL.fullmatch(end.name) is not None)
    if mark:
        runtime, name = mark.runtime, mark.guest
    elif known or _is_the_originals(link, residence):
        runtime, name = ("netns", residence.name) if residence.name else guest_of_process(residence.pid)
    else:
        return None
    hostif, vlan, kind = _other_side(host, link, end, mark)
    return Wired(
        guest=name,
        runtime=runtime,
        pid=residence.pid,
        path=residence.path,
        ifname=link.name,
        kind=kind,
        link=end.name if end else "",
        hostif=hostif or (mark.hostif if mark else ""),
        vlan=vlan,
        addresses=(),
        mac=link.mac,
        mtu=link.mtu,
        state="unfinished" if is_unfinished(marked) else _state(link),
        guessed=not (mark or known),
    )


def _is_a_hosts_end(link: Link) -> bool:
    return read_mark(link) is not None or is_unfinished(link) or ORIGINAL.fullmatch(link.name) is not None


def _other_side(host: Host, link: Link, end: Optional[Link], mark: Optional[Mark]) -> tuple[str, Optional[int], str]:
    """The bridge or NIC, the VLAN, and the kind of link."""
    if end is not None:
        port = host.ports.get(end.name)
        if port:
            return port.bridge, port.vlan, "openvswitch"
        bridge = host.links.get(host.ifindex(mark.hostif)) if mark else None
        if bridge and bridge.kind in SWITCHED:  # whose switch does not answer
            return bridge.name, None, "openvswitch"
        return host.name(end.master), _access_vlan(host, end), "bridge"
    if link.kind == "vlan":
        return host.name(link.parent), link.vlan, "vlan"
    parent = host.links.get(link.parent) if link.kind in STACKED and link.peer_namespace is not None else None
    if parent and parent.kind == "vlan":
        return host.name(parent.parent), parent.vlan, link.kind
    return parent.name if parent else "", link.vlan, link.kind if link.kind in STACKED else "nic"


def _access_vlan(host: Host, port: Link) -> Optional[int]:
    bridge = host.name(port.master)
    if not sysfs.vlan_filtering(bridge):
        return None
    vlan = host.namespace.netlink.port_vlan(port.ifindex)
    return vlan if vlan != sysfs.default_vlan(bridge) else None


def _is_the_originals(link: Link, residence: Residence) -> bool:
    if link.kind not in ("macvlan", "ipoib", "dummy") or not residence.pid or link.alias:
        return False
    if link.kind != "dummy" and link.peer_namespace is None:
        return False  # stands on a link of the container's own
    runtime, name = guest_of_process(residence.pid)
    return runtime == "docker" and not is_the_runtimes_own(name, link.mac)


def _state(link: Link) -> str:
    if not link.up:
        return "down"
    return "up" if link.carrier else "no carrier"


def _with_addresses(guest: Namespace, wire: Wired, link: Link) -> Wired:
    found = guest.netlink.addresses(link.ifindex)
    shown = tuple(str(a.interface) for a in found if not (a.interface.version == 6 and a.interface.ip.is_link_local))
    return wire.replace(addresses=shown)


def _dead_ports(host: Host) -> Iterator[Wired]:
    """Ports that the switch still has, of guests that have taken their link with them."""
    names = {link.name for link in host.links.values()}
    for port in host.ports.values():
        if port.name in names:
            continue
        ids = port.external_ids
        pid = ids.get("pipework.nspid", "")
        named = ORIGINAL.fullmatch(port.name)
        yield Wired(
            guest=ids.get("pipework.containername", "").lstrip("/") or (f"pid:{pid}" if pid else "?"),
            runtime="docker" if "pipework.containerid" in ids else "pid",
            pid=int(pid) if pid.isdecimal() else 0,
            path="",
            ifname=named[1] if named else "?",
            kind="openvswitch",
            link=port.name,
            hostif=port.bridge,
            vlan=port.vlan,
            addresses=(),
            mac="",
            mtu=0,
            state="guest gone",
        )

"""What Open vSwitch and OVN have in common: a veth pair, one end a port of a switch, the other in the guest."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pipework.actions.base import Action
from pipework.actions.links import DeleteLink
from pipework.actions.offload import ComputeChecksums
from pipework.actions.openvswitch import RemovePort
from pipework.errors import Refused
from pipework.kernel import ovsdb
from pipework.kernel.ethtool import leaves_checksums
from pipework.kernel.namespaces import Namespace
from pipework.links.base import Ground, Host, Remnant, Wire, Wired
from pipework.links.stash import Way
from pipework.links.veth import VethKind, half_made_ends
from pipework.marks import LOGICAL, WIRED, original_ifname
from pipework.typed import Optional


class SwitchPortKind(VethKind):
    """A port is taken off its switch before its link goes.

    name: of the kind; is_logical: whether the ports are those of OVN, else those of none.
    """

    name = ""
    is_logical = False

    def hostif(self, host: Host, port: ovsdb.Port) -> str:
        """HOSTIF of the wire that a port is of."""
        raise NotImplementedError

    def ports(self, host: Host) -> dict[str, ovsdb.Port]:
        """The ports of this kind's wires, by name."""
        return {name: port for name, port in host.ports.items() if (LOGICAL in port.external_ids) == self.is_logical}

    def remove(self, host: Host, guest: Namespace, wired: Wired) -> Sequence[Action]:
        return (*unplug(wired.link), *super().remove(host, guest, wired))

    def put_aside(self, host: Host, wire: Wire, there: Wired) -> Way:
        from pipework.actions.stash import SeeUp, TakeDown  # as in stash()

        way = super().put_aside(host, wire, there)
        down = next(step for step in way.first if isinstance(step, TakeDown))
        up_again = SeeUp(**{field: getattr(down, field) for field in down.fields})
        return way.replace(first=[up_again, *unplug(there.link), *way.first])

    def untold(self, host: Host, wired: Wired) -> str:
        """Only the switch knows where the port leads."""
        return super().untold(host, wired) or ("" if wired.link in host.ports else "its switch does not answer")

    def of_the_dead(self, host: Host) -> Iterator[Wired]:
        """Ports that the switch still has, of guests that have taken their link with them."""
        for port in self.ports(host).values():
            if not host.named(port.name):
                yield _dead(port, self.name, self.hostif(host, port))

    def remnants(self, ground: Ground) -> Iterator[Remnant]:
        """Ports without their links, and of killed runs ends that are ports already."""
        host, ports = ground.host, self.ports(ground.host)
        there = {link.name for link in host.links}
        for port in ports.values():
            if port.name not in there:
                what = f"port {port.name} of {self.hostif(host, port)}, whose guest is gone"
                yield Remnant(what, (RemovePort(port),))
        for end in half_made_ends(host):
            if end.name in ports:
                removal = (RemovePort(ports[end.name]), DeleteLink(host.namespace, end.name))
                yield Remnant(f"link {end.name}, half made", removal)


def unplug(name: str) -> list[Action]:
    """Remove the port of that name, if there is one."""
    port = ovsdb.port(name)
    return [RemovePort(port)] if port else []


def _dead(port: ovsdb.Port, kind: str, hostif: str) -> Wired:
    ids = port.external_ids
    pid = ids.get("pipework.nspid", "")
    return Wired(
        guest=ids.get("pipework.containername", "").lstrip("/") or (f"pid:{pid}" if pid else "?"),
        runtime="docker" if "pipework.containerid" in ids else "pid",
        pid=int(pid) if pid.isdecimal() else 0,
        path="",
        ifname=original_ifname(port.name) or "?",
        kind=kind,
        link=port.name,
        hostif=hostif,
        vlan=port.vlan,
        addresses=(),
        mac="",
        mtu=0,
        state="guest gone",
        trunk=port.trunk,
    )


def dead_port(name: str) -> Optional[ovsdb.Port]:
    """What the database still has of an earlier guest's port of that name.  Raises Refused if it is none of ours."""
    port = ovsdb.port(name)
    if port and port.external_ids.get(WIRED) != name:
        raise Refused(
            f"{name} is a port of bridge {port.bridge} already, and not one of pipework's",
            f"Choose another name with -l, or remove it: ovs-vsctl del-port {port.bridge} {name}",
        )
    return port


def external_ids(wire: Wire, bridge: str, local: str, vlan: object = None) -> dict[str, str]:
    """What the original leaves in the database, so that its users' scripts find it."""
    guest = wire.near
    ids = {
        "interface": local,
        "bridge": bridge,
        "containerid": guest.id,
        "containername": f"/{guest.name}" if guest.id else "",
        "nspid": str(guest.pid or ""),
        "vlan": str(vlan or ""),
    }
    return {f"pipework.{key}": value for key, value in ids.items() if value}


def computed_checksums(guest: Namespace, ifname: str) -> list[Action]:
    """What a guest of a switch in userspace lacks whose link is there."""
    return [ComputeChecksums(guest, ifname)] if leaves_checksums(guest.netlink.socket, ifname) else []

"""Links made, moved, marked and brought up.  ``say`` is the ``ip`` line that does the same."""

from __future__ import annotations

from contextlib import suppress
from errno import EEXIST, ENODEV
from typing import Any, NamedTuple, Optional

from pipework.errors import KernelRefused
from pipework.kernel import sysfs
from pipework.kernel.locks import host_lock
from pipework.kernel.namespaces import Namespace
from pipework.kernel.netlink import Link, LinkAddress, Route


class CreateBridge(NamedTuple):
    """A Linux bridge without address, up.  Undone only while nobody else has plugged a port into it."""

    host: Namespace
    name: str

    def do(self) -> None:
        self.host.netlink.new_link(self.name, "bridge")

    def undo(self) -> None:
        with host_lock():
            if not sysfs.ports(self.name):
                delete(self.host, self.name)

    def say(self) -> str:
        return f"ip link add dev {self.name} type bridge"


class CreateVeth(NamedTuple):
    """A veth pair: one end on the host, a port of master if given, the peer born in the guest."""

    host: Namespace
    name: str
    guest: Namespace
    peer: str
    mtu: int
    mac: Optional[str]
    master: Optional[str]

    def do(self) -> None:
        peer: list[tuple[str, Any]] = [
            ("IFLA_IFNAME", self.peer),
            ("IFLA_MTU", self.mtu),
            ("IFLA_NET_NS_FD", self.guest.fd),
        ]
        if self.mac:
            peer.append(("IFLA_ADDRESS", self.mac))
        attributes: dict[str, Any] = {"IFLA_MTU": self.mtu}
        if self.master:
            attributes["IFLA_MASTER"] = self.host.netlink.index(self.master)
        self.host.netlink.new_link(self.name, "veth", [("VETH_INFO_PEER", {"attrs": peer})], **attributes)
        self.guest.netlink.forget(self.peer)

    def undo(self) -> None:
        delete(self.host, self.name)

    def say(self) -> str:
        mac = f" address {self.mac}" if self.mac else ""
        master = f" master {self.master}" if self.master else ""
        peer = f"peer name {self.peer}{mac} mtu {self.mtu} netns {self.guest.path}"
        return f"ip link add name {self.name} mtu {self.mtu}{master} type veth {peer}"


class CreateMacvlan(NamedTuple):
    """A macvlan of a host link, mode bridge, born in the guest under its final name, MTU of its parent."""

    host: Namespace
    parent: str
    guest: Namespace
    name: str
    mac: Optional[str]

    def do(self) -> None:
        # from the guest's side, since the host's would refuse a name that the host itself has
        netlink = self.guest.netlink
        attributes: dict[str, Any] = {
            "IFLA_LINK": self.host.netlink.index(self.parent),
            "IFLA_LINK_NETNSID": netlink.namespace_id(self.host.fd),
        }
        if self.mac:
            attributes["IFLA_ADDRESS"] = self.mac
        netlink.new_link(self.name, "macvlan", [("IFLA_MACVLAN_MODE", "bridge")], **attributes)

    def undo(self) -> None:
        delete(self.guest, self.name)

    def say(self) -> str:
        mac = f" address {self.mac}" if self.mac else ""
        place = f"netns {self.guest.path}"
        return f"ip link add link {self.parent} name {self.name} {place}{mac} type macvlan mode bridge"


class SetUp(NamedTuple):
    """Bring up a link that is down."""

    namespace: Namespace
    name: str

    def do(self) -> None:
        netlink = self.namespace.netlink
        netlink.set_link(netlink.index(self.name), up=True)

    def undo(self) -> None:
        netlink = self.namespace.netlink
        with gone_is_fine():
            netlink.set_link(netlink.index(self.name), up=False)

    def say(self) -> str:
        return self.namespace.say(f"ip link set dev {self.name} up")


class SetDown(NamedTuple):
    """Bring down a link that is up."""

    namespace: Namespace
    name: str

    def do(self) -> None:
        SetUp(self.namespace, self.name).undo()

    def undo(self) -> None:
        with gone_is_fine():
            SetUp(self.namespace, self.name).do()

    def say(self) -> str:
        return self.namespace.say(f"ip link set dev {self.name} down")


class SetAlias(NamedTuple):
    """Give a link the alias that marks it as ours."""

    namespace: Namespace
    name: str
    alias: str
    before: str = ""

    def do(self) -> None:
        self._set(self.alias)

    def undo(self) -> None:
        with gone_is_fine():
            self._set(self.before)

    def _set(self, alias: str) -> None:
        netlink = self.namespace.netlink
        netlink.set_link(netlink.index(self.name), IFLA_IFALIAS=alias)

    def say(self) -> str:
        return self.namespace.say(f"ip link set dev {self.name} alias {quote(self.alias)}")


class SetMac(NamedTuple):
    """Give a link another MAC address."""

    namespace: Namespace
    name: str
    mac: str
    before: str

    def do(self) -> None:
        netlink = self.namespace.netlink
        netlink.set_link(netlink.index(self.name), IFLA_ADDRESS=self.mac)

    def undo(self) -> None:
        netlink = self.namespace.netlink
        netlink.set_link(netlink.index(self.name), IFLA_ADDRESS=self.before)

    def say(self) -> str:
        return self.namespace.say(f"ip link set dev {self.name} address {self.mac}")


class RenameLink(NamedTuple):
    """Give a link that is down another name."""

    namespace: Namespace
    name: str
    new_name: str

    def do(self) -> None:
        self._rename(self.name, self.new_name)

    def undo(self) -> None:
        with gone_is_fine():
            self._rename(self.new_name, self.name)

    def _rename(self, old: str, new: str) -> None:
        netlink = self.namespace.netlink
        netlink.set_link(netlink.index(old), IFLA_IFNAME=new)
        netlink.forget(old)
        netlink.forget(new)

    def say(self) -> str:
        return self.namespace.say(f"ip link set dev {self.name} name {self.new_name}")


class DeleteLink(NamedTuple):
    """Remove a link.  It cannot be brought back, so this stands last in a plan."""

    namespace: Namespace
    name: str

    def do(self) -> None:
        delete(self.namespace, self.name)

    def undo(self) -> None:
        """Nothing: no step follows this one."""

    def say(self) -> str:
        return self.namespace.say(f"ip link delete dev {self.name}")


class MoveLink(NamedTuple):
    """Hand a NIC of the host to the guest, under a new name; undone, it is what it was, where it was.

    A link that changes its namespace goes down and loses addresses and routes: before, addresses and routes
    are the NIC's on the host, to put back.
    """

    host: Namespace
    guest: Namespace
    new_name: str
    before: Link
    master: Optional[str]
    addresses: tuple[LinkAddress, ...]
    routes: tuple[Route, ...]

    def do(self) -> None:
        netlink = self.host.netlink
        index = netlink.index(self.before.name)
        netlink.set_link(index, IFLA_NET_NS_FD=self.guest.fd, IFLA_IFNAME=self.new_name)
        netlink.forget(self.before.name)
        self.guest.netlink.forget(self.new_name)

    def undo(self) -> None:
        guest, host, name = self.guest.netlink, self.host.netlink, self.before.name
        guest.set_link(guest.index(self.new_name), up=False)
        guest.set_link(guest.index(self.new_name), IFLA_NET_NS_FD=self.host.fd, IFLA_IFNAME=name)
        index = host.index(name)
        if self.before.mtu:
            host.set_link(index, IFLA_MTU=self.before.mtu)
        if self.master:
            host.set_link(index, IFLA_MASTER=host.index(self.master))
        if not self.before.up:
            return
        host.set_link(index, up=True)
        for address in self.addresses:
            host.put_back_address(index, address)
        for route in self.routes:
            with suppress_errno(EEXIST):
                host.put_back_route(route._replace(message=_moved(route, index)))

    def say(self) -> str:
        return f"ip link set dev {self.before.name} netns {self.guest.path} name {self.new_name}"


def delete(namespace: Namespace, name: str) -> None:
    """Remove a link, or find that it has gone already."""
    netlink = namespace.netlink
    with gone_is_fine():
        netlink.delete_link(netlink.index(name))
    netlink.forget(name)


def gone_is_fine() -> Any:
    """A guest that ends takes its links with it; then there is nothing left to undo."""
    return suppress_errno(ENODEV)


class suppress_errno(suppress):
    """Let a block end quietly when the kernel refuses with that error."""

    def __init__(self, errno: int) -> None:
        super().__init__(KernelRefused)
        self._errno = errno

    def __exit__(self, kind: Any, error: Any, trace: Any) -> bool:
        return isinstance(error, KernelRefused) and error.errno == self._errno


def quote(word: str) -> str:
    """A word as a shell takes it."""
    plain = word and all((c.isalnum() and c.isascii()) or c in "@%+=:,./-_" for c in word)
    return word if plain else "'" + word.replace("'", "'\"'\"'") + "'"


def _moved(route: Route, index: int) -> dict[str, Any]:
    attributes = [(key, index if key == "RTA_OIF" else value) for key, value in route.message["attrs"]]
    return {**route.message, "attrs": attributes}

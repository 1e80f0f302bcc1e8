"""Links made, marked, brought up and removed.  ``say`` is the ``ip`` line that does the same."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from errno import EADDRINUSE, EBUSY, ENODEV

from pipework.actions.base import Action, Together
from pipework.errors import KernelRefused, Refused
from pipework.kernel import sysfs
from pipework.kernel.locks import host_lock
from pipework.kernel.namespaces import Namespace
from pipework.marks import NEWBORN
from pipework.quoting import quote
from pipework.typed import Any, Optional

BORN = "pwborn"  # the name under which a link is born where its own is taken on the host


class CreateBridge(Action):
    """Create a Linux bridge, up, without address; undone only while nobody else has plugged a port into it.

    filtering: whether it keeps VLANs apart; mac: None for whatever comes.
    """

    host: Namespace
    name: str
    filtering: bool
    mac: Optional[str] = None

    def do(self) -> None:
        data = [("IFLA_BR_VLAN_FILTERING", 1)] if self.filtering else []
        attributes: dict[str, Any] = {"IFLA_ADDRESS": self.mac} if self.mac else {}
        self.host.netlink.new_link(self.name, "bridge", NEWBORN, data, up=True, **attributes)

    def undo(self) -> None:
        with host_lock(patient=True):
            if sysfs.ports(self.name):
                Adopt(self.host, self.name).do()
            else:
                delete(self.host, self.name)

    def say(self) -> str:
        mac = f" address {self.mac}" if self.mac else ""
        filtering = " vlan_filtering 1" if self.filtering else ""
        return f"ip link add name {quote(self.name)}{mac} up type bridge{filtering}"


class CreateVeth(Action):
    """Create a veth pair: one end on the host, a port of master if given, the peer born in the guest.

    both: whether the peer, too, is to tell by its group that it is newborn.
    """

    host: Namespace
    name: str
    guest: Namespace
    peer: str
    mtu: int
    mac: Optional[str]
    master: Optional[str]
    both: bool = False

    def do(self) -> None:
        peer: list[tuple[str, Any]] = [
            ("IFLA_IFNAME", self.peer),
            ("IFLA_MTU", self.mtu),
            ("IFLA_NET_NS_FD", self.guest.fd),
        ]
        if self.mac:
            peer.append(("IFLA_ADDRESS", self.mac))
        if self.both:
            peer.append(("IFLA_GROUP", NEWBORN))
        attributes: dict[str, Any] = {"IFLA_MTU": self.mtu}
        if self.master:
            attributes["IFLA_MASTER"] = self.host.netlink.index(self.master)
        self.host.netlink.new_link(self.name, "veth", NEWBORN, [("VETH_INFO_PEER", {"attrs": peer})], **attributes)
        self.guest.netlink.forget(self.peer)

    def undo(self) -> None:
        delete(self.host, self.name)

    def say(self) -> str:
        mac = f" address {self.mac}" if self.mac else ""
        master = f" master {quote(self.master)}" if self.master else ""
        peer = f"peer name {quote(self.peer)}{mac} mtu {self.mtu} netns {quote(self.guest.path)}"
        return self.host.say(f"ip link add name {quote(self.name)} mtu {self.mtu}{master} type veth {peer}")


class CreateStacked(Action):
    """Create a link on top of a host link (macvlan, vlan, ipoib), born in the guest under its final name.

    data are the kind's own attributes, options the words that ``ip link`` has for them, excluded the errors by which
    the kernel says that it does not go with what stands on the parent.  MTU is its parent's.
    """

    kind: str
    data: tuple[tuple[str, Any], ...]
    options: str
    host: Namespace
    parent: str
    guest: Namespace
    name: str
    mac: Optional[str]
    excluded: tuple[int, ...] = (EBUSY,)

    def do(self) -> None:
        if self.host.netlink.link(self.name) is None:
            self._create()
            return
        # Linux before 6.15 registers the link on the host, then moves it: the name must be free on both
        delete(self.guest, BORN)
        born = self.replace(name=BORN)
        Together((_Born(born), RenameLink(self.guest, BORN, self.name))).do()

    def _create(self) -> None:
        # from the guest's side, since the host's would refuse a name that the host itself has
        netlink = self.guest.netlink
        attributes: dict[str, Any] = {
            "IFLA_LINK": self.host.netlink.index(self.parent),
            "IFLA_LINK_NETNSID": netlink.namespace_id(self.host.fd),
        }
        if self.mac:
            attributes["IFLA_ADDRESS"] = self.mac
        try:
            netlink.new_link(self.name, self.kind, NEWBORN, self.data, **attributes)
        except KernelRefused as refusal:
            if refusal.errno not in self.excluded:
                raise
            raise Refused(
                f"{self.parent} is taken by something that excludes {self.kind} {self.options}",
                f"See what stands on it, here and in guests: ip -d link show {self.parent}; pipework ls",
            ) from None

    def undo(self) -> None:
        delete(self.guest, self.name)

    def say(self) -> str:
        mac = f" address {self.mac}" if self.mac else ""
        options = f" {self.options}" if self.options else ""
        place = f"netns {quote(self.guest.path)}"
        return f"ip link add link {quote(self.parent)} name {quote(self.name)} {place}{mac} type {self.kind}{options}"


class _Born(Action):
    """A link on top of another, under a name that the host does not have."""

    link: CreateStacked

    def do(self) -> None:
        self.link._create()

    def undo(self) -> None:
        self.link.undo()


class CreateDummy(Action):
    """Create a dummy link in the guest."""

    guest: Namespace
    name: str
    mac: Optional[str]

    def do(self) -> None:
        attributes: dict[str, Any] = {"IFLA_ADDRESS": self.mac} if self.mac else {}
        self.guest.netlink.new_link(self.name, "dummy", NEWBORN, **attributes)

    def undo(self) -> None:
        delete(self.guest, self.name)

    def say(self) -> str:
        mac = f" address {self.mac}" if self.mac else ""
        return self.guest.say(f"ip link add name {quote(self.name)}{mac} type dummy")


class CreateVlan(Action):
    """Create a VLAN link of a NIC on the host, up, for everyone who asks for that VLAN.

    mark: the alias that it is to have until the run is done.  Undone only while it bears that, or none yet: another
    run that has come to use it takes the mark off.
    """

    host: Namespace
    nic: str
    name: str
    vlan: int
    mark: str

    def do(self) -> None:
        netlink = self.host.netlink
        data = [("IFLA_VLAN_ID", self.vlan)]
        netlink.new_link(self.name, "vlan", NEWBORN, data, up=True, IFLA_LINK=netlink.index(self.nic))

    def undo(self) -> None:
        with host_lock(patient=True):
            link = self.host.netlink.link(self.name)
            if link and (link.alias == self.mark or link.group == NEWBORN):
                delete(self.host, self.name)

    def say(self) -> str:
        return f"ip link add link {quote(self.nic)} name {quote(self.name)} up type vlan id {self.vlan}"


class SetUp(Action):
    """Bring up a link that is down."""

    namespace: Namespace
    name: str

    def do(self) -> None:
        try:
            self._set(True)
        except KernelRefused as refusal:
            if refusal.errno != EADDRINUSE:  # which is about the MAC (macvlan_open)
                raise
            raise Refused(
                f"the MAC address of {self.name} is taken on the NIC that it stands on",
                "Choose another, or see whose it is: pipework ls; ip -br link",
            ) from None

    def undo(self) -> None:
        with gone_is_fine(self.namespace, self.name):
            self._set(False)

    def _set(self, up: bool) -> None:
        netlink = self.namespace.netlink
        netlink.set_link(netlink.index(self.name), up=up)

    def say(self) -> str:
        return self.namespace.say(f"ip link set dev {quote(self.name)} up")


class SetDown(SetUp):
    """Take down a link that is up."""

    def do(self) -> None:
        self._set(False)

    def undo(self) -> None:
        with gone_is_fine(self.namespace, self.name):
            self._set(True)

    def say(self) -> str:
        return self.namespace.say(f"ip link set dev {quote(self.name)} down")


class Adopt(Action):
    """Let a link that has just been made, or that a killed run has left, be one that stays."""

    namespace: Namespace
    name: str

    def do(self) -> None:
        self._set_group(0)

    def undo(self) -> None:
        with gone_is_fine(self.namespace, self.name):
            self._set_group(NEWBORN)

    def _set_group(self, group: int) -> None:
        netlink = self.namespace.netlink
        netlink.set_link(netlink.index(self.name), IFLA_GROUP=group)


class SetAlias(Action):
    """Give a link an alias.  passing: for as long as the run lasts, which is not worth saying."""

    namespace: Namespace
    name: str
    alias: str
    before: str = ""
    passing: bool = False

    def do(self) -> None:
        self._set(IFLA_IFALIAS=self.alias)

    def undo(self) -> None:
        with gone_is_fine(self.namespace, self.name):
            self._set(IFLA_IFALIAS=self.before)

    def _set(self, **attributes: Any) -> None:
        netlink = self.namespace.netlink
        netlink.set_link(netlink.index(self.name), **attributes)

    def say(self) -> str:
        line = f"ip link set dev {quote(self.name)} alias {quote(self.alias)}"
        return "" if self.passing else self.namespace.say(line)


class MarkNewborn(SetAlias):
    """Give a link that has just been born its first alias, after which its group need not tell that it was.

    Not undone where the link has got another since: another run has come to use it.
    """

    passing: bool = True

    def do(self) -> None:
        self._set(IFLA_IFALIAS=self.alias, IFLA_GROUP=0)

    def undo(self) -> None:
        link = self.namespace.netlink.link(self.name)
        if link and link.alias in ("", self.alias):
            with gone_is_fine(self.namespace, self.name):
                self._set(IFLA_IFALIAS="", IFLA_GROUP=NEWBORN)


class SetMac(Action):
    """Give a link another MAC address."""

    namespace: Namespace
    name: str
    mac: str
    before: str

    def do(self) -> None:
        self._set(self.mac)

    def undo(self) -> None:
        with gone_is_fine(self.namespace, self.name):
            self._set(self.before)

    def _set(self, mac: str) -> None:
        netlink = self.namespace.netlink
        netlink.set_link(netlink.index(self.name), IFLA_ADDRESS=mac)

    def say(self) -> str:
        return self.namespace.say(f"ip link set dev {quote(self.name)} address {self.mac}")


class RenameLink(Action):
    """Give a link that is down another name."""

    namespace: Namespace
    name: str
    new_name: str

    def do(self) -> None:
        self._rename(self.name, self.new_name)

    def undo(self) -> None:
        with gone_is_fine(self.namespace, self.new_name):
            self._rename(self.new_name, self.name)

    def _rename(self, old: str, new: str) -> None:
        netlink = self.namespace.netlink
        netlink.set_link(netlink.index(old), IFLA_IFNAME=new)
        netlink.forget(old)
        netlink.forget(new)

    def say(self) -> str:
        return self.namespace.say(f"ip link set dev {quote(self.name)} name {quote(self.new_name)}")


class DeleteLink(Action):
    """Remove a link.  It cannot be brought back, so nothing is undone any more afterwards."""

    is_final = True

    namespace: Namespace
    name: str

    def do(self) -> None:
        delete(self.namespace, self.name)

    def say(self) -> str:
        return self.namespace.say(f"ip link delete dev {quote(self.name)}")


def delete(namespace: Namespace, name: str) -> None:
    """Remove a link, or find that it has gone already."""
    netlink = namespace.netlink
    with gone_is_fine(namespace, name):
        netlink.delete_link(netlink.index(name))
    netlink.forget(name)


@contextmanager
def gone_is_fine(namespace: Namespace, name: str) -> Iterator[None]:
    """End a block quietly where the kernel refuses because that link has gone: with its guest, or at another's hand."""
    try:
        yield
    except KernelRefused as refusal:
        if refusal.errno != ENODEV or namespace.netlink.is_there(name):
            raise

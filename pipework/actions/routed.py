"""What a host does for a guest that it routes for: a gateway on its own end, and answers on the NIC in its name.

The NIC answers by proxy ARP (RFC 1027) and proxy NDP (RFC 4389), which the kernel does for single addresses
(``ip neighbour add proxy``), of IPv6 only where proxy_ndp is on.
"""

from __future__ import annotations

from errno import ENODEV, ENOENT
from ipaddress import ip_address, ip_interface

from pipework import notes
from pipework.actions.addresses import AddAddress
from pipework.actions.base import Action
from pipework.actions.lines import ip_setting
from pipework.actions.notes import KeepOnceThere
from pipework.address import Address
from pipework.errors import KernelRefused, Refused
from pipework.kernel import sysfs
from pipework.kernel.locks import host_lock
from pipework.kernel.namespaces import Namespace
from pipework.kernel.records import IFA_F_NODAD, SCOPE_LINK
from pipework.model import GATEWAYS
from pipework.notes import Routed
from pipework.quoting import quote
from pipework.typed import Optional

PROXY_NDP = "proxy_ndp"
# Of the host's own end of a wire: the guest may not tell the host, by IPv6, where its default route leads, and of
# link-local addresses the gateway's is enough.
FORWARDING, NO_ROUTERS, NO_OTHER = ("forwarding", "1"), ("accept_ra", "0"), ("addr_gen_mode", "1")


class Forward(Action):
    """Let the host's end of a new wire forward what the guest sends, of these families, as the NIC does."""

    host: Namespace
    link: str
    families: tuple[int, ...]

    def do(self) -> None:
        if 6 in self.families:
            sysfs.allow_ipv6(self.link, True)
        for family, setting, value in self._settings():
            if sysfs.ip_setting(family, self.link, setting) not in (None, value):
                sysfs.set_ip(family, self.link, setting, value, f"{setting} is not {value} on {self.link}")

    def undo(self) -> None:
        """Nothing: the settings go with the link."""

    def _settings(self) -> list[tuple[int, str, str]]:
        own = [NO_ROUTERS, *([NO_OTHER] if 6 in self.families else [])]
        return [*((6, *told) for told in own), *((family, *FORWARDING) for family in self.families)]

    def say(self) -> str:
        lines = [(6, "disable_ipv6", "0")] if 6 in self.families else []
        return "\n".join(ip_setting(family, self.link, *told) for family, *told in [*lines, *self._settings()])


class BeGateway(AddAddress):
    """Give the host's end the address by which the guest knows its gateway, as each such end has it."""

    def do(self) -> None:
        netlink, interface = self.namespace.netlink, self.interface
        how = {"scope": SCOPE_LINK} if interface.version == 4 else {"scope": SCOPE_LINK, "flags": IFA_F_NODAD}
        netlink.add_address(netlink.index(self.link), interface, None, **how)

    def say(self) -> str:
        how = "scope link" if self.interface.version == 4 else "nodad"
        return self.namespace.say(f"ip address add {self.interface.with_prefixlen} dev {quote(self.link)} {how}")


def gateway_of(host: Namespace, link: str, family: int) -> Action:
    """The address of a family for the host's end; that of IPv4 is good for this link alone, as that of IPv6 is."""
    return BeGateway(host, link, ip_interface(f"{GATEWAYS[family]}/{64 if family == 6 else 32}"), None)


class NoteRouted(KeepOnceThere):
    """Note what is about to be done for a guest, once the host's end is there; former: the note that this takes the
    place of.
    """

    host: Namespace
    link: str
    kept: Routed
    former: Optional[Routed] = None

    def note(self) -> Routed:
        return self.kept.replace(end=self.host.netlink.index(self.link))

    def undo(self) -> None:
        if self.former:
            self.former.write()
        else:
            self.kept.erase()


class Answer(Action):
    """Let a NIC answer for an address; taken: whether it does so already, for the link that this one takes the place
    of.
    """

    host: Namespace
    nic: str
    address: Address
    note: Routed
    taken: bool = False

    def do(self) -> None:
        netlink = self.host.netlink
        index = netlink.index(self.nic)
        netlink.add_proxy(index, self.address)
        try:
            if self.address.version == 6:
                _answer_ndp(self.nic, True)
        except Refused:
            netlink.delete_proxy(index, self.address)
            raise

    def undo(self) -> None:
        if not self.taken:
            with host_lock(patient=True):
                stop(self.host, self.nic, self.note)

    def say(self) -> str:
        lines = [ip_setting(6, self.nic, PROXY_NDP, "1")] if self.address.version == 6 else []
        return "\n".join([*lines, f"ip neighbour add proxy {self.address} dev {quote(self.nic)}"])


class StopAnswering(Action):
    """Let a NIC answer for an address no more, and forget that it did; nic: its name, "" where it has gone."""

    host: Namespace
    nic: str
    note: Routed

    def do(self) -> None:
        if self.nic:
            stop(self.host, self.nic, self.note)
        self.note.erase()

    def undo(self) -> None:
        self.note.write()
        if self.nic:
            Answer(self.host, self.nic, ip_address(self.note.address), self.note).do()

    def say(self) -> str:
        if not self.nic:
            return ""
        others = [note for note in _of_ipv6(self.note) if note.end != self.note.end]
        is_last = ":" in self.note.address and self.note.first and not others
        lines = [ip_setting(6, self.nic, PROXY_NDP, "0")] if is_last else []
        return "\n".join([f"ip neighbour delete proxy {self.note.address} dev {quote(self.nic)}", *lines])


def stop(host: Namespace, nic: str, note: Routed) -> None:
    """Take back what ``Answer`` has done; proxy_ndp stays on for others that need it."""
    address = ip_address(note.address)
    try:
        host.netlink.delete_proxy(host.netlink.index(nic), address)
    except KernelRefused as refusal:
        if refusal.errno == ENODEV:
            return
        if refusal.errno != ENOENT:
            raise
    others = [other for other in _of_ipv6(note) if other.address != note.address]
    if address.version == 6 and note.first and not others:
        _answer_ndp(nic, False)


def _of_ipv6(note: Routed) -> list[Routed]:
    """The notes of the same NIC that need proxy_ndp."""
    there = (other for other in notes.readable(Routed) if (other.host, other.nic) == (note.host, note.nic))
    return [other for other in there if ":" in other.address]


def _answer_ndp(nic: str, wanted: bool) -> None:
    value = "1" if wanted else "0"
    if sysfs.ip_setting(6, nic, PROXY_NDP) not in (None, value):
        sysfs.set_ip(6, nic, PROXY_NDP, value, f"{PROXY_NDP} is not {value} on {nic}")

"""Switches and ports of OVN.  ``say`` is the ``ovn-nbctl`` line itself."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import suppress
from ipaddress import ip_interface, ip_network

from pipework.actions.addresses import AddAddress, broadcast_of
from pipework.actions.base import Action
from pipework.actions.links import gone_is_fine
from pipework.errors import Refused
from pipework.kernel import ovn, ovsdb
from pipework.kernel.bare import json_string
from pipework.kernel.namespaces import Namespace
from pipework.kernel.ovn import LogicalPort, LogicalSwitch, line, nbctl
from pipework.model import OVN
from pipework.quoting import quote
from pipework.typed import Optional

PAUSE = 0.05  # seconds between two looks for an address
# seconds for a port's flows: the first on a switch of 3,000 keeps ovn-controller busy for 20, and ovn-northd needs 15
# to find the new leader of a cluster
INSTALLING = 60


class MakeSwitch(Action):
    """Make a logical switch, which stays: other hosts may be on it by now.

    Its row has a UUID made of its name, so that of two hosts that make it at once one finds it there.
    """

    database: str
    switch: LogicalSwitch

    def do(self) -> None:
        try:
            nbctl(self.database, *self._words())
        except ovn.Conflict:
            if ovn.find_switch(self.database, self.switch.name).uuid != self.switch.row:
                raise

    def say(self) -> str:
        return _say(self.database, self._words())

    def _words(self) -> list[str]:
        name = f"name={json_string(self.switch.name)}"
        return [f"--id={self.switch.row}", "create", "Logical_Switch", name, f"external_ids:{ovn.MADE}=made"]


class AddLogicalPort(Action):
    """Give a logical switch a port, which the database has once of each name, and so of each address.

    synced: whether to wait until OVN has chosen the port's address.
    """

    database: str
    switch: LogicalSwitch
    port: LogicalPort
    synced: bool = False

    def do(self) -> None:
        try:
            nbctl(self.database, *self._words())
        except ovn.Conflict:
            there = ovn.find_port(self.database, self.port.name)
            if not self._is_ours(there):  # else an answer was lost, and ovn-nbctl has asked another server again
                raise self._taken(there) from None
        except ovn.NoAnswer:
            with suppress(Refused):
                self._withdraw()
            raise
        try:
            conflict = self._conflict()
            if conflict:
                raise conflict
        except BaseException:
            self.undo()
            raise

    def _is_ours(self, there: Optional[LogicalPort]) -> bool:
        return there is not None and there.external_ids == self.port.external_ids

    def _taken(self, there: Optional[LogicalPort]) -> Refused:
        ip = next(iter(self.port.ips), "its address")
        whose = there.whose if there else "another host, a moment ago"
        return is_taken(self.switch, ip, whose)

    def _conflict(self) -> Optional[Refused]:
        """Of several addresses the name is of one only.  Whoever then sees another's gives way."""
        if len(self.port.ips) < 2:
            return None
        switch = ovn.find_switch(self.database, self.switch.name)
        return taken(switch, self.port)

    def _withdraw(self) -> None:
        if self._is_ours(ovn.find_port(self.database, self.port.name)):  # else it is another host's
            self.undo()

    def undo(self) -> None:
        nbctl(self.database, *_remove(self.port))

    def say(self) -> str:
        return _say(self.database, self._words())

    def _words(self) -> list[str]:
        add = ["lsp-add", self.switch.row, self.port.name]
        return [*(["--wait=sb"] if self.synced else []), *add, "--", *_settings(self.port)]


class ChangeLogicalPort(Action):
    """Make a port that is there another guest's, or another MAC's.  before: what it was."""

    database: str
    port: LogicalPort
    before: LogicalPort
    synced: bool = False

    def do(self) -> None:
        try:
            nbctl(self.database, *self._words())
        except ovn.NoAnswer:
            with suppress(Refused):
                self.undo()
            raise

    def undo(self) -> None:
        nbctl(self.database, *_settings(self.before))

    def say(self) -> str:
        return _say(self.database, self._words())

    def _words(self) -> list[str]:
        return [*(["--wait=sb"] if self.synced else []), *_settings(self.port)]


class RemoveLogicalPort(Action):
    """Take a port of ours off its logical switch; undone, there is one like it."""

    database: str
    port: LogicalPort

    def do(self) -> None:
        try:
            nbctl(self.database, *_remove(self.port))
        except ovn.NoAnswer:
            with suppress(Refused):
                self.undo()
            raise

    def undo(self) -> None:
        switch = self.port.external_ids[ovn.SWITCH]
        nbctl(self.database, "--may-exist", "lsp-add", switch, self.port.name, "--", *_settings(self.port))

    def say(self) -> str:
        return _say(self.database, _remove(self.port))


class AwaitInstalled(Action):
    """Wait until OVN has made the flows of a port of this host."""

    port: str

    def do(self) -> None:
        try:
            ovsdb.vsctl(*self._words(), patience=INSTALLING)
        except ovsdb.NoAnswer:
            raise Refused(
                f"OVN has not made the flows of {self.port} within {INSTALLING} s",
                f"See why: ovs-vsctl list Interface {quote(self.port)}; ovn-appctl -t ovn-controller connection-status",
            ) from None

    def say(self) -> str:
        return " ".join(map(quote, ["ovs-vsctl", *self._words()]))

    def _words(self) -> list[str]:
        return ["wait-until", "Interface", self.port, "external_ids:ovn-installed=true"]


class TakeDynamic(Action):
    """Give a link the address that OVN has chosen for its port.  subnet: that of the switch."""

    namespace: Namespace
    link: str
    database: str
    port: str
    subnet: str

    def do(self) -> None:
        length = ip_network(self.subnet, strict=False).prefixlen
        interface = ip_interface(f"{self._address()}/{length}")
        AddAddress(self.namespace, self.link, interface, broadcast_of(interface)).do()

    def _address(self) -> str:
        until = time.monotonic() + ovn.PATIENCE
        while True:
            there = ovn.find_port(self.database, self.port)
            words = there.dynamic.split() if there else []
            if len(words) > 1:
                return words[1]
            if time.monotonic() > until:
                raise Refused(
                    f"OVN has chosen no address for {self.port} within {ovn.PATIENCE:g} s",
                    f"See whether {self.subnet} has one left, and ovn-northd runs: ovn-nbctl show",
                )
            time.sleep(PAUSE)

    def undo(self) -> None:
        with gone_is_fine(self.namespace, self.link):
            netlink, network = self.namespace.netlink, ip_network(self.subnet, strict=False)
            index = netlink.index(self.link)
            for one in netlink.addresses(index):
                if one.interface.version == network.version and one.interface.ip in network:
                    netlink.delete_address(index, one.interface)

    def say(self) -> str:
        asked = ["get", "Logical_Switch_Port", self.port, "dynamic_addresses"]
        return f"# and the address that OVN has chosen: {_say(self.database, asked)}"


def taken(switch: LogicalSwitch, port: LogicalPort) -> Optional[Refused]:
    """Why a switch cannot have a port, another end's having one of its addresses; None: it can."""
    for other in switch.ports:
        both = port.ips & other.ips if other.name != port.name and other.end != port.end else set()
        if both:
            return is_taken(switch, min(both), other.whose)
    return None


def is_taken(switch: LogicalSwitch, ip: str, whose: str) -> Refused:
    """The refusal of an address that somebody has on the switch."""
    return Refused(f"{ip} is on {OVN}{switch.name} already: {whose}", "Choose another address.")


def _settings(port: LogicalPort) -> list[str]:
    addresses = ",".join(map(json_string, port.addresses))
    ids = [f"external_ids:{json_string(key)}={json_string(value)}" for key, value in port.external_ids.items()]
    dhcp = ["--", "lsp-set-dhcpv4-options", port.name, *([port.dhcp] if port.dhcp else [])]
    return [
        *("set", "Logical_Switch_Port", port.name, f"addresses={addresses}"),
        *([f"options:requested-chassis={json_string(port.chassis)}"] if port.chassis else []),
        *ids,
        *(dhcp if port.dhcp else []),
    ]


def _remove(port: LogicalPort) -> list[str]:
    return ["--if-exists", "lsp-del", port.name]


def _say(database: str, words: Sequence[str]) -> str:
    return " ".join(map(quote, line(database, words)))

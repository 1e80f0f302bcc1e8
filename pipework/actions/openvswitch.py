"""Bridges and ports of Open vSwitch.  ``say`` is the ``ovs-vsctl`` line itself."""

from __future__ import annotations

from contextlib import suppress

from pipework.actions.base import Action
from pipework.actions.spanning_tree import AwaitForwarding
from pipework.errors import Refused
from pipework.kernel import ovsdb, processes, sysfs
from pipework.kernel.bare import json_string
from pipework.kernel.locks import host_lock
from pipework.marks import IFACE_ID, MAKING
from pipework.quoting import quote


class AddBridge(Action):
    """Create an Open vSwitch bridge; undone only while nobody else has plugged a port into it."""

    name: str

    def do(self) -> None:
        try:
            mark = ("br-set-external-id", self.name, MAKING, processes.own_identity())
            ovsdb.vsctl("add-br", self.name, "--", *mark)
            if sysfs.exists(self.name):
                return
        except ovsdb.NoAnswer:
            self._withdraw()
            raise
        except ovsdb.SwitchFault:
            pass
        self._withdraw()
        raise Refused(
            f"Open vSwitch cannot make bridge {self.name}: the kernel lacks its datapath, as it seems",
            "Switch in userspace instead, and run pipework again: "
            f"ovs-vsctl add-br {self.name} -- set bridge {self.name} datapath_type=netdev",
        )

    def _withdraw(self) -> None:
        with suppress(Refused):
            ovsdb.vsctl("--no-wait", "--if-exists", "del-br", self.name)

    def undo(self) -> None:
        with host_lock(patient=True):
            if not ovsdb.ports(self.name):
                ovsdb.vsctl("del-br", self.name)

    def say(self) -> str:
        return _say(["add-br", self.name])


class AdoptBridge(Action):
    """Let a bridge that this run has made be one that stays."""

    name: str

    def do(self) -> None:
        ovsdb.vsctl("--no-wait", *_adopt(self.name))

    def undo(self) -> None:
        """Nothing: it goes with the bridge."""


class RemoveBridge(Action):
    """Remove a bridge that a killed run has left without a port."""

    name: str

    def do(self) -> None:
        ovsdb.vsctl("--if-exists", "del-br", self.name)

    def undo(self) -> None:
        """Nothing: nobody misses it."""

    def say(self) -> str:
        return _say(["--if-exists", "del-br", self.name])


class RemovePort(Action):
    """Take a port off its bridge; undone, the database has it as it was.

    Done means that the switch has let go of it: another link that took its name sooner would not be plugged in.
    """

    port: ovsdb.Port

    def do(self) -> None:
        try:
            ovsdb.vsctl(*_remove(self.port))
        except ovsdb.NoAnswer:
            with suppress(Refused):
                self.undo()
            raise

    def undo(self) -> None:
        # without waiting for the switch, which cannot plug in a link that is not there
        ovsdb.vsctl("--no-wait", "--may-exist", *_add(self.port))

    def say(self) -> str:
        return _say(_remove(self.port))


class AddPort(Action):
    """Make a link that is there a port of a bridge.

    bridge_is_ours: this run has made the bridge, and is not done with it; another one stays, from now on.
    """

    port: ovsdb.Port
    bridge_is_ours: bool = False

    def do(self) -> None:
        adopt = [] if self.bridge_is_ours else ["--", *_adopt(self.port.bridge)]
        try:
            ovsdb.vsctl(*_add(self.port), *adopt)
        except (ovsdb.NoAnswer, ovsdb.SwitchFault):
            with suppress(Refused):
                self.undo()
            raise

    def undo(self) -> None:
        ovsdb.vsctl("--no-wait", *_remove(self.port))  # the link that the switch would lose goes next

    def say(self) -> str:
        return _say(_add(self.port))


class AwaitSwitchForwarding(AwaitForwarding):
    """The same of a bridge of Open vSwitch, which tells it in its database."""

    def passes(self) -> bool:
        return ovsdb.forwards(self.port)

    def pause(self) -> float:
        return 0.5  # each look is a program

    def refusal(self, late: float) -> Refused:
        return Refused(
            f"the spanning tree of Open vSwitch does not let frames of {self.port} pass after {late:g} s",
            f"See why: ovs-vsctl list Port {quote(self.port)}",
        )

    def say(self) -> str:
        return _say(["wait-until", "Port", self.port, "status:stp_state=forwarding"])


def _adopt(bridge: str) -> list[str]:
    return ["br-set-external-id", bridge, MAKING]


def _remove(port: ovsdb.Port) -> list[str]:
    # no bridge is named: a fake one would have none but the ports of its VLAN
    return ["--if-exists", "del-port", port.name]


def _add(port: ovsdb.Port) -> list[str]:
    # without its guest a port of OVN is of no use, so it need not outlast the switch
    transient = ["other_config:transient=true"] if IFACE_ID in port.external_ids else []
    add = ["add-port", port.bridge, port.name, *_vlans(port), *transient]
    ids = [f"external-ids:{key}={json_string(value)}" for key, value in port.external_ids.items()]
    return [*add, *(["--", "set", "Interface", port.name, *ids] if ids else [])]


def _vlans(port: ovsdb.Port) -> list[str]:
    if port.trunk:
        carried = f"trunks={','.join(map(str, port.trunk.ids))}"
        return [
            *(["vlan_mode=trunk"] if port.trunk.native is None else ["vlan_mode=native-untagged"]),
            *([] if port.trunk.native is None else [f"tag={port.trunk.native}"]),
            carried,
        ]
    return [f"tag={port.vlan}"] if port.vlan else []


def _say(arguments: list[str]) -> str:
    return " ".join(["ovs-vsctl", *map(quote, arguments)])

"""Bridges and ports of Open vSwitch.  ``say`` is the ``ovs-vsctl`` line itself."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Optional

from pipework.actions.links import quote
from pipework.errors import Refused
from pipework.kernel import ovsdb, sysfs
from pipework.kernel.locks import host_lock
from pipework.value import Value


class AddBridge(Value):
    """An Open vSwitch bridge; undone only while nobody else has plugged a port into it."""

    name: str

    def do(self) -> None:
        fault: Optional[ovsdb.Fault] = None
        try:
            ovsdb.vsctl("add-br", self.name)
        except ovsdb.Fault as error:
            fault = error
        if fault is None and sysfs.exists(self.name):
            return
        with suppress(Refused):
            ovsdb.vsctl("--if-exists", "del-br", self.name)
        raise Refused(
            f"Open vSwitch cannot make bridge {self.name}: {fault.message if fault else 'its datapath is missing'}",
            "Without the kernel's datapath, switch in userspace: "
            f"ovs-vsctl add-br {self.name} -- set bridge {self.name} datapath_type=netdev",
        )

    def undo(self) -> None:
        with host_lock(patient=True):
            if not ovsdb.ports(self.name):
                ovsdb.vsctl("del-br", self.name)

    def say(self) -> str:
        return f"ovs-vsctl add-br {self.name}"


class AddPort(Value):
    """A port of a bridge; replaces is what the database still has of an earlier guest's under that name."""

    port: ovsdb.Port
    replaces: Optional[ovsdb.Port]

    def do(self) -> None:
        try:
            ovsdb.vsctl(*self._arguments())
        except Refused:
            with suppress(Refused):
                self.undo()
            raise

    def undo(self) -> None:
        if self.replaces:
            with suppress(ovsdb.Fault):  # it was dead, and is told of as dead again
                AddPort(self.replaces, self.port).do()
        else:
            ovsdb.vsctl("--if-exists", "del-port", self.port.bridge, self.port.name)

    def say(self) -> str:
        return " ".join(["ovs-vsctl", *map(quote, self._arguments())])

    def _arguments(self) -> list[str]:
        port = self.port
        remove = ["--if-exists", "del-port", port.name, "--"] if self.replaces else []
        add = ["add-port", port.bridge, port.name, *([f"tag={port.vlan}"] if port.vlan else [])]
        ids = [f"external-ids:{key}={json.dumps(value)}" for key, value in port.external_ids.items()]
        return [*remove, *add, *(["--", "set", "Interface", port.name, *ids] if ids else [])]

"""Open vSwitch's database, through ``ovs-vsctl``."""

from __future__ import annotations

import json
from typing import Any, Optional

from pipework.errors import NotInstalled, Refused
from pipework.kernel.programs import run
from pipework.value import Value

PATIENCE = 5  # seconds that ovs-vsctl waits for the database and the switch
HINT = "See to it: systemctl status openvswitch-switch; ovs-vsctl show"


class Port(Value):
    """A port as the database has it: its bridge, its access VLAN (None: all) and its interface's external ids."""

    bridge: str
    name: str
    vlan: Optional[int]
    external_ids: dict[str, str]


class Fault(Refused):
    """Open vSwitch is there, but cannot do what it was asked."""


def vsctl(*arguments: str) -> str:
    """Run ovs-vsctl and return what it prints.

    Raises NotInstalled, or Fault if the database or the switch refuses or does not answer within seconds.
    """
    command = ["ovs-vsctl", f"--timeout={PATIENCE}", *arguments]
    outcome = run(command, PATIENCE + 2, "openvswitch-switch")
    said = " ".join(line.strip() for line in outcome.err.splitlines() if line.strip())
    if outcome.status in (-14, 142):  # ended by its own alarm clock
        raise Fault(f"Open vSwitch does not answer within {PATIENCE} s", HINT)
    # a switch that cannot do what the database now says is told of in a warning only
    if outcome.status != 0 or "Error detected" in said:
        raise Fault(f"Open vSwitch: {said or f'ovs-vsctl failed with status {outcome.status}'}", HINT)
    return outcome.out


def is_bridge(name: str) -> bool:
    """Whether Open vSwitch has a bridge of that name; False where it is not installed or not running.

    Raises Fault if it runs but does not answer.
    """
    try:
        return name in vsctl("list-br").splitlines()
    except NotInstalled:
        return False
    except Fault as fault:
        if "database connection failed" in fault.message:
            return False
        raise


def ports(bridge: str) -> list[str]:
    """The names of a bridge's ports, without its own."""
    return vsctl("list-ports", bridge).splitlines()


def port(name: str) -> Optional[Port]:
    """The port of that name, on whichever bridge, or None."""
    rows = _rows("--columns=tag", "find", "Port", f"name={json.dumps(name)}")
    if not rows:
        return None
    tag = rows[0]["tag"]
    interfaces = _rows("--columns=external_ids", "find", "Interface", f"name={json.dumps(name)}")
    external_ids = dict(interfaces[0]["external_ids"][1]) if interfaces else {}
    return Port(vsctl("port-to-br", name).strip(), name, tag if isinstance(tag, int) else None, external_ids)


def _rows(*arguments: str) -> list[dict[str, Any]]:
    table = json.loads(vsctl("--format=json", *arguments))
    return [dict(zip(table["headings"], row)) for row in table["data"]]

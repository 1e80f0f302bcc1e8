"""Open vSwitch's database, through ``ovs-vsctl``."""

from __future__ import annotations

from collections.abc import Sequence

from pipework.errors import NotInstalled, Refused
from pipework.kernel.bare import json_string, read_json
from pipework.kernel.programs import Running
from pipework.typed import Any, Optional
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
    """Open vSwitch does not do what it was asked; its database is as before."""


class NoAnswer(Fault):
    """No answer came, or none that tells what has happened; the database may have taken the change."""


class SwitchFault(Fault):
    """The database has taken the change, and the switch cannot make it true."""


def vsctl(*arguments: str) -> str:
    """Run ovs-vsctl and return what it prints.

    Raises NotInstalled, or a Fault within seconds.
    """
    return _answer(_start(arguments))


def _start(arguments: Sequence[str]) -> Running:
    try:
        return Running(["ovs-vsctl", f"--timeout={PATIENCE}", *arguments], "openvswitch-switch")
    except NotInstalled:
        raise
    except Refused as refusal:
        raise NoAnswer(refusal.message, HINT) from None


def _answer(running: Running) -> str:
    try:
        outcome = running.outcome(PATIENCE + 2)
    except Refused as late:
        raise NoAnswer(late.message, HINT) from None
    said = " ".join(line.strip() for line in outcome.err.splitlines() if line.strip())
    if outcome.status in (-14, 142):  # ended by its own alarm clock
        raise NoAnswer(f"Open vSwitch does not answer within {PATIENCE} s", HINT)
    if "database connection failed (No such file" in said:
        raise Fault("Open vSwitch is not running", "Start it: systemctl start openvswitch-switch")
    if outcome.status != 0:
        told = said.startswith("ovs-vsctl: ")  # it has given up by itself, and its transaction with it
        fault = Fault if told else NoAnswer
        raise fault(f"Open vSwitch: {said or f'ovs-vsctl failed with status {outcome.status}'}", HINT)
    if "Error detected" in said:  # a warning only, and exit status 0
        raise SwitchFault(f"Open vSwitch: {said}", HINT)
    return outcome.out


def is_bridge(name: str) -> bool:
    """Whether Open vSwitch has a bridge of that name.  Raises NotInstalled, Fault."""
    return name in vsctl("list-br").splitlines()


def ports(bridge: str) -> list[str]:
    """The names of a bridge's ports, without its own."""
    return vsctl("list-ports", bridge).splitlines()


class Inquiry:
    """The question for every port whose interface has an external id, put at once; its answer, when it is needed."""

    def __init__(self, external_id: str) -> None:
        asked = ("--format=json", "--columns=name,external_ids", "find", "Interface", f'external_ids:{external_id}!=""')
        try:
            self._running: Optional[Running] = _start(asked)
        except (NotInstalled, Fault):
            self._running = None

    def ports(self) -> list[Port]:
        """The ports; none where Open vSwitch is not installed or not running."""
        try:
            rows = _table(_answer(self._running)) if self._running else []
        except Fault:
            return []
        ids = {row["name"]: dict(row["external_ids"][1]) for row in rows}
        return [
            Port(given.get("pipework.bridge", ""), name, _number(given.get("pipework.vlan")), given)
            for name, given in ids.items()
        ]


def bridges_with(external_id: str) -> dict[str, str]:
    """The bridges that have that external id, and what it says."""
    try:
        rows = _rows("--columns=name,external_ids", "find", "Bridge", f'external_ids:{external_id}!=""')
    except (NotInstalled, Fault):
        return {}
    return {row["name"]: dict(row["external_ids"][1])[external_id] for row in rows}


def _number(text: Optional[str]) -> Optional[int]:
    return int(text) if text and text.isdecimal() else None


def port(name: str) -> Optional[Port]:
    """The port of that name, on whichever bridge, or None."""
    rows = _rows("--columns=tag", "find", "Port", f"name={json_string(name)}")
    if not rows:
        return None
    tag = rows[0]["tag"]
    interfaces = _rows("--columns=external_ids", "find", "Interface", f"name={json_string(name)}")
    external_ids = dict(interfaces[0]["external_ids"][1]) if interfaces else {}
    return Port(vsctl("port-to-br", name).strip(), name, tag if isinstance(tag, int) else None, external_ids)


def _rows(*arguments: str) -> list[dict[str, Any]]:
    return _table(vsctl("--format=json", *arguments))


def _table(told: str) -> list[dict[str, Any]]:
    table = read_json(told)
    return [dict(zip(table["headings"], row)) for row in table["data"]]

"""Open vSwitch's database, through ``ovs-vsctl``."""

from __future__ import annotations

import os
from collections.abc import Sequence

from pipework.errors import NotInstalled, Refused
from pipework.kernel.bare import json_string, read_json
from pipework.kernel.programs import Running, find_program
from pipework.typed import TYPE_CHECKING, Any, Optional
from pipework.value import Value

if TYPE_CHECKING:
    from pipework.vlans import Trunk

UNAPPLIED = 65  # exit status, ovs-vsctl(8)
PATIENCE = 10  # seconds that ovs-vsctl waits for the database and the switch
HINT = "See to it: systemctl status openvswitch-switch; ovs-vsctl show"
FOLDERS = ("/run/openvswitch", "/usr/local/var/run/openvswitch")  # of its socket: a distribution's, and its own default


class Port(Value):
    """A port as the database has it: its bridge, access VLAN, its interface's external ids, and what a trunk carries.

    bridge: of a port of a fake bridge, that one or its parent; without vlan and trunk it carries all VLANs.
    """

    bridge: str
    name: str
    vlan: Optional[int]
    external_ids: dict[str, str]
    trunk: Optional[Trunk] = None


class Fault(Refused):
    """Open vSwitch does not do what it was asked; its database is as before."""


class NoAnswer(Fault):
    """No answer came, or none that tells what has happened; the database may have taken the change."""


class SwitchFault(Fault):
    """The database has taken the change, and the switch cannot make it true."""


def vsctl(*arguments: str, patience: int = PATIENCE) -> str:
    """Run ovs-vsctl and return what it prints.  patience in seconds.

    Raises NotInstalled, or a Fault within seconds.
    """
    return _answer(_start(arguments, patience), patience)


def _start(arguments: Sequence[str], patience: int = PATIENCE) -> Running:
    try:
        return Running(["ovs-vsctl", f"--timeout={patience}", *arguments], "openvswitch-switch")
    except NotInstalled:
        raise
    except Refused as refusal:
        raise NoAnswer(refusal.message, HINT) from None


def _answer(running: Running, patience: int = PATIENCE) -> str:
    try:
        outcome = running.outcome(patience + 2)
    except Refused as late:
        raise NoAnswer(late.message, HINT) from None
    said = " ".join(line.strip() for line in outcome.err.splitlines() if line.strip())
    if outcome.status in (-14, 142):  # ended by its own alarm clock
        raise NoAnswer(f"Open vSwitch does not answer within {patience} s", HINT)
    if "database connection failed (No such file" in said:
        raise Fault("Open vSwitch is not running", "Start it: systemctl start openvswitch-switch")
    if outcome.status == UNAPPLIED or "Error detected" in said:  # before version 3.6 a warning only, and exit status 0
        raise SwitchFault(f"Open vSwitch: {said}", HINT)
    if outcome.status != 0:
        told = said.startswith("ovs-vsctl: ")  # it has given up by itself, and its transaction with it
        fault = Fault if told else NoAnswer
        raise fault(f"Open vSwitch: {said or f'ovs-vsctl failed with status {outcome.status}'}", HINT)
    return outcome.out


def listens() -> bool:
    """Whether there is a database to ask, as far as that is seen without a program."""
    given = os.environ.get("OVS_RUNDIR")
    places = [f"{folder}/db.sock" for folder in ([given] if given else FOLDERS)]
    return any(map(os.path.exists, places)) and find_program("ovs-vsctl") is not None


def bridge_of(name: str) -> Optional[str]:
    """The bridge that has a port or an interface of that name, itself if it is a bridge; None: nobody knows the name.

    Raises NotInstalled, Fault.
    """
    asked, wanted = ("--", "--columns=name", "find"), f"name={json_string(name)}"
    told = vsctl("--format=json", "list-br", *asked, "Port", wanted, *asked, "Interface", wanted).splitlines()
    if name in told[:-2]:
        return name
    for rows, question in zip(told[-2:], ("port-to-br", "iface-to-br")):
        if table(rows):
            return vsctl(question, name).strip()
    return None


def is_bridge(name: str) -> bool:
    """Whether Open vSwitch has a bridge of that name.  Raises NotInstalled, Fault."""
    return name in vsctl("list-br").splitlines()


def fake_vlan(bridge: str) -> Optional[int]:
    """The VLAN of its parent that a fake bridge is; None: it is none.  Raises NotInstalled, Fault."""
    rows = _rows("--columns=tag", "find", "Port", f"name={json_string(bridge)}", "fake_bridge=true")
    return _tag(rows[0]) if rows else None


def has_stp(bridge: str) -> bool:
    """Whether a bridge is part of a spanning tree, so that it lets a new port's frames pass late; a fake one too."""
    parent = vsctl("br-to-parent", bridge).strip()
    return bool(vsctl("--if-exists", "get", "Bridge", parent, "status:stp_bridge_id").strip())


def forwards(port: str) -> bool:
    """Whether the spanning tree lets the frames of a port pass; not before the switch has told so."""
    return vsctl("--if-exists", "get", "Port", port, "status:stp_state").strip() == "forwarding"


def ports(bridge: str) -> list[str]:
    """The names of a bridge's ports without its own: those of its fake bridges as well, and these themselves."""
    wanted = ("--columns=ports", "find", "Bridge", f"name={json_string(bridge)}")
    told = vsctl("--format=json", *wanted, "--", "--columns=_uuid,name", "list", "Port")
    bridges, rows = map(table, told.splitlines())
    its_own = [uuid for row in bridges for uuid in members(row["ports"])]
    return [row["name"] for row in rows if row["_uuid"] in its_own and row["name"] != bridge]


class Inquiry:
    """The question for every port whose interface has an external id, put at once; its answer, when it is needed."""

    def __init__(self, external_id: str) -> None:
        asked = (
            *("--format=json", "--columns=name,external_ids", "find", "Interface", f'external_ids:{external_id}!=""'),
            *("--", "--columns=_uuid,name,tag,trunks,vlan_mode", "list", "Port"),
            *("--", "--columns=name,ports", "list", "Bridge"),
        )
        try:
            self._running: Optional[Running] = _start(asked)
        except (NotInstalled, Fault):
            self._running = None

    def ports(self) -> list[Port]:
        """The ports; none where Open vSwitch is not installed or not running."""
        try:
            told = _answer(self._running).splitlines() if self._running else []
        except Fault:
            return []
        if not told:
            return []
        interfaces, rows, bridges = map(table, told)
        ids = {row["name"]: dict(row["external_ids"][1]) for row in interfaces}
        owners = {uuid: row["name"] for row in bridges for _, uuid in members(row["ports"])} if ids else {}
        return [
            Port(owners.get(row["_uuid"][1], ""), row["name"], *_vlan_and_ids(row, ids[row["name"]]))
            for row in rows
            if row["name"] in ids
        ]


def bridges_with(external_id: str) -> dict[str, str]:
    """The bridges that have that external id, and what it says."""
    try:
        rows = _rows("--columns=name,external_ids", "find", "Bridge", f'external_ids:{external_id}!=""')
    except (NotInstalled, Fault):
        return {}
    return {row["name"]: dict(row["external_ids"][1])[external_id] for row in rows}


def interfaces_with(external_id: str, value: str) -> list[str]:
    """The names of the interfaces of which an external id says that.  Raises NotInstalled, Fault."""
    rows = _rows("--columns=name", "find", "Interface", f"external_ids:{external_id}={json_string(value)}")
    return [row["name"] for row in rows]


def interfaces_by(external_id: str) -> dict[str, str]:
    """The names of the interfaces that have an external id, and what it says.  Raises NotInstalled, Fault."""
    rows = _rows("--columns=name,external_ids", "find", "Interface", f'external_ids:{external_id}!=""')
    return {row["name"]: dict(row["external_ids"][1])[external_id] for row in rows}


def port(name: str) -> Optional[Port]:
    """The port of that name, on whichever bridge, or None."""
    rows = _rows("--columns=tag,trunks,vlan_mode", "find", "Port", f"name={json_string(name)}")
    if not rows:
        return None
    interfaces = _rows("--columns=external_ids", "find", "Interface", f"name={json_string(name)}")
    external_ids = dict(interfaces[0]["external_ids"][1]) if interfaces else {}
    return Port(vsctl("port-to-br", name).strip(), name, *_vlan_and_ids(rows[0], external_ids))


def _tag(port: dict[str, Any]) -> Optional[int]:
    """Its access VLAN."""
    tag = port["tag"]
    return tag if isinstance(tag, int) else None


def _vlan_and_ids(port: dict[str, Any], ids: dict[str, str]) -> tuple[Optional[int], dict[str, str], Optional[Trunk]]:
    """The last three fields of a Port; for the modes of ports see ovs-vswitchd.conf.db(5), VLAN Configuration."""
    mode, tag, trunks = port["vlan_mode"], _tag(port), _numbers(port["trunks"])
    is_trunk = trunks and (mode in ("trunk", "native-untagged") or (tag is None and mode in ([], ["set", []])))
    if not is_trunk:
        return tag, ids, None
    from pipework.vlans import of_ids  # few ports are trunks

    return None, ids, of_ids(tag if mode == "native-untagged" else None, trunks)


def _numbers(column: Any) -> list[int]:
    """Of a column that holds numbers, one of them without more ado."""
    return [column] if isinstance(column, int) else list(members(column))


def members(column: Any) -> list[Any]:
    """What a column holds that may hold several."""
    held: list[Any] = column[1] if isinstance(column, list) and column[0] == "set" else [column]
    return held


def _rows(*arguments: str) -> list[dict[str, Any]]:
    return table(vsctl("--format=json", *arguments))


def table(told: str) -> list[dict[str, Any]]:
    """The rows of a table as ``--format=json`` prints it, each by the names of its columns."""
    whole = read_json(told)
    return [dict(zip(whole["headings"], row)) for row in whole["data"]]

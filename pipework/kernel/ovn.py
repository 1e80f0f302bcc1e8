"""What this host is in a network of OVN, and OVN's northbound database, through ``ovs-vsctl`` and ``ovn-nbctl``."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from ipaddress import ip_address

from pipework.errors import NotInstalled, Refused
from pipework.kernel import ovsdb
from pipework.kernel.bare import json_string
from pipework.kernel.programs import find_program, run
from pipework.typed import Any, Optional
from pipework.value import Value

PATIENCE = 5.0  # seconds for the database: a cluster that has lost its leader has another by then
A_LOOK = 1.0  # seconds for ovn-controller to say how it is
PAUSE = 0.2  # seconds between two tries
PACKAGE = "ovn-host ovn-common"
CONNECTED, BUSY = "connected", "busy"
TOO_LATE = ("constraint violation", "duplicate uuid", "already exists", "no row")  # what is said to who was slower
SWITCH, CHASSIS, HOST = "pipework.ovn", "pipework.chassis", "pipework.host"  # external ids of a port of ours
GUEST, INTERFACE = "pipework.guest", "pipework.interface"
MADE = "pipework"  # the external id of a switch that was missing


class Chassis(Value):
    """This host.

    name: as OVN knows it (system-id); host: as people do; bridge: the integration bridge; in_userspace: whether it
    switches there; database: where the northbound one is, "" for where ovn-nbctl looks by itself; encap: this host's
    addresses of tunnels.
    """

    name: str
    host: str
    bridge: str
    in_userspace: bool
    database: str
    encap: tuple[str, ...]


class LogicalPort(Value):
    """A port of a logical switch.

    addresses: as its column has them; dynamic: what OVN has chosen, "" for nothing yet; chassis: the host that alone
    may have it, "" for any; dhcp: UUID of the options that OVN's own DHCP server gives, "" for none.
    """

    name: str
    addresses: tuple[str, ...]
    chassis: str
    dhcp: str
    external_ids: dict[str, str]
    dynamic: str = ""

    @property
    def ips(self) -> set[str]:
        """The IP addresses that it has."""
        words = (word for one in (*self.addresses, self.dynamic) for word in one.split()[1:] if word != "dynamic")
        return set(map(_as_written_here, words))

    @property
    def owner(self) -> str:
        """The host whose port of ours it is, "" for one of somebody else's."""
        return self.external_ids.get(CHASSIS, "")

    @property
    def end(self) -> tuple[str, ...]:
        """The end of whose wire it is of: host, guest and interface."""
        return self.owner, self.external_ids.get(GUEST, ""), self.external_ids.get(INTERFACE, "")

    @property
    def whose(self) -> str:
        """Who has it, as people are told."""
        guest, host = self.external_ids.get(GUEST), self.external_ids.get(HOST)
        return f"{guest.partition(':')[2]} on {host}" if guest and host else f"port {self.name}"


def _as_written_here(ip: str) -> str:
    """An address as everybody else may have written it, IPv6 in capital letters say."""
    try:
        return str(ip_address(ip))
    except ValueError:
        return ip


class LogicalSwitch(Value):
    """A logical switch.  uuid: "" where it is missing; subnet: of dynamic addresses, "" for none; ports: all."""

    name: str
    uuid: str = ""
    subnet: str = ""
    ports: tuple[LogicalPort, ...] = ()

    @property
    def row(self) -> str:
        """The UUID that it has, or that everybody gives it who makes it: so two who do so at once make one."""
        if self.uuid:
            return self.uuid
        from uuid import NAMESPACE_URL, uuid5  # takes milliseconds to load, and few switches are missing

        return str(uuid5(NAMESPACE_URL, f"pipework:ovn:{self.name}"))


class NoAnswer(Refused):
    """No answer came, or none that tells what has happened; the database may have taken the change."""


class NoConnection(Refused):
    """There was none, so nothing was changed."""


class Conflict(Refused):
    """The database would not take a change: somebody else was faster."""


def find_chassis() -> Optional[Chassis]:
    """This host, None: it is none of OVN's.  Raises NotInstalled, Refused."""
    told = ovsdb.vsctl(
        *("--format=json", "--columns=external_ids", "list", "Open_vSwitch"),
        *("--", "--columns=name,datapath_type", "list", "Bridge"),
    )
    own, bridges = map(ovsdb.table, told.splitlines())
    ids = dict(own[0]["external_ids"][1]) if own else {}
    if not (ids.get("ovn-remote") and ids.get("system-id")):
        return None
    bridge = ids.get("ovn-bridge") or "br-int"
    datapath = next((row["datapath_type"] for row in bridges if row["name"] == bridge), "")
    return Chassis(
        ids["system-id"],
        ids.get("hostname") or os.uname().nodename,
        bridge,
        datapath == "netdev",
        "" if os.environ.get("OVN_NB_DB") else ids.get("ovn-nb", ""),
        tuple(filter(None, ids.get("ovn-encap-ip", "").split(","))),
    )


def is_named(chassis: Chassis) -> bool:
    """Whether anybody says where the northbound database is."""
    own = os.path.join(os.environ.get("OVN_RUNDIR") or "/run/ovn", "ovnnb_db.sock")  # where ovn-nbctl looks by itself
    options = os.environ.get("OVN_NBCTL_OPTIONS", "")
    return bool(chassis.database or os.environ.get("OVN_NB_DB") or "--db" in options or os.path.exists(own))


def connection_status() -> str:
    """What ovn-controller says of its connection to the southbound database, or BUSY.  Raises NotInstalled."""
    try:
        outcome = run(["ovn-appctl", "-t", "ovn-controller", "connection-status"], A_LOOK, PACKAGE)
    except NotInstalled:
        raise
    except Refused:  # it answers between two rounds of its work, one of which takes seconds among thousands of ports
        return BUSY
    return outcome.out.strip() if outcome.status == 0 else "not running"


def nbctl(database: str, *arguments: str) -> str:
    """Run ovn-nbctl and return what it prints; tried again for some seconds where there is no connection.

    Raises NotInstalled, NoConnection, NoAnswer, Conflict, Refused.
    """
    until = time.monotonic() + PATIENCE
    while True:
        try:
            return _answer(database, arguments, until)
        except NoConnection:
            if time.monotonic() > until:
                raise
        time.sleep(PAUSE)  # a signal waits: this may be an undo


def line(database: str, arguments: Sequence[str]) -> list[str]:
    """The words of a call of ovn-nbctl."""
    return ["ovn-nbctl", *([f"--db={database}"] if database else []), *arguments]


def _answer(database: str, arguments: Sequence[str], until: float) -> str:
    # --wait=hv is never asked for: a host that is down would hold everybody up
    patience = max(1, round(until - time.monotonic()))
    hint = f"See who listens there, and that this host may: {' '.join(line(database, ['show']))}"
    try:
        outcome = run(line(database, [f"--timeout={patience}", *arguments]), patience + 2, PACKAGE)
    except NotInstalled:
        raise
    except Refused as late:
        raise NoAnswer(late.message, hint) from None
    said = " ".join(part.strip() for part in outcome.err.splitlines() if part.strip())
    told, said = said.startswith("ovn-nbctl: "), said.removeprefix("ovn-nbctl: ")
    if outcome.status in (-14, 142):  # ended by its own alarm clock
        raise NoAnswer(f"OVN's northbound database does not answer within {PATIENCE:g} s", hint)
    if "database connection failed" in said:
        if "End of file" in said:  # it was there, and may have got our words
            raise NoAnswer(f"OVN's northbound database does not answer: {said}", hint)
        raise NoConnection(f"OVN's northbound database does not answer: {said}", hint)
    if any(words in said for words in TOO_LATE):
        raise Conflict(f"OVN: {said}", "See what it has: ovn-nbctl show")
    if outcome.status and not told:  # else it has given up by itself, and its transaction with it
        raise NoAnswer(f"OVN: {said or f'ovn-nbctl failed with status {outcome.status}'}", hint)
    if outcome.status:
        raise Refused(f"OVN: {said}", "See what it has: ovn-nbctl show")
    return outcome.out


def find_switch(database: str, name: str) -> LogicalSwitch:
    """The logical switch of that name with all its ports, or one that is missing.  Raises Refused if there are two."""
    told = nbctl(
        database,
        *("--format=json", "--columns=_uuid,ports,other_config", "find", "Logical_Switch", f"name={json_string(name)}"),
        *("--", f"--columns=_uuid,{_COLUMNS}", "list", "Logical_Switch_Port"),
        *("--", "--columns=name,networks", "list", "Logical_Router_Port"),
    )
    switches, ports, routers = map(ovsdb.table, told.splitlines())
    if len(switches) > 1:
        raise Refused(
            f"OVN has {len(switches)} switches {name}",
            f"Rename one of them: ovn-nbctl set Logical_Switch {switches[1]['_uuid'][1]} name=OTHER",
        )
    if not switches:
        return LogicalSwitch(name)
    its_own = {uuid for _, uuid in ovsdb.members(switches[0]["ports"])}
    subnet = dict(switches[0]["other_config"][1]).get("subnet", "")
    networks = {row["name"]: ovsdb.members(row["networks"]) for row in routers}
    there = tuple(_read(row, networks) for row in ports if row["_uuid"][1] in its_own)
    return LogicalSwitch(name, switches[0]["_uuid"][1], subnet, there)


_COLUMNS = "name,addresses,dynamic_addresses,options,external_ids,dhcpv4_options"


def find_port(database: str, name: str) -> Optional[LogicalPort]:
    """The port of that name on whichever switch, or None."""
    return next(iter(_find(database, f"name={json_string(name)}")), None)


def ports_of(database: str, external_id: str, value: str) -> list[LogicalPort]:
    """The ports of whichever switch that have that external id."""
    return _find(database, f"external_ids:{external_id}={json_string(value)}")


def _find(database: str, condition: str) -> list[LogicalPort]:
    told = nbctl(database, "--format=json", f"--columns={_COLUMNS}", "find", "Logical_Switch_Port", condition)
    return [_read(row) for row in ovsdb.table(told)]


def dhcp_options(database: str, subnet: str) -> str:
    """The UUID of what OVN's own DHCP server gives in a subnet, "" where it does not serve that."""
    wanted = ("--columns=_uuid", "find", "DHCP_Options", f"cidr={json_string(subnet)}")
    rows = ovsdb.table(nbctl(database, "--format=json", *wanted)) if subnet else []
    return str(rows[0]["_uuid"][1]) if rows else ""


def _read(row: dict[str, Any], networks: Optional[dict[str, list[str]]] = None) -> LogicalPort:
    """networks: of routers' ports; the switch's port for one says no more than that it is a router's."""
    options = dict(row["options"][1])
    of_router = [one.partition("/")[0] for one in (networks or {}).get(options.get("router-port", ""), ())]
    dynamic, dhcp = ovsdb.members(row["dynamic_addresses"]), ovsdb.members(row["dhcpv4_options"])
    return LogicalPort(
        row["name"],
        (*ovsdb.members(row["addresses"]), *([" ".join(["router", *of_router])] if of_router else [])),
        options.get("requested-chassis", ""),
        "".join(str(one[1]) for one in dhcp if one[0] == "uuid"),
        dict(row["external_ids"][1]),
        "".join(map(str, dynamic)),
    )


def is_installed() -> bool:
    """Whether this host has the programs of OVN."""
    return find_program("ovn-nbctl") is not None

"""Open vSwitch, and a bridge on it that switches in userspace where the kernel has no datapath for it."""

from __future__ import annotations

import json
import socket
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Callable

import pytest

from tests.lab.guest import SLOW, fresh_name, need, run

CONTROL = "/usr/share/openvswitch/scripts/ovs-ctl"
PREFIX = "pwovs"
_COLUMNS = {
    "Bridge": ("_uuid", "name", "datapath_type", "external_ids", "ports"),
    "Port": ("_uuid", "name", "tag", "trunks", "external_ids", "interfaces"),
    "Interface": ("_uuid", "name", "type", "external_ids"),
}


def vsctl(*args: str) -> str:
    """Run ovs-vsctl, which gives up instead of waiting for a switch that does not answer."""
    return run("ovs-vsctl", f"--timeout={round(30 * SLOW)}", *args)


def switch_tables(database: Path) -> dict[str, list[Any]]:
    """Return the database's rows of bridges, ports and interfaces, the number first, without a program for it: of those
    that look at every step there would be thousands. database: the socket of its server (RFC 7047).
    """
    selects = [{"op": "select", "table": table, "where": [], "columns": columns} for table, columns in _COLUMNS.items()]
    with socket.socket(socket.AF_UNIX) as asking:
        asking.settimeout(30 * SLOW)
        asking.connect(str(database))
        asking.sendall(json.dumps({"id": 0, "method": "transact", "params": ["Open_vSwitch", *selects]}).encode())
        results = _answer(asking)["result"]
    return {
        table: [[row[column] for column in columns] for row in result["rows"]]
        for (table, columns), result in zip(_COLUMNS.items(), results)
    }


def _answer(asking: socket.socket) -> Any:
    """Read one JSON object."""
    told = b""
    while part := asking.recv(1 << 16):
        told += part
        try:
            return json.loads(told)
        except ValueError:  # there is more to come
            continue
    raise RuntimeError("the database has hung up")


def named_rows(tables: dict[str, list[Any]]) -> list[str]:
    """Return the rows with names in place of numbers, which are new with each switch."""
    names = {uuid: name for rows in tables.values() for (_, uuid), name, *_ in rows}

    def named(value: Any) -> Any:
        if isinstance(value, list) and value[0] == "uuid":
            return names[value[1]]
        if isinstance(value, list) and value[0] == "set":
            return sorted(map(named, value[1]))
        return value

    return sorted(f"{table} {json.dumps([*map(named, row[1:])])}" for table, rows in tables.items() for row in rows)


def _answers() -> bool:
    # Both the database and the switch itself have to be there.
    for asked in (["ovs-vsctl", "--timeout=30", "show"], ["ovs-appctl", "--timeout=30", "version"]):
        if subprocess.run(asked, capture_output=True, check=False).returncode:
            return False
    return True


@contextmanager
def running_switch() -> Iterator[None]:
    """Use the Open vSwitch that answers; start one if none does, and stop that one at the end."""
    need("ovs-vsctl")
    if _answers():
        yield
        return
    # ovs-ctl itself tells a stale pid file from a running daemon, and stops by pid file.
    run(CONTROL, "start", "--system-id=random", timeout=60 * SLOW)
    try:
        # Bridges of a run that was cut off are still in the database.
        for bridge in vsctl("list-br").split():
            if bridge.startswith(PREFIX):
                vsctl("del-br", bridge)
        yield
    finally:
        run(CONTROL, "stop", timeout=60 * SLOW)


@contextmanager
def userspace_bridge() -> Iterator[str]:
    """A fresh bridge with the userspace datapath, deleted at the end; its name is what comes back."""
    name = fresh_name(PREFIX)
    vsctl("add-br", name, "--", "set", "bridge", name, "datapath_type=netdev")
    try:
        yield name
    finally:
        vsctl("--if-exists", "del-br", name)


@pytest.fixture(scope="session")
def switch() -> Iterator[None]:
    """Open vSwitch, running."""
    with running_switch():
        yield


@pytest.fixture
def ovs_bridge(switch: None) -> Iterator[Callable[[], str]]:
    """A factory of userspace bridges, by name."""
    with ExitStack() as made:
        yield lambda: made.enter_context(userspace_bridge())

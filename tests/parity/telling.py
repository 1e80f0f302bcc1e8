"""Runs one row through one program, on a fresh host with fresh guests, and tells all that came of it."""

from __future__ import annotations

import os
import re
import subprocess
from contextlib import ExitStack
from typing import Any, NamedTuple

from tests.lab.command import COMMAND, Capture, capture
from tests.lab.guest import SLOW, eventually
from tests.parity import state
from tests.parity.rows import Row
from tests.parity.stage import NIC_MAC, RESOLVER, Stage
from tests.parity.stages import STAGES

TEXTS = (
    "exists and is up",
    "no host interface matched",
    "not a valid ifname",
    "RTNETLINK answers: File exists",
    "netmask",
)  # fmt: skip
USAGE = ("Syntax:", "Usage:")
VERBS = ("route", "rule", "tc")
# Sender, receiver and address: there is an arping that sends gratuitous replies, and one that sends requests.
ANNOUNCED = re.compile(r"(\S+) > (\S+), .*(?:Reply|who-has) ([^ ,]+)")
LEASE_LIMIT = 20 * SLOW  # seconds that a client may still take once the command is over

State = dict[str, Any]


class Told(NamedTuple):
    """What came of a row: its state for comparison, and a few words for people."""

    state: State
    summary: str


def original() -> list[str]:
    """The command line of the original; empty if PIPEWORK_ORIGINAL does not name it."""
    path = os.environ.get("PIPEWORK_ORIGINAL", "")
    if path and not os.path.isfile(path):
        raise RuntimeError(f"PIPEWORK_ORIGINAL={path} is no file")
    return ["sh", path] if path else []


def ours() -> list[str]:
    """The command line of this checkout."""
    return [*COMMAND]


def tell(row: Row, program: list[str]) -> Told:
    """Run a row through a program on a fresh stage."""
    resolver = RESOLVER.read_bytes()
    try:
        with STAGES[row.on](row) as stage, ExitStack() as listening:
            for line in row.first:
                _prepare(stage, program, line.format(**stage.names))
            heard = _listen(stage, listening) if row.heard else None
            done = stage.run(*program, *row.line.format(**stage.names).split())
            told = _state(stage, row, done)
            if heard:
                heard.wait_for("ARP")
                told["announced"] = [ANNOUNCED.findall(line) for line in heard.lines]
            told["namespaces"] = sorted(stage.plain(name) for name in stage.left())
            changed = RESOLVER.read_bytes() != resolver or (stage.files and stage.files.overwritten())
            told["resolver"] = "overwritten" if changed else "as before"
            return Told(told, _summary(told, done))
    finally:
        if RESOLVER.read_bytes() != resolver:
            RESOLVER.write_bytes(resolver)


def _listen(stage: Stage, listening: ExitStack) -> Capture:
    assert stage.nic
    return listening.enter_context(capture(stage.nic.lan, stage.nic.far, "arp"))


def _prepare(stage: Stage, program: list[str], line: str) -> None:
    if line.startswith("$ "):
        stage.host.run(*line[2:].split())
        return
    done = stage.run(*program, *line.split())
    if done.returncode:
        raise RuntimeError(f"{line}: exit {done.returncode}: {done.stdout}{done.stderr}")


def _state(stage: Stage, row: Row, done: subprocess.CompletedProcess[str]) -> State:
    macs = frozenset({NIC_MAC, row.mac.format(**stage.names)})
    out, err = stage.plain(done.stdout), stage.plain(done.stderr)
    told: State = {
        "exit": done.returncode,
        "stdout": "usage" if out.startswith(USAGE) else out,
        "texts": [text for text in TEXTS if text in err],
    }
    if stage.server:
        told["exit tells"] = (done.returncode == 0) == eventually(lambda: _leased(stage), LEASE_LIMIT)
        told["leases"] = stage.leases()
    if stage.files:
        told["clients"] = sorted({process.name() for process in stage.clients()})
        told["files"] = sorted({stage.plain(path) for path in stage.files.written()})
        told["host name"] = "another" if stage.files.renamed() else "as before"
    if stage.switch:
        told["switch"] = stage.switch_rows()
    told.update(
        {
            "host links": _plain(stage, state.links(stage.host, macs)),
            "host addresses": state.addresses(stage.host),
            "host routes": state.routes(stage.host, "-4"),
            "guest links": _plain(stage, state.links(stage.guest, macs)),
            "guest addresses": state.addresses(stage.guest),
            "guest routes": state.routes(stage.guest, "-4"),
            "guest routes6": state.routes(stage.guest, "-6"),
            "guest rules": state.rules(stage.guest),
            "guest queues": state.queues(stage.guest),
        }
    )
    if row.line.split(" ")[0] in VERBS:
        told["stderr"] = err
    if row.ping:
        told["ping"] = "answered" if stage.guest.ping(row.ping) else "lost"
    return told


def _leased(stage: Stage) -> bool:
    return any(name != "lo" and family == "inet" for name, family, *_ in state.addresses(stage.guest))


def _plain(stage: Stage, links: list[dict[str, Any]]) -> list[dict[str, Any]]:
    plain = [{**link, "name": stage.plain(link["name"])} for link in links]
    return sorted(plain, key=lambda link: str(link["name"]))


def _summary(told: State, done: subprocess.CompletedProcess[str]) -> str:
    said = (done.stderr or done.stdout).strip().splitlines()
    if done.returncode:
        # The original's own words come last, after those of the programs that it runs.
        return f"exit {done.returncode}: {said[0 if said[0].startswith('pipework') else -1] if said else ''}"
    parts = [f"{name} {local}/{length}" for name, _, local, length, *_ in told["guest addresses"] if name != "lo"]
    parts += [f"via {route[2]}" for route in told["guest routes"] + told["guest routes6"] if route[1] == "default"]
    parts += [f"ping {told['ping']}"] if "ping" in told else []
    return "; ".join(parts or [link["name"] for link in told["guest links"] if link["name"] != "lo"] or ["exit 0"])

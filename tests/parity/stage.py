"""Runs one row through one program, on a fresh host with fresh guests, and tells all that came of it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import Any, Callable, NamedTuple

from tests.lab.command import ENTRY
from tests.lab.engine import Container, started_container
from tests.lab.guest import SLOW, fresh_name
from tests.lab.host import Host, nic_of, throwaway_host
from tests.parity import state
from tests.parity.rows import Row

NIC, NIC_MAC = "nic0", "02:00:5e:10:00:aa"
NAMED = Path("/run/netns")
RESOLVER = Path("/etc/resolv.conf")
TEXTS = (
    "exists and is up",
    "no host interface matched",
    "not a valid ifname",
    "RTNETLINK answers: File exists",
    "netmask",
)  # fmt: skip
USAGE = ("Syntax:", "Usage:")
VERBS = ("route", "rule", "tc")

State = dict[str, Any]


class Stage(NamedTuple):
    """A host with its guests, two where the row names another."""

    host: Host
    guest: Container
    other: Container

    @property
    def names(self) -> dict[str, str]:
        """What the placeholders of a row stand for."""
        return {
            "guest": self.guest.name,
            "other": self.other.name,
            "cid": self.guest.id,
            "pid": str(self.guest.pid),
            "nic": NIC,
            "nicmac": NIC_MAC,
        }

    def plain(self, text: str) -> str:
        """The text with what differs from stage to stage replaced."""
        for guest, number in ((self.guest, ""), (self.other, "2")):
            text = text.replace(guest.name, f"GUEST{number}").replace(str(guest.pid), f"PID{number}")
        return text

    def left(self) -> list[str]:
        """What is in /run/netns for the guests."""
        return [name for name in {str(self.guest.pid), str(self.other.pid)} if os.path.lexists(NAMED / name)]


class Told(NamedTuple):
    """What came of a row: its state for comparison, and a few words for people."""

    state: State
    summary: str


@contextmanager
def plain_host(row: Row) -> Iterator[Stage]:
    """A host with nothing but its firewall."""
    with ExitStack() as made:
        host, guest = made.enter_context(throwaway_host()), made.enter_context(_guest())
        named = any("{other}" in line for line in (row.line, *row.first))
        stage = Stage(host, guest, made.enter_context(_guest()) if named else guest)
        yield stage
        for name in stage.left():
            (NAMED / name).unlink()


@contextmanager
def host_with_nic(row: Row) -> Iterator[Stage]:
    """A host with a NIC, whose cable ends in a LAN."""
    with plain_host(row) as stage, nic_of(stage.host, NIC):
        stage.host.run("ip", "link", "set", NIC, "address", NIC_MAC)
        yield stage


def _guest() -> AbstractContextManager[Container]:
    return started_container(fresh_name("pwpar"), "--net=none", command=("sleep", "100000"))


# Row.on -> what makes it
STAGES: dict[str, Callable[[Row], AbstractContextManager[Stage]]] = {"host": plain_host, "nic": host_with_nic}


def original() -> list[str]:
    """The command line of the original; empty if PIPEWORK_ORIGINAL does not name it."""
    path = os.environ.get("PIPEWORK_ORIGINAL", "")
    if path and not os.path.isfile(path):
        raise RuntimeError(f"PIPEWORK_ORIGINAL={path} is no file")
    return ["sh", path] if path else []


def ours() -> list[str]:
    """The command line of this checkout."""
    return [sys.executable, str(ENTRY)]


def tell(row: Row, program: list[str]) -> Told:
    """Run a row through a program on a fresh stage."""
    resolver = RESOLVER.read_bytes()
    try:
        with STAGES[row.on](row) as stage:
            for line in row.first:
                _prepare(stage, program, line.format(**stage.names))
            done = _run(stage, program, row.line.format(**stage.names))
            told = _state(stage, row, done)
            told["namespaces"] = sorted(stage.plain(name) for name in stage.left())
            told["resolver"] = "as before" if RESOLVER.read_bytes() == resolver else "overwritten"
            return Told(told, _summary(told, done))
    finally:
        if RESOLVER.read_bytes() != resolver:
            RESOLVER.write_bytes(resolver)


def _run(stage: Stage, program: list[str], line: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        stage.host.argv(*program, *line.split()),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120 * SLOW,
        check=False,
    )


def _prepare(stage: Stage, program: list[str], line: str) -> None:
    if line.startswith("$ "):
        stage.host.run(*line[2:].split())
        return
    done = _run(stage, program, line)
    if done.returncode:
        raise RuntimeError(f"{line}: exit {done.returncode}: {done.stdout}{done.stderr}")


def _state(stage: Stage, row: Row, done: subprocess.CompletedProcess[str]) -> State:
    macs = frozenset({NIC_MAC, row.mac})
    out, err = stage.plain(done.stdout), stage.plain(done.stderr)
    told: State = {
        "exit": done.returncode,
        "stdout": "usage" if out.startswith(USAGE) else out,
        "texts": [text for text in TEXTS if text in err],
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
    if row.line.split(" ")[0] in VERBS:
        told["stderr"] = err
    if row.ping:
        told["ping"] = "answered" if stage.guest.ping(row.ping) else "lost"
    return told


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

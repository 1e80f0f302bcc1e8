"""Who starts and who ends: told by the engines as it happens, seen by looking where nobody tells.

Docker and podman tell it over their API, podman without a server by a program of its own.  Named namespaces and LXC are
looked at twice a second: the folder of the names, and the sockets by which LXC speaks to its containers.
"""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from functools import partial

from pipework.errors import Elsewhere, NotInstalled
from pipework.guests import docker, is_here, podman
from pipework.guests.engine_api import Engine, connect
from pipework.kernel.bare import read_json, socket
from pipework.kernel.census import NAMED
from pipework.kernel.processes import end_with
from pipework.kernel.programs import find_program
from pipework.oci import is_lines_name
from pipework.typed import Any, Callable, Optional, Union
from pipework.value import Value

ASK = "GET /events?filters=%7B%22type%22%3A%5B%22container%22%5D%7D HTTP/1.0\r\nHost: {}\r\n\r\n"
TELL = ["podman", "events", "--format", "json", "--filter", "type=container"]
STARTS, ENDS = frozenset(["start"]), frozenset(["die", "died"])
AGAIN, LATER = 1.0, 30.0  # seconds between two tries to reach an engine, and after a program that left at once
LXC_SOCKETS = "/proc/net/unix"  # of which each running container has one named @FOLDER/NAME/command


class Event(Value):
    """A guest that has started, or ended.

    id: of a container, "" where there is none; labelled: whether it has labels that hold lines, as far as that is told.
    """

    runtime: str
    name: str
    id: str
    starts: bool
    labelled: bool = False


class Stream:
    """What an engine tells, line by line, for as long as it does; and again once it is back."""

    def __init__(self, runtime: str, engine: Callable[[], Engine], told_by: Optional[list[str]] = None) -> None:
        self.runtime = runtime
        self._engine = engine
        self._told_by = told_by  # the program that tells it where nobody listens
        self._began = self._next = 0.0
        self._connection: Union[socket.socket, subprocess.Popen[bytes], None] = None
        self._fd = -1
        self._heard = b""

    def fileno(self) -> int:
        """What becomes readable when there is something to be read; -1: nobody is there."""
        return self._fd

    def connect(self) -> bool:
        """Reach the engine, unless that was tried a moment ago; tell whether it is so by now and was not before.

        Raises Refused if it is there and cannot be asked.
        """
        if self._connection is not None or time.monotonic() < self._next:
            return False
        self._began = time.monotonic()
        self._next = self._began + AGAIN
        try:
            self._connection = self._listen()
        except Elsewhere:
            raise
        except NotInstalled:
            self._connection = self._start_program()
        return self._connection is not None

    def _listen(self) -> socket.socket:
        engine = self._engine()
        connection = connect(engine)
        connection.sendall(ASK.format(engine.program).encode("ascii"))
        connection.setblocking(False)
        self._fd = connection.fileno()
        return connection

    def _start_program(self) -> Optional[subprocess.Popen[bytes]]:
        if not self._told_by or not find_program(self._told_by[0]):
            return None
        program = subprocess.Popen(
            self._told_by,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            preexec_fn=partial(end_with, os.getpid()),  # noqa: PLW1509  # there are no threads
        )
        assert program.stdout is not None
        self._fd = program.stdout.fileno()
        os.set_blocking(self._fd, False)
        return program

    def read(self) -> Iterator[Event]:
        """What has been told since.  When the engine has gone, fileno() is -1."""
        try:
            chunk = os.read(self._fd, 1 << 16)
        except BlockingIOError:
            return
        except OSError:
            chunk = b""
        if not chunk:
            self.close()
            return
        *lines, self._heard = (self._heard + chunk).split(b"\n")
        for line in lines:
            event = _read(self.runtime, line)
            if event:
                yield event

    def close(self) -> None:
        """Leave the engine."""
        if isinstance(self._connection, subprocess.Popen):
            self._connection.kill()
            self._connection.wait()
            if time.monotonic() - self._began < AGAIN:
                self._next = time.monotonic() + LATER
        elif self._connection is not None:
            self._connection.close()
        self._connection, self._fd, self._heard = None, -1, b""


def _read(runtime: str, line: bytes) -> Optional[Event]:
    """The event that a line tells, as Docker's API has it, or podman's program; None: it tells of something else."""
    if not line.startswith(b"{"):  # of the head of the answer
        return None
    with suppress(ValueError, LookupError, TypeError, AttributeError):
        told: Any = read_json(line.decode("utf-8", "replace"))
        actor = told.get("Actor") or {}
        what = str(told.get("Action") or told.get("Status"))
        attributes = actor.get("Attributes")  # with the labels; podman's program does not tell them
        name, identifier = (attributes or {}).get("name") or told["Name"], actor.get("ID") or told["ID"]
        if what in STARTS or what in ENDS:
            has_labels = attributes is None or any(map(is_lines_name, attributes))
            return Event(runtime, str(name), str(identifier), what in STARTS, has_labels)
    return None


class Names:
    """Guests that can be listed at little cost, compared with who was there a moment ago.

    names: tells what is another with each start, None for one that is not ready; stamp: changes when a name comes or
    goes, None where that is not known.
    """

    def __init__(
        self, runtime: str, names: Callable[[], dict[str, Optional[int]]], stamp: Callable[[], Optional[int]]
    ) -> None:
        self._runtime = runtime
        self._names = names
        self._stamp = stamp
        self._seen = stamp()
        self._there = names()

    def look(self) -> Iterator[Event]:
        """Who has come and gone since."""
        stamp, before = self._stamp(), self._there
        if stamp is not None and stamp == self._seen and None not in before.values():
            return
        self._seen, now = stamp, self._names()
        self._there = now
        for starts, names, others in ((False, before, now), (True, now, before)):
            for name, which in names.items():
                if which is not None and which != others.get(name):
                    yield Event(self._runtime, name, "", starts)


def streams() -> list[Stream]:
    """Docker's and podman's."""
    return [Stream("docker", docker.engine), Stream("podman", lambda: podman.ENGINE, TELL)]


def names() -> list[Names]:
    """Those of named namespaces and of LXC, where that is here."""
    found = [Names("netns", _named, _stamp_of_named)]
    return [*found, Names("lxc", _lxc, lambda: None)] if is_here("lxc") else found


def _named() -> dict[str, Optional[int]]:
    """The inodes of namespaces, by their names; each is an empty file before the namespace is there."""
    with suppress(OSError):
        folder = os.stat(NAMED).st_dev
        entries = [(entry.name, entry.stat()) for entry in os.scandir(NAMED)]
        return {name: status.st_ino if status.st_dev != folder else None for name, status in entries}
    return {}


def _stamp_of_named() -> Optional[int]:
    try:
        return os.stat(NAMED).st_mtime_ns
    except OSError:
        return 0


def _lxc() -> dict[str, Optional[int]]:
    """The inodes of the sockets of containers, by their names."""
    found = dict[str, Optional[int]]()
    with open(LXC_SOCKETS, encoding="utf-8", errors="replace") as file:
        for line in file:
            if line.endswith("/command\n"):
                words = line.split(None, 7)  # the inode is the seventh
                found[words[7].rstrip().split("/")[-2]] = int(words[6])
    return found

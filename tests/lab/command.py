"""Run pipework as a user does, and watch what goes over the wire meanwhile."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pipework
from tests import INSTALLED
from tests.lab.guest import SLOW, Guest

CHECKOUT = Path(__file__).resolve().parents[2]
ENTRY = CHECKOUT / "pipework.py"
PACKAGE = Path(pipework.__file__).resolve().parent
# What a user types: the command that was installed for the tests, else the door of this checkout.
COMMAND = (f"{INSTALLED}/bin/pipework",) if INSTALLED else (sys.executable, str(ENTRY))


class Result(NamedTuple):
    """What came back from one pipework command."""

    code: int
    out: str
    err: str


def run_pipework(
    *args: str, env: Mapping[str, str] | None = None, timeout: float = 180 * SLOW, on: Sequence[str] = ()
) -> Result:
    """Run pipework with `env` on top of the environment and no standard input.

    `on` is what stands before a command that shall run on another host.
    """
    done = subprocess.run(
        [*on, *COMMAND, *args],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=timeout,
        env={**os.environ, **(env or {})},
        check=False,
    )
    return Result(done.returncode, done.stdout, done.stderr)


PATIENT = """
import sys
from pipework import guests
from pipework.cli import main
guests.find.__defaults__ = (float(sys.argv[1]),)
main(sys.argv[2:])
"""


def run_patiently(*args: str, on: Sequence[str] = ()) -> Result:
    """Run pipework with a minute, in place of three seconds, for a guest to start, which a busy machine may take."""
    argv = [*on, sys.executable, "-c", PATIENT, str(60 * SLOW), *args]
    done = subprocess.run(
        argv,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        cwd=PACKAGE.parent,
        timeout=120 * SLOW,
        check=False,
    )
    return Result(done.returncode, done.stdout, done.stderr)


class Capture:
    """The packets seen so far, as tcpdump's lines with link-level headers."""

    def __init__(self, printed: Path) -> None:
        self._printed = printed
        self._kept: str | None = None

    def keep(self) -> None:
        """Keep what was printed, for the file goes away with the capture's end."""
        self._kept = self._printed.read_text(errors="replace")

    @property
    def lines(self) -> list[str]:
        """One entry per packet; also after the capture has ended."""
        text = self._printed.read_text(errors="replace") if self._kept is None else self._kept
        # A packet's further lines are indented.
        return re.split(r"\n(?=\S)", text.strip()) if text.strip() else []

    def matching(self, pattern: str) -> list[str]:
        """Return the packets whose line matches a regular expression."""
        return [line for line in self.lines if re.search(pattern, line)]

    def wait_for(self, pattern: str, timeout: float = 20 * SLOW) -> list[str]:
        """Return the matching packets as soon as there is one, or an empty list after the timeout."""
        deadline = time.monotonic() + timeout
        while not (found := self.matching(pattern)) and time.monotonic() < deadline:
            time.sleep(0.05)
        return found


@contextmanager
def capture(guest: Guest, interface: str, *expression: str, timeout: float = 60 * SLOW) -> Iterator[Capture]:
    """Capture on an interface of a namespace (guest.HOST for the host's) while the block runs.

    `expression` is a pcap filter, such as "arp" or "icmp6".
    """
    argv = guest.enter("tcpdump", "-i", interface, "-n", "-e", "-l", "--immediate-mode", *expression)
    with tempfile.TemporaryDirectory(prefix="pipework-capture-") as folder:
        printed, said = Path(folder, "packets"), Path(folder, "stderr")
        with printed.open("wb") as out, said.open("wb") as err:
            process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=out, stderr=err)
        try:
            deadline = time.monotonic() + timeout
            while "listening on" not in said.read_text():
                if process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError(f"tcpdump on {interface} did not start: {said.read_text()}")
                time.sleep(0.02)
            seen = Capture(printed)
            yield seen
            process.send_signal(signal.SIGINT)
            process.wait(timeout)
            seen.keep()
        finally:
            if process.poll() is None:
                process.terminate()
                process.wait(timeout)

"""A network namespace seen from outside: what every guest, LAN and the host itself have in common."""

from __future__ import annotations

import itertools
import json
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Callable, TypeVar

SLOW = float(os.environ.get("PIPEWORK_LAB_SLOW", "1"))  # multiplies every patience; the VM sets it
MARK = "\x01"  # between the answers of a shell
Seen = TypeVar("Seen")
_count = itertools.count(1)


def fresh_name(prefix: str) -> str:
    """Return a name nothing else on this machine has; short enough for an interface if the prefix is."""
    return f"{prefix}{os.getpid() % 1_000_000:x}{next(_count):x}"


def run(*argv: str, check: bool = True, timeout: float = 180 * SLOW, stdin: bytes | None = None) -> str:
    """Run a program of the lab, return its stdout, and raise with its stderr if it fails."""
    done = subprocess.run(argv, input=stdin or b"", capture_output=True, timeout=timeout, check=False)
    if check and done.returncode:
        said = (done.stderr or done.stdout).decode(errors="replace").strip()
        raise RuntimeError(f"{' '.join(argv)}: exit {done.returncode}: {said}")
    return done.stdout.decode(errors="replace")


class Guest:
    """A network namespace with the handles a test needs: run a program in it, ask `ip`, ping from it."""

    def __init__(self, name: str, namespace: str | None) -> None:
        """`namespace` is the file of the network namespace; None is the namespace of the tests themselves."""
        self.name = name
        self.namespace = namespace

    def enter(self, *argv: str) -> Sequence[str]:
        """Return the command line that runs argv in this network namespace."""
        return ["nsenter", f"--net={self.namespace}", "--", *argv] if self.namespace else list(argv)

    def run(self, *argv: str, check: bool = True, timeout: float = 180 * SLOW) -> str:
        """Run a program of this machine in the namespace and return its stdout."""
        return run(*self.enter(*argv), check=check, timeout=timeout)

    def batch(self, *lines: str) -> None:
        """Have `ip` carry out lines, all of them in one process."""
        run(*self.enter("ip", "-batch", "-"), stdin="\n".join(lines).encode())

    def ip(self, *args: str) -> Any:
        """Run `ip`; with -j among the arguments the parsed answer comes back, else the text.

        A filter that nothing matches makes `ip -j` print nothing: that is an empty list.
        """
        said = self.run("ip", *args)
        return json.loads(said or "[]") if any(arg in ("-j", "-json") for arg in args) else said

    def link(self, name: str) -> dict[str, Any] | None:
        """Return what `ip -j -d link show` says of one interface, or None if it is not there."""
        said = self.run("ip", "-j", "-d", "link", "show", "dev", name, check=False)
        found = [entry for entry in json.loads(said or "[]") if entry]
        return found[0] if found else None

    def addresses(self, name: str) -> list[str]:
        """Return the addresses of one interface as IP/PREFIX, without the link-local ones."""
        entries = self.ip("-j", "addr", "show", "dev", name)
        return [
            f"{info['local']}/{info['prefixlen']}"
            for entry in entries
            for info in entry.get("addr_info", [])
            if info["scope"] != "link"
        ]

    def ping(self, address: str, count: int = 1, wait: int = 20) -> bool:
        """Tell whether an answer comes back from the address; wait: seconds for each, all spent where none comes."""
        argv = self.enter("ping", "-n", "-c", str(count), "-w", str(wait * count), address)
        return subprocess.run(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False).returncode == 0


HOST = Guest("host", None)


def eventually(holds: Callable[[], object], timeout: float = 60 * SLOW) -> bool:
    """Tell whether something comes to hold within the time; on a busy machine much takes its time."""
    deadline = time.monotonic() + timeout
    while True:
        began = time.monotonic()
        if holds():
            return True
        ended = time.monotonic()
        if ended > deadline:
            return False
        time.sleep(max(0.05, ended - began))  # what is waited for needs the processor, too


def at_rest(look: Callable[[], Seen], looks: int = 20) -> Seen:
    """Return what is seen once so many looks in a row, over a second or more, have seen the same."""
    seen: list[Seen] = []

    def rests() -> bool:
        seen.append(look())
        return len(seen) >= looks and all(one == seen[-1] for one in seen[-looks:])

    assert eventually(rests), seen[-2:]
    return seen[-1]


def listens(path: Path) -> bool:
    """Tell whether somebody listens at a unix socket."""
    with socket.socket(socket.AF_UNIX) as asking:
        return asking.connect_ex(str(path)) == 0


def need(program: str) -> str:
    """Return the path of a program, or fail with the command that installs it: a missing part is no skip."""
    path = shutil.which(program)
    if path is None:
        raise RuntimeError(f"{program} is not installed; `make packages` installs all that the tests need")
    return path

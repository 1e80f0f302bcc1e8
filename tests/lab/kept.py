"""What is kept of a guest besides the kernel and Open vSwitch: notes, processes at work in it, names of namespaces."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Callable

from tests.lab.command import Result
from tests.lab.crowd import links_among_names
from tests.lab.guest import Guest

LOOKING: set[int] = set()  # the processes with which tests look at namespaces
NOTES = Path("/run/pipework")
_COOKIE = "import socket, sys; s = socket.socket(); print(int.from_bytes(s.getsockopt(1, 71, 8), sys.byteorder))"


def cookie(guest: Guest) -> int:
    """Return the number that tells the guest's namespace apart from all that were and will be (SO_NETNS_COOKIE)."""
    return int(guest.run(sys.executable, "-I", "-S", "-c", _COOKIE))


def notes(namespace: int) -> list[Path]:
    """Return the notes that are kept of a namespace, drafts included; namespace: its cookie."""
    return sorted(NOTES.glob(f"*.{namespace}.*"))


def processes(guest: Guest) -> list[str]:
    """Return the names of the processes in a guest, without those that look at it for a test."""
    return sorted(_processes(os.stat(str(guest.namespace)).st_ino))


def collected(pipework: Callable[..., Result]) -> list[str]:
    """Have gc collect, which must not complain; return what it says that it has removed, but for notes.

    Those may be of another test's guest, whose client has ended some time after the test.
    """
    done = pipework("gc")
    assert (done.code, done.err) == (0, ""), done
    return [line for line in done.out.splitlines() if not line.startswith("removed note of ")]


def _processes(inode: int) -> Iterator[str]:
    for place in Path("/proc").iterdir():
        if place.name.isdecimal() and int(place.name) not in LOOKING:
            try:
                if os.stat(place / "ns" / "net").st_ino == inode:
                    yield (place / "comm").read_text().strip()
            except OSError:  # it has just ended
                continue


def kept_of(guest: Guest, namespace: int) -> dict[str, list[str]]:
    """Return all of it, as a snapshot has it; namespace: the guest's cookie."""
    told = [f"{path.name} {path.read_text(errors='replace')}" for path in notes(namespace) if path.is_file()]
    return {"notes": told, "processes": processes(guest), "names": sorted(links_among_names())}

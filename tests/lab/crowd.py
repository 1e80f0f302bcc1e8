"""Many pipework commands at once, and what none of them may leave behind."""

from __future__ import annotations

import fcntl
import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from pipework.marks import NEWBORN
from tests.lab.command import COMMAND, Result
from tests.lab.guest import SLOW, Guest, eventually
from tests.lab.host import Host

LOCK = Path("/run/pipework/lock")
NAMED = Path("/run/netns")
# What names and marks say of links that a run is working on, has put aside, or has made under another name.
PASSING = ("vpo", "pwborn")


def start(host: Host, *words: str) -> subprocess.Popen[str]:
    """Start one command and do not wait for it."""
    return subprocess.Popen(
        host.argv(*COMMAND, *words),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
    )


def end(running: subprocess.Popen[str]) -> Result:
    """Wait for a command that was started."""
    out, err = running.communicate(timeout=120 * SLOW)
    return Result(running.returncode, out, err)


def at_once(host: Host, lines: Iterable[Sequence[str]]) -> list[Result]:
    """Start all lines before any of them can have ended, and wait for all."""
    return [end(running) for running in [start(host, *words) for words in lines]]


def ports(host: Host, bridge: str) -> list[str]:
    """Return the names of a bridge's ports."""
    return sorted(entry["ifname"] for entry in host.ip("-j", "link", "show", "master", bridge))


def unfinished(*guests: Guest) -> list[str]:
    """Return the links that bear the mark, or the name, of work in progress."""
    return [f"{guest.name}: {name}" for guest in guests for name in unfinished_of(guest.ip("-j", "link", "show"))]


def unfinished_of(links: Iterable[dict[str, Any]]) -> list[str]:
    """Return those of links, as `ip -j link show` tells them."""
    return [
        f"{entry['ifname']} {entry.get('ifalias', '')}"
        for entry in links
        if entry.get("ifalias", "").startswith("pipework unfinished")
        or entry["ifname"].startswith(PASSING)
        or entry["group"] == str(NEWBORN)
    ]


def links_among_names() -> set[str]:
    """Return the symbolic links in the directory of named namespaces."""
    return {path.name for path in NAMED.iterdir() if path.is_symlink()}


def lock_is_free() -> bool:
    """Tell whether the lock can be had; commands of others may hold it for a moment."""

    def had() -> bool:
        if not LOCK.exists():  # nobody has come so far
            return True
        with LOCK.open("rb") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
        return True

    return eventually(had, 30 * SLOW)

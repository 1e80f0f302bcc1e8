"""The start of a container that its engine wires, next to that of one that nobody does."""

from __future__ import annotations

import json
import tempfile
from functools import partial
from pathlib import Path

from pipework.hook_files import of_podman
from tests.bench.measuring import Contender, in_turn
from tests.lab.command import COMMAND
from tests.lab.engine import IMAGE
from tests.lab.guest import HOST, fresh_name, run
from tests.lab.podman import LIMITS, ensure_podman_image

ALONE, WIRED = "nobody's", "wired by podman"


def print_hooked(rounds: int) -> None:
    """Medians of so many rounds in turn; podman's image is made from Docker's, which must run."""
    ensure_podman_image()
    bridge, name = fresh_name("brpwb"), fresh_name("pwbpod")
    HOST.run("ip", "link", "add", bridge, "up", "type", "bridge")
    try:
        with tempfile.TemporaryDirectory(prefix="pipework-bench-") as folder:
            file = of_podman(folder)
            hook = {"path": COMMAND[0], "args": [*COMMAND, "hook", "run", "podman"]}
            Path(file.path).write_text(json.dumps(file.contents(hook)))
            start = [
                "podman",
                "--runtime=runc",
                "--hooks-dir",
                folder,
                "run",
                "-d",
                "--name",
                name,
                "--network=none",
                *LIMITS,
            ]
            line = ["--annotation", f"pipework={bridge} 10.214.0.2/24@10.214.0.1"]
            undo = partial(run, "podman", "rm", "-f", "-t", "0", name)
            rest = [IMAGE, "sleep", "1000"]
            there = [Contender(ALONE, [*start, *rest], undo), Contender(WIRED, [*start, *line, *rest], undo)]
            alone, wired = in_turn(there, rounds)
    finally:
        HOST.run("ip", "link", "del", bridge)
    print(f"\nThe start of a container, {rounds} rounds in turn, ms: {alone.name} {alone.wall:.0f}, ", end="")
    print(f"{wired.name} {wired.wall:.0f}, which is {wired.wall - alone.wall:.0f} more")

"""Containers as their runtime tells its hooks of them, and runtimes that run those."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from shlex import join

from tests.lab.command import COMMAND, Result
from tests.lab.guest import SLOW, Guest, eventually
from tests.lab.host import Host
from tests.lab.scenes import Scene, scene

ID = "c0ffee" * 10 + "beef"
CREATED, STOPPED = "created", "stopped"


def state(folder: Path, pid: int, annotations: Mapping[str, str], status: str = CREATED, identifier: str = ID) -> str:
    """What a runtime writes to a hook, of a container whose bundle is that folder."""
    (folder / "config.json").write_text(json.dumps({"ociVersion": "1.0.2", "hostname": "web", "mounts": []}))
    told = {"ociVersion": "1.0.2", "id": identifier, "status": status, "bundle": str(folder)}
    return json.dumps({**told, **({"pid": pid} if status != STOPPED else {}), "annotations": dict(annotations)})


def run_hook(host: Host, told: str, *words: str) -> Result:
    """Run pipework as a hook of an engine on that host."""
    argv = host.argv(*COMMAND, "hook", "run", *words)
    done = subprocess.run(argv, input=told, capture_output=True, text=True, timeout=180 * SLOW, check=False)
    return Result(done.returncode, done.stdout, done.stderr)


@contextmanager
def process_in(guest: Guest) -> Iterator[int]:
    """A process in a network namespace, as the first one of a container is before it becomes what it shall be."""
    with subprocess.Popen(guest.enter("sleep", "100000")) as process:
        try:
            inode = os.stat(guest.namespace or "/proc/self/ns/net").st_ino
            assert eventually(lambda: os.stat(f"/proc/{process.pid}/ns/net").st_ino == inode)
            yield process.pid
        finally:
            process.kill()


def line_of(words: Sequence[str], guest: Guest) -> str:
    """The line of a container, for the words of an attach."""
    return join(word for word in words if word != getattr(guest, "spec", None))


@contextmanager
def hooked_scene(folder: Path, kind: str, address: str) -> Iterator[Scene]:
    """A scene in which a container starts that asks for two wires, the second of them on a bridge."""
    with scene(kind, address) as taken, process_in(taken.guest) as pid:
        lines = {"pipework.2": line_of(taken.words, taken.guest), "pipework.10": "br7 -i eth7 10.77.0.1/24"}
        allow = ["--allow", "nic0,lan0"]
        yield taken._replace(words=["hook", "run", *allow, "docker"], stdin=state(folder, pid, lines))

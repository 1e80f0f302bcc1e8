"""podman containers, from the image that the Docker engine has."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Callable

import pytest

from tests.lab.engine import IMAGE
from tests.lab.guest import SLOW, Guest, eventually, fresh_name, listens, need, run

PODMAN_SOCKET = Path("/run/podman/podman.sock")
# A root that may not raise its limits can still lower them.
LIMITS = ("--ulimit=nofile=1024:1024", "--ulimit=nproc=1024:1024")


@contextmanager
def podman_service() -> Iterator[subprocess.Popen[bytes]]:
    """podman's API at its usual place, gone afterwards; a test may kill it before."""
    if PODMAN_SOCKET.exists():
        raise RuntimeError(f"{PODMAN_SOCKET} is in use; these tests need the place: systemctl stop podman.socket")
    PODMAN_SOCKET.parent.mkdir(exist_ok=True)
    process = subprocess.Popen(
        ["podman", "system", "service", "--time=0", f"unix://{PODMAN_SOCKET}"],
        stdin=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        assert eventually(lambda: process.poll() is not None or listens(PODMAN_SOCKET)), "podman's service is slow"
        assert process.poll() is None, "podman's service did not start"
        yield process
    finally:
        process.terminate()
        process.wait(30 * SLOW)
        PODMAN_SOCKET.unlink(missing_ok=True)


def ensure_podman_image() -> None:
    """Copy the image from the Docker engine unless podman has it; it is kept."""
    need("podman")
    if run("podman", "images", "-q", IMAGE).strip():
        return
    saved = subprocess.run(["docker", "save", IMAGE], capture_output=True, check=True).stdout
    run("podman", "load", stdin=saved)


class PodmanContainer(Guest):
    """A running podman container."""

    def __init__(self, name: str, ident: str, pid: int) -> None:
        super().__init__(name, f"/proc/{pid}/ns/net")
        self.id = ident
        self.pid = pid


@contextmanager
def started_podman(name: str, *options: str, net: str = "none") -> Iterator[PodmanContainer]:
    """A container, without a network unless told otherwise, removed at the end."""
    runtime = ["--runtime=crun"] if "--cgroups=disabled" in options else []  # which runc does not know
    run(
        "podman", *runtime, "run", "-d", "--name", name, f"--network={net}", *LIMITS, *options, IMAGE, "sleep", "100000"
    )
    try:
        told = json.loads(run("podman", "inspect", name))[0]
        yield PodmanContainer(name, told["Id"], told["State"]["Pid"])
    finally:
        run("podman", "rm", "-f", "-t", "0", name)


@pytest.fixture
def podman(engine: None) -> Iterator[Callable[..., PodmanContainer]]:
    """A factory of podman containers: podman("--hostname=x", name="web", net="host")."""
    ensure_podman_image()
    with ExitStack() as made:

        def make(*options: str, name: str = "", net: str = "none") -> PodmanContainer:
            return made.enter_context(started_podman(name or fresh_name("pwpod"), *options, net=net))

        yield make

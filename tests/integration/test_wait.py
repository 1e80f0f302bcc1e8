"""Waiting inside the guest: `pipework --wait` where there is Python, its shell twin where there is none."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Callable

import pytest

from tests.lab.command import CHECKOUT, PACKAGE, run_pipework
from tests.lab.engine import Container
from tests.lab.guest import HOST, SLOW, eventually, fresh_name
from tests.lab.netns import Nic

pytestmark = pytest.mark.docker

Containers = Callable[..., Container]
Bridges = Callable[..., str]

PYTHON = os.path.realpath(sys.executable)
PROGRAM = "import sys; sys.path.insert(0, '/pipework'); from pipework.cli import main; main(sys.argv[1:])"
# Of the machine the guest sees a Python and its libraries, of Python the standard library alone.
MOUNTS = {
    **{folder: folder for folder in ("/usr", "/lib", "/lib64", sys.base_prefix) if os.path.isdir(folder)},
    str(PACKAGE): "/pipework/pipework",
    f"{CHECKOUT}/contrib": "/contrib",
}
TWINS = {
    "python": [PYTHON, "-I", "-S", "-c", PROGRAM, "--wait"],
    "sh": ["/bin/busybox", "sh", "/contrib/pipework-wait"],
    "sh --wait": ["/bin/busybox", "sh", "/contrib/pipework-wait", "--wait"],
}
SOON = 30 * SLOW  # seconds; the original looks once a second, but what starts it in the guest may take its time
LONG = 1.5 * SLOW


@pytest.fixture
def guest(container: Containers) -> Container:
    """A busybox container in which both twins can run."""
    return container(*(f"--volume={source}:{target}:ro" for source, target in MOUNTS.items()))


@contextmanager
def waiting(guest: Container, *argv: str) -> Iterator[subprocess.Popen[str]]:
    """Run a twin in the guest; it is killed at the end if it still waits."""
    process = subprocess.Popen(
        ["docker", "exec", guest.name, *argv],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def still_waits(process: subprocess.Popen[str]) -> bool:
    try:
        process.wait(LONG)
    except subprocess.TimeoutExpired:
        return True
    return False


def returns_soon(process: subprocess.Popen[str]) -> bool:
    """Whether it ends in time with exit 0, having said nothing."""
    said, _ = process.communicate(timeout=SOON)
    return (process.returncode, said) == (0, "")


@pytest.mark.parametrize("twin", TWINS)
def test_returns_at_once(guest: Container, bridge: Bridges, twin: str) -> None:
    """Where the link is wired already there is nothing to wait for; eth1 is the default."""
    assert run_pipework(bridge(), guest.name, "10.78.0.2/24").code == 0
    with waiting(guest, *TWINS[twin]) as process:
        assert returns_soon(process)
    with waiting(guest, *TWINS[twin], "-i", "eth1") as process:
        assert returns_soon(process)


@pytest.mark.parametrize("twin", TWINS)
def test_waits_for_a_link_that_is_missing(guest: Container, bridge: Bridges, twin: str) -> None:
    """It waits while there is no such link, whatever others there are, and returns soon after it is wired."""
    name = bridge()
    with waiting(guest, *TWINS[twin], "-i", "data0") as process:
        assert run_pipework(name, guest.name, "10.78.0.2/24").code == 0
        assert still_waits(process)
        assert run_pipework(name, "-i", "data0", guest.name, "10.78.1.2/24").code == 0
        assert returns_soon(process)


@pytest.mark.parametrize("twin", TWINS)
def test_waits_for_carrier(guest: Container, twin: str) -> None:
    """It waits while the link is down, and while the far end of its cable is."""
    far = fresh_name("pwfar")
    HOST.run("ip", "link", "add", far, "type", "veth", "peer", "name", "eth1", "netns", str(guest.pid))
    with waiting(guest, *TWINS[twin]) as process:
        assert still_waits(process)
        guest.run("ip", "link", "set", "eth1", "up")
        assert still_waits(process)
        HOST.run("ip", "link", "set", far, "up")
        assert returns_soon(process)


def test_a_service_waits_for_its_network(container: Containers, nic: Nic) -> None:
    """A container that starts with the shell twin goes on once it is wired to a NIC, and has its address then."""
    command = ("sh", "-c", "sh /contrib/pipework-wait -i lan0 && ip -o -4 addr show dev lan0; sleep 1000")
    guest = container(f"--volume={CHECKOUT}/contrib:/contrib:ro", command=command)
    assert run_pipework(nic.name, "-i", "lan0", guest.name, "192.168.77.9/24").code == 0
    assert eventually(lambda: "192.168.77.9/24" in HOST.run("docker", "logs", guest.name))


@pytest.mark.parametrize(
    "words", [["eth1"], ["-i"], ["-x", "eth1"], ["-i", "eth1", "more"], ["-i", "eth/1"], ["-i", "x" * 16], ["-i", ".."]]
)
@pytest.mark.parametrize("twin", TWINS)
def test_bad_words(twin: str, words: list[str]) -> None:
    """Both twins refuse what they would wait for in vain, with exit 1."""
    argv = [
        word.replace("/contrib", f"{CHECKOUT}/contrib").replace("'/pipework'", repr(str(PACKAGE.parent)))
        for word in TWINS[twin]
    ]
    done = subprocess.run([*argv, *words], capture_output=True, text=True, timeout=20 * SLOW, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("pipework")
    assert "Traceback" not in done.stderr

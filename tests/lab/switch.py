"""Open vSwitch, and a bridge on it that switches in userspace where the kernel has no datapath for it."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Callable

import pytest

from tests.lab.guest import SLOW, fresh_name, need, run

CONTROL = "/usr/share/openvswitch/scripts/ovs-ctl"
PREFIX = "pwovs"


def vsctl(*args: str) -> str:
    """Run ovs-vsctl, which gives up instead of waiting for a switch that does not answer."""
    return run("ovs-vsctl", f"--timeout={round(10 * SLOW)}", *args)


def _answers() -> bool:
    # Both the database and the switch itself have to be there.
    for asked in (["ovs-vsctl", "--timeout=5", "show"], ["ovs-appctl", "--timeout=5", "version"]):
        if subprocess.run(asked, capture_output=True, check=False).returncode:
            return False
    return True


@contextmanager
def running_switch() -> Iterator[None]:
    """Use the Open vSwitch that answers; start one if none does, and stop that one at the end."""
    need("ovs-vsctl")
    if _answers():
        yield
        return
    # ovs-ctl itself tells a stale pid file from a running daemon, and stops by pid file.
    run(CONTROL, "start", "--system-id=random", timeout=60 * SLOW)
    try:
        # Bridges of a run that was cut off are still in the database.
        for bridge in vsctl("list-br").split():
            if bridge.startswith(PREFIX):
                vsctl("del-br", bridge)
        yield
    finally:
        run(CONTROL, "stop", timeout=60 * SLOW)


@contextmanager
def userspace_bridge() -> Iterator[str]:
    """A fresh bridge with the userspace datapath, deleted at the end; its name is what comes back."""
    name = fresh_name(PREFIX)
    vsctl("add-br", name, "--", "set", "bridge", name, "datapath_type=netdev")
    try:
        yield name
    finally:
        vsctl("--if-exists", "del-br", name)


@pytest.fixture(scope="session")
def switch() -> Iterator[None]:
    """Open vSwitch, running."""
    with running_switch():
        yield


@pytest.fixture
def ovs_bridge(switch: None) -> Iterator[Callable[[], str]]:
    """A factory of userspace bridges, by name."""
    with ExitStack() as made:
        yield lambda: made.enter_context(userspace_bridge())

"""A host with the real firewalld, or the real ufw: programs that a test machine had better not have installed."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.lab.daemon import running
from tests.lab.filtered import bare
from tests.lab.guest import SLOW, eventually, listens
from tests.lab.host import Host
from tests.lab.sandboxed import sandboxed

__all__ = ["bare", "firewalld", "sandboxed", "ufw"]

BUS = Path("/run/dbus/system_bus_socket")


@contextmanager
def message_bus(folder: Path) -> Iterator[None]:
    """A bus of the system's; its log goes into that folder."""
    BUS.parent.mkdir(parents=True, exist_ok=True)
    BUS.unlink(missing_ok=True)
    with running(["dbus-daemon", "--system", "--nofork", "--nopidfile"], folder / "bus"):
        assert eventually(lambda: listens(BUS)), (folder / "bus").read_text()
        yield


@pytest.fixture
def firewalld(bare: Host, tmp_path: Path) -> Iterator[Host]:
    """A host whose firewall is firewalld's, with a bus of its own."""
    with ExitStack() as parts:
        parts.enter_context(message_bus(tmp_path))
        argv = bare.argv("firewalld", "--nofork", "--nopid")
        parts.enter_context(running(argv, tmp_path / "firewalld"))
        state = bare.argv("firewall-cmd", "--state")
        up = eventually(lambda: subprocess.run(state, capture_output=True, check=False).returncode == 0, 30 * SLOW)
        assert up, (tmp_path / "firewalld").read_text()
        yield bare


@pytest.fixture
def ufw(bare: Host) -> Host:
    """A host whose firewall is ufw's."""
    bare.run("ufw", "--force", "enable")
    return bare

"""LXC containers that have no network but their loopback."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Callable

import pytest

from tests.lab.guest import HOST, Guest, fresh_name, need, run

CONFIGURATION = """\
lxc.net.0.type = {network}
lxc.apparmor.profile = unconfined
"""


class LxcContainer(Guest):
    """A running LXC container."""

    def __init__(self, name: str, pid: int) -> None:
        super().__init__(name, f"/proc/{pid}/ns/net")
        self.pid = pid


@contextmanager
def started_lxc(name: str, network: str = "empty", host: Guest = HOST) -> Iterator[LxcContainer]:
    """A container of the busybox template, stopped and destroyed at the end.

    host starts it: LXC's monitor hears nobody outside the network namespace in which it was started.
    """
    need("lxc-create")
    with tempfile.TemporaryDirectory(prefix="pipework-lxc-") as folder:
        configuration, log = Path(folder, "config"), Path(folder, "log")
        configuration.write_text(CONFIGURATION.format(network=network))
        run("lxc-create", "-n", name, "-f", str(configuration), "-t", "busybox")
        try:
            _keep_off_the_host(name)
            try:
                host.run("lxc-start", "-n", name, "-d", "-o", str(log))
            except RuntimeError as error:
                raise RuntimeError(f"{error}\n{log.read_text()[-2000:]}") from None
            yield LxcContainer(name, int(host.run("lxc-info", "-n", name, "-p", "-H")))
        finally:
            host.run("lxc-stop", "-n", name, "-k", check=False)
            host.run("lxc-destroy", "-n", name, "-f")


def _keep_off_the_host(name: str) -> None:
    """Take the DHCP client out of the container's start: with the host's network it flushes the host's eth0."""
    start = Path(run("lxc-config", "lxc.lxcpath").strip(), name, "rootfs", "etc", "init.d", "rcS")
    lines = start.read_text().splitlines(keepends=True)
    assert any("udhcpc" in line for line in lines)
    start.write_text("".join(line for line in lines if "udhcpc" not in line))


@pytest.fixture
def lxc() -> Iterator[Callable[..., LxcContainer]]:
    """A factory of LXC containers: lxc(), lxc("web"), lxc(network="none")."""
    with ExitStack() as made:
        yield lambda name="", **options: made.enter_context(started_lxc(name or fresh_name("pwlxc"), **options))

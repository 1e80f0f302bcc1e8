"""A throwaway host with an Open vSwitch of its own: what befalls that one, nobody else notices."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.lab.command import Result
from tests.lab.guest import SLOW, eventually, fresh_name, listens, run
from tests.lab.host import Host, throwaway_host
from tests.lab.switch import named_rows, switch_tables

SCHEMA = "/usr/share/openvswitch/vswitch.ovsschema"


class SwitchHost:
    """The host, the folder of its switch's sockets, the environment that leads there, and its database server."""

    def __init__(self, host: Host, place: Path) -> None:
        self.host = host
        self.place = place
        self.env = {"OVS_RUNDIR": str(place), "OVS_LOGDIR": str(place), "OVS_DBDIR": str(place)}
        host.env.update(self.env)
        self.database = self._start("ovsdb-server", str(place / "conf.db"), f"--remote=punix:{place}/db.sock")
        self._switch: subprocess.Popen[bytes] | None = None

    def _start(self, *argv: str) -> subprocess.Popen[bytes]:
        log = f"--log-file={self.place}/{argv[0]}.log"
        return subprocess.Popen(
            self.host.argv(*argv, "--no-chdir", "--pidfile", "-vconsole:off", log),
            stdin=subprocess.DEVNULL,
        )

    def start_switching(self) -> None:
        """Start the switch itself; until then there is a database only."""
        self._switch = self._start("ovs-vswitchd", f"unix:{self.place}/db.sock")
        assert eventually(lambda: self._run("ovs-appctl", "--timeout=5", "version").returncode == 0)

    def stop_switching(self) -> None:
        """End the switch, and leave the database."""
        if self._switch:
            self._switch.terminate()
            self._switch.wait(30 * SLOW)

    def stop(self) -> None:
        """End both."""
        self.stop_switching()
        self.database.terminate()
        self.database.wait(30 * SLOW)

    def _run(self, *argv: str) -> subprocess.CompletedProcess[str]:
        env = {**os.environ, **self.env}
        return subprocess.run(argv, env=env, capture_output=True, text=True, check=False)

    def vsctl(self, *args: str) -> str:
        """Run this host's ovs-vsctl."""
        done = self._run("ovs-vsctl", f"--timeout={round(30 * SLOW)}", *args)
        if done.returncode:
            raise RuntimeError(f"ovs-vsctl {' '.join(args)}: {done.stderr}")
        return done.stdout

    def add_bridge(self, name: str = "") -> str:
        """Make a userspace bridge."""
        name = name or fresh_name("pwsw")
        self.vsctl("add-br", name, "--", "set", "bridge", name, "datapath_type=netdev")
        return name

    def rows(self) -> str:
        """Return bridges, ports, tags and external ids as the database has them."""
        return "\n".join(named_rows(switch_tables(self.place / "db.sock")))

    def pipework(self, *words: str, env: Mapping[str, str] | None = None) -> Result:
        """Run pipework on this host."""
        return self.host.pipework(*words, env=env)


@contextmanager
def switch_host(switching: bool = True) -> Iterator[SwitchHost]:
    """A throwaway host whose Open vSwitch runs, or its database only."""
    with tempfile.TemporaryDirectory(prefix="pipework-ovs-") as folder, throwaway_host() as host:
        run("ovsdb-tool", "create", f"{folder}/conf.db", SCHEMA)
        made = SwitchHost(host, Path(folder))
        try:
            assert eventually(lambda: listens(Path(folder, "db.sock")))
            made.vsctl("--no-wait", "init")
            if switching:
                made.start_switching()
            yield made
        finally:
            made.stop()


@pytest.fixture
def switched() -> Iterator[SwitchHost]:
    """A host whose switch runs."""
    with switch_host() as made:
        yield made


@pytest.fixture
def unswitched() -> Iterator[SwitchHost]:
    """A host with a database, and no switch behind it."""
    with switch_host(switching=False) as made:
        yield made

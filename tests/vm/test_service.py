"""pipework watch as a service of systemd, in the sandbox of its unit: what is kept is wired at every start."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from pipework import kept, reserved
from tests import INSTALLED
from tests.lab.command import CHECKOUT, COMMAND
from tests.lab.guest import HOST, SLOW, eventually, run
from tests.lab.netns import Nic, dnsmasq
from tests.vm.wiring import delete

pytestmark = pytest.mark.vm
UNITS = Path("/etc/systemd/system")
OTHERS = (  # what would begin at boot, and what would empty /tmp, where other tests have files
    "containerd.service",
    "docker.service",
    "docker.socket",
    "podman.socket",
    "systemd-tmpfiles-setup.service",
    "systemd-tmpfiles-clean.timer",
)
# Processes, mounts and cgroups as at boot, and systemd as the first process; the network is that of the machine.
BOOT = """
    mkdir -p /sys/fs/cgroup/booted
    echo $$ >/sys/fs/cgroup/booted/cgroup.procs
    exec unshare --fork --kill-child --pid --mount --cgroup --propagation private sh -ec '
        mount -t proc proc /proc
        umount -l /sys/fs/cgroup
        mount -t cgroup2 cgroup2 /sys/fs/cgroup
        mount -t tmpfs -o mode=755 tmpfs /run
        mkdir /run/lock
        mount --make-rshared /
        exec env container=pipework /lib/systemd/systemd --unit="$0"
    ' "$0"
"""
MOST = 5.0  # of the exposure that systemd counts, of ten; it has "medium" from there on


class Booted:
    """A system that has booted to a unit."""

    def __init__(self, pid: int) -> None:
        self._pid = pid

    def run(self, *argv: str, check: bool = True) -> str:
        """Run a command there; what it says."""
        return run("nsenter", f"--target={self._pid}", "--mount", "--pid", "--cgroup", *argv, check=check)

    def start(self, unit: str) -> None:
        """Start a unit, which must do so at once; else all that systemd tells of it is told."""
        told = self.run("systemctl", "start", unit, check=False)
        assert self.is_active(unit), told + self.run("journalctl", f"--unit={unit}", "--no-pager", check=False)

    def is_active(self, unit: str) -> bool:
        """Whether a unit is."""
        return self.run("systemctl", "is-active", unit, check=False).strip() == "active"

    def log(self) -> str:
        """What the service has told the journal."""
        return self.run("journalctl", "--unit=pipework", "--output=cat", "--no-pager", check=False)

    def says(self, text: str, times: int = 1) -> bool:
        """Whether it comes to tell something, so often in all."""
        return eventually(lambda: self.log().count(text) >= times, 30 * SLOW)

    def wired(self) -> dict[str, list[str]]:
        """The addresses of each guest's wire."""
        rows = json.loads(self.run(*COMMAND, "ls", "--json"))
        return {row["guest"]: row["addresses"] for row in rows}

    def clients(self) -> list[str]:
        """The processes of udhcpc."""
        return self.run("pgrep", "-x", "udhcpc", check=False).split()


@contextmanager
def booted(unit: str) -> Iterator[Booted]:
    """Boot, and cut the power in the end."""
    with subprocess.Popen(["sh", "-ec", BOOT, unit], stdin=subprocess.DEVNULL) as process:
        try:
            assert eventually(lambda: _first_of(process.pid) is not None, 10 * SLOW)
            first = _first_of(process.pid)
            assert first
            system = Booted(first)
            assert eventually(lambda: system.is_active(unit), 60 * SLOW), system.run("systemctl", "list-jobs")
            yield system
        finally:
            process.kill()


def _first_of(unshared: int) -> int | None:
    """The number that systemd has here, once it has become that."""
    for child in Path(f"/proc/{unshared}/task/{unshared}/children").read_text().split():
        with suppress(OSError):  # one that has just ended
            if Path(f"/proc/{child}/comm").read_text().strip() == "systemd":
                return int(child)
    return None


@pytest.fixture
def unit() -> Iterator[Path]:
    """The unit as `make install` has written it, and the engines' switched off, for those are others' tests."""
    path = UNITS / "pipework.service"
    if INSTALLED:
        text = (Path(INSTALLED) / "lib" / "systemd" / "system" / path.name).read_text()
    else:
        text = (CHECKOUT / "contrib" / path.name).read_text().replace("/usr/bin/pipework", " ".join(COMMAND))
    path.write_text(text)
    more = UNITS / f"{path.name}.d" / "where.conf"
    if Path(INSTALLED or CHECKOUT).is_relative_to("/tmp"):  # which the service has another of
        more.parent.mkdir()
        more.write_text(f"[Service]\nBindReadOnlyPaths={INSTALLED or CHECKOUT}\n")
    for name in OTHERS:
        (UNITS / name).symlink_to(os.devnull)
    yield path
    for name in (path.name, *OTHERS, f"multi-user.target.wants/{path.name}"):
        (UNITS / name).unlink(missing_ok=True)
    shutil.rmtree(more.parent, ignore_errors=True)
    for kept_by in (kept.FILE, reserved.FILE):
        Path(kept_by).unlink(missing_ok=True)
    delete("br-service")


def test_from_boot_to_boot(unit: Path, cable: Nic) -> None:
    """A lease and an address are there at every start of their guests, clients outlive the service, all comes back."""
    lines = {
        "leased": (cable.name, "netns:leased", "udhcpc-f"),
        "fixed": ("br-service", "netns:fixed", "10.9.9.9/24"),
        "ranged": ("br-service", "netns:ranged", "10.9.9.100-150/24"),
    }
    chosen: list[list[str]] = []
    HOST.run("ip", "link", "add", "br-service", "type", "bridge")
    with dnsmasq(cable) as server:

        def is_wired(system: Booted) -> bool:
            wires = system.wired()
            leased = [one.rpartition("/")[0] for one in wires.get("leased", [])]
            chosen.append(wires.get("ranged", []))
            has_lease = bool(leased) and server.first <= leased[0] <= server.last
            return has_lease and wires.get("fixed") == ["10.9.9.9/24"] and bool(chosen[-1]) and chosen[-1] == chosen[0]

        with booted("basic.target") as system:
            system.run("systemctl", "enable", unit.stem)
            system.start(unit.stem)
            assert (UNITS / "multi-user.target.wants" / unit.name).is_symlink()
            assert system.says("watching"), system.log()
            for name, words in lines.items():
                system.run("ip", "netns", "add", name)
                assert system.run(*COMMAND, "--keep", *words) == ""
            assert system.says("3 lines") and is_wired(system), system.log()
            for name in lines:
                system.run("ip", "netns", "del", name)
                system.run("ip", "netns", "add", name)
            assert eventually(lambda: is_wired(system), 30 * SLOW), system.log()
            assert eventually(lambda: len(system.clients()) == 1, 10 * SLOW), system.log()
            client = system.clients()
            system.run("systemctl", "restart", unit.stem)
            assert system.says("watching", 2) and system.clients() == client and is_wired(system), system.log()
        with booted(unit.name) as system:
            assert system.says("watching"), system.log()
            for name in lines:
                system.run("ip", "netns", "add", name)
            assert eventually(lambda: is_wired(system), 30 * SLOW), system.log()
            assert system.run(*COMMAND, "del", "netns:fixed") == ""
            assert system.says("2 lines"), system.log()
            system.run("systemctl", "stop", unit.stem)
            assert "ended" in system.log() and not re.search(r"/lines:[0-9]", system.log()), system.log()
            assert system.run("pgrep", "-x", "podman", check=False) == ""
            assert "netns:fixed" not in Path(kept.FILE).read_text()


def test_exposure(unit: Path) -> None:
    """systemd finds the sandbox no worse than it was."""
    told = run("systemd-analyze", "security", "--offline=yes", "--no-pager", str(unit))
    (exposure,) = re.findall(r"Overall exposure level for \S+: ([0-9.]+)", told)
    assert float(exposure) < MOST, told

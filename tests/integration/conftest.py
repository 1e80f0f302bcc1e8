"""What the integration tests share: a throwaway host; bridges, images and a NIC that go with the test."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Callable

import pytest

from tests.lab.engine import IMAGE, docker
from tests.lab.filtered import bare
from tests.lab.guest import HOST, fresh_name
from tests.lab.host import host, host_nic
from tests.lab.sandboxed import sandboxed
from tests.lab.switch_host import switched, unswitched

__all__ = ["bare", "bridge", "host", "host_nic", "sandboxed", "switched", "unswitched"]

FIREWALLS = ("iptables", "ip6tables")
KEPT_ADDRESSES = Path("/var/lib/pipework/addresses")


def tagged_rules(bridge: str, program: str = "iptables") -> list[str]:
    """Return the machine's firewall rules that bear a bridge's tag."""
    return [line for line in HOST.run(program, "-S").splitlines() if f'"pipework: {bridge}"' in line]


@pytest.fixture(autouse=True)
def forgotten_addresses() -> Iterator[None]:
    """Nothing kept of a test's ranges is there for the next one, whose guests are others."""
    yield
    KEPT_ADDRESSES.unlink(missing_ok=True)


@pytest.fixture
def bridge() -> Iterator[Callable[..., str]]:
    """A factory of bridge names; at the test's end the bridge and its firewall rules are removed."""
    names: list[str] = []

    def make(prefix: str = "brpw", *options: str, create: bool = False) -> str:
        names.append(fresh_name(prefix))
        if create:
            HOST.run("ip", "link", "add", names[-1], *options, "type", "bridge")
            HOST.run("ip", "link", "set", names[-1], "up")
        return names[-1]

    yield make
    for name in names:
        HOST.run("ip", "link", "del", name, check=False)
        for program in FIREWALLS:
            rule = ["-i", name, "-o", name, "-m", "comment", "--comment", f"pipework: {name}", "-j", "ACCEPT"]
            while (
                subprocess.run([program, "-D", "DOCKER-USER", *rule], capture_output=True, check=False).returncode == 0
            ):
                pass


@pytest.fixture
def image(engine: None) -> Iterator[Callable[[str], str]]:
    """A factory of images that differ from that of the guests by a line of a Dockerfile."""
    made: list[str] = []

    def make(line: str) -> str:
        made.append(fresh_name("pwimage"))
        base = docker("create", IMAGE, "true").strip()
        docker("commit", "--change", line, base, made[-1])
        docker("rm", base)
        return made[-1]

    yield make
    for name in made:
        docker("rmi", "-f", name)


@pytest.fixture
def pwnic0() -> Iterator[None]:
    """A NIC of that name, which no other test knows."""
    HOST.run("ip", "link", "add", "pwnic0", "up", "type", "veth", "peer", "name", "pwnic1")
    yield
    HOST.run("ip", "link", "del", "pwnic0")

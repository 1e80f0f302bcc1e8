"""Who is measured: each has a guest and a bridge of its own, and gives the guest the same address and gateway."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests import INSTALLED
from tests.bench.measuring import Contender
from tests.lab.command import CHECKOUT
from tests.lab.engine import Container, docker, started_container
from tests.lab.guest import HOST, SLOW, fresh_name

COMMAND = (Path(INSTALLED) if INSTALLED else CHECKOUT / ".venv") / "bin" / "pipework"
CNI = Path("/usr/lib/cni")
CNI_BRIDGE = str(CNI / "bridge")
BARE = "python -I -S -c pass"
SETTLE = 0.05  # seconds for the kernel to be done with a link that is gone
SLEEP = ("sleep", "100000")


class Field:
    """A bridge, and a guest to attach to it."""

    def __init__(self, number: int, guest: Container, bridge: str) -> None:
        self.guest = guest
        self.bridge = bridge
        self.subnet = f"10.213.{number}.0/24"
        self.address = f"10.213.{number}.2/24"
        self.gateway = f"10.213.{number}.1"

    def attached(self) -> None:
        """Make sure that the command did what it was asked for.  Raises RuntimeError."""
        route = self.guest.run("ip", "route", "show", "default")
        if self.address not in self.guest.addresses("eth1") or f"via {self.gateway} dev eth1" not in route:
            raise RuntimeError(f"{self.guest.name} is not attached: {route}")

    def detach(self) -> None:
        """Delete the guest's link, and wait until both ends are gone."""
        ports = Path("/sys/class/net", self.bridge, "brif")
        self.guest.run("ip", "link", "del", "eth1")
        deadline = time.monotonic() + 10 * SLOW
        while self.guest.link("eth1") or any(ports.iterdir()):
            if time.monotonic() > deadline:
                raise RuntimeError(f"a link of {self.bridge} does not go")
            time.sleep(0.01)
        time.sleep(SETTLE)


@contextmanager
def fields() -> Iterator[Iterator[Field]]:
    """An endless supply of bridges and guests, removed at the end with the firewall rules for them."""
    with ExitStack() as made:

        def supply() -> Iterator[Field]:
            number = 0
            while True:
                number += 1
                guest = made.enter_context(started_container(fresh_name("pwbench"), "--net=none", command=SLEEP))
                yield Field(number, guest, made.enter_context(_bridge(fresh_name("brpwb"))))

        yield supply()


@contextmanager
def _bridge(name: str) -> Iterator[str]:
    HOST.run("ip", "link", "add", name, "type", "bridge")
    try:
        HOST.run("ip", "link", "set", name, "up")
        yield name
    finally:
        HOST.run("ip", "link", "del", name)
        rule = ["-i", name, "-o", name, "-m", "comment", "--comment", f"pipework: {name}", "-j", "ACCEPT"]
        subprocess.run(["iptables", "-w", "5", "-D", "DOCKER-USER", *rule], capture_output=True, check=False)


def attach_line(field: Field) -> list[str]:
    """The words that every pipework takes."""
    return [field.bridge, field.guest.name, f"{field.address}@{field.gateway}"]


def ours(field: Field) -> Contender:
    """The command of the virtual environment."""
    return Contender("pipework", [str(COMMAND), *attach_line(field)], field.detach, attached=field.attached)


def original(field: Field, path: str) -> Contender:
    """The original as it is installed."""
    argv = ["sh", path, *attach_line(field)]
    return Contender("original, with arping", argv, field.detach, attached=field.attached)


@contextmanager
def original_without_arping(field: Field, path: str) -> Iterator[Contender]:
    """The original with a PATH on which everything is but arping."""
    with tempfile.TemporaryDirectory(prefix="pipework-bench-") as folder:
        for place in os.environ["PATH"].split(":"):
            for program in Path(place).iterdir() if Path(place).is_dir() else ():
                if program.name != "arping" and not Path(folder, program.name).exists():
                    Path(folder, program.name).symlink_to(program)
        argv = ["sh", path, *attach_line(field)]
        yield Contender("original, without arping", argv, field.detach, {"PATH": folder}, attached=field.attached)


@contextmanager
def docker_network(number: int) -> Iterator[Contender]:
    """`docker network connect`, for a container that is on another network already."""
    first, second, name = (fresh_name("pwbench") for _ in range(3))
    docker("network", "create", first)
    docker("network", "create", f"--subnet=10.213.{number}.0/24", second)
    try:
        with started_container(name, f"--net={first}", command=SLEEP):

            def undo() -> None:
                docker("network", "disconnect", second, name)
                time.sleep(SETTLE)

            argv = ["docker", "network", "connect", f"--ip=10.213.{number}.2", second, name]
            yield Contender("docker network connect", argv, undo)
    finally:
        docker("network", "rm", first, second, check=False)


def has_cni() -> bool:
    """Tell whether the CNI plugins are installed."""
    return shutil.which("bridge", path=str(CNI)) is not None


def cni_bridge(field: Field) -> Contender:
    """The CNI bridge plugin with the static one for addresses, told the namespace."""
    env = cni_environment(field.guest.id, field.guest.namespace or "")
    configuration = cni_configuration(field.bridge, field.address, field.gateway)
    return Contender("CNI bridge plugin", [CNI_BRIDGE], field.detach, env, configuration, field.attached)


def cni_environment(container: str, namespace: str) -> dict[str, str]:
    """What a plugin is told of the guest."""
    return {
        "CNI_COMMAND": "ADD",
        "CNI_CONTAINERID": container,
        "CNI_NETNS": namespace,
        "CNI_IFNAME": "eth1",
        "CNI_PATH": str(CNI),
    }


def cni_configuration(bridge: str, address: str, gateway: str) -> str:
    """What a plugin is told on its standard input."""
    configuration = {
        "cniVersion": "0.4.0",
        "name": bridge,
        "type": "bridge",
        "bridge": bridge,
        "ipam": {
            "type": "static",
            "addresses": [{"address": address, "gateway": gateway}],
            "routes": [{"dst": "0.0.0.0/0"}],
        },
    }
    return json.dumps(configuration)


def pythons() -> list[Contender]:
    """Interpreters that do nothing: as most are started, and as bare as they can be."""
    return [
        Contender("python -c pass", [sys.executable, "-c", "pass"], bool),
        Contender(BARE, [sys.executable, "-I", "-S", "-c", "pass"], bool),
    ]


@contextmanager
def everybody() -> Iterator[list[Contender]]:
    """All that are there."""
    with ExitStack() as made:
        supply = made.enter_context(fields())
        there = [ours(next(supply))]
        path = os.environ.get("PIPEWORK_ORIGINAL", "")
        if path:
            there.append(original(next(supply), path))
            there.append(made.enter_context(original_without_arping(next(supply), path)))
        else:
            print("PIPEWORK_ORIGINAL=/path/to/pipework is not set: the original is not measured")
        there.append(made.enter_context(docker_network(200)))
        if has_cni():
            there.append(cni_bridge(next(supply)))
        else:
            print(f"{CNI}/bridge is not installed: the CNI plugin is not measured")
        yield [*there, *pythons()]

"""Containers that the Docker of that Debian wires itself, as docs/hooks.md tells it."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from typing import Callable

import pytest

from tests.lab.command import run_pipework
from tests.lab.engine import Container, docker
from tests.lab.guest import HOST, eventually
from tests.lab.host import settle
from tests.lab.snapshot import wait_for_the_ended

Containers = Callable[..., Container]
DEVICE = "--device=pipework/net=wired"
ROUTED = "br-hook 192.168.1.100/24@192.168.1.1 U:web"
MAC = "02:64:d4:20:24:f1"  # U:web
SERVER = "mkdir /www && echo there >/www/index.html && exec httpd -f -h /www"
CLIENT = "ip addr; ip route; until wget -q -O - http://192.168.1.1/; do sleep 0.1; done; exec sleep 100000"
BEFORE_NETWORK = 28  # from which release on Docker sets its own network once the hooks have run


@pytest.fixture
def hooks(engine: None) -> Iterator[None]:
    """Docker runs pipework for the time of the test."""
    installed = run_pipework("hook", "install")
    assert installed.code == 0 and "docker: wrote /etc/cdi/pipework.json" in installed.out, installed
    yield
    assert run_pipework("hook", "uninstall") == (0, "", "")
    HOST.run("ip", "link", "del", "br-hook", check=False)


def line(number: int, text: str) -> str:
    return f"--annotation=pipework.{number}={text}"


def refused(*options: str) -> str:
    """What Docker says of a container that does not start."""
    words = ["docker", "run", "--rm", DEVICE, *options, "pipework-lab/busybox:latest", "true"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    return done.stderr


def wired() -> set[str]:
    """The guests that ls tells of, of those on our bridge."""
    return {row["guest"] for row in json.loads(run_pipework("ls", "--json").out) if row["hostif"] == "br-hook"}


def version() -> int:
    """The engine's release."""
    return int(docker("version", "--format", "{{.Server.Version}}").partition(".")[0])


def test_first_process_and_restart(hooks: None, container: Containers) -> None:
    """The first process finds its links, at every start; a neighbour reaches it; ls knows it by its name."""
    neighbour = container(DEVICE, line(1, "br-hook 192.168.1.1/24"), command=("sh", "-c", SERVER))
    web = container(
        DEVICE,
        line(2, ROUTED),
        line(10, "br-hook 10.1.1.1/24 -i eth2"),
        command=("sh", "-c", CLIENT),
    )
    for starts in (1, 2, 3):
        assert eventually(lambda starts=starts: docker("logs", web.name).count("there") == starts)  # type: ignore[misc]
        told = docker("logs", web.name).split("there")[starts - 1]
        assert "192.168.1.100/24" in told and "10.1.1.1/24" in told and "default via 192.168.1.1 dev eth1" in told
        assert MAC in told
        assert wired() == {neighbour.name, web.name}
        docker("restart", "-t", "0", web.name)
    docker("rm", "-f", neighbour.name, web.name)
    assert wired() == set()
    assert eventually(lambda: "br-hook" not in HOST.run("iptables", "-S"))


def test_beside_its_own_network(hooks: None, container: Containers) -> None:
    """The default route that the line asks for holds, or the line is refused; without one Docker's stays."""
    beside = container(DEVICE, line(1, "br-hook 192.168.1.5/24 -i eth5"), net="bridge")
    assert "192.168.1.5/24" in docker("exec", beside.name, "ip", "-o", "addr")
    assert "default via 172.17.0.1 dev eth0" in docker("exec", beside.name, "ip", "route")
    if version() >= BEFORE_NETWORK:
        assert "Start it with --network=none, or leave the gateway out." in refused(line(1, ROUTED))
        assert "Docker gives this container a network" in refused(line(1, "br-hook udhcpc"))
        second = refused(line(1, "br-hook 0/0 -i eth6"), line(2, ROUTED))
        assert "annotation pipework.2: Docker gives this container a network" in second
    else:
        routed = container(DEVICE, line(1, f"{ROUTED} -i eth5"), net="bridge")
        assert "default via 192.168.1.1 dev eth5" in docker("exec", routed.name, "ip", "route")
    assert not HOST.run("ip", "-br", "link", "show", "master", "br-hook").count("eth1pl")


def test_refused(hooks: None) -> None:
    """What cannot be done keeps the container from starting, with our words in Docker's; nothing stays."""
    wait_for_the_ended()
    settle(HOST)
    before = HOST.ip("-br", "link")
    said = refused("--net=none", line(1, "br-hook 192.168.1.1/24"), line(2, "br-hook 192.168.1.300/24"))
    assert "annotation pipework.2: ADDRESS 192.168.1.300/24 is not an address" in said, said
    said = refused("--net=none", line(1, "br-hook 192.168.1.1/24"), line(2, "lo 192.168.1.3/24 -i eth2"))
    assert "annotation pipework.2: " in said, said
    assert "has no annotation pipework" in refused("--net=none")
    assert "shares this host's network" in refused("--net=host", line(1, "br-hook 192.168.1.1/24"))
    assert eventually(lambda: HOST.ip("-br", "link") == before), (HOST.ip("-br", "link"), before)
    assert wired() == set()


def test_killed_container(hooks: None, container: Containers) -> None:
    """A container that is killed, or whose engine removes it by force, leaves nothing."""
    web = container(DEVICE, line(1, ROUTED))
    HOST.run("kill", "-9", str(web.pid))
    assert eventually(lambda: "br-hook" not in HOST.run("iptables", "-S"))
    assert wired() == set()

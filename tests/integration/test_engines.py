"""Where the engine is asked that knows a guest, and under which of its names the guest is meant."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Callable

import pytest

from tests.lab.command import Result, run_pipework
from tests.lab.engine import Container, docker_context
from tests.lab.guest import eventually, run
from tests.lab.lxc import LxcContainer
from tests.lab.netns import DhcpServer, NamedNamespace, Nic
from tests.lab.podman import PodmanContainer
from tests.lab.snapshot import Unchanged

Containers = Callable[..., Container]

pytestmark = pytest.mark.docker

ENGINE = "/var/run/docker.sock"
ELSEWHERE = {"DOCKER_HOST": "tcp://192.0.2.1:2375"}
ADDRESS = "192.168.1.1/24"


def told_by(done: Result) -> str:
    """What a command has said that was refused."""
    assert (done.code, done.out) == (1, ""), done
    return done.err


@contextmanager
def engine_at_a_port(host: str, known: bytes = b"-", told: bytes = b"-") -> Iterator[int]:
    """The engine at a port of the loopback, as `dockerd -H tcp://127.0.0.1` has it; the number of the port.

    The container that it knows by the id `known` is one of the id `told` to who asks there.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as server:
        server.bind((host, 0))
        server.listen()

        def serve() -> None:
            while True:
                try:
                    asking, _ = server.accept()
                except OSError:
                    return
                with asking, socket.socket(socket.AF_UNIX) as engine:
                    engine.connect(ENGINE)
                    engine.sendall(asking.recv(1 << 16).replace(told, known))
                    answer = b"".join(iter(lambda: engine.recv(1 << 16), b""))
                    asking.sendall(answer.replace(known, told))

        threading.Thread(target=serve, daemon=True).start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)


def test_name_as_inspect_has_it(container: Callable[..., Container], bridge: Callable[..., str]) -> None:
    """`docker inspect -f {{.Name}}` puts a slash in front of the name; every verb takes it so."""
    guest = container()
    line = (bridge(), f"/{guest.name}", ADDRESS)
    assert run_pipework(*line) == (0, "", "")
    assert guest.addresses("eth1") == [ADDRESS]
    assert run_pipework("--replace", *line) == (0, "", "")
    assert guest.name in run_pipework("ls", f"/{guest.name}").out
    assert run_pipework("route", f"/{guest.name}", "add", "10.9.0.0/16", "dev", "eth1") == (0, "", "")
    assert "dev eth1" in guest.run("ip", "route", "show", "10.9.0.0/16")
    assert run_pipework("del", f"/{guest.name}") == (0, "", "")
    assert guest.link("eth1") is None


def test_path_that_is_a_file_stays_one(guest_ns: Callable[[], NamedNamespace], bridge: Callable[..., str]) -> None:
    """A path of a namespace is no container's name."""
    guest = guest_ns()
    assert run_pipework(bridge(), f"/run/netns/{guest.name}", ADDRESS) == (0, "", "")
    assert guest.addresses("eth1") == [ADDRESS]


@pytest.mark.parametrize(
    ("guest", "told"), [("/pwnobody", "no file /pwnobody, looked among"), ("/run/pwnobody", "netns")]
)
def test_neither_file_nor_name(
    engine: None, bridge: Callable[..., str], host_unchanged: Unchanged, guest: str, told: str
) -> None:
    """What is neither is refused with both places in which it was looked for."""
    assert told in told_by(run_pipework(bridge(), guest, ADDRESS))


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost", "[::1]"])
def test_engine_of_the_loopback(container: Callable[..., Container], bridge: Callable[..., str], name: str) -> None:
    """An engine at a port of the loopback is this machine's."""
    guest = container()
    with engine_at_a_port("::1" if ":" in name else "127.0.0.1") as port:
        environment = {"DOCKER_HOST": f"tcp://{name}:{port}"}
        assert run_pipework(bridge(), guest.name, ADDRESS, env=environment) == (0, "", "")
    assert guest.addresses("eth1") == [ADDRESS]


@pytest.mark.parametrize("variable", ["DOCKER_TLS", "DOCKER_TLS_VERIFY"])
def test_engine_that_wants_tls(bridge: Callable[..., str], host_unchanged: Unchanged, variable: str) -> None:
    """One that wants TLS is refused with the socket to name instead."""
    environment = {"DOCKER_HOST": "tcp://127.0.0.1:2376", variable: "1"}
    said = told_by(run_pipework(bridge(), "web", ADDRESS, env=environment))
    assert "DOCKER_HOST=tcp://127.0.0.1:2376 wants TLS" in said
    assert "DOCKER_HOST=unix:///var/run/docker.sock" in said


def test_engine_that_is_not_there(bridge: Callable[..., str], host_unchanged: Unchanged) -> None:
    """Where nobody listens at that port, there is no engine."""
    said = told_by(run_pipework(bridge(), "docker:web", ADDRESS, env={"DOCKER_HOST": "tcp://127.0.0.1:1"}))
    assert "nobody listens at 127.0.0.1:1" in said


@pytest.mark.parametrize(
    ("address", "asked"),
    [
        ("tcp://127.0.0.1", "127.0.0.1:2375"),
        ("127.0.0.1:1", "127.0.0.1:1"),
        ("tcp://127.0.0.5:1/", "127.0.0.5:1"),
        ("tcp://Localhost:1", "127.0.0.1:1"),
        ("tcp://:1", "127.0.0.1:1"),
        ("tcp://", "127.0.0.1:2375"),
        (" tcp://[::1]:1 ", "[::1]:1"),
    ],
)
def test_ways_to_write_the_loopback(
    bridge: Callable[..., str], host_unchanged: Unchanged, address: str, asked: str
) -> None:
    """The loopback can be written in all the ways that `docker` takes."""
    said = told_by(run_pipework(bridge(), "docker:web", ADDRESS, env={"DOCKER_HOST": address}))
    assert f"nobody listens at {asked}\n" in said


@pytest.mark.parametrize(
    ("address", "told"),
    [
        ("tcp://127.0.0.1:99999", "names no port: the last is 65535"),
        ("tcp://127.0.0.1.example.org:2375", "is another machine"),
        ("tcp://localhost:docker", "is another machine"),
        ("tcp://\udcff:2375", "is another machine"),
    ],
)
def test_address_of_no_use(bridge: Callable[..., str], host_unchanged: Unchanged, address: str, told: str) -> None:
    """What only looks like an address of the loopback is refused."""
    assert told in told_by(run_pipework(bridge(), "docker:web", ADDRESS, env={"DOCKER_HOST": address}))


def test_others_beside_an_engine_elsewhere(
    podman: Callable[..., PodmanContainer], lxc: Callable[..., LxcContainer], bridge: Callable[..., str]
) -> None:
    """That Docker's engine is another machine's is no reason not to find the guests of podman and LXC."""
    for guest in (podman(), lxc()):
        assert run_pipework(bridge(), guest.name, ADDRESS, env=ELSEWHERE) == (0, "", "")
        assert guest.addresses("eth1") == [ADDRESS]


@pytest.mark.parametrize("guest", ["pwnobody", "docker:pwnobody"])
def test_nobody_beside_an_engine_elsewhere(bridge: Callable[..., str], host_unchanged: Unchanged, guest: str) -> None:
    """A name that nobody here knows may be that engine's: it is what is told."""
    said = told_by(run_pipework(bridge(), guest, ADDRESS, env=ELSEWHERE))
    assert "DOCKER_HOST=tcp://192.0.2.1:2375 is another machine" in said
    assert "or unset DOCKER_HOST" in said


def test_neither_file_nor_name_beside_an_engine_elsewhere(
    bridge: Callable[..., str], host_unchanged: Unchanged
) -> None:
    """All places are told in which a name was looked for, and why Docker was not asked."""
    said = told_by(run_pipework(bridge(), "/pwnobody", ADDRESS, env=ELSEWHERE))
    assert "no file /pwnobody, " in said
    assert "is another machine" in said
    assert "looked among the containers of podman, lxc" in said


def test_context_that_is_in_use(
    container: Callable[..., Container], bridge: Callable[..., str], tmp_path: Path
) -> None:
    """The engine is that of the context in use, as `docker` has it; DOCKER_CONTEXT and DOCKER_HOST go before it."""
    guest, name = container(), bridge()
    here = docker_context(tmp_path, "here", f"unix://{ENGINE}")
    assert run(*("env", f"DOCKER_CONFIG={tmp_path}", "docker", "context", "show")).strip() == "here"
    assert run_pipework(name, guest.name, ADDRESS, env=here) == (0, "", "")
    nowhere = docker_context(tmp_path, "nowhere", "unix:///nonexistent/docker.sock")
    line = (name, "-i", "eth2", f"docker:{guest.name}", "192.168.2.1/24")
    assert "nobody listens at /nonexistent/docker.sock" in told_by(run_pipework(*line, env=nowhere))
    assert run_pipework(*line, env={**nowhere, "DOCKER_CONTEXT": "here"}) == (0, "", "")
    line = (name, "-i", "eth3", f"docker:{guest.name}", "192.168.3.1/24")
    assert run_pipework(*line, env={**nowhere, "DOCKER_HOST": f"unix://{ENGINE}"}) == (0, "", "")


@pytest.mark.parametrize(
    ("name", "host", "told"),
    [
        ("far", "ssh://root@192.0.2.1", "context far of Docker (ssh://root@192.0.2.1) is another machine"),
        ("", "", "there is no context missing of Docker"),
    ],
)
def test_context_that_is_of_no_use(
    bridge: Callable[..., str], host_unchanged: Unchanged, tmp_path: Path, name: str, host: str, told: str
) -> None:
    """Another machine's context, and one that is not there, are told with the way back."""
    environment = docker_context(tmp_path, name, host) if name else {"DOCKER_CONTEXT": "missing"}
    said = told_by(run_pipework(bridge(), "docker:web", ADDRESS, env=environment))
    assert told in said
    assert "docker context use default" in said


@pytest.mark.parametrize("named", ['{"currentContext": ""}', '{"currentContext": null}', "{}"])
def test_no_context_in_use(
    container: Callable[..., Container], bridge: Callable[..., str], tmp_path: Path, named: str
) -> None:
    """Where config.json names no context, and DOCKER_HOST no socket, the engine is the one at the default socket."""
    guest, name = container(), bridge()
    (tmp_path / "config.json").write_text(named)
    assert run_pipework(name, guest.name, ADDRESS, env={"DOCKER_CONFIG": str(tmp_path)}) == (0, "", "")
    line = (name, "-i", "eth2", guest.name, "192.168.2.1/24")
    assert run_pipework(*line, env={"DOCKER_HOST": "unix://"}) == (0, "", "")


def test_context_of_a_user_without_home(
    bridge: Callable[..., str], engine: None, host_unchanged: Unchanged, tmp_path: Path
) -> None:
    """The context is that of $HOME; a service without HOME has its user's."""
    docker_context(tmp_path / ".docker", "far", "ssh://root@192.0.2.1")
    name = bridge()
    assert "context far of Docker" in told_by(run_pipework(name, "docker:web", ADDRESS, env={"HOME": str(tmp_path)}))
    said = told_by(run_pipework(name, "docker:pwnobody", ADDRESS, on=("env", "-u", "HOME")))
    assert "docker knows no pwnobody" in said


def test_context_that_is_no_name(bridge: Callable[..., str], host_unchanged: Unchanged, tmp_path: Path) -> None:
    """A context in config.json that is no text is told by the file's path."""
    (tmp_path / "config.json").write_text('{"currentContext": 3}')
    said = told_by(run_pipework(bridge(), "web", ADDRESS, env={"DOCKER_CONFIG": str(tmp_path)}))
    assert f"{tmp_path}/config.json cannot be read: currentContext is no name" in said


def test_broken_file_of_docker(bridge: Callable[..., str], host_unchanged: Unchanged, tmp_path: Path) -> None:
    """A broken config.json is told by its path."""
    (tmp_path / "config.json").write_text("{")
    said = told_by(run_pipework(bridge(), "web", ADDRESS, env={"DOCKER_CONFIG": str(tmp_path)}))
    assert f"{tmp_path}/config.json cannot be read" in said


def test_container_without_cgroups(podman: Callable[..., PodmanContainer], bridge: Callable[..., str]) -> None:
    """A container that is in no cgroup of its own is one all the same, and found by its name."""
    guest = podman("--cgroups=disabled")
    assert guest.id not in Path(f"/proc/{guest.pid}/cgroup").read_text()
    assert run_pipework(bridge(), guest.name, ADDRESS) == (0, "", "")
    assert guest.addresses("eth1") == [ADDRESS]
    assert run_pipework("del", guest.name) == (0, "", "")


def test_number_of_another_machines_process(
    container: Callable[..., Container], bridge: Callable[..., str], host_unchanged: Unchanged
) -> None:
    """A port of the loopback may lead to another machine's engine (ssh -L), whose process numbers are not ours."""
    guest, name = container(), bridge()
    host_unchanged()
    with engine_at_a_port("127.0.0.1", guest.id.encode(), b"e" * 64) as port:
        said = told_by(run_pipework(name, guest.name, ADDRESS, env={"DOCKER_HOST": f"tcp://127.0.0.1:{port}"}))
    assert f"container {guest.name} has ended" in said
    assert guest.link("eth1") is None


@pytest.mark.usefixtures("official_image")
def test_client_of_a_context(container: Containers, dhcp_server: DhcpServer, nic: Nic, tmp_path: Path) -> None:
    """The client of ``dhcp:-f`` runs at the engine of the context, and ``del`` ends it there."""
    guest, socket_of = container(), tmp_path / "engine.sock"
    socket_of.touch()
    moved = f'mount --bind {ENGINE} {socket_of} && mount --bind /dev/null {ENGINE} && exec "$@"'
    there = ("unshare", "--mount", "sh", "-c", moved, "sh")
    environment = docker_context(tmp_path, "moved", f"unix://{socket_of}")
    assert run_pipework(nic.name, guest.name, "dhcp:-f", env=environment, on=there) == (0, "", "")
    assert dhcp_server.first in guest.run("ip", "-4", "addr", "show", "eth1")
    assert run_pipework("del", guest.name, env=environment, on=there) == (0, "", "")
    assert eventually(lambda: dhcp_server.count("DHCPRELEASE") == 1)

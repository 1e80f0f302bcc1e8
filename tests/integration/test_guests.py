"""Guests of every runtime: how they are found, what is refused, who is meant by a name that two runtimes know."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Callable, Union

import pytest

from tests.lab.command import PACKAGE, Result, run_patiently, run_pipework
from tests.lab.engine import IMAGE, Container, docker
from tests.lab.guest import Guest, fresh_name, need, run
from tests.lab.hooked import process_in
from tests.lab.lxc import LxcContainer
from tests.lab.netns import NamedNamespace
from tests.lab.podman import PODMAN_SOCKET, PodmanContainer, podman_service
from tests.lab.snapshot import Unchanged

pytestmark = pytest.mark.docker

AnyContainer = Union[Container, PodmanContainer, LxcContainer]
Starter = Callable[..., AnyContainer]
Bridges = Callable[..., str]
Namespaces = Callable[[], NamedNamespace]

ADDRESS = "192.168.1.1/24"
RUNTIMES = ("docker", "podman", "lxc")
STOP = {
    "docker": ("docker", "stop", "-t", "0"),
    "podman": ("podman", "stop", "-t", "0"),
    "lxc": ("lxc-stop", "-k", "-n"),
}
START = {"docker": ("docker", "start"), "podman": ("podman", "start"), "lxc": ("lxc-start", "-d", "-n")}
PID = {
    "docker": ("docker", "inspect", "--format", "{{.State.Pid}}"),
    "podman": ("podman", "inspect", "--format", "{{.State.Pid}}"),
    "lxc": ("lxc-info", "-p", "-H", "-n"),
}
NOBODY = {"DOCKER_HOST": "unix:///nonexistent/docker.sock"}

every_runtime = pytest.mark.parametrize("runtime", RUNTIMES)


@pytest.fixture
def start(container: Starter, podman: Starter, lxc: Starter) -> Callable[..., AnyContainer]:
    """A factory of running guests: start("lxc", name="web")."""
    starters = {"docker": container, "podman": podman, "lxc": lxc}
    return lambda runtime, **options: starters[runtime](**options)


def refused(done: Result, *told: str) -> None:
    """Assert a refusal: exit 1, nothing on stdout, one message on stderr with these words in it."""
    assert (done.code, done.out) == (1, "")
    assert done.err.startswith("pipework: ")
    assert "Traceback" not in done.err
    assert [words for words in told if words not in done.err] == [], done.err


def wired(guest: Guest) -> bool:
    """Tell whether the guest has got the link and the address that these tests ask for."""
    return guest.link("eth1") is not None and guest.addresses("eth1") == [ADDRESS]


@every_runtime
@pytest.mark.parametrize("prefixed", [True, False], ids=["prefixed", "plain"])
def test_wired_and_reached(start: Starter, guest_ns: Namespaces, bridge: Bridges, runtime: str, prefixed: bool) -> None:
    """A container of each runtime, with its prefix or without, gets its link and reaches its neighbour both ways."""
    guest, neighbour, name = start(runtime), guest_ns(), bridge()
    word = f"{runtime}:{guest.name}" if prefixed else guest.name
    assert run_pipework(name, word, f"{ADDRESS}@192.168.1.2") == (0, "", "")
    assert run_pipework(name, neighbour.spec, "192.168.1.2/24") == (0, "", "")
    assert wired(guest)
    assert [route["gateway"] for route in guest.ip("-j", "route", "show", "default")] == ["192.168.1.2"]
    port = run("ip", "-d", "link", "show", "dev", f"veth1pl{guest.pid}")
    assert f"master {name}" in port
    assert f"alias pipework {name} {runtime}:{guest.name} eth1" in port
    assert guest.ping("192.168.1.2")
    assert neighbour.ping("192.168.1.1")


@every_runtime
def test_verb_runs_in_the_guest(start: Starter, runtime: str) -> None:
    """route, rule and tc find the guests of every runtime."""
    guest = start(runtime)
    done = run_pipework("route", f"{runtime}:{guest.name}", "add", "blackhole", "192.0.2.0/24")
    assert done == (0, "", "")
    assert "blackhole 192.0.2.0/24" in guest.run("ip", "route", "show")


@every_runtime
def test_stopped_is_refused(start: Starter, bridge: Bridges, host_unchanged: Unchanged, runtime: str) -> None:
    """A stopped container is refused after its three seconds, with the command that starts it; nothing changes."""
    guest = start(runtime)
    run(*STOP[runtime], guest.name)
    host_unchanged()
    began = time.monotonic()
    done = run_pipework(bridge(), guest.name, ADDRESS)
    refused(done, f"container {guest.name} is not running", "Start it: ", guest.name)
    assert time.monotonic() - began > 3


@every_runtime
def test_starting_is_waited_for(start: Starter, bridge: Bridges, runtime: str) -> None:
    """A container that starts a moment after pipework has begun is wired."""
    guest = start(runtime)
    run(*STOP[runtime], guest.name)
    later = threading.Timer(1.0, run, (*START[runtime], guest.name))
    later.start()
    done = run_patiently(bridge(), f"{runtime}:{guest.name}", ADDRESS)
    later.join()
    assert done == (0, "", "")
    pid = run(*PID[runtime], guest.name).strip()
    assert wired(Guest(guest.name, f"/proc/{pid}/ns/net"))


@every_runtime
def test_paused_is_wired(start: Starter, bridge: Bridges, runtime: str) -> None:
    """A container that is paused has its network all the same."""
    guest = start(runtime)
    pause, resume = {
        "docker": (("docker", "pause"), ("docker", "unpause")),
        "podman": (("podman", "pause"), ("podman", "unpause")),
        "lxc": (("lxc-freeze", "-n"), ("lxc-unfreeze", "-n")),
    }[runtime]
    run(*pause, guest.name)
    try:
        assert run_pipework(bridge(), guest.name, ADDRESS) == (0, "", "")
    finally:
        run(*resume, guest.name)
    assert wired(guest)


def test_unknown_lists_where_it_looked(engine: None, bridge: Bridges, host_unchanged: Unchanged) -> None:
    """A name that nobody knows is refused with the list of the runtimes that were asked; nothing changes."""
    done = run_pipework(bridge(), "pwnobody", ADDRESS)
    refused(done, "no guest pwnobody", "docker, podman, lxc", "docker ps", "podman ps", "lxc-ls", "netns:NAME")
    assert "not here" not in done.err


@every_runtime
def test_unknown_with_prefix(engine: None, bridge: Bridges, host_unchanged: Unchanged, runtime: str) -> None:
    """A prefix asks its runtime alone."""
    refused(run_pipework(bridge(), f"{runtime}:pwnobody", ADDRESS), f"{runtime} knows no pwnobody")


@pytest.mark.parametrize(("runtime", "other"), [("docker", "podman"), ("podman", "lxc"), ("lxc", "docker")])
def test_prefix_asks_no_other(
    start: Starter, bridge: Bridges, host_unchanged: Unchanged, runtime: str, other: str
) -> None:
    """A container of one runtime is not found under another's prefix."""
    guest = start(runtime)
    host_unchanged()
    refused(run_pipework(bridge(), f"{other}:{guest.name}", ADDRESS), f"{other} knows no {guest.name}")


def test_runtimes_that_are_not_here(bridge: Bridges, host_unchanged: Unchanged, tmp_path: Path) -> None:
    """Where a runtime is missing the refusal says so instead of having looked there; its prefix says how to get it."""
    bare = {**NOBODY, "PATH": str(tmp_path)}
    done = run_pipework(bridge(), "pwnobody", ADDRESS, env=bare)
    refused(done, "there is no container runtime here (not here: docker, podman, lxc)", "netns:NAME")
    refused(run_pipework(bridge(), "docker:web", ADDRESS, env=bare), "nobody listens at /nonexistent/docker.sock")
    for runtime in ("podman", "lxc"):
        done = run_pipework(bridge(), f"{runtime}:web", ADDRESS, env=bare)
        refused(done, f"{runtime} is not installed", f"apt-get install {runtime}")
    (tmp_path / "lxc-info").symlink_to(need("lxc-info"))
    refused(run_pipework(bridge(), "pwnobody", ADDRESS, env=bare), "containers of lxc (not here: docker, podman)")


@pytest.mark.parametrize("runtime", ["podman", "lxc"])
def test_docker_is_not_needed(start: Starter, bridge: Bridges, runtime: str) -> None:
    """Guests of the others are found on a host where no Docker engine runs."""
    guest = start(runtime)
    assert run_pipework(bridge(), guest.name, ADDRESS, env=NOBODY) == (0, "", "")
    assert wired(guest)


@pytest.mark.parametrize(("first", "second"), [("docker", "podman"), ("docker", "lxc"), ("podman", "lxc")])
def test_same_name_in_two_runtimes(start: Starter, bridge: Bridges, first: str, second: str) -> None:
    """Of two containers of one name the earlier runtime's is meant; a prefix chooses the other."""
    one = start(first, name=fresh_name("pwtwin"))
    other = start(second, name=one.name)
    assert run_pipework(bridge(), one.name, ADDRESS) == (0, "", "")
    assert wired(one)
    assert other.link("eth1") is None
    assert run_pipework(bridge(), f"{second}:{one.name}", ADDRESS) == (0, "", "")
    assert wired(other)


def test_stopped_in_docker_but_running_elsewhere(start: Starter, bridge: Bridges, host_unchanged: Unchanged) -> None:
    """A name stays Docker's while Docker knows it: stopped there is refused, and the one that runs is named."""
    stopped = start("docker", name=fresh_name("pwtwin"))
    docker("stop", "-t", "0", stopped.name)
    running = start("podman", name=stopped.name)
    host_unchanged()
    done = run_pipework(bridge(), stopped.name, ADDRESS)
    refused(done, f"container {stopped.name} is not running", f"docker start {stopped.name}", f"podman:{stopped.name}")
    assert running.link("eth1") is None


@every_runtime
def test_digits_are_a_name(start: Starter, bridge: Bridges, runtime: str) -> None:
    """A name made of digits is a container's name, never a process id, even if a process has that id."""
    guest = start(runtime, name=str(os.getpid()))
    assert run_pipework(bridge(), guest.name, ADDRESS) == (0, "", "")
    assert wired(guest)


@pytest.mark.parametrize("name", ["-pwx", "--help", "-n", "pwé", "a:b", "pid:1", "pw$(id);x", "pw%20'\"*"])
def test_odd_names(start: Starter, bridge: Bridges, name: str) -> None:
    """LXC takes nearly any name: none is read as an option, a pattern, a prefix of others or a shell's line."""
    guest = start("lxc", name=name)
    assert run_pipework(bridge(), f"lxc:{name}", ADDRESS) == (0, "", "")
    assert wired(guest)


@pytest.mark.parametrize("runtime", [*RUNTIMES, ""])
@pytest.mark.parametrize("name", ["-x", "--all", "--version", "--latest", "..", "../lxc", "a/b", "*", "a\nb", "%2e"])
def test_odd_unknown_names(engine: None, bridge: Bridges, host_unchanged: Unchanged, runtime: str, name: str) -> None:
    """A word that is no container's name is unknown to each runtime, whatever it means to the runtime's program."""
    refused(run_pipework(bridge(), f"{runtime}:{name}" if runtime else name, ADDRESS), "no guest ")


@pytest.mark.parametrize(
    ("runtime", "options"), [("docker", {"net": "host"}), ("podman", {"net": "host"}), ("lxc", {"network": "none"})]
)
def test_host_network_is_refused(
    start: Starter, bridge: Bridges, host_unchanged: Unchanged, runtime: str, options: dict[str, str]
) -> None:
    """A container that shares the host's network is refused, with its runtime's way to another."""
    guest = start(runtime, **options)
    host_unchanged()
    done = run_pipework(bridge(), guest.name, ADDRESS)
    refused(done, "shares this host's network", "lxc.net.0.type" if runtime == "lxc" else "--net=none")


@pytest.mark.parametrize("way", ["id", "prefix"])
def test_podman_ids(podman: Starter, bridge: Bridges, way: str) -> None:
    """A podman container is found by its id and by an id prefix."""
    guest = podman()
    assert isinstance(guest, PodmanContainer)
    assert run_pipework(bridge(), guest.id if way == "id" else guest.id[:12], ADDRESS) == (0, "", "")
    assert wired(guest)


@pytest.fixture
def twins(podman: Starter) -> Iterator[str]:
    """A digit with which the ids of two podman containers begin."""
    seen: set[str] = set()
    names: list[str] = []
    first = ""
    try:
        while not first:
            names.append(fresh_name("pwid"))
            made = run("podman", "create", "--network=none", "--name", names[-1], IMAGE, "sleep", "1")[0]
            first = made if made in seen else ""
            seen.add(made)
        yield first
    finally:
        run("podman", "rm", "-f", *names)


@pytest.mark.parametrize("served", [True, False], ids=["socket", "program"])
def test_ambiguous_prefix(twins: str, bridge: Bridges, host_unchanged: Unchanged, served: bool) -> None:
    """An id prefix that two podman containers have is refused, whichever way podman was asked."""
    if served:
        with podman_service():
            done = run_pipework(bridge(), f"podman:{twins}", ADDRESS)
    else:
        done = run_pipework(bridge(), f"podman:{twins}", ADDRESS)
    refused(done, f"podman says of {twins}", "more than one", "podman ps --all")


def test_podman_by_its_socket(podman: Starter, bridge: Bridges, tmp_path: Path) -> None:
    """Where podman's API socket is, podman's program is not needed: running, stopped and unknown are told there."""
    guest, stopped = podman(), podman()
    run(*STOP["podman"], stopped.name)
    no_program = {**NOBODY, "PATH": str(tmp_path)}
    with podman_service():
        assert run_pipework(bridge(), guest.name, ADDRESS, env=no_program) == (0, "", "")
        refused(run_pipework(bridge(), f"podman:{stopped.name}", ADDRESS, env=no_program), "is not running (exited)")
        refused(run_pipework(bridge(), "pwnobody", ADDRESS, env=no_program), "of podman (not here: docker, lxc)")
    assert wired(guest)


def test_podman_after_its_service(podman: Starter, bridge: Bridges) -> None:
    """A socket that a service has left behind does not keep podman's program from being asked."""
    guest = podman()
    PODMAN_SOCKET.parent.mkdir(exist_ok=True)
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(PODMAN_SOCKET))
    try:
        assert run_pipework(bridge(), guest.name, ADDRESS) == (0, "", "")
    finally:
        PODMAN_SOCKET.unlink()
    assert wired(guest)


@contextmanager
def answering(folder: Path, answer: bytes) -> Iterator[dict[str, str]]:
    """A socket that gives one answer to whatever is asked; comes back as the environment that names it."""
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(f"{folder}/sock")
        server.listen()

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(1 << 16)
                connection.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        yield {"DOCKER_HOST": f"unix://{folder}/sock"}
        thread.join()


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"HTTP/1.0 200 OK\r\n\r\n[]",
        b"HTTP/1.0 200 OK\r\n\r\n<html>",
        b"HTTP/1.0 500 Oops\r\n\r\n{}",
        b'HTTP/1.0 200 OK\r\n\r\n{"Id": "1", "Name": "/x", "State": {"Pid": "?"}}',
    ],
)
def test_not_an_engine(bridge: Bridges, host_unchanged: Unchanged, tmp_path: Path, answer: bytes) -> None:
    """Something else behind DOCKER_HOST is told as such, not as a fault of pipework."""
    with answering(tmp_path, answer) as environment:
        done = run_pipework(bridge(), "web", ADDRESS, env=environment)
    refused(done, "docker ")
    assert "fault of pipework" not in done.err


def test_number_of_another_process(
    guest_ns: Namespaces, bridge: Bridges, host_unchanged: Unchanged, tmp_path: Path
) -> None:
    """A process that has got the number of a container's first process meanwhile is not taken for the container."""
    bystander = guest_ns()
    host_unchanged()
    with process_in(bystander) as pid:
        told = {
            **{"Id": "f" * 64, "Name": "/web", "HostConfig": {"NetworkMode": "none"}},
            "State": {"Pid": pid, "Status": "running"},
        }
        answer = b"HTTP/1.0 200 OK\r\n\r\n" + json.dumps(told).encode()
        with answering(tmp_path, answer) as environment:
            done = run_pipework(bridge(), "web", ADDRESS, env=environment)
    refused(done, "container web has ended while pipework looked at it")
    assert bystander.link("eth1") is None


def test_docker_guest_loads_no_other_runtime(container: Starter) -> None:
    """Finding a Docker container loads neither the other runtimes nor what runs their programs."""
    code = (
        "import sys; from pipework import guests; guests.find(sys.argv[1]);"
        "print(*[n for n in sys.modules if n in sys.argv[2:]])"
    )
    unwanted = ["pipework.guests.podman", "pipework.guests.lxc", "pipework.kernel.programs", "subprocess"]
    told = subprocess.run(
        [sys.executable, "-c", code, container().name, *unwanted],
        cwd=PACKAGE.parent, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert told.stdout.split() == []

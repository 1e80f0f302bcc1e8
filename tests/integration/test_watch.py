"""watch keeps guests wired: of every runtime, at every start, whatever becomes of engines, file and daemon."""

from __future__ import annotations

import json
import signal
import sys
from pathlib import Path
from resource import RUSAGE_CHILDREN, getrusage
from typing import Callable

import psutil
import pytest

from tests.integration.conftest import tagged_rules
from tests.lab.command import run_pipework
from tests.lab.engine import Container, docker
from tests.lab.guest import HOST, SLOW, at_rest, eventually, fresh_name, run
from tests.lab.lxc import LxcContainer
from tests.lab.netns import NamedNamespace, named_namespace
from tests.lab.podman import PodmanContainer, podman_service
from tests.lab.watched import restart_dockerd, watching

Containers = Callable[..., Container]
Namespaces = Callable[[], NamedNamespace]
Bridge = Callable[..., str]
CROWD = 100


def wired() -> list[str]:
    """What ls tells of guests and addresses."""
    rows = json.loads(run_pipework("ls", "--json").out)
    return sorted(f"{row['runtime']}:{row['guest']} {row['ifname']} {' '.join(row['addresses'])}" for row in rows)


def becomes(*wires: str, patience: float = 60) -> bool:
    """Whether these come to be all that is wired."""
    return eventually(lambda: wired() == sorted(wires), patience * SLOW)


def test_start_and_restart(container: Containers, bridge: Bridge) -> None:
    """A container is wired whenever it starts, under the same MAC; a neighbour reaches it; its end is cleared up."""
    name, web, db = bridge(), fresh_name("pwc"), fresh_name("pwc")
    lines = f"{name} {web} 10.1.1.1/24@10.1.1.2 U:web", f"{name} docker:{db} 10.1.1.2/24"
    with watching(*lines) as watch:
        first, other = container(name=web), container(name=db)
        assert becomes(f"docker:{web} eth1 10.1.1.1/24", f"docker:{db} eth1 10.1.1.2/24"), watch.told()
        assert other.ping("10.1.1.1")
        for _ in range(2):
            docker("restart", "-t", "0", web)
            assert eventually(lambda: other.ping("10.1.1.1")), watch.told()
        line = f"+ {name} {web} 10.1.1.1/24@10.1.1.2 U:web\n"
        assert watch.says(line, 3) and watch.told().count(line) == 3, watch.told()
        docker("rm", "-f", first.name, other.name)
        assert becomes()
        assert eventually(lambda: not tagged_rules(name)), watch.told()
        assert watch.end() == 0
        assert watch.told().endswith("ended\n") and "pipework: " not in watch.told(), watch.told()


def test_every_runtime(
    container: Containers,
    podman: Callable[..., PodmanContainer],
    lxc: Callable[..., LxcContainer],
    bridge: Bridge,
) -> None:
    """Those that start later are wired, whoever runs them and however the line names them; those that run, at once."""
    name, there, later = bridge(), container(), fresh_name("pwns")
    names = {"docker": fresh_name("pwc"), "podman": fresh_name("pwpod"), "lxc": fresh_name("pwlxc")}
    guests = [there.id[:20], names["docker"], f"podman:{names['podman']}", names["lxc"], f"/run/netns/{later}"]
    with watching(*(f"{name} {guest} 10.1.1.{number}/24" for number, guest in enumerate(guests, 1))) as watch:
        wires = [f"docker:{there.name} eth1 10.1.1.1/24"]
        assert becomes(*wires), watch.told()
        container(name=names["docker"])
        podman(name=names["podman"])
        lxc(names["lxc"])
        wires += [
            f"{runtime}:{guest} eth1 10.1.1.{number}/24" for number, (runtime, guest) in enumerate(names.items(), 2)
        ]
        HOST.run("ip", "netns", "add", later)
        try:
            wires += [f"netns:/run/netns/{later} eth1 10.1.1.5/24"]
            assert becomes(*wires), (wired(), watch.told())
            assert there.ping("10.1.1.5")
        finally:
            HOST.run("ip", "netns", "del", later)


def test_podmans_server(podman: Callable[..., PodmanContainer], bridge: Bridge) -> None:
    """Where podman listens that is asked; when it comes back after having gone, what was missed is made up for."""
    name, web, db = bridge(), fresh_name("pwpod"), fresh_name("pwpod")
    lines = f"{name} {web} 10.1.1.1/24", f"{name} {db} 10.1.1.2/24"
    with podman_service() as server, watching(*lines) as watch:
        podman(name=web)
        assert becomes(f"podman:{web} eth1 10.1.1.1/24"), watch.told()
        server.kill()
        server.wait()
        assert watch.says("podman has gone")
        podman(name=db)
        assert becomes(f"podman:{web} eth1 10.1.1.1/24", f"podman:{db} eth1 10.1.1.2/24"), watch.told()
        children = Path(f"/proc/{watch.process.pid}/task/{watch.process.pid}/children")
        (events,) = at_rest(lambda: children.read_text().split())  # the last line's process may be about to end
        assert watch.end() == 0
        assert eventually(lambda: not Path(f"/proc/{events}").exists())


def test_engine_restarted(container: Containers, bridge: Bridge) -> None:
    """Docker is restarted, and with it its containers: they are wired again."""
    name, web = bridge(), fresh_name("pwc")
    with watching(f"{name} {web} 10.1.1.1/24 U:web") as watch:
        container("--restart=always", name=web)
        assert becomes(f"docker:{web} eth1 10.1.1.1/24"), watch.told()
        restart_dockerd()
        assert watch.says("docker has gone") and watch.says("docker is there")
        assert watch.says(f"+ {name} {web}", 2), watch.told()
        assert becomes(f"docker:{web} eth1 10.1.1.1/24"), watch.told()


def test_many_at_once(container: Containers, bridge: Bridge) -> None:
    """All of them restarted at once: each is wired, and nothing else changes."""
    name, names = bridge(), [fresh_name("pwc") for _ in range(CROWD)]
    lines = [f"{name} {guest} 10.1.1.{number}/24 U:{guest}" for number, guest in enumerate(names, 1)]
    wires = [f"docker:{guest} eth1 10.1.1.{number}/24" for number, guest in enumerate(names, 1)]
    with watching(*lines) as watch:
        for guest in names:
            container(name=guest)
        assert becomes(*wires, patience=300), watch.told()
        docker("restart", "-t", "0", *names, timeout=600 * SLOW)
        assert becomes(*wires, patience=300), watch.told()
        assert watch.says(f"+ {name} ", 2 * CROWD)
        assert "pipework: " not in watch.told(), watch.told()
        done = run_pipework("apply", str(watch.file))
        assert done.out == f"{CROWD} lines: {CROWD} as asked, 0 made, 0 replaced, 0 removed, 0 skipped, 0 failed\n", (
            done
        )


def test_file_edited(guest_ns: Namespaces, bridge: Bridge) -> None:
    """What is written into the file holds from then on; a wrong line is told, and the former lines stay in force."""
    name, one, other = bridge(), guest_ns(), guest_ns()
    with watching(f"{name} {one.spec} 10.1.1.1/24") as watch:
        assert becomes(f"{one.spec} eth1 10.1.1.1/24"), watch.told()
        watch.write(f"{name} {one.spec} 10.1.1.9/24", f"{name} {other.spec} 10.1.1.2/24")
        wires = [f"{one.spec} eth1 10.1.1.9/24", f"{other.spec} eth1 10.1.1.2/24"]
        assert becomes(*wires), watch.told()
        watch.write(f"{name} {one.spec} 10.1.1.9/24", f"{name} {other.spec} 10.1.1.2")
        assert watch.says("wiring:2: ADDRESS 10.1.1.2 has no netmask") and watch.says("the lines stay as they were")
        assert run_pipework("del", other.spec).code == 0
        watch.process.send_signal(signal.SIGHUP)
        assert watch.says("the lines stay as they were", 2)
        watch.file.unlink()
        assert watch.says("the lines stay as they were", 3)
        watch.write(f"{name} {other.spec} 10.1.1.2/24")
        assert becomes(*wires), watch.told()
        assert run_pipework("del", other.spec).code == 0
        watch.process.send_signal(signal.SIGHUP)
        assert becomes(*wires), watch.told()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_started_again(number: int, bridge: Bridge) -> None:
    """What it has wired stays when it ends, however, but no program; what it has missed meanwhile is made up for."""
    name = bridge()
    with named_namespace() as one, named_namespace() as other:
        lines = [f"{name} {guest.spec} 10.1.1.{place}/24" for place, guest in enumerate((one, other), 1)]
        wires = [f"{guest.spec} eth1 10.1.1.{place}/24" for place, guest in enumerate((one, other), 1)]
        with watching(*lines) as watch:
            assert becomes(*wires), watch.told()
            tellers = [one for one in psutil.Process(watch.process.pid).children() if one.name() == "podman"]
            assert len(tellers) == 1
            assert watch.end(number) == (-number if number == signal.SIGKILL else 0)
            assert not psutil.wait_procs(tellers, timeout=5 * SLOW)[1]
            assert wired() == sorted(wires)
            assert run_pipework("del", other.spec).code == 0
            watch.start()
            assert becomes(*wires), watch.told()


def test_lines_that_cannot_be(guest_ns: Namespaces, bridge: Bridge) -> None:
    """A line that fails is told with its place, and the others are done."""
    name, one, other = bridge(create=True), guest_ns(), guest_ns()
    lines = f"nothere0 {one.spec} 10.1.1.1/24", f"{name} {other.spec} 10.1.1.2/24", f"{name} nobody 10.1.1.3/24"
    with watching(*lines) as watch:
        assert becomes(f"{other.spec} eth1 10.1.1.2/24"), watch.told()
        assert watch.says("wiring:1: this host has no interface nothere0")
        assert "nobody" not in watch.told()


@pytest.mark.parametrize("text", ["br1 x", "br1 web 10.1.1.1", "ls"])
def test_wrong_file(text: str, tmp_path: Path) -> None:
    """A file with a wrong line is refused before anything is done; so is one that is not there, and standard input."""
    (tmp_path / "wiring").write_text(text)
    done = run_pipework("watch", str(tmp_path / "wiring"))
    assert done.code == 1 and f"{tmp_path}/wiring:1: " in done.err, done
    assert run_pipework("watch", str(tmp_path / "none")).code == 1
    assert "FILE '-' cannot be read again" in run_pipework("watch", "-").err


def test_engine_that_cannot_be_asked(guest_ns: Namespaces, bridge: Bridge, monkeypatch: pytest.MonkeyPatch) -> None:
    """That is told, once; the guests of others are wired all the same."""
    name, guest = bridge(), guest_ns()
    monkeypatch.setenv("DOCKER_HOST", "tcp://192.0.2.1:2375")
    with watching(f"{name} {guest.spec} 10.1.1.1/24") as watch:
        assert becomes(f"{guest.spec} eth1 10.1.1.1/24"), watch.told()
        run("sleep", "3")
        assert watch.told().count("DOCKER_HOST=tcp://192.0.2.1:2375 is another machine") == 1, watch.told()


def test_idles(bridge: Bridge) -> None:
    """With nothing to do it takes next to nothing: in six seconds less than three bare interpreters, and 60 MB."""
    with watching(f"{bridge()} web 10.1.1.1/24") as watch:
        watch.says("watching")
        pid = watch.process.pid
        run("sleep", "2")
        before = _ran(pid)
        run("sleep", "6")
        told = _ran(pid) - before, min(_bare() for _ in range(5))
        assert told[0] < 3 * told[1], told
        memory = Path(f"/proc/{pid}/status").read_text().partition("VmRSS:")[2].split()[0]
        assert int(memory) < 60000


def _ran(pid: int) -> float:
    """For how many seconds it has had a processor."""
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e9


def _bare() -> float:
    """For how many seconds a bare interpreter has one: how fast that is differs."""
    before = getrusage(RUSAGE_CHILDREN)
    run(sys.executable, "-I", "-S", "-c", "pass")
    after = getrusage(RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

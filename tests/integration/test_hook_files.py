"""hook install, uninstall and status; and podman that runs what they write."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Callable

import pytest

from tests.lab.command import run_pipework
from tests.lab.engine import IMAGE
from tests.lab.guest import HOST, eventually, fresh_name, run
from tests.lab.hooking import FOLDER, hooked_podman, podman_looking_in
from tests.lab.one_engine import engine_telling
from tests.lab.podman import LIMITS, PodmanContainer, ensure_podman_image
from tests.lab.snapshot import snapshot

FILE, CDI = Path(FOLDER, "pipework.json"), Path("/etc/cdi/pipework.json")
Podman = Callable[..., PodmanContainer]
TOO_OLD = {"ServerVersion": "24.0.7"}
OFF = {"ServerVersion": "26.1.5+dfsg1", "CDISpecDirs": []}
ON = {"ServerVersion": "28.5.2", "CDISpecDirs": ["/etc/cdi", "/var/run/cdi"]}


@pytest.fixture
def looking() -> Iterator[None]:
    """podman looks where the administrator's hooks are."""
    with podman_looking_in():
        yield


def test_install_and_uninstall(looking: None, tmp_path: Path) -> None:
    """The files are written for each engine that is here, once; a rehearsal says how; taken back, nothing is left."""
    with engine_telling(tmp_path, ON) as env:
        planned = run_pipework("--dry-run", "hook", "install", env=env)
        assert planned.code == 0 and not FILE.exists() and not CDI.exists()
        done = run_pipework("hook", "install", "--allow", "eno1,eno2", env=env)
        assert (done.code, done.err) == (0, ""), done
        assert "--device pipework/net=wired" in done.out and "podman run --annotation pipework.1='br0 " in done.out
        hook = json.loads(FILE.read_text())["hook"]
        assert hook["args"] == ["pipework", "hook", "run", "--allow", "eno1,eno2", "podman"]
        written = FILE.read_text(), CDI.read_text()
        assert run_pipework("hook", "install", "--allow", "eno1,eno2", env=env).code == 0
        assert (FILE.read_text(), CDI.read_text()) == written
        assert run_pipework("hook", "install", env={**env, "PIPEWORK_FIREWALL": "off"}).code == 0
        assert "--allow" not in FILE.read_text() and '"PIPEWORK_FIREWALL=off"' in CDI.read_text()
        status = run_pipework("hook", "status", env=env)
        assert (
            status.code == 0 and f"podman: {FILE} runs {hook['path']}" in status.out and f"docker: {CDI}" in status.out
        )
        assert run_pipework("--dry-run", "hook", "uninstall") == (0, f"rm {FILE}\nrm {CDI}\n", "")
        assert run_pipework("hook", "uninstall", env=env) == (0, "", "")
    assert not FILE.exists() and not CDI.exists()
    for words in (["hook", "uninstall"], ["hook", "status"]):
        refusal = run_pipework(*words)
        assert (refusal.code, refusal.err) == (1, "pipework: no engine runs pipework\nType: pipework hook install\n")


def test_plan_can_be_typed(looking: None, tmp_path: Path) -> None:
    """What a rehearsal prints writes the same files."""
    with engine_telling(tmp_path, ON) as env:
        planned = run_pipework("--dry-run", "hook", "install", env=env).out
        run("sh", "-e", stdin=planned.encode())
        typed = FILE.read_text(), CDI.read_text()
        assert run_pipework("hook", "uninstall", env=env).code == 0
        assert run_pipework("hook", "install", env=env).code == 0
        assert (FILE.read_text(), CDI.read_text()) == typed
        assert run_pipework("hook", "uninstall", env=env).code == 0


@pytest.mark.parametrize(
    ("told", "said"),
    [
        (
            TOO_OLD,
            "Docker 24.0.7 takes no hooks: they come with 25.0\nWire its containers as they start: pipework watch",
        ),
        (
            OFF,
            'Docker 26.1.5+dfsg1 does not look for hooks in /etc/cdi\nWrite {"features": {"cdi": true}} into /etc/do',
        ),
    ],
)
def test_docker_without_hooks(told: dict[str, object], said: str, looking: None, tmp_path: Path) -> None:
    """A Docker that takes none is told, with what to do; podman's file is written all the same."""
    with engine_telling(tmp_path, told) as env:
        done = run_pipework("hook", "install", env=env)
        assert done.code == 0 and done.err.startswith(f"pipework: {said}"), done
        assert FILE.exists() and not CDI.exists()
        assert run_pipework("hook", "uninstall", env=env).code == 0


def test_anothers_file(looking: None, tmp_path: Path) -> None:
    """A file of that name that is another's is neither written nor removed; nothing else is written beside it."""
    CDI.parent.mkdir(exist_ok=True)
    CDI.write_text('{"cdiVersion": "0.5.0", "kind": "a/b", "devices": []}')
    try:
        with engine_telling(tmp_path, ON) as env:
            for words in ("install", "uninstall", "status"):
                done = run_pipework("hook", words, env=env)
                assert done.code == 1 and f"{CDI} is none of pipework's" in done.err, done
        assert '"a/b"' in CDI.read_text() and not FILE.exists()
    finally:
        CDI.unlink()


@pytest.mark.parametrize(
    "words", [["hook"], ["hook", "inst"], ["hook", "install", "--allow", "a/b"], ["hook", "a", "b"]]
)
def test_wrong_words(words: list[str]) -> None:
    """They are refused, and nothing is written."""
    done = run_pipework(*words)
    assert done.code == 1 and done.err.startswith("pipework: "), done
    assert not FILE.exists() and not CDI.exists()


def test_command_that_is_gone(looking: None) -> None:
    """status says that containers do not start any more, before somebody finds out."""
    assert run_pipework("hook", "install").code == 0
    FILE.write_text(FILE.read_text().replace('"path": "', '"path": "/not/there'))
    done = run_pipework("hook", "status")
    assert done.code == 1 and "is no program, so containers with lines do not start" in done.err
    assert run_pipework("hook", "install").code == 0
    assert run_pipework("hook", "status").code == 0
    assert run_pipework("hook", "uninstall").code == 0


@pytest.mark.parametrize("runtime", ["crun", "runc"])
@pytest.mark.parametrize("net", ["none", "bridge"])
def test_podman(runtime: str, net: str, engine: None, bridge: Callable[..., str]) -> None:
    """The first process finds its links at every start, also beside podman's own network; with the end all is gone."""
    ensure_podman_image()
    name, web = bridge(), fresh_name("pwpod")
    script = "ip addr; ip route; until ping -c 1 -W 1 192.168.1.1; do :; done; echo there; exec sleep 100000"
    start = [
        "podman",
        "--runtime",
        runtime,
        "run",
        "-d",
        "--name",
        web,
        f"--network={net}",
        "--cap-add=net_raw",
        *LIMITS,
    ]
    with hooked_podman():
        HOST.run("ip", "link", "add", name, "type", "bridge")
        HOST.run("ip", "addr", "add", "192.168.1.1/24", "dev", name)
        before = snapshot(HOST)
        try:
            lines = [f"pipework.2={name} 192.168.1.9/24@192.168.1.1 -i eth5 U:web", f"pipework.10={name} -i eth6 0/0"]
            run(*start, *(f"--annotation={line}" for line in lines), IMAGE, "sh", "-c", script)
            for starts in (1, 2):
                assert eventually(lambda starts=starts: podman_logs(web).count("there") == starts)  # type: ignore[misc]
                told = podman_logs(web).split("there")[starts - 1]
                assert "192.168.1.9/24" in told and "default via 192.168.1.1 dev eth5" in told and "eth6" in told
                assert wired_to(name) == [("podman", web, "eth5"), ("podman", web, "eth6")]
                run("podman", "--runtime", runtime, "restart", "-t", "0", web)
        finally:
            run("podman", "rm", "-f", "-t", "0", web)
        assert wired_to(name) == []
        assert eventually(lambda: not HOST.ip("-br", "link", "show", "master", name))
        if net == "none":
            assert snapshot(HOST)["firewall"] == before["firewall"]


@pytest.mark.parametrize("runtime", ["crun", "runc"])
def test_podman_refused(runtime: str, engine: None, bridge: Callable[..., str]) -> None:
    """A line that cannot be done keeps the container from starting; where the runtime does not say why, status does."""
    ensure_podman_image()
    name, web = bridge(create=True), fresh_name("pwpod")
    lines = [f"--annotation=pipework.1={name} 192.168.1.9/24", f"--annotation=pipework.2={name} 192.168.1.10"]
    words = [
        "podman",
        "--runtime",
        runtime,
        "run",
        "--rm",
        "--name",
        web,
        "--network=none",
        *LIMITS,
        *lines,
        IMAGE,
        "true",
    ]
    with hooked_podman():
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        assert done.returncode != 0 and ("192.168.1.10 has no netmask" in done.stderr) is (runtime == "runc"), done
        assert "pipework.2: ADDRESS 192.168.1.10 has no netmask" in run_pipework("hook", "status").out
    assert HOST.ip("-br", "link", "show", "master", name) == ""


def wired_to(bridge: str) -> list[tuple[str, str, str]]:
    """Whose links ls tells of, of those on a bridge."""
    rows = json.loads(run_pipework("ls", "--json").out)
    return [(row["runtime"], row["guest"], row["ifname"]) for row in rows if row["hostif"] == bridge]


def podman_logs(name: str) -> str:
    return run("podman", "logs", name)

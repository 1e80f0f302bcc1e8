"""A Docker engine and containers on it."""

from __future__ import annotations

import fcntl
import hashlib
import io
import json
import os
import signal
import subprocess
import tarfile
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Any, Callable

import pytest

from tests.lab.guest import SLOW, Guest, fresh_name, need, run

# A name of its own, so that no test hangs on what an image called busybox holds here.
IMAGE = "pipework-lab/busybox:latest"
OFFICIAL = "busybox:latest"  # what users, and pipework's own `dhcp`, call it
SETTINGS = '{"features": {"cdi": true}}'  # which is so by default from 28.2 on, and means nothing before 25.0
ACCOUNTS = "root:x:0:0:root:/root:/bin/sh\n"


def docker(*args: str, timeout: float = 180 * SLOW, **options: Any) -> str:
    """Run the docker command line."""
    return run("docker", *args, timeout=timeout, **options)


def _answers(address: str = "") -> bool:
    asked = ["docker", *(["--host", address] if address else []), "info", "--format", "{{.ServerVersion}}"]
    done = subprocess.run(asked, capture_output=True, timeout=60 * SLOW, check=False)
    return done.returncode == 0 and bool(done.stdout.strip())


def _forget_the_dead() -> None:
    """Remove pid files that name no engine: dockerd believes any live process of that pid to be one."""
    for file, program in (
        (Path("/run/docker.pid"), "dockerd"),
        (Path("/run/docker/containerd/containerd.pid"), "containerd"),
    ):
        if not file.exists():
            continue
        try:
            alive = Path("/proc", str(int(file.read_text())), "comm").read_text().strip()
        except (OSError, ValueError):
            alive = ""
        if alive != program:
            file.unlink()


@contextmanager
def _turn() -> Iterator[None]:
    """Start one engine after the other: of six at once on a full machine each may find its containerd too slow."""
    with Path(__file__).open(encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _comes_up(process: subprocess.Popen[bytes], address: str) -> bool:
    deadline = time.monotonic() + 60 * SLOW
    while not _answers(address):
        if process.poll() is not None or time.monotonic() > deadline:
            return False
        time.sleep(0.2)
    return True


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(30 * SLOW)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGKILL)
        process.wait()


@contextmanager
def running_engine() -> Iterator[None]:
    """Use the engine that answers; start one if none does, and stop that one at the end."""
    need("docker")
    if _answers():
        yield
        return
    with _engine([need("dockerd")], SETTINGS):
        yield


@contextmanager
def engine_on(host: Guest, folder: Path, **settings: Any) -> Iterator[str]:
    """An engine of that host alone, with settings and the lab's image; its address, as DOCKER_HOST has it."""
    places = {"data-root": f"{folder}/data", "exec-root": f"{folder}/exec", "pidfile": f"{folder}/pid"}
    address = f"unix://{folder}/docker.sock"
    told = json.dumps({**settings, **places, "hosts": [address]})
    with _engine(host.enter(need("dockerd")), told, address):
        docker("--host", address, "import", "-", IMAGE, stdin=_image_archive())
        yield address


@contextmanager
def _engine(command: Sequence[str], told: str, address: str = "") -> Iterator[None]:
    """An engine with settings, as its file has them."""
    with ExitStack() as stack:
        log = stack.enter_context(tempfile.NamedTemporaryFile("w+", prefix="pipework-dockerd-", suffix=".log"))
        settings = stack.enter_context(tempfile.NamedTemporaryFile("w", prefix="pipework-dockerd-", suffix=".json"))
        settings.write(told)
        settings.flush()
        stack.callback(_end, start_engine([*command, "--config-file", settings.name], log, address))
        yield


def start_engine(command: Sequence[str], log: IO[str], address: str = "") -> subprocess.Popen[bytes]:
    """Start one; when this returns it answers.

    dockerd waits 10 s for its containerd, whatever the machine has to do, and gives up: so it is tried three times.
    """
    with _turn():
        for _ in range(3):
            _forget_the_dead()
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
            if _comes_up(process, address):
                return process
            _end(process)
    raise RuntimeError("dockerd did not come up:\n" + Path(log.name).read_text()[-3000:])


def _image_archive() -> bytes:
    """A root file system as that of the official image: busybox, a name for each applet, accounts, and no script for
    its DHCP client.
    """
    busybox = need("busybox")
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for folder, mode in (("bin", 0o755), ("etc", 0o755), ("root", 0o700), ("tmp", 0o1777), ("var", 0o755)):
            entry = tarfile.TarInfo(folder)
            entry.type, entry.mode = tarfile.DIRTYPE, mode
            archive.addfile(entry)
        archive.add(os.path.realpath(busybox), "bin/busybox")
        for applet in run(busybox, "--list").split():
            if applet != "busybox":
                link = tarfile.TarInfo(f"bin/{applet}")
                link.type, link.linkname, link.mode = tarfile.LNKTYPE, "bin/busybox", 0o755
                archive.addfile(link)
        accounts = tarfile.TarInfo("etc/passwd")
        accounts.size = len(ACCOUNTS)
        archive.addfile(accounts, io.BytesIO(ACCOUNTS.encode()))
    return packed.getvalue()


def ensure_image() -> None:
    """Make the image if the engine has none; it is kept."""
    if not docker("images", "-q", IMAGE).strip():
        docker("import", "-", IMAGE, stdin=_image_archive())


class Container(Guest):
    """A running Docker container."""

    def __init__(self, name: str, ident: str, pid: int) -> None:
        super().__init__(name, f"/proc/{pid}/ns/net")
        self.id = ident
        self.pid = pid


@contextmanager
def started_container(name: str, *options: str, command: tuple[str, ...]) -> Iterator[Container]:
    """A container that runs the command, removed at the end."""
    docker("run", "-d", "--name", name, *options, IMAGE, *command)
    try:
        told = json.loads(docker("inspect", name))[0]
        yield Container(name, told["Id"], told["State"]["Pid"])
    finally:
        docker("rm", "-f", "-v", name, check=False)


def docker_context(folder: Path, name: str, host: str) -> dict[str, str]:
    """A context as `docker context create` makes it, in use; the environment in which `docker` finds it."""
    meta = folder / "contexts" / "meta" / hashlib.sha256(name.encode()).hexdigest()
    meta.mkdir(parents=True)
    told = {"Name": name, "Metadata": {}, "Endpoints": {"docker": {"Host": host, "SkipTLSVerify": False}}}
    (meta / "meta.json").write_text(json.dumps(told))
    (folder / "config.json").write_text(json.dumps({"currentContext": name}))
    return {"DOCKER_CONFIG": str(folder)}


@pytest.fixture(scope="session")
def engine() -> Iterator[None]:
    """The Docker engine, with the lab's image."""
    with running_engine():
        ensure_image()
        yield


@pytest.fixture(scope="session")
def official_image(engine: None) -> None:
    """The lab's image under the name of the official one; engines of tests are theirs alone."""
    docker("tag", IMAGE, OFFICIAL)


@pytest.fixture
def container(engine: None) -> Iterator[Callable[..., Container]]:
    """A factory of containers: container("--hostname=x", name="web", net="none", command=("sleep", "9"))."""
    with ExitStack() as made:

        def make(
            *options: str,
            name: str = "",
            net: str = "none",
            command: tuple[str, ...] = ("sleep", "100000"),
        ) -> Container:
            called = name or fresh_name("pwc")
            return made.enter_context(started_container(called, f"--net={net}", *options, command=command))

        yield make

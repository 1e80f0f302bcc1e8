"""pipework in a container that ends with the command: what it does on the host, and what it refuses there."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Callable

import pytest

from tests.integration.conftest import tagged_rules
from tests.lab.command import CHECKOUT, Result
from tests.lab.engine import Container, docker
from tests.lab.guest import HOST, SLOW
from tests.lab.netns import Nic
from tests.lab.tcp import reaches

pytestmark = pytest.mark.docker

IMAGE = "pipework-lab/one-shot:latest"
BUILD = CHECKOUT / "contrib" / "debian" / "make-deb"
RUN = "--volume=/run:/run"
NOTES = "--volume=/run/pipework:/run/pipework"
# As /usr/bin/pipework of the package has it, for Debian's Python.
START = """
import sys
sys.path += ["/opt/usr/lib/pipework", "/usr/lib/python3/dist-packages"]
sys.argv[:1] = ["pipework"]
from pipework.cli import main
main()
"""
SILENT = Result(0, "", "")
OneShot = Callable[..., Result]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The Debian package's files; and an image that borrows all else from this machine."""
    folder = tmp_path_factory.mktemp("one-shot")
    subprocess.run([BUILD, folder / "pipework.deb"], check=True)
    subprocess.run(["dpkg-deb", "--extract", folder / "pipework.deb", folder / "package"], check=True)
    root = folder / "root"
    for name in ("dev", "etc", "opt", "proc", "run", "sys", "tmp", "usr", "var"):
        (root / name).mkdir(parents=True)
    for name in ("bin", "sbin", "lib", "lib64"):
        (root / name).symlink_to(f"usr/{name}")
    (root / "var" / "run").symlink_to("../run")
    subprocess.run(["tar", "-C", root, "-cf", folder / "root.tar", "."], check=True)
    yield folder
    subprocess.run(["docker", "rmi", "--force", IMAGE], capture_output=True, check=False)


@pytest.fixture
def one_shot(engine: None, files: Path) -> OneShot:
    """Run pipework as `docker run --rm --net=host --pid=host ... pipework` does, with options of docker's first."""
    docker("import", str(files / "root.tar"), IMAGE)
    shared = ["/usr:/usr:ro", "/etc/alternatives:/etc/alternatives:ro", f"{files}/package:/opt:ro"]
    fixed = ["docker", "run", "--rm", "--net=host", "--pid=host", "--cap-add=NET_ADMIN", "--cap-add=SYS_ADMIN"]
    fixed += [f"--volume={one}" for one in (*shared, "/var/run/docker.sock:/var/run/docker.sock")]

    def run(options: tuple[str, ...], *words: str) -> Result:
        argv = [*fixed, *options, IMAGE, "/usr/bin/python3", "-I", "-S", "-c", START, *words]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=180 * SLOW, check=False)
        return Result(done.returncode, done.stdout, done.stderr)

    return run


def refusal(done: Result) -> str:
    """What was said by a command that has refused."""
    assert (done.code, done.out) == (1, ""), done
    return done.err


def test_wires_and_takes_back(
    one_shot: OneShot, container: Callable[..., Container], bridge: Callable[..., str]
) -> None:
    """Two guests reach each other past the host's firewall, ls lists them, and del takes all back."""
    name, guests = bridge(), [container(), container()]
    for guest, address in zip(guests, ("10.1.1.1/24", "10.1.1.2/24")):
        assert one_shot((RUN,), name, guest.name, address) == SILENT
    assert reaches(guests[0], guests[1], "10.1.1.2")
    assert len(tagged_rules(name)) == 1
    listed = one_shot((), "ls").out
    assert all(f"docker:{guest.name} " in listed for guest in guests)
    for guest in guests:
        assert one_shot((RUN,), "del", guest.name) == SILENT
        assert guest.link("eth1") is None
    assert tagged_rules(name) == []


def test_default_route_comes_back(
    one_shot: OneShot, container: Callable[..., Container], bridge: Callable[..., str]
) -> None:
    """A line that replaces one wants the folder where that is noted; then a second container brings the route back."""
    name, guest = bridge(), container(net="bridge")
    before = guest.ip("-j", "route", "show")
    line = (name, guest.name, "10.1.1.1/24@10.1.1.254")
    assert "docker run -v /run/pipework:/run/pipework ..." in refusal(one_shot((), *line))
    assert guest.ip("-j", "route", "show") == before
    assert one_shot((NOTES,), *line) == SILENT
    assert guest.ip("-j", "route", "show", "default")[0]["gateway"] == "10.1.1.254"
    for words in (("del", guest.name), ("gc",), ("--replace", *line)):
        assert "docker run -v /run/pipework:/run/pipework ..." in refusal(one_shot((), *words))
    assert one_shot((NOTES,), "del", guest.name) == SILENT
    assert guest.ip("-j", "route", "show") == before


def test_card_comes_home(one_shot: OneShot, container: Callable[..., Container], nic: Nic) -> None:
    """A card is not handed over where nobody could bring it home; with the folder it is, and comes home."""
    guest = container()
    line = ("--direct-phys", nic.name, guest.name, "10.4.1.1/24")
    assert "/run/pipework is this container's own" in refusal(one_shot((), *line))
    assert HOST.link(nic.name)
    assert one_shot((NOTES,), *line) == SILENT
    assert HOST.link(nic.name) is None
    assert one_shot((NOTES,), "del", guest.name) == SILENT
    assert HOST.link(nic.name)


@pytest.mark.parametrize("client", ["udhcpc-f", "dhclient-f", "dhcpcd"])
def test_client_that_would_end(client: str, one_shot: OneShot, container: Callable[..., Container], nic: Nic) -> None:
    """A client that stays would end with the container: it is refused, with what to write in its place."""
    guest = container()
    assert "Write dhcp:-f" in refusal(one_shot((RUN,), nic.name, guest.name, client))
    assert guest.link("eth1") is None


def test_ipv6_that_is_off(one_shot: OneShot, container: Callable[..., Container], bridge: Callable[..., str]) -> None:
    """Where the engine has switched IPv6 off and /proc/sys cannot be written, it says how it can; nothing is left."""
    name, guest = bridge(), container()
    guest.run("sysctl", "-qw", "net.ipv6.conf.default.disable_ipv6=1")
    line = (name, guest.name, "fd00:1::1/64")
    assert "--security-opt systempaths=unconfined" in refusal(one_shot((RUN,), *line))
    assert guest.link("eth1") is None
    assert one_shot((RUN, "--security-opt=systempaths=unconfined"), *line) == SILENT

"""pyroute2's message classes without its package: with every release that we admit, and where the trick fails."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Callable, NamedTuple

import pytest

from tests.lab.command import PACKAGE
from tests.lab.host import Host
from tests.lab.netns import NamedNamespace, Nic
from tests.lab.pyroute2_releases import Release, newest_release, oldest_release

__all__ = ["newest_release", "oldest_release"]

Namespaces = Callable[[], NamedNamespace]

RUN = """
import os, sys
sys.path[:0] = sys.argv[1:3]
before = sys.argv[3]
argv = sys.argv[4:]
if before:
    __import__(before)
real_exit, loaded = os._exit, set(sys.modules)
sys.addaudithook(lambda event, told: event == "import" and loaded.add(told[0]))
def told_exit(code):
    print("LOADED", *sorted(name for name in loaded if name.startswith(("pyroute2", "asyncio"))), file=sys.stderr)
    print("FROM", sys.modules["pipework.kernel.codec"]._base.__file__, file=sys.stderr, flush=True)
    real_exit(code)
os._exit = told_exit
from pipework.cli import main
main(argv)
"""


class Told(NamedTuple):
    """What a run said, and what it had loaded from where."""

    code: int
    err: str
    loaded: set[str]
    source: str


@pytest.fixture(params=["oldest", "newest"])
def release(request: pytest.FixtureRequest) -> Release:
    """Each end of what setup.cfg admits."""
    chosen = request.getfixturevalue(f"{request.param}_release")
    assert isinstance(chosen, Release)
    return chosen


@pytest.fixture
def needy(release: Release, tmp_path: Path) -> Release:
    """A release whose message classes want what the package's own __init__ does first."""
    package = tmp_path / "pyroute2"
    shutil.copytree(release.folder / "pyroute2", package, ignore=shutil.ignore_patterns("__pycache__"))
    init, netlink = package / "__init__.py", package / "netlink" / "__init__.py"
    init.write_text("initialised = True\n" + init.read_text())
    text = netlink.read_text()
    netlink.write_text(text.replace("\nimport ", "\nfrom pyroute2 import initialised\nimport ", 1))
    assert netlink.read_text() != text
    return Release(release.version, tmp_path)


def pipework(host: Host, release: Release, *words: str, before: str = "") -> Told:
    """Run pipework on a host with that release and the standard library alone."""
    folders = (str(release.folder), str(PACKAGE.parent))
    done = subprocess.run(
        host.argv(sys.executable, "-I", "-S", "-c", RUN, *folders, before, *words),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    *said, loaded, source = done.stderr.splitlines()
    assert loaded.startswith("LOADED"), done.stderr
    return Told(done.returncode, "\n".join(said), set(loaded.split()[1:]), source.split()[1])


def every_message(host: Host, guest: NamedNamespace, nic: Nic, release: Release) -> Told:
    """Wire a guest so that every kind of message is used both ways; check what comes of it."""
    gateway = pipework(host, release, "br0", guest.spec, "10.9.0.2/24@10.9.7.1", "02:00:00:00:09:02")
    assert (gateway.code, gateway.err) == (0, "")
    assert guest.addresses("eth1") == ["10.9.0.2/24"]
    assert guest.ip("-j", "addr", "show", "eth1")[0]["address"] == "02:00:00:00:09:02"
    assert guest.ip("-j", "addr", "show", "eth1")[0]["addr_info"][0]["broadcast"] == "10.9.0.255"
    routes = {(route["dst"], route.get("gateway"), route["dev"]) for route in guest.ip("-j", "route")}
    assert {("default", "10.9.7.1", "eth1"), ("10.9.7.1", None, "eth1")} <= routes

    other = pipework(host, release, nic.name, "-i", "lan0", guest.spec, "fd00:77::9/64@fd00:77::1")
    assert (other.code, other.err) == (0, "")
    assert guest.addresses("lan0") == ["fd00:77::9/64"]
    link = guest.link("lan0")
    assert link is not None and link["linkinfo"]["info_kind"] == "macvlan"
    assert guest.ping("fd00:77::1")

    # Refused by the kernel when the old default route is gone already: it comes back as it was.
    before = guest.ip("-j", "route"), guest.ip("-j", "link")
    refused = pipework(host, release, "br0", "-i", "eth2", guest.spec, "10.9.2.2/24@10.9.2.255")
    assert (refused.code, refused.err) == (
        2,
        "pipework: RTNETLINK answers: Invalid argument (Nexthop has invalid gateway)",
    )
    assert (guest.ip("-j", "route"), guest.ip("-j", "link")) == before
    return gateway


def test_works_without_the_package(
    host: Host, guest_ns: Namespaces, host_nic: Callable[[], Nic], release: Release
) -> None:
    """With the oldest and the newest release every message goes, and what the package brings along is not loaded."""
    told = every_message(host, guest_ns(), host_nic(), release)
    assert told.source.startswith(str(release.folder))
    assert "pyroute2.netlink.rtnl.ifinfmsg.plugins.vlan" in told.loaded
    assert not told.loaded & {"asyncio", "pyroute2.iproute", "pyroute2.ndb", "pyroute2.netlink.nlsocket"}


def test_falls_back_to_the_package(
    host: Host, guest_ns: Namespaces, host_nic: Callable[[], Nic], needy: Release
) -> None:
    """Where the message classes want the package's __init__, it runs, and all works as before."""
    told = every_message(host, guest_ns(), host_nic(), needy)
    assert told.source.startswith(str(needy.folder))
    assert "pyroute2.iproute" in told.loaded


def test_takes_a_package_that_is_loaded(host: Host, guest_ns: Namespaces, release: Release) -> None:
    """A program that has imported pyroute2 itself keeps its own, and so do we."""
    guest = guest_ns()
    told = pipework(host, release, "br0", guest.spec, "10.9.0.2/24", before="pyroute2")
    assert (told.code, told.err) == (0, "")
    assert "pyroute2.iproute" in told.loaded
    assert guest.addresses("eth1") == ["10.9.0.2/24"]


def test_leaves_the_package_importable(host: Host, release: Release) -> None:
    """A program that imports pyroute2 after us gets all of it."""
    program = (
        "import sys; sys.path[:0] = sys.argv[1:]; import pipework.kernel.codec\n"
        "from pyroute2 import IPRoute\n"
        "with IPRoute() as ipr: print(*(link.get_attr('IFLA_IFNAME') for link in ipr.get_links()))"
    )
    folders = (str(release.folder), str(PACKAGE.parent))
    assert host.run(sys.executable, "-I", "-S", "-c", program, *folders).split() == ["lo"]

"""route, rule and tc: the tool's own output, errors and exit status, in the guest's network namespace."""

from __future__ import annotations

import subprocess
from typing import Callable

import pytest

from tests.lab.command import Result, run_pipework
from tests.lab.engine import Container
from tests.lab.host import Host
from tests.lab.netns import NamedNamespace

Namespaces = Callable[[], NamedNamespace]
TOOLS = {"route": ["ip", "route"], "rule": ["ip", "rule"], "tc": ["tc"]}


@pytest.fixture
def wired(guest_ns: Namespaces) -> NamedNamespace:
    """A guest with a link to route over."""
    guest = guest_ns()
    guest.run("ip", "link", "add", "eth1", "type", "veth", "peer", "name", "far1")
    guest.run("ip", "link", "set", "eth1", "up")
    guest.run("ip", "addr", "add", "10.1.0.1/24", "dev", "eth1")
    return guest


@pytest.mark.parametrize(
    "words",
    [
        ["route", "show"],
        ["route", "show", "table", "all"],
        ["route", "get", "10.1.0.9"],
        ["route", "add", "10.2.0.0/16", "via", "192.0.2.1"],
        ["route", "add", "10.2.0.0/16", "nonsense"],
        ["route", "del", "10.99.0.0/16"],
        ["rule", "show"],
        ["rule", "add", "from", "nonsense"],
        ["rule", "del", "pref", "4711"],
        ["tc", "qdisc", "show", "dev", "eth1"],
        ["tc", "qdisc", "del", "dev", "eth1", "root"],
        ["tc", "qdisc", "show", "dev", "nothere"],
        ["tc", "-j", "qdisc", "show"],
        ["tc", "nonsense"],
    ],
    ids=" ".join,
)
def test_same_as_the_tool_itself(wired: NamedNamespace, words: list[str]) -> None:
    """Output, errors and exit status are those of the tool run in the namespace itself."""
    verb, *arguments = words
    itself = subprocess.run(wired.enter(*TOOLS[verb], *arguments), capture_output=True, text=True, check=False)
    assert run_pipework(verb, wired.spec, *arguments) == Result(itself.returncode, itself.stdout, itself.stderr)


def test_route_takes_effect(wired: NamedNamespace) -> None:
    """A route that is added is the guest's."""
    assert run_pipework("route", wired.spec, "add", "10.2.0.0/16", "via", "10.1.0.2") == (0, "", "")
    assert "10.2.0.0/16 via 10.1.0.2 dev eth1" in wired.run("ip", "route")


def test_rule_takes_effect(wired: NamedNamespace) -> None:
    """A rule that is added is the guest's."""
    assert run_pipework("rule", wired.spec, "add", "from", "10.1.0.1", "table", "77") == (0, "", "")
    assert "from 10.1.0.1 lookup 77" in wired.run("ip", "rule")


def test_tc_takes_effect(wired: NamedNamespace) -> None:
    """A queueing discipline that is added is the guest's."""
    words = ["qdisc", "add", "dev", "eth1", "root", "tbf", "rate", "1mbit", "burst", "32kbit", "latency", "400ms"]
    assert run_pipework("tc", wired.spec, *words) == (0, "", "")
    assert "tbf" in wired.run("tc", "qdisc", "show", "dev", "eth1")


@pytest.mark.docker
def test_container(container: Callable[..., Container]) -> None:
    """The guest may be a container, by name."""
    guest = container()
    assert run_pipework("route", guest.name, "show", "table", "local").code == 0
    assert run_pipework("route", guest.name, "add", "blackhole", "10.2.0.0/16") == (0, "", "")
    assert "blackhole 10.2.0.0/16" in guest.run("ip", "route")


@pytest.mark.parametrize("name", ["--all", "-4", "-batch"])
def test_guest_named_like_an_option(name: str) -> None:
    """A guest whose name starts with a dash is a name: an unknown guest, never an option of ours or of the tool."""
    done = run_pipework("route", name, "show")
    assert (done.code, done.out) == (1, "")
    assert f"no guest {name}" in done.err


def test_arguments_are_no_shell_words(wired: NamedNamespace) -> None:
    """Arguments reach the tool as they are, with spaces, quotes and dollars."""
    words = ("show", "$(touch /nothere)", "a b", "'")
    itself = subprocess.run(wired.enter("ip", "route", *words), capture_output=True, text=True, check=False)
    assert run_pipework("route", wired.spec, *words) == Result(itself.returncode, itself.stdout, itself.stderr)


def test_path_of_a_cron_job(wired: NamedNamespace) -> None:
    """The tool is found where administrators' programs are, too, which cron's PATH leaves out."""
    assert run_pipework("tc", wired.spec, "qdisc", "show", "dev", "lo", env={"PATH": "/usr/bin:/bin"}).code == 0


def test_unknown_guest() -> None:
    """A guest that nobody knows is refused with exit 1."""
    done = run_pipework("tc", "netns:pwnothere", "qdisc", "show")
    assert (done.code, done.out) == (1, "")
    assert "no guest netns:pwnothere" in done.err


def test_hostif_that_starts_like_a_verb(host: Host, guest_ns: Namespaces) -> None:
    """An interface of the host that is called like a verb is an interface."""
    host.run("ip", "link", "add", "route0", "type", "bridge")
    guest = guest_ns()
    assert host.pipework("route0", guest.spec, "192.168.1.1/24") == (0, "", "")
    assert guest.addresses("eth1") == ["192.168.1.1/24"]
    # without such an interface it is the verb
    assert run_pipework("route0", guest.spec, "show").code == 0

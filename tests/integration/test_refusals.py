"""Refusals: one clear message that says what to do, the right exit code, and nothing changed."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import time
from pathlib import Path
from typing import Callable

import pytest

from tests.lab.command import COMMAND, Result, run_patiently, run_pipework
from tests.lab.engine import Container, docker
from tests.lab.guest import SLOW, fresh_name
from tests.lab.host import Host, settle
from tests.lab.netns import NamedNamespace, Nic
from tests.lab.snapshot import Unchanged

Containers = Callable[..., Container]
Namespaces = Callable[[], NamedNamespace]
Nics = Callable[..., Nic]


def assert_refused(done: Result, *words: str, code: int = 1, lines: int = 2) -> None:
    """Nothing on stdout; on stderr what was refused, and at most what to do about it, with these words in it."""
    assert (done.code, done.out) == (code, ""), done
    assert done.err.startswith("pipework: "), done.err
    assert "Traceback" not in done.err
    assert "fault of pipework" not in done.err
    assert 1 <= len(done.err.splitlines()) <= lines, done.err
    for word in words:
        assert word in done.err, done.err


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["GUEST", "192.168.1.2/24@192.168.1.1/24"], ["gateway 192.168.1.1/24", "@192.168.1.1"]),
        (["GUEST", "192.168.1.2/24@nonsense"], ["gateway 'nonsense'"]),
        (["GUEST", "192.168.1.2/24@fd00::1"], ["gateway fd00::1", "IPv4"]),
        (["GUEST", "192.168.1.2/24@192.168.1.2"], ["gateway 192.168.1.2", "own address"]),
        (["GUEST", "192.168.1.2/24@224.0.0.1"], ["gateway 224.0.0.1"]),
        (["GUEST", "192.168.1.2/24@0.0.0.0"], ["gateway 0.0.0.0"]),
        (["GUEST", "192.168.1.2/24", "@00:11:22:33:44:50"], ["VLAN", "00:11:22:33:44:50"]),
        (["GUEST", "192.168.1.2"], ["netmask", "Maybe you meant 192.168.1.2/24"]),
        (["GUEST", "192.168.1.2@192.168.1.1"], ["netmask", "192.168.1.2/24@192.168.1.1"]),
        (["GUEST", "fd00::2"], ["netmask", "fd00::2/64"]),
        (["GUEST", "nonsense"], ["ADDRESS", "netmask"]),
        (["GUEST", "dhcpc"], ["ADDRESS", "udhcpc"]),
        (["GUEST", "192.168.1.256/24"], ["ADDRESS 192.168.1.256/24"]),
        (["GUEST", "192.168.1.2/33"], ["ADDRESS 192.168.1.2/33"]),
        (["GUEST", "192.168.1.2/255.0.255.0"], ["ADDRESS"]),
        (["GUEST", "192.168.1.2/24", "02:00:00"], ["MAC", "six octets"]),
        (["GUEST", "192.168.1.2/24", "02:00:00:00:00:zz"], ["MAC"]),
        (["GUEST", "192.168.1.2/24", "03:00:00:00:00:01"], ["MAC", "multicast"]),
        (["GUEST", "192.168.1.2/24", "U:"], ["U:"]),
        (["GUEST", "192.168.1.2/24", "02:00:00:00:00:01", "more"], ["more"]),
        (["GUEST", "192.168.1.2/24", "@0"], ["VLAN", "1 to 4094"]),
        (["GUEST", "192.168.1.2/24", "@4095"], ["VLAN", "1 to 4094"]),
        (["GUEST", "192.168.1.2/24", "@ten"], ["VLAN", "1 to 4094"]),
        (["-i", "a name", "GUEST", "192.168.1.2/24"], ["-i", "not a valid ifname"]),
        (["-i", "sixteen_letters_", "GUEST", "192.168.1.2/24"], ["-i", "not a valid ifname"]),
        (["-i", "a/b", "GUEST", "192.168.1.2/24"], ["-i", "not a valid ifname"]),
        (["-l", "sixteen_letters_", "GUEST", "192.168.1.2/24"], ["-l", "not a valid ifname"]),
        (["-a", "5", "GUEST", "192.168.1.2/24"], ["-a", "family"]),
        (["-a", "6", "GUEST", "192.168.1.2/24"], ["-a 6", "IPv4"]),
        (["-i", "eth1", "-i", "eth2", "GUEST", "192.168.1.2/24"], ["-i", "twice"]),
    ],
    ids=" ".join,
)
def test_malformed_line(host: Host, guest_ns: Namespaces, words: list[str], told: list[str]) -> None:
    """A word that cannot be meant is named, with the fix; the bridge that was missing is not made."""
    guest = guest_ns()
    watched = Unchanged(host), Unchanged(guest)
    done = host.pipework("br0", *(guest.spec if word == "GUEST" else word for word in words))
    assert_refused(done, *told)
    for one in watched:
        one.check()


@pytest.mark.parametrize(
    ("hostif", "told"),
    [
        ("eth0:3", ["alias", "eth0"]),
        ("nothere0", ["nothere0", "ip -br link"]),
        ("mac:02:00:00:00:fe:ed", ["no host interface matched"]),
        ("mac:nonsense", ["mac:nonsense"]),
        ("br-that-is-too-long", ["HOSTIF", "not a valid ifname"]),
        ("lo", ["lo"]),
        ("../br0", ["not a valid ifname"]),
    ],
)
@pytest.mark.parametrize("direct", [[], ["--direct-phys"]], ids=["", "direct"])
def test_bad_hostif(host: Host, guest_ns: Namespaces, direct: list[str], hostif: str, told: list[str]) -> None:
    """A HOSTIF that is no interface of this host, and no name to make one by, is refused."""
    guest = guest_ns()
    watched = Unchanged(host), Unchanged(guest)
    assert_refused(host.pipework(*direct, hostif, guest.spec, "192.168.1.2/24"), *told)
    for one in watched:
        one.check()


@pytest.mark.parametrize(
    "words",
    [[], ["br0"], ["br0", "GUEST"], ["br0", "-i"], ["br0", "-i", "eth2"], ["route"], ["route", "GUEST"]],
    ids=str,
)
def test_too_few_words(host: Host, guest_ns: Namespaces, words: list[str]) -> None:
    """Too few arguments: usage on stdout, what is missing on stderr, exit 1."""
    guest = guest_ns()
    done = host.pipework(*(guest.spec if word == "GUEST" else word for word in words))
    assert done.code == 1
    assert done.out.startswith("Usage: pipework ")
    assert done.err.startswith("pipework: ")
    assert "Traceback" not in done.err


@pytest.mark.docker
@pytest.mark.parametrize("guest", ["pwnothere", "--help-me", "a b", "../../etc", "x\x1b[31m", "netns:pwnothere",
                                   "/run/netns/pwnothere", "pid:4194303", "docker:pwnothere"])  # fmt: skip
def test_unknown_guest(engine: None, host: Host, guest: str) -> None:
    """A guest that nobody knows is refused by its name, without control characters, and no bridge is made."""
    watched = Unchanged(host)
    done = host.pipework("br0", guest, "192.168.1.2/24")
    assert_refused(done, "no guest", re.sub(r"\x1b.*", "", guest))
    assert "\x1b" not in done.err
    watched.check()


@pytest.mark.parametrize("guest", ["pid:nonsense", "pid:0", "pid:-1", "netns:", "netns:../x", "netns:.."])
def test_impossible_guest(host: Host, guest: str) -> None:
    """A guest that cannot be one is refused for what it is."""
    watched = Unchanged(host)
    assert_refused(host.pipework("br0", guest, "192.168.1.2/24"), guest)
    watched.check()


@pytest.mark.docker
def test_stopped_container(container: Containers, host: Host) -> None:
    """A container that does not run is refused after three seconds, with the command that starts it."""
    guest = container()
    docker("stop", "-t", "0", guest.name)
    watched = Unchanged(host)
    began = time.monotonic()
    done = host.pipework("br0", guest.name, "192.168.1.2/24")
    assert_refused(done, guest.name, "not running", f"docker start {guest.name}")
    assert time.monotonic() - began >= 3
    watched.check()


@pytest.mark.docker
def test_container_that_is_still_starting(container: Containers, host: Host) -> None:
    """A container that starts in time is waited for."""
    guest = container()
    docker("stop", "-t", "0", guest.name)
    starting = subprocess.Popen(["sh", "-c", f"sleep 1; docker start {guest.name}"], stdout=subprocess.DEVNULL)
    try:
        assert run_patiently("br0", guest.name, "192.168.1.2/24", on=host.argv()) == (0, "", "")
    finally:
        starting.wait(60 * SLOW)
    pid = docker("inspect", "--format={{.State.Pid}}", guest.name).strip()
    assert host.link(f"veth1pl{pid}")


@pytest.mark.docker
def test_guest_on_the_hosts_network(container: Containers) -> None:
    """A container started with --net=host has no network of its own: refused, and the host keeps its routes."""
    guest = container(net="host")
    done = run_pipework("brpwnothere", guest.name, "192.168.1.2/24@192.168.1.1")
    assert_refused(done, guest.name, "--net=none")
    assert not os.path.exists("/sys/class/net/brpwnothere")


@pytest.mark.docker
def test_guest_on_the_network_of_another_host(container: Containers, host: Host) -> None:
    """The same from inside another network namespace than the engine's, where the host's looks like a guest's."""
    guest, watched = container(net="host"), Unchanged(host)
    assert_refused(host.pipework("br0", guest.name, "192.168.1.2/24@192.168.1.1"), guest.name, "--net=none")
    watched.check()


@pytest.mark.parametrize("path", ["/etc/hostname", "/proc/self/ns/mnt", "/dev/null", "/", "/proc/self/ns/uts"])
def test_path_that_is_no_namespace(host: Host, path: str) -> None:
    """A path that is no network namespace is refused."""
    watched = Unchanged(host)
    assert_refused(host.pipework("br0", path, "192.168.1.2/24"), path, "not a network namespace")
    watched.check()


def test_path_of_a_fifo(host: Host, tmp_path: Path) -> None:
    """A path that would block whoever opens it is refused at once."""
    os.mkfifo(tmp_path / "fifo")
    assert_refused(
        host.pipework("br0", str(tmp_path / "fifo"), "192.168.1.2/24", timeout=30 * SLOW), "not a network namespace"
    )


def test_own_namespace(host: Host) -> None:
    """The host's own namespace by its path is refused, too."""
    watched = Unchanged(host)
    assert_refused(host.pipework("br0", host.spec, "192.168.1.2/24"), "this host's network")
    watched.check()


@pytest.mark.parametrize("docker_host", ["tcp://192.0.2.1:2375", "ssh://root@192.0.2.1"])
def test_docker_on_another_machine(host: Host, docker_host: str) -> None:
    """DOCKER_HOST that is another machine is refused: its containers cannot be wired from here."""
    watched = Unchanged(host)
    done = host.pipework("br0", "test1", "192.168.1.2/24", env={"DOCKER_HOST": docker_host})
    assert_refused(done, docker_host)
    watched.check()


def test_docker_host_without_engine(host: Host, tmp_path: Path) -> None:
    """A DOCKER_HOST socket that is not there knows no guest."""
    done = host.pipework("br0", "pwnothere", "192.168.1.2/24", env={"DOCKER_HOST": f"unix://{tmp_path}/nothere"})
    assert_refused(done, "no guest pwnothere")


def test_without_root(host: Host, guest_ns: Namespaces) -> None:
    """A user that may not wire is told in one line to use sudo."""
    guest = guest_ns()
    watched = Unchanged(host), Unchanged(guest)
    words = ["br0", guest.spec, "192.168.1.2/24"]
    unprivileged = ["setpriv", "--bounding-set=-all", "--inh-caps=-all", "--no-new-privs"]
    done = subprocess.run(host.argv(*unprivileged, *COMMAND, *words), capture_output=True, text=True, check=False)
    assert_refused(
        Result(done.returncode, done.stdout, done.stderr), "root", f"sudo pipework {' '.join(words)}", lines=1
    )
    for one in watched:
        one.check()


def test_kernel_refusal_in_its_own_words(host: Host, host_nic: Nics, guest_ns: Namespaces) -> None:
    """What only the kernel can refuse ends with its own words and exit 2, and nothing is left."""
    nic, guest = host_nic(), guest_ns()
    settle(host)
    watched = Unchanged(guest), Unchanged(host)
    done = host.pipework(nic.name, guest.spec, "192.168.77.9/24@192.168.77.255")
    assert_refused(done, "RTNETLINK answers: Invalid argument", "gateway", code=2)
    watched[0].check()
    guest.run("ip", "link", "add", "eth1", "type", "bridge")
    assert_refused(host.pipework("br0", guest.spec, "192.168.1.2/24"), "RTNETLINK answers: File exists", code=2)
    assert host.link("br0") is None


def test_local_name_of_another_link(host: Host, guest_ns: Namespaces) -> None:
    """-l that names a link of the host that is up, or no veth, is never taken away from it."""
    guest, name = guest_ns(), fresh_name("pwx")
    host.run("ip", "link", "add", name, "type", "bridge")
    watched = Unchanged(host), Unchanged(guest)
    done = host.pipework("br0", "-l", name, guest.spec, "192.168.1.2/24")
    assert_refused(done, "RTNETLINK answers: File exists", name, code=2)
    for one in watched:
        one.check()
    host.run("ip", "link", "set", name, "up")
    again = host.pipework("br0", "-l", name, guest.spec, "192.168.1.2/24")
    assert again == (1, f"Link {name} exists and is up\n", "")


def test_closed_output(host: Host, guest_ns: Namespaces) -> None:
    """A reader that has gone is no reason for a traceback."""
    guest = guest_ns()
    command = shlex.join(COMMAND)
    script = f"{command} 2>&1 >/dev/full | cat; {command} br0 {guest.spec} 10.0.0.1/24 >&-"
    done = subprocess.run(host.argv("sh", "-c", script), capture_output=True, text=True, check=False)
    assert "Traceback" not in done.stdout + done.stderr
    assert "Exception ignored" not in done.stdout + done.stderr
    assert guest.addresses("eth1") == ["10.0.0.1/24"]

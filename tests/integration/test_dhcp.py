"""DHCP: each client gets its lease from a real server, writes no file of the host and does not outlive its guest."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Callable

import psutil
import pytest
from docker.models.containers import Container as DockerContainer

from pipework.actions.base import Together
from pipework.actions.dhcp_container import (
    AwaitLeaseInContainer,
    Client,
    CreateClient,
    RemoveClient,
    StartClientInContainer,
)
from pipework.kernel.namespaces import Namespace
from tests.lab.command import COMMAND, run_pipework
from tests.lab.engine import IMAGE, OFFICIAL, Container, docker
from tests.lab.guest import HOST, SLOW, Guest, at_rest, eventually, run
from tests.lab.host import Host, settle
from tests.lab.lxc import LxcContainer
from tests.lab.netns import DhcpServer, NamedNamespace, Nic
from tests.lab.scenes import scene
from tests.lab.snapshot import diff, snapshot

Containers = Callable[..., Container]
Namespaces = Callable[[], NamedNamespace]

OF_HOST = ("udhcpc", "udhcpc-f", "dhclient", "dhclient-f", "dhcpcd")
CLIENTS = (*OF_HOST, "dhcp", "dhcp:-f")
STAYING = {"udhcpc-f": "udhcpc", "dhclient-f": "dhclient", "dhcpcd": "dhcpcd", "dhcp:-f": "udhcpc"}
WRITTEN = ("/etc", "/var/lib/dhcp", "/var/lib/dhcpcd", "/run/dhcpcd", "/run/resolvconf", "/run/systemd")


def inode(guest: Guest) -> int:
    """Return what tells the guest's network namespace apart."""
    return os.stat(str(guest.namespace)).st_ino


def processes(namespace: int) -> dict[int, str]:
    """Return the processes in a network namespace that are none of a container's own: pid and name."""
    found = {}
    for process in psutil.process_iter(["name"]):
        try:
            inside = os.stat(f"/proc/{process.pid}/ns/net").st_ino == namespace
        except OSError:
            continue
        if inside and process.info["name"] not in ("sleep", "init"):
            found[process.pid] = process.info["name"]
    return found


def host_files() -> dict[str, tuple[int, int]]:
    """Return size and time of change of every file that a DHCP client might write."""
    files = {}
    paths = [f"{folder}/{name}" for top in WRITTEN for folder, _, names in os.walk(top) for name in names]
    for path in [*paths, *map(str, Path("/run").glob("*.pid"))]:
        with suppress(FileNotFoundError):
            status = os.lstat(path)
            files[path] = (status.st_size, status.st_mtime_ns)
    return files


@pytest.fixture(autouse=True)
def image_of_dhcp(request: pytest.FixtureRequest) -> None:
    """The image that ``dhcp`` wants, where a test has an engine."""
    if request.node.get_closest_marker("docker"):
        request.getfixturevalue("official_image")


@pytest.fixture
def wired(request: pytest.FixtureRequest, nic: Nic, dhcp_server: DhcpServer, bridge: Callable[..., str]) -> str:
    """What the guest is plugged into: the NIC, or a bridge that has it as a port."""
    if request.param == "NIC":
        return nic.name
    name = bridge(create=True)
    HOST.run("ip", "link", "set", nic.name, "master", name)
    return name


@pytest.fixture
def machine_untouched() -> Iterator[None]:
    """No file that a client might write and not the host's name is another at the test's end."""
    before, name = host_files(), socket.gethostname()
    yield
    after = host_files()
    assert after == before, sorted(set(after.items()) ^ set(before.items()))
    assert socket.gethostname() == name


@pytest.mark.docker
@pytest.mark.parametrize("wired", ["NIC", "bridge"], indirect=True)
@pytest.mark.parametrize("client", CLIENTS)
def test_lease(
    client: str, wired: str, container: Containers, dhcp_server: DhcpServer, machine_untouched: None
) -> None:
    """Each client gets its guest a lease and a default route, under the guest's name, and says nothing."""
    guest = container()
    assert run_pipework(wired, guest.name, client) == (0, "", "")
    link = guest.link("eth1")
    assert link is not None
    [lease] = dhcp_server.leases()
    assert guest.addresses("eth1") == [f"{lease.address}/24"]
    assert (lease.mac, lease.hostname) == (link["address"], guest.name)
    [default] = guest.ip("-j", "route", "show", "default")
    assert (default["gateway"], default["dev"]) == (dhcp_server.gateway, "eth1")
    assert guest.ping(dhcp_server.gateway)


@pytest.mark.docker
def test_lease_had_between_two_looks(
    container: Containers, dhcp_server: DhcpServer, nic: Nic, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A client in a container that gets its lease and ends while it is being looked at has brought a lease."""
    guest = container()
    assert run_pipework(nic.name, guest.name, "0/0").code == 0
    reload = DockerContainer.reload

    def reload_late(client: DockerContainer) -> None:
        client.wait(timeout=60)
        reload(client)

    monkeypatch.setattr(DockerContainer, "reload", reload_late)
    with Namespace.open(str(guest.namespace)) as namespace:
        arguments = ("-i", "eth1", "-f", "-q", "-n")
        client = Client("", namespace, "eth1", guest.id, arguments, stays=False)
        steps = CreateClient(client), StartClientInContainer(client), AwaitLeaseInContainer(client, 30.0)
        Together((*steps, RemoveClient(client))).do()
    assert guest.addresses("eth1") == [f"{dhcp_server.leases()[0].address}/24"]


@pytest.mark.docker
@pytest.mark.parametrize("client", CLIENTS)
def test_mac_gets_its_reserved_lease(client: str, container: Containers, dhcp_server: DhcpServer, nic: Nic) -> None:
    """A MAC that was asked for gets the address that the server has reserved for it."""
    guest = container()
    assert run_pipework(nic.name, guest.name, client, dhcp_server.reserved_mac) == (0, "", "")
    assert guest.addresses("eth1") == [f"{dhcp_server.reserved_address}/24"]


@pytest.mark.docker
@pytest.mark.parametrize("client", CLIENTS)
def test_who_stays(client: str, container: Containers, dhcp_server: DhcpServer, nic: Nic) -> None:
    """Clients that renew stay as long as their guest; of the others nothing is left once the lease is had."""
    guest = container()
    namespace = inode(guest)
    assert run_pipework(nic.name, guest.name, client).code == 0
    if client in STAYING:
        assert STAYING[client] in processes(namespace).values()
    else:
        # who closes the announcement's socket is done within milliseconds
        assert eventually(lambda: not processes(namespace), 10 * SLOW), processes(namespace)
    docker("rm", "-f", guest.name)
    assert eventually(lambda: not processes(namespace)), processes(namespace)
    assert eventually(lambda: not docker("ps", "-aq", f"--filter=label=pipework.guest={guest.id}"))


@pytest.mark.docker
@pytest.mark.parametrize("client", STAYING)
def test_renewal(
    client: str, container: Containers, dhcp_server: DhcpServer, nic: Nic, machine_untouched: None
) -> None:
    """A client that stays renews the lease."""
    guest = container()
    assert run_pipework(nic.name, guest.name, client).code == 0
    acknowledged = dhcp_server.count("DHCPACK")
    if STAYING[client] == "udhcpc":  # heeds no T1; this is how it is told that it is time
        pid = next(pid for pid, name in processes(inode(guest)).items() if name == "udhcpc")
        os.kill(pid, signal.SIGUSR1)
    assert eventually(lambda: dhcp_server.count("DHCPACK") > acknowledged), dhcp_server.log.read_text()
    assert len(guest.addresses("eth1")) == 1


@pytest.mark.parametrize("client", ["udhcpc-f", "dhclient-f", "dhcpcd"])
def test_ends_with_its_link(client: str, guest_ns: Namespaces, dhcp_server: DhcpServer, nic: Nic) -> None:
    """A client that stays ends when its link is removed."""
    guest = guest_ns()
    assert run_pipework(nic.name, guest.spec, client).code == 0
    assert processes(inode(guest))
    guest.run("ip", "link", "del", "eth1")
    assert eventually(lambda: not processes(inode(guest))), processes(inode(guest))


def test_ends_with_its_namespace(guest_ns: Namespaces, dhcp_server: DhcpServer, nic: Nic) -> None:
    """A client that stays does not keep a namespace alive whose name has been removed."""
    guest = guest_ns()
    namespace = inode(guest)
    assert run_pipework(nic.name, guest.spec, "dhclient-f").code == 0
    HOST.run("ip", "netns", "del", guest.name)
    assert eventually(lambda: not processes(namespace)), processes(namespace)


@pytest.mark.parametrize("client", [client for client in STAYING if client != "dhcp:-f"])
def test_outlasts_the_mounts_of_its_command(client: str) -> None:
    """A client stays where the command had mounts of its own, as in ip netns exec and in a service of systemd."""
    with scene("lan", client) as taken:
        assert taken.host.pipework(*taken.words) == (0, "", "")
        there = processes(inode(taken.guest))
        time.sleep(1.5)
        assert processes(inode(taken.guest)).keys() >= there.keys()
        assert STAYING[client] in there.values()


def test_supervisor_killed(guest_ns: Namespaces, dhcp_server: DhcpServer, nic: Nic) -> None:
    """A client goes with the process that looks after it, even if that is killed."""
    guest = guest_ns()
    assert run_pipework(nic.name, guest.spec, "dhclient-f").code == 0

    def others() -> list[int]:
        return [pid for pid, name in processes(inode(guest)).items() if name != "dhclient"]

    assert eventually(lambda: len(others()) == 1), others()  # once the client's script has ended
    [supervisor] = others()
    os.kill(supervisor, signal.SIGKILL)
    assert eventually(lambda: not processes(inode(guest))), processes(inode(guest))


@pytest.mark.parametrize("client", ["udhcpc-f", "dhclient-f", "dhcpcd"])
def test_private_files(
    client: str, guest_ns: Namespaces, dhcp_server: DhcpServer, nic: Nic, machine_untouched: None
) -> None:
    """A client keeps what it writes to itself: the server's resolver is in its own resolv.conf, root's alone."""
    guest = guest_ns()
    assert run_pipework(nic.name, guest.spec, client).code == 0
    root = Path("/proc", str(min(at_rest(lambda: processes(inode(guest))))), "root")
    assert dhcp_server.nameserver in (root / "etc/resolv.conf").read_text()
    assert (root / "run/pipework").stat().st_mode & 0o777 == 0o700
    assert not os.path.exists("/run/pipework/etc")


def test_lxc(lxc: Callable[[], LxcContainer], dhcp_server: DhcpServer, nic: Nic) -> None:
    """An LXC container gets its lease, and its client ends with it."""
    guest = lxc()
    namespace = inode(guest)
    before = processes(namespace)
    assert run_pipework(nic.name, f"lxc:{guest.name}", "udhcpc-f") == (0, "", "")
    [lease] = dhcp_server.leases()
    assert guest.addresses("eth1") == [f"{lease.address}/24"]
    assert lease.hostname == guest.name
    assert "udhcpc" in set(processes(namespace).values()) - set(before.values())
    run("lxc-stop", "-n", guest.name, "-k")
    assert eventually(lambda: not processes(namespace)), processes(namespace)


def test_path_is_no_host_name(guest_ns: Namespaces, dhcp_server: DhcpServer, nic: Nic) -> None:
    """A guest that is told by the path of its namespace goes by the last part of it."""
    guest = guest_ns()
    assert run_pipework(nic.name, str(guest.namespace), "udhcpc").code == 0
    assert [lease.hostname for lease in dhcp_server.leases()] == [guest.name]


def test_options(guest_ns: Namespaces, dhcp_server: DhcpServer, nic: Nic) -> None:
    """What stands after the colon goes to the client."""
    guest = guest_ns()
    assert run_pipework(nic.name, guest.spec, "udhcpc:-V lunch -x 0x0c:6e6f6f6e").code == 0
    assert "vendor class: lunch" in dhcp_server.log.read_text()


@pytest.fixture
def still(host: Host, host_nic: Callable[..., Nic], machine_untouched: None) -> Iterator[Nic]:
    """A NIC of the throwaway host, all of which must be as before at the test's end."""
    nic = host_nic()
    before = snapshot(host)
    yield nic
    assert eventually(lambda: not diff(before, snapshot(host))), diff(before, snapshot(host))


@pytest.mark.docker
@pytest.mark.parametrize("client", CLIENTS)
def test_no_server(client: str, container: Containers, host: Host, still: Nic) -> None:
    """Without a server it fails in time, saying so, and guest and host are as before."""
    guest = container(net="bridge")
    settle(guest)
    namespace, before = inode(guest), snapshot(guest)
    began = time.monotonic()
    result = host.pipework(still.name, guest.name, client, env={"PIPEWORK_DHCP_TIMEOUT": "3"})
    assert time.monotonic() - began < 25 * SLOW
    assert (result.code, result.out) == (1, "")
    assert result.err.startswith("pipework: no DHCP server gave eth1 a lease within 3 s\n")
    assert diff(before, snapshot(guest)) == ""
    assert not processes(namespace)
    assert not docker("ps", "-aq", f"--filter=label=pipework.guest={guest.id}")


@pytest.mark.docker
@pytest.mark.parametrize("client", ["udhcpc", "dhclient-f", "dhcp", "dhcpcd"])
def test_lease_replaces_the_default_route(
    client: str, container: Containers, dhcp_server: DhcpServer, nic: Nic
) -> None:
    """The lease's default route takes the place of the one that the engine gave the guest."""
    guest = container(net="bridge")
    assert run_pipework(nic.name, guest.name, client) == (0, "", "")
    [default] = guest.ip("-j", "route", "show", "default")
    assert (default["gateway"], default["dev"]) == (dhcp_server.gateway, "eth1")


@pytest.mark.docker
@pytest.mark.parametrize("client", ["udhcpc-f", "dhclient", "dhcpcd"])
def test_del(client: str, container: Containers, dhcp_server: DhcpServer, nic: Nic) -> None:
    """With the wire goes its client, and the default route that the lease replaced comes back."""
    guest = container(net="bridge")
    before = guest.ip("-j", "route", "show")
    assert run_pipework(nic.name, guest.name, client) == (0, "", "")
    assert run_pipework("del", guest.name).code == 0
    assert guest.ip("-j", "route", "show") == before
    assert eventually(lambda: not processes(inode(guest))), processes(inode(guest))


@pytest.mark.docker
def test_lease_without_router(container: Containers, dhcp_server: DhcpServer, nic: Nic) -> None:
    """A lease without a router leaves the guest's default route what it was."""
    guest = container(net="bridge")
    before = guest.ip("-j", "route", "show", "default")
    assert run_pipework(nic.name, guest.name, "udhcpc:-o -O subnet") == (0, "", "")
    assert guest.addresses("eth1")
    assert guest.ip("-j", "route", "show", "default") == before


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signal_while_waiting(number: signal.Signals, guest_ns: Namespaces, host: Host, still: Nic) -> None:
    """A signal ends the waiting at once; the client is gone, guest and host are as before."""
    guest = guest_ns()
    before = snapshot(guest)
    with subprocess.Popen(host.argv(*COMMAND, still.name, guest.spec, "dhclient")) as process:
        assert eventually(lambda: "dhclient" in processes(inode(guest)).values())
        process.send_signal(number)
        assert process.wait(20 * SLOW) == 128 + number
    assert not processes(inode(guest))
    assert diff(before, snapshot(guest)) == ""


@pytest.mark.parametrize("client", ["udhcpc-f:-f", "dhclient-f:-d", "dhcpcd:-B"])
def test_foreground_holds_the_terminal(client: str, guest_ns: Namespaces, dhcp_server: DhcpServer, nic: Nic) -> None:
    """A client told to stay in the foreground holds the terminal; a signal ends it, and the lease stays."""
    guest = guest_ns()
    with subprocess.Popen([*COMMAND, nic.name, guest.spec, client]) as process:
        finished = f"pipework {nic.name} "  # as the link is marked then
        assert eventually(lambda: (guest.link("eth1") or {}).get("ifalias", "").startswith(finished))
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(2)
        process.send_signal(signal.SIGTERM)
        assert process.wait(20 * SLOW) == 0
    assert eventually(lambda: not processes(inode(guest)))
    assert guest.addresses("eth1")


@pytest.mark.parametrize("client", OF_HOST)
def test_dry_run(client: str, guest_ns: Namespaces, dhcp_server: DhcpServer, nic: Nic, machine_untouched: None) -> None:
    """The shell lines of a dry run get a lease under the guest's name, too, and write no file of the host either."""
    guest = guest_ns()
    lines = run_pipework("--dry-run", nic.name, guest.spec, client)
    assert (lines.code, lines.err) == (0, "")
    assert guest.link("eth1") is None
    run("sh", "-e", "-c", lines.out)
    [lease] = dhcp_server.leases()
    assert guest.addresses("eth1") == [f"{lease.address}/24"]
    assert lease.hostname == guest.name
    for pid, name in processes(inode(guest)).items():
        assert name in client
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


@pytest.mark.docker
def test_dry_run_in_a_container(container: Containers, dhcp_server: DhcpServer, nic: Nic) -> None:
    """The same of the client in a container, whose image has no script of its own."""
    guest = container()
    lines = run_pipework("--dry-run", nic.name, guest.name, "dhcp")
    assert (lines.code, lines.err) == (0, "")
    run("sh", "-e", "-c", lines.out)
    [lease] = dhcp_server.leases()
    assert guest.addresses("eth1") == [f"{lease.address}/24"]
    [default] = guest.ip("-j", "route", "show", "default")
    assert default["gateway"] == dhcp_server.gateway


@pytest.mark.parametrize("value", ["soon", "0", "-1", "nan", "inf"])
def test_bad_patience(value: str, guest_ns: Namespaces, host: Host, still: Nic) -> None:
    """A PIPEWORK_DHCP_TIMEOUT that is no number of seconds is refused by name."""
    guest = guest_ns()
    result = host.pipework(still.name, guest.spec, "udhcpc", env={"PIPEWORK_DHCP_TIMEOUT": value})
    assert (result.code, result.out) == (1, "")
    assert result.err.startswith(f"pipework: PIPEWORK_DHCP_TIMEOUT={value!r} is not a number of seconds\n")
    assert guest.link("eth1") is None


@pytest.mark.parametrize(
    ("client", "package"),
    [
        ("udhcpc", "udhcpc"),
        ("dhclient", "isc-dhcp-client (until Debian 13), or write udhcpc or dhcpcd"),
        ("dhcpcd", "dhcpcd-base"),
    ],
)
def test_client_not_installed(client: str, package: str, guest_ns: Namespaces, host: Host, still: Nic) -> None:
    """A client that is not installed is named, with the package that has it, and nothing is touched."""
    guest = guest_ns()
    hidden = f'mount --bind /dev/null "$(command -v {client})" && exec "$@"'
    told = [*COMMAND, still.name, guest.spec, client]
    argv = host.argv("sh", "-c", hidden, "sh", *told)  # in a mount namespace of its own
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"pipework: {client} is not installed\nInstall it: apt-get install {package}\n"
    assert guest.link("eth1") is None


def test_container_client_needs_a_container(guest_ns: Namespaces, host: Host, still: Nic) -> None:
    """``dhcp`` for a guest that is no Docker container is refused with what to write in its place."""
    guest = guest_ns()
    result = host.pipework(still.name, guest.spec, "dhcp")
    assert (result.code, result.out) == (1, "")
    assert "Write udhcpc in its place" in result.err
    assert guest.link("eth1") is None


@pytest.mark.docker
def test_image_missing(container: Containers, nic: Nic) -> None:
    """``dhcp`` without its image says how to get it, and touches nothing."""
    guest = container()
    docker("rmi", OFFICIAL)
    try:
        result = run_pipework(nic.name, guest.name, "dhcp")
    finally:
        docker("tag", IMAGE, OFFICIAL)
    assert (result.code, result.out) == (1, "")
    assert result.err == "pipework: the image busybox is not here\nGet it: docker pull busybox\n"
    assert guest.link("eth1") is None


@pytest.mark.docker
def test_container_client_needs_own_processes(container: Containers, nic: Nic) -> None:
    """``dhcp:-f`` for a guest in the host's process namespace is refused: nothing would end the client with it."""
    guest = container("--pid=host")
    result = run_pipework(nic.name, guest.name, "dhcp:-f")
    assert (result.code, result.out) == (1, "")
    assert "Use udhcpc-f" in result.err
    assert guest.link("eth1") is None

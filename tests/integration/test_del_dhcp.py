"""del where a DHCP client is at work: the lease is given back, and nothing of the client is left."""

from __future__ import annotations

from typing import Callable

import pytest

from tests.integration.test_dhcp import CLIENTS, STAYING, image_of_dhcp, inode, processes
from tests.lab.command import run_pipework
from tests.lab.engine import Container, docker
from tests.lab.guest import HOST, at_rest, eventually, run
from tests.lab.kept import cookie, notes
from tests.lab.netns import DhcpServer, NamedNamespace, Nic
from tests.lab.snapshot import diff, snapshot

__all__ = ["image_of_dhcp"]

Containers = Callable[..., Container]


def leases(server: DhcpServer) -> int:
    """Return how many leases are out."""
    return len(server.leases())


def lasting(namespace: int) -> dict[int, str]:
    """Return the processes there once none has come or gone for a second, helpers of a client included."""
    return at_rest(lambda: processes(namespace))


@pytest.mark.docker
@pytest.mark.parametrize("client", STAYING)
def test_lease_is_given_back(client: str, container: Containers, dhcp_server: DhcpServer, nic: Nic) -> None:
    """A client that stays gives its lease back and ends before its link goes; the guest is as before."""
    guest = container()
    before, namespace = snapshot(guest), inode(guest)
    assert run_pipework(nic.name, guest.name, client) == (0, "", "")
    assert leases(dhcp_server) == 1
    assert run_pipework("del", guest.name) == (0, "", "")
    assert not processes(namespace)
    assert eventually(lambda: dhcp_server.count("DHCPRELEASE") == 1)
    assert eventually(lambda: leases(dhcp_server) == 0)
    assert not diff(before, snapshot(guest))
    assert not docker("ps", "-aq", f"--filter=label=pipework.guest={guest.id}")


@pytest.mark.docker
@pytest.mark.parametrize("client", [client for client in CLIENTS if client not in STAYING])
def test_client_that_has_ended(client: str, container: Containers, dhcp_server: DhcpServer, nic: Nic) -> None:
    """Where no client stays there is nobody to give the lease back; the guest is as before."""
    guest = container()
    before = snapshot(guest)
    assert run_pipework(nic.name, guest.name, client) == (0, "", "")
    assert run_pipework("del", guest.name) == (0, "", "")
    assert not diff(before, snapshot(guest))


@pytest.mark.docker
@pytest.mark.parametrize("client", STAYING)
def test_lines_of_a_rehearsal(client: str, container: Containers, dhcp_server: DhcpServer, nic: Nic) -> None:
    """The lines that --dry-run prints give the lease back as well, and printing them does not."""
    guest = container()
    namespace = inode(guest)
    assert run_pipework(nic.name, guest.name, client) == (0, "", "")
    there = lasting(namespace)
    rehearsed = run_pipework("--dry-run", "del", guest.name)
    assert (rehearsed.code, rehearsed.err) == (0, "")
    assert lasting(namespace) == there
    assert leases(dhcp_server) == 1
    run("sh", "-e", stdin=rehearsed.out.encode())
    assert eventually(lambda: not processes(namespace))
    assert eventually(lambda: leases(dhcp_server) == 0)
    assert guest.link("eth1") is None


@pytest.mark.parametrize("client", ["udhcpc-f", "dhclient-f", "dhcpcd"])
def test_client_was_killed(
    client: str, guest_ns: Callable[[], NamedNamespace], dhcp_server: DhcpServer, nic: Nic
) -> None:
    """A client that somebody has killed is not waited for."""
    guest = guest_ns()
    assert run_pipework(nic.name, guest.spec, client) == (0, "", "")
    for pid in processes(inode(guest)):
        HOST.run("kill", "-9", str(pid), check=False)
    assert eventually(lambda: not processes(inode(guest)))
    assert run_pipework("del", guest.spec) == (0, "", "")
    assert guest.link("eth1") is None


def test_no_note_is_left(guest_ns: Callable[[], NamedNamespace], dhcp_server: DhcpServer, nic: Nic) -> None:
    """What was kept of the client is forgotten with it."""
    guest = guest_ns()
    assert run_pipework(nic.name, guest.spec, "-i", "lan7", "udhcpc-f").code != 0  # options stand before GUEST
    assert run_pipework(nic.name, "-i", "lan7", guest.spec, "udhcpc-f") == (0, "", "")
    assert [path.name.partition(".")[0] for path in notes(cookie(guest))].count("dhcp") == 1
    assert run_pipework("del", guest.spec, "-i", "lan7") == (0, "", "")
    assert eventually(lambda: notes(cookie(guest)) == [])

"""--direct-phys: the NIC itself moves to the guest, and comes back as it was when the run fails."""

from __future__ import annotations

from typing import Callable

import pytest

from tests.lab.engine import Container
from tests.lab.faults import NONE, breaking
from tests.lab.guest import fresh_name
from tests.lab.host import Host, settle
from tests.lab.netns import NamedNamespace, Nic
from tests.lab.scenes import furnish, links, scene
from tests.lab.snapshot import Unchanged

Namespaces = Callable[[], NamedNamespace]
Nics = Callable[..., Nic]


@pytest.mark.docker
def test_container_gets_the_nic(host: Host, host_nic: Nics, container: Callable[..., Container]) -> None:
    """The NIC has left the host, is the container's IFNAME, and reaches the far end of the cable."""
    nic, guest = host_nic(), container()
    there = host.link(nic.name)
    assert there is not None
    done = host.pipework("--direct-phys", nic.name, "-i", "n6", guest.name, "192.168.77.9/24@192.168.77.1")
    assert done == (0, "", "")
    assert host.link(nic.name) is None
    link = guest.link("n6")
    assert link is not None
    assert link["address"] == there["address"]
    assert guest.addresses("n6") == ["192.168.77.9/24"]
    assert guest.ping(nic.address)


def test_nic_by_mac(host: Host, host_nic: Nics, guest_ns: Namespaces) -> None:
    """mac:XX:.. names the NIC to move, too."""
    nic, guest = host_nic(), guest_ns()
    there = host.link(nic.name)
    assert there is not None
    done = host.pipework("--direct-phys", f"mac:{there['address']}", "-i", "n6", guest.spec, "192.168.77.9/24")
    assert done == (0, "", "")
    assert guest.ping(nic.address)


def test_mac_is_set(host: Host, host_nic: Nics, guest_ns: Namespaces) -> None:
    """A MAC that is given becomes the NIC's."""
    nic, guest = host_nic(), guest_ns()
    done = host.pipework("--direct-phys", nic.name, guest.spec, "192.168.77.9/24", "02:00:00:00:07:07")
    assert done == (0, "", "")
    link = guest.link("eth1")
    assert link is not None
    assert link["address"] == "02:00:00:00:07:07"
    assert guest.ping(nic.address)


def test_nic_that_is_down(host: Host, host_nic: Nics, guest_ns: Namespaces) -> None:
    """A NIC that was down is up in the guest."""
    nic, guest = host_nic(), guest_ns()
    host.run("ip", "link", "set", nic.name, "down")
    assert host.pipework("--direct-phys", nic.name, guest.spec, "192.168.77.9/24") == (0, "", "")
    assert guest.ping(nic.address, count=2)


def test_host_link_called_like_ifname(host: Host, host_nic: Nics, guest_ns: Namespaces) -> None:
    """The host's own eth1 is no obstacle to a guest's eth1."""
    host.run("ip", "link", "add", "eth1", "type", "bridge")
    nic, guest = host_nic(), guest_ns()
    assert host.pipework("--direct-phys", nic.name, guest.spec, "192.168.77.9/24") == (0, "", "")
    assert guest.ping(nic.address)


def test_option_behind_hostif(host: Host, host_nic: Nics, guest_ns: Namespaces) -> None:
    """--direct-phys may stand behind HOSTIF, and -l is accepted as in scripts."""
    nic, guest = host_nic(), guest_ns()
    done = host.pipework(nic.name, "--direct-phys", "-l", "ens4", guest.spec, "192.168.77.9/24")
    assert done == (0, "", "")
    assert host.link(nic.name) is None


def assert_comes_home(host: Host, nic: Nic, guest: NamedNamespace, address: str, told: str) -> None:
    """Hand the NIC over, which the kernel refuses at the last; host and guest are as they were."""
    watched = Unchanged(host), Unchanged(guest)
    done = host.pipework("--direct-phys", nic.name, guest.spec, address)
    assert (done.code, done.out) == (2, "")
    assert f"RTNETLINK answers: {told}" in done.err
    for one in watched:
        one.check()


def test_kernel_refuses_the_gateway(host: Host, host_nic: Nics, guest_ns: Namespaces) -> None:
    """A gateway that the kernel refuses brings the NIC back with MTU, addresses, routes and state; exit 2."""
    nic, guest = host_nic(), guest_ns()
    furnish(host, nic)
    assert_comes_home(host, nic, guest, "192.168.77.9/24@192.168.77.255", "")


def test_taken_ifname(host: Host, host_nic: Nics, guest_ns: Namespaces) -> None:
    """A guest that has IFNAME already leaves the NIC where it is; exit 2."""
    nic, guest = host_nic(), guest_ns()
    furnish(host, nic)
    guest.run("ip", "link", "add", "eth1", "type", "bridge")
    assert_comes_home(host, nic, guest, "192.168.77.9/24", "File exists")


def test_port_of_a_bridge_is_plugged_in_again(host: Host, host_nic: Nics, guest_ns: Namespaces) -> None:
    """A NIC that was a bridge's port is one again after a failing run."""
    nic, guest = host_nic(), guest_ns()
    host.run("ip", "link", "add", "lanbr", "type", "bridge")
    host.run("ip", "link", "set", "lanbr", "up")
    host.run("ip", "link", "set", nic.name, "master", "lanbr")
    settle(host)
    assert_comes_home(host, nic, guest, "192.168.77.9/24@192.168.77.255", "")


def test_nic_that_was_down_is_down_again(host: Host, host_nic: Nics, guest_ns: Namespaces) -> None:
    """A NIC that was down comes back down, with the addresses it had."""
    nic, guest = host_nic(), guest_ns()
    host.run("ip", "addr", "add", "192.168.77.2/24", "dev", nic.name)
    host.run("ip", "link", "set", nic.name, "down")
    watched = Unchanged(guest)
    assert host.pipework("--direct-phys", nic.name, guest.spec, "192.168.77.9/24@192.168.77.255").code == 2
    watched.check()
    link = host.link(nic.name)
    assert link is not None
    assert "UP" not in link["flags"]
    assert host.addresses(nic.name) == ["192.168.77.2/24"]


def test_mac_that_was_set_is_set_back(host: Host, host_nic: Nics, guest_ns: Namespaces) -> None:
    """A failing run gives the NIC its own MAC back."""
    nic, guest = host_nic(), guest_ns()
    furnish(host, nic)
    watched = Unchanged(host)
    words = ("--direct-phys", nic.name, guest.spec, "192.168.77.9/24@192.168.77.255", "02:00:00:00:07:07")
    assert host.pipework(*words).code == 2
    watched.check()


@pytest.mark.parametrize(
    ("address", "default"),
    [("192.168.77.2/24", "default via 192.168.77.1"), ("fd00:77::2/64", "-6 default via fd00:77::1")],
)
def test_nic_with_the_hosts_default_route(
    host: Host, host_nic: Nics, guest_ns: Namespaces, address: str, default: str
) -> None:
    """A NIC that carries the host's default route stays: moving it would cut the host off."""
    nic, guest = host_nic(), guest_ns()
    host.run("ip", "addr", "add", address, "dev", nic.name, *(["nodad"] if ":" in address else []))
    family = ["-6"] if default.startswith("-6") else []
    host.run("ip", *family, "route", "add", *default.replace("-6 ", "").split(), "dev", nic.name)
    settle(host)
    watched = Unchanged(host), Unchanged(guest)
    done = host.pipework("--direct-phys", nic.name, guest.spec, "192.168.77.9/24")
    assert (done.code, done.out) == (1, "")
    assert "default route" in done.err
    assert "without" in done.err.lower() or "leave out --direct-phys" in done.err.lower()
    for one in watched:
        one.check()


def test_default_route_with_two_next_hops(host: Host, host_nic: Nics, guest_ns: Namespaces) -> None:
    """A NIC that is one of the two ways out stays."""
    nic, other, guest = host_nic(), host_nic(), guest_ns()
    host.run("ip", "addr", "add", "192.168.77.2/24", "dev", nic.name)
    host.run("ip", "addr", "add", "192.168.78.2/24", "dev", other.name)
    hops = f"nexthop via 192.168.77.1 dev {nic.name} nexthop via 192.168.78.1 dev {other.name}"
    host.run("ip", "route", "add", "default", *hops.split())
    settle(host)
    watched = Unchanged(host)
    done = host.pipework("--direct-phys", nic.name, guest.spec, "192.168.77.9/24")
    assert (done.code, done.out) == (1, "")
    assert "default route" in done.err
    watched.check()


def test_default_route_over_a_bridge_of_the_nic(host: Host, host_nic: Nics, guest_ns: Namespaces) -> None:
    """A NIC under a bridge that carries the host's default route stays, too."""
    nic, guest, bridge = host_nic(), guest_ns(), fresh_name("lan")
    host.run("ip", "link", "add", bridge, "type", "bridge")
    host.run("ip", "link", "set", bridge, "up")
    host.run("ip", "link", "set", nic.name, "master", bridge)
    host.run("ip", "addr", "add", "192.168.77.2/24", "dev", bridge)
    host.run("ip", "route", "add", "default", "via", "192.168.77.1")
    settle(host)
    watched = Unchanged(host)
    done = host.pipework("--direct-phys", nic.name, guest.spec, "192.168.77.9/24")
    assert (done.code, done.out) == (1, "")
    assert "default route" in done.err
    watched.check()


def test_killed_twice() -> None:
    """Of a run that is killed where another to the same guest was, before the NIC had moved, gc brings it home."""
    with scene("direct-furnished", "v4-gateway") as taken, breaking(taken.host.argv()) as run:
        before = taken.state()
        for step in ("action MoveLink", "action NoteArrival"):
            assert run("KILL", step, taken.words).step == step
        assert links(taken.host) == []
        assert run(NONE, 0, ["gc"])[::2] == (0, "")
        assert taken.difference(before) == ""

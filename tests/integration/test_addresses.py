"""Addresses, default routes and announcements: what the guest has when the command returns, and who hears of it."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Callable, NamedTuple

import pytest

from tests.lab.command import capture
from tests.lab.engine import Container
from tests.lab.guest import Guest, eventually
from tests.lab.host import Host, settle
from tests.lab.netns import NamedNamespace, Nic
from tests.lab.scenes import online
from tests.lab.snapshot import Unchanged

Namespaces = Callable[[], NamedNamespace]
Nics = Callable[..., Nic]


def default_routes(guest: Guest, family: int = 4) -> list[dict[str, Any]]:
    """Return the guest's default routes."""
    return list(guest.ip("-j", f"-{family}", "route", "show", "default"))


def can_bind(guest: Guest, address: str) -> bool:
    """Tell whether a server in the guest may listen on an address right now."""
    serve = f"import socket; socket.socket(socket.AF_INET6).bind(('{address}', 7777))"
    return (
        subprocess.run(guest.enter(sys.executable, "-c", serve), stderr=subprocess.DEVNULL, check=False).returncode == 0
    )


def test_gateway_on_link(host: Host, host_nic: Nics, guest_ns: Namespaces) -> None:
    """A gateway becomes the default route out of IFNAME."""
    nic, guest = host_nic(), guest_ns()
    assert host.pipework(nic.name, guest.spec, "192.168.77.9/24@192.168.77.1") == (0, "", "")
    (route,) = default_routes(guest)
    assert (route["gateway"], route["dev"]) == ("192.168.77.1", "eth1")
    nic.lan.run("ip", "addr", "add", "10.99.0.1/32", "dev", "lo")
    assert guest.ping("10.99.0.1")


def test_gateway_off_link(host: Host, host_nic: Nics, guest_ns: Namespaces) -> None:
    """A gateway that no route reaches gets a host route to itself, and works."""
    nic, guest = host_nic(), guest_ns()
    nic.lan.run("ip", "addr", "add", "172.14.2.13/32", "dev", nic.far)
    nic.lan.run("ip", "route", "add", "172.14.2.73/32", "dev", nic.far)
    assert host.pipework(nic.name, guest.spec, "172.14.2.73/32@172.14.2.13") == (0, "", "")
    assert "172.14.2.13 dev eth1 scope link" in guest.run("ip", "route")
    (route,) = default_routes(guest)
    assert (route["gateway"], route["dev"]) == ("172.14.2.13", "eth1")
    assert guest.ping(nic.address)


def test_gateway_off_link_ipv6(host: Host, host_nic: Nics, guest_ns: Namespaces) -> None:
    """An IPv6 gateway off-link gets a /128, and works."""
    nic, guest = host_nic(), guest_ns()
    nic.lan.run("ip", "addr", "add", "fd00:88::1/128", "dev", nic.far, "nodad")
    nic.lan.run("ip", "-6", "route", "add", "fd00:77::9/128", "dev", nic.far)
    assert host.pipework(nic.name, guest.spec, "fd00:77::9/128@fd00:88::1") == (0, "", "")
    told = guest.ip("-j", "-6", "route", "show", "fd00:88::1")
    assert [(route["dst"], route["dev"]) for route in told] == [("fd00:88::1", "eth1")]
    (route,) = default_routes(guest, 6)
    assert (route["gateway"], route["dev"]) == ("fd00:88::1", "eth1")
    assert guest.ping("fd00:88::1")


def test_gateway_link_local(host: Host, host_nic: Nics, guest_ns: Namespaces) -> None:
    """A link-local IPv6 gateway needs no route to itself."""
    nic, guest = host_nic(), guest_ns()
    nic.lan.run("ip", "addr", "add", "fe80::1/64", "dev", nic.far, "nodad")
    assert host.pipework(nic.name, guest.spec, "fd00:77::9/64@fe80::1") == (0, "", "")
    (route,) = default_routes(guest, 6)
    assert (route["gateway"], route["dev"]) == ("fe80::1", "eth1")
    nic.lan.run("ip", "addr", "add", "fd00:99::1/128", "dev", "lo")
    assert eventually(lambda: nic.lan.ping("fd00:99::1"))  # the kernel takes a moment to know it for its own
    assert guest.ping("fd00:99::1")


def test_default_route_over_the_loopback(host: Host, host_nic: Nics, guest_ns: Namespaces) -> None:
    """One that another is to take the place of is named by its link, whichever that is."""
    nic, guest = host_nic(), guest_ns()
    guest.run("ip", "link", "set", "lo", "up")
    guest.run("ip", "route", "add", "default", "dev", "lo", "metric", "5")
    code, out, err = host.pipework("--dry-run", nic.name, guest.spec, "192.168.77.9/24@192.168.77.1")
    assert (code, err) == (0, "")
    assert "ip -4 route delete default dev lo metric 5" in out


@pytest.mark.parametrize(
    "before",
    [
        ["route add default via 172.30.0.1"],
        ["route add default via 172.30.0.1 metric 100", "route add default via 172.30.0.3 metric 200"],
        ["route add default nexthop via 172.30.0.1 dev eth0 nexthop via 172.30.0.3 dev eth0"],
        ["route add default dev eth0"],
        ["route add default via 172.30.0.1 src 172.30.0.2 mtu 1300"],
        ["route add unreachable default metric 4278198272"],
    ],
    ids=["one", "two", "multipath", "without gateway", "with mtu", "unreachable"],
)
@pytest.mark.parametrize("gateway", ["192.168.77.1", "192.168.77.255"], ids=["replaced", "refused"])
def test_default_routes_of_the_guest(
    host: Host, host_nic: Nics, guest_ns: Namespaces, before: list[str], gateway: str
) -> None:
    """Any default route of the family is replaced; all are back as they were if the run fails."""
    nic, guest = host_nic(), guest_ns()
    online(guest, *before, "route add default via fd00:30::1")
    settle(guest)
    watched, other = Unchanged(guest), default_routes(guest, 6)
    done = host.pipework(nic.name, guest.spec, f"192.168.77.9/24@{gateway}")
    if gateway == nic.address:
        assert done == (0, "", "")
        (route,) = default_routes(guest)
        assert (route["gateway"], route["dev"]) == ("192.168.77.1", "eth1")
        assert default_routes(guest, 6) == other
    else:
        assert done.code == 2
        watched.check()


@pytest.mark.parametrize(
    "before",
    [
        ["route add default via fd00:30::1"],
        ["route add default via fd00:30::1 metric 50", "route add default via fd00:30::3 metric 60"],
        ["route add default nexthop via fd00:30::1 dev eth0 nexthop via fd00:30::3 dev eth0"],
    ],
    ids=["one", "two", "multipath"],
)
@pytest.mark.parametrize("address", ["fd00:77::9/64", "fd00:77::1/64"], ids=["replaced", "duplicate"])
def test_ipv6_default_routes_of_the_guest(
    host: Host, host_nic: Nics, guest_ns: Namespaces, before: list[str], address: str
) -> None:
    """The same holds for IPv6, also where the address turns out to be taken; the IPv4 default route stays."""
    nic, guest = host_nic(), guest_ns()
    online(guest, *before, "route add default via 172.30.0.1")
    settle(guest)
    watched, other = Unchanged(guest), default_routes(guest)
    nic.lan.run("ip", "addr", "add", "fe80::1/64", "dev", nic.far, "nodad")
    done = host.pipework(nic.name, guest.spec, f"{address}@fe80::1")
    if address == "fd00:77::9/64":
        assert done == (0, "", "")
        (route,) = default_routes(guest, 6)
        assert (route["gateway"], route["dev"]) == ("fe80::1", "eth1")
        assert default_routes(guest) == other
    else:
        assert done.code == 1
        watched.check()


def test_no_gateway_keeps_default_routes(host: Host, host_nic: Nics, guest_ns: Namespaces) -> None:
    """Without a gateway the guest's default routes stay as they are."""
    nic, guest = host_nic(), guest_ns()
    online(guest, "route add default via 172.30.0.1")
    before = default_routes(guest)
    assert host.pipework(nic.name, guest.spec, "192.168.77.9/24") == (0, "", "")
    assert default_routes(guest) == before


@pytest.mark.parametrize("none", ["0/0", "0.0.0.0/0", "0.0.0.0/24", "::/0"])
def test_no_address(host: Host, host_nic: Nics, guest_ns: Namespaces, none: str) -> None:
    """0/0 gives no address; the link still comes up."""
    nic, guest = host_nic(), guest_ns()
    assert host.pipework(nic.name, guest.spec, none) == (0, "", "")
    assert guest.addresses("eth1") == []
    link = guest.link("eth1")
    assert link is not None
    assert "UP" in link["flags"]


@pytest.mark.parametrize(("family", "address"), [("4", "192.168.77.9/24"), ("inet", "192.168.77.9/24"),
                                                 ("6", "fd00:77::9/64"), ("inet6", "fd00:77::9/64")])  # fmt: skip
def test_family_that_agrees(host: Host, host_nic: Nics, guest_ns: Namespaces, family: str, address: str) -> None:
    """-a that agrees with the address changes nothing."""
    nic, guest = host_nic(), guest_ns()
    assert host.pipework(nic.name, "-a", family, guest.spec, address) == (0, "", "")
    assert guest.addresses("eth1") == [address]


def test_ipv6_is_usable_at_once(host: Host, host_nic: Nics, guest_ns: Namespaces) -> None:
    """When the command returns a server may bind to the address: duplicate address detection is over."""
    nic, guest = host_nic(), guest_ns()
    assert host.pipework(nic.name, guest.spec, "fd00:77::9/64@fd00:77::1") == (0, "", "")
    assert can_bind(guest, "fd00:77::9")
    (told,) = [info for info in guest.ip("-j", "-6", "addr", "show", "eth1")[0]["addr_info"] if info["scope"] != "link"]
    assert (told["local"], told["prefixlen"]) == ("fd00:77::9", 64)
    assert not told.get("tentative")
    assert guest.ping(nic.address6)


@pytest.mark.docker
def test_ipv6_where_docker_switched_it_off(host: Host, host_nic: Nics, container: Callable[..., Container]) -> None:
    """A container in which IPv6 is off gets it on IFNAME, and nowhere else."""
    nic, guest = host_nic(), container("--sysctl=net.ipv6.conf.all.disable_ipv6=1")
    assert guest.run("sysctl", "-n", "net.ipv6.conf.default.disable_ipv6").strip() == "1"
    assert host.pipework(nic.name, guest.name, "fd00:77::9/64") == (0, "", "")
    assert guest.ping(nic.address6)
    assert guest.run("sysctl", "-n", "net.ipv6.conf.default.disable_ipv6").strip() == "1"
    assert guest.run("sysctl", "-n", "net.ipv6.conf.lo.disable_ipv6").strip() == "1"


def test_ipv4_leaves_ipv6_off(host: Host, host_nic: Nics, guest_ns: Namespaces) -> None:
    """An IPv4 address does not switch IPv6 on."""
    nic, guest = host_nic(), guest_ns()
    guest.run("sysctl", "-qw", "net.ipv6.conf.default.disable_ipv6=1")
    assert host.pipework(nic.name, guest.spec, "192.168.77.9/24") == (0, "", "")
    assert guest.run("sysctl", "-n", "net.ipv6.conf.eth1.disable_ipv6").strip() == "1"


@pytest.mark.parametrize("kind", ["macvlan", "bridge", "direct"])
def test_duplicate_ipv6_address(host: Host, host_nic: Nics, guest_ns: Namespaces, kind: str) -> None:
    """An address that another host of the network has is reported, and everything undone; exit 1."""
    nic, guest = host_nic(), guest_ns()
    hostif = [nic.name]
    if kind == "bridge":
        host.run("ip", "link", "add", "br0", "type", "bridge")
        host.run("ip", "link", "set", "br0", "up")
        host.run("ip", "link", "set", nic.name, "master", "br0")
        hostif = ["br0"]
    elif kind == "direct":
        hostif = ["--direct-phys", nic.name]
    settle(host, guest)
    watched = Unchanged(host), Unchanged(guest)
    done = host.pipework(*hostif, guest.spec, "fd00:77::1/64")
    assert (done.code, done.out) == (1, "")
    assert "fd00:77::1 is in use by another host" in done.err
    settle(host)
    for one in watched:
        one.check()


def test_ipv6_without_carrier(host: Host, host_nic: Nics, guest_ns: Namespaces) -> None:
    """Where the cable is out nobody can be asked for duplicates: the command does not wait for that."""
    nic, guest = host_nic(), guest_ns()
    nic.lan.run("ip", "link", "set", nic.far, "down")
    assert host.pipework(nic.name, guest.spec, "fd00:77::9/64") == (0, "", "")  # which it is not where it waits
    assert guest.addresses("eth1") == ["fd00:77::9/64"]


class Heard(NamedTuple):
    """Where an announcement has to arrive, and how to wire the guest so that it can."""

    neighbour: Guest
    link: str
    hostif: list[str]


@contextmanager
def neighbour(kind: str, host: Host, host_nic: Nics, guest_ns: Namespaces) -> Iterator[Heard]:
    """A neighbour that hears what a guest on a bridge or a NIC announces."""
    if kind == "bridge":
        listener = guest_ns()
        assert host.pipework("br0", listener.spec, "192.168.77.1/24").code == 0
        settle(host, listener)
        yield Heard(listener, "eth1", ["br0"])
    else:
        nic = host_nic()
        yield Heard(nic.lan, nic.far, ["--direct-phys", nic.name] if kind == "direct" else [nic.name])


@pytest.mark.parametrize("kind", ["bridge", "macvlan", "direct"])
def test_gratuitous_arp(host: Host, host_nic: Nics, guest_ns: Namespaces, kind: str) -> None:
    """A neighbour hears one ARP reply for the address, broadcast, from the guest's MAC."""
    guest, mac = guest_ns(), "02:00:00:00:09:09"
    with neighbour(kind, host, host_nic, guest_ns) as heard, capture(heard.neighbour, heard.link, "arp") as seen:
        assert host.pipework(*heard.hostif, guest.spec, "192.168.77.9/24", mac) == (0, "", "")
        seen.wait_for("Reply 192.168.77.9")
        time.sleep(0.5)
    (told,) = seen.matching("ARP")
    assert f"{mac} > ff:ff:ff:ff:ff:ff" in told
    assert f"Reply 192.168.77.9 is-at {mac}" in told


def test_gratuitous_arp_updates_neighbours(host: Host, host_nic: Nics, guest_ns: Namespaces) -> None:
    """A neighbour that knows the address under another MAC reaches the guest at once."""
    nic, guest = host_nic(), guest_ns()
    nic.lan.run("ip", "neigh", "replace", "192.168.77.9", "lladdr", "02:00:00:00:de:ad", "dev", nic.far, "nud", "stale")
    assert host.pipework(nic.name, guest.spec, "192.168.77.9/24", "02:00:00:00:09:09") == (0, "", "")
    assert eventually(lambda: "02:00:00:00:09:09" in nic.lan.run("ip", "neigh", "show", "192.168.77.9"))


@pytest.mark.parametrize("kind", ["bridge", "macvlan"])
def test_unsolicited_advertisement(host: Host, host_nic: Nics, guest_ns: Namespaces, kind: str) -> None:
    """A neighbour hears one unsolicited neighbour advertisement with the override flag, to all nodes."""
    guest, mac = guest_ns(), "02:00:00:00:09:09"
    advertised = "neighbor advertisement.*tgt is fd00:77::9"
    with (
        neighbour(kind, host, host_nic, guest_ns) as heard,
        capture(heard.neighbour, heard.link, "-v", "icmp6") as seen,
    ):
        assert host.pipework(*heard.hostif, guest.spec, "fd00:77::9/64", mac) == (0, "", "")
        seen.wait_for("(?s)" + advertised)
        time.sleep(0.5)
    (told,) = seen.matching("(?s)" + advertised)
    assert f"{mac} > 33:33:00:00:00:01" in told
    assert "fd00:77::9 > ff02::1" in told
    assert "Flags [override]" in told
    assert mac in told.partition("destination link-address")[2]
    assert "bad icmp6" not in told


def test_no_address_is_not_announced(host: Host, host_nic: Nics, guest_ns: Namespaces) -> None:
    """Without an address there is nothing to announce."""
    nic, guest = host_nic(), guest_ns()
    with capture(nic.lan, nic.far, "arp") as seen:
        assert host.pipework(nic.name, guest.spec, "0/0") == (0, "", "")
        time.sleep(0.5)
    assert seen.lines == []

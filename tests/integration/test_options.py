"""Several addresses, one from the router, routes, a metric, an MTU: what the guest has, and what stays as it was."""

from __future__ import annotations

import time
from contextlib import nullcontext
from typing import Callable

import pytest

from tests.lab.command import run_pipework
from tests.lab.guest import SLOW, Guest, eventually
from tests.lab.host import Host, settle
from tests.lab.netns import BEHIND, DhcpServer, NamedNamespace, Nic, announcing
from tests.lab.refusal import assert_each_refused
from tests.lab.scenes import bring_online
from tests.lab.snapshot import Unchanged
from tests.lab.tcp import reaches

Namespaces = Callable[[], NamedNamespace]
Nics = Callable[..., Nic]


def routes(guest: Guest, *words: str) -> list[str]:
    """The guest's routes, as ip has them."""
    return [line.strip() for line in guest.run("ip", *words).splitlines()]


def fixed(guest: Guest) -> set[str]:
    """The addresses of eth1 but those that the kernel gives each link."""
    return {one for one in guest.addresses("eth1") if not one.startswith("fe80")}


def test_both_families_by_one_line(host: Host, host_nic: Nics, guest_ns: Namespaces) -> None:
    """Each address is there, and each gateway; the LAN and what is behind it is reached by both families."""
    nic, guest = host_nic(), guest_ns()
    line = [nic.name, guest.spec, "192.168.77.9/24@192.168.77.1,10.7.7.9/24,fd00:77::9/64@fd00:77::1"]
    assert host.pipework(*line) == (0, "", "")
    assert fixed(guest) == {"192.168.77.9/24", "10.7.7.9/24", "fd00:77::9/64"}
    nic.lan.run("ip", "addr", "add", "10.99.0.1/32", "dev", "lo")
    nic.lan.run("ip", "addr", "add", "fd00:99::1/128", "dev", "lo", "nodad")
    for server in ("192.168.77.1", "10.99.0.1", "fd00:77::1", "fd00:99::1"):
        assert reaches(guest, nic.lan, server), server
    assert host.pipework("--replace", *line) == (0, "", "")
    assert host.pipework("del", guest.spec) == (0, "", "")


def test_routes_metric_and_mtu(host: Host, guest_ns: Namespaces) -> None:
    """Routes go by their routers; with a metric the default routes of before stay; the MTU is the guest's alone."""
    guest = guest_ns()
    bring_online(guest)
    before = routes(guest, "route"), routes(guest, "-6", "route", "show", "default")
    host.run("ip", "link", "add", "br0", "type", "bridge")
    host.run("ip", "link", "set", "br0", "up")
    options = ["--route", "10.8.0.0/13@192.168.77.3", "--route", "10.16.0.0/12", "--metric", "7", "--mtu", "1400"]
    line = [*options, "br0", guest.spec, "192.168.77.9/24@192.168.77.1"]
    assert host.pipework(*line) == (0, "", "")
    there = routes(guest, "route")
    assert set(before[0]) < set(there)
    for route in (
        "default via 192.168.77.1 dev eth1 metric 7",
        "10.8.0.0/13 via 192.168.77.3 dev eth1 metric 7",
        "10.16.0.0/12 dev eth1 scope link metric 7",
    ):
        assert route in there, there
    ((end,), (bridge,)) = guest.ip("-j", "link", "show", "eth1"), host.ip("-j", "link", "show", "br0")
    assert (end["mtu"], bridge["mtu"]) == (1400, 1500)
    assert host.pipework("--replace", *line) == (0, "", "")
    assert host.pipework("--replace", "br0", guest.spec, "192.168.77.9/24") == (0, "", "")
    assert not any("via 192.168.77" in route for route in routes(guest, "route"))
    assert host.pipework("--replace", *line) == (0, "", "")
    assert routes(guest, "route") == there
    assert host.pipework("del", guest.spec) == (0, "", "")
    assert (routes(guest, "route"), routes(guest, "-6", "route", "show", "default")) == before


@pytest.mark.parametrize("router", ["192.168.88.3", "fd00:88::3", "fe80::3"])
def test_router_that_no_network_has(router: str, host: Host, guest_ns: Namespaces) -> None:
    """A router gets a route to itself, as a gateway does."""
    guest = guest_ns()
    family, network = ("-4", "10.8.0.0/13") if "." in router else ("-6", "fd00:8::/48")
    line = ["--route", f"{network}@{router}", "br0", guest.spec, "192.168.77.9/24"]
    assert host.pipework(*line) == (0, "", "")
    assert any(route.startswith(f"{network} via {router} dev eth1") for route in routes(guest, family, "route"))


@pytest.mark.parametrize("token", ["", ":::123"])
def test_announced(token: str, host: Host, host_nic: Nics, guest_ns: Namespaces) -> None:
    """An address of the router's prefix, its default route and the network that it leads to; the old comes back."""
    nic, guest = host_nic(), guest_ns()
    bring_online(guest)
    guest.run("sysctl", "-qw", "net.ipv6.conf.default.disable_ipv6=1", "net.ipv6.conf.all.forwarding=1")
    before = routes(guest, "-6", "route", "show", "default"), routes(guest, "route")
    with announcing(nic) as prefix:
        line = [nic.name, guest.spec, f"192.168.77.9/24,auto{token}"]
        assert host.pipework(*line) == (0, "", "")
        made = fixed(guest) - {"192.168.77.9/24"}
        assert len(made) == 1 and next(iter(made)).startswith(prefix)
        assert not token or made == {f"{prefix}123/64"}
        (default,) = routes(guest, "-6", "route", "show", "default")
        assert "dev eth1 proto ra" in default
        assert any(route.startswith(f"{BEHIND} via fe80") for route in routes(guest, "-6", "route"))
        assert reaches(guest, nic.lan, "fd00:77::1")
        assert host.pipework("--replace", *line) == (0, "", "")
        assert made == fixed(guest) - {"192.168.77.9/24"}
        assert host.pipework("del", guest.spec) == (0, "", "")
    assert (routes(guest, "-6", "route", "show", "default"), routes(guest, "route")) == before


def test_announced_with_a_metric(host: Host, host_nic: Nics, guest_ns: Namespaces) -> None:
    """The router's default route has that metric, beside those of before."""
    nic, guest = host_nic(), guest_ns()
    bring_online(guest)
    with announcing(nic):
        assert host.pipework("--metric", "7", nic.name, guest.spec, "auto") == (0, "", "")
        there = routes(guest, "-6", "route", "show", "default")
        assert len(there) == 2 and any("dev eth1 proto ra metric 7 " in route for route in there), there


@pytest.mark.parametrize(("prefix", "told"), [(None, "no router has announced itself"), (False, "announces no prefix")])
def test_nothing_announced(prefix: bool | None, told: str, host: Host, host_nic: Nics, guest_ns: Namespaces) -> None:
    """Without a router, or its prefix, the line says so and nothing is changed."""
    nic, guest = host_nic(), guest_ns()
    bring_online(guest)
    host.run("sysctl", "-qw", f"net.ipv6.conf.{nic.name}.accept_ra=0")
    host.run("ip", "link", "set", nic.name, "up")
    settle(host, guest)
    began = time.monotonic()
    before = Unchanged(host), Unchanged(guest)
    with announcing(nic, prefix) if prefix is not None else nullcontext():
        done = host.pipework(nic.name, guest.spec, "192.168.77.9/24,auto")
    for one in before:
        one.check()
    assert done.code == 1 and told in done.err, done
    assert time.monotonic() - began < 60 * SLOW


@pytest.mark.parametrize("client", ["udhcpc", "udhcpc-f", "dhclient-f", "dhcpcd"])
def test_lease_beside_a_fixed_address(client: str, guest_ns: Namespaces, dhcp_server: DhcpServer, nic: Nic) -> None:
    """A lease of one family beside a fixed address of the other, each with its default route."""
    guest = guest_ns()
    bring_online(guest)
    before = routes(guest, "-6", "route", "show", "default"), routes(guest, "route")
    line = ["--route", f"10.8.0.0/13@{dhcp_server.gateway}", nic.name, guest.spec, f"fd00:77::9/64@fd00:77::1,{client}"]
    assert run_pipework(*line) == (0, "", "")
    [lease] = dhcp_server.leases()
    assert {"fd00:77::9/64", f"{lease.address}/24"} <= fixed(guest)
    assert any(f"via {dhcp_server.gateway} dev eth1" in one for one in routes(guest, "route", "show", "default"))
    assert any("via fd00:77::1 dev eth1" in one for one in routes(guest, "-6", "route", "show", "default"))
    assert any(one.startswith(f"10.8.0.0/13 via {dhcp_server.gateway}") for one in routes(guest, "route"))
    assert run_pipework("--replace", *line) == (0, "", "")
    assert run_pipework("del", guest.spec) == (0, "", "")
    assert eventually(lambda: (routes(guest, "-6", "route", "show", "default"), routes(guest, "route")) == before)


def test_nic_on_loan_gets_its_mtu_back(host: Host, host_nic: Nics, guest_ns: Namespaces) -> None:
    """Another MTU for a NIC on loan is for as long as that; without one asked for it is what it is at home."""
    nic, guest = host_nic(), guest_ns()
    line = ["--direct-phys", nic.name, guest.spec, "192.168.77.9/24"]

    def mtu(where: Guest, name: str) -> int:
        (there,) = where.ip("-j", "link", "show", name)
        return int(there["mtu"])

    assert host.pipework("--mtu", "1400", *line) == (0, "", "")
    assert mtu(guest, "eth1") == 1400
    for options, wanted in ((["--mtu", "1300"], 1300), ([], 1500), (["--mtu", "1400"], 1400)):
        assert host.pipework("--replace", *options, *line) == (0, "", "")
        assert mtu(guest, "eth1") == wanted
    assert host.pipework("del", guest.spec) == (0, "", "")
    assert mtu(host, nic.name) == 1500


WRONG = {
    "br0 GUEST 10.0.0.1/24,10.0.0.1/25": "ADDRESS names 10.0.0.1 twice",
    "br0 GUEST 10.0.0.1/24@10.0.0.3,10.0.0.2/24@10.0.0.4": "two IPv4 gateways: 10.0.0.3 and 10.0.0.4",
    "br0 GUEST 10.0.0.1/24,dhclient": "are of one family, IPv4",
    "br0 GUEST udhcpc,dhclient-f": "are of one family, IPv4",
    "br0 GUEST 10.0.0.1/24,0/0": "0/0 means no address",
    "br0 GUEST 10.0.0.1/24,": "has an empty part",
    "br0 GUEST ,10.0.0.1/24": "has an empty part",
    "br0 GUEST auto,auto:::1": "auto takes its gateway from the router",
    "br0 GUEST 2001:db8::2/64@2001:db8::1,auto": "auto takes its gateway from the router",
    "br0 GUEST auto:2001:db8::1": "is no token",
    "br0 GUEST auto:1.2.3.4": "is no token",
    "br0 GUEST auto:": "has no token behind auto:",
    "br0 -a 4 GUEST auto": "-a 4 does not go with auto",
    "--metric 5 br0 GUEST 10.0.0.1/24": "--metric 5 has no route to be of",
    "--metric 5 br0 GUEST dhclient": "--metric 5 has no route to be of",
    "--metric 0 br0 GUEST 10.0.0.1/24@10.0.0.2": "--metric 0 is out of range",
    "--metric -1 br0 GUEST 10.0.0.1/24@10.0.0.2": "--metric '-1' is not a number",
    "--beside br0 GUEST 10.0.0.1/24": "--beside has no gateway for 10.0.0.1/24",
    "--beside br0 GUEST 0/0@10.0.0.2": "--beside has no gateway for 0/0@10.0.0.2",
    "--beside br0 GUEST 10.0.0.1/24@10.0.0.2,auto": "--beside has to know address and gateway",
    "--beside br0 GUEST dhclient": "beforehand, not dhclient",
    "--beside --beside ls": "ls does not take --beside",
    "--mtu 9000 br0 GUEST 10.0.0.1/24": "--mtu 9000 is more than br0 carries, 1500",
    "--mtu 67 br0 GUEST 10.0.0.1/24": "--mtu 67 is out of range",
    "--mtu 1000 br0 GUEST fd00::2/64": "--mtu 1000 is too little for IPv6",
    "--mtu 1400 --mtu 1300 br0 GUEST 0/0": "--mtu is given twice",
    "--route default@10.0.0.2 br0 GUEST 10.0.0.1/24": "is a default route",
    "--route 0.0.0.0/0@10.0.0.2 br0 GUEST 10.0.0.1/24": "is a default route",
    "--route 10.1.2.3/8 br0 GUEST 10.0.0.1/24": "Did you mean 10.0.0.0/8 ?",
    "--route here br0 GUEST 10.0.0.1/24": "'here' is no network",
    "--route 10.0.0.0/8@ br0 GUEST 10.0.0.1/24": "router '' is not an IP address",
    "--route 10.0.0.0/8@10.0.0.2/24 br0 GUEST 10.0.0.1/24": "must be a plain address",
    "--route 10.0.0.0/8@fd00::1 br0 GUEST 10.0.0.1/24": "mixes IPv4 and IPv6",
    "--route 10.0.0.0/24 br0 GUEST 10.0.0.1/24": "is the network of 10.0.0.1/24 itself",
    "--route 10.8.0.0/13 --route 10.8.0.0/13@10.0.0.2 br0 GUEST 10.0.0.1/24": "10.8.0.0/13 is given twice",
    "br0 GUEST --route 10.8.0.0/13 10.0.0.1/24": "--route stands behind GUEST",
    "--mtu 1400 ls": "ls does not take --mtu",
}


def test_wrong_words(host: Host, guest_ns: Namespaces) -> None:
    """Each says what is wrong, with the fix, and nothing is changed."""
    assert_each_refused(host, guest_ns(), WRONG)

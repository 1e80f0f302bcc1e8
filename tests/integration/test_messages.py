"""Our netlink messages: byte for byte what pyroute2 sends, field for field what it reads; nothing is lost."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import ip_interface
from itertools import cycle
from typing import Any, Callable, cast

import pytest

from pipework.actions.lines import link_names, route_line
from pipework.errors import Refused
from pipework.kernel import messages
from pipework.kernel.netlink import GETADDR, TRIES, Netlink
from tests.lab import routes
from tests.lab.answers import assert_same_addresses, assert_same_links, assert_same_routes
from tests.lab.command import PACKAGE
from tests.lab.guest import SLOW
from tests.lab.host import Host, settle
from tests.lab.netns import NamedNamespace, Nic, named_namespace
from tests.lab.pyroute2_reference import encoded
from tests.lab.pyroute2_releases import Release, newest_release, oldest_release
from tests.lab.requests import REQUESTS, Stage

__all__ = ["newest_release", "oldest_release"]

Namespaces = Callable[[], NamedNamespace]


@pytest.fixture(params=["oldest", "newest"])
def release(request: pytest.FixtureRequest) -> Release:
    """Each end of what setup.cfg admits."""
    chosen = request.getfixturevalue(f"{request.param}_release")
    assert isinstance(chosen, Release)
    return chosen


def test_requests(release: Release) -> None:
    """Every request is, byte for byte, what the oldest and the newest pyroute2 would send."""
    sent: list[tuple[str, bytes]] = []
    for name, (deed, described) in REQUESTS.items():
        stage = Stage()
        deed(stage)
        assert len(stage.sent) == len(described), name
        sent += [(name, data) for data in stage.sent]
    sequences = [messages.MESSAGE.unpack_from(data)[3] for _, data in sent]
    theirs = encoded(release, [one for _, described in REQUESTS.values() for one in described], sequences)
    different = {name: (ours.hex(), their.hex()) for (name, ours), their in zip(sent, theirs) if ours != their}
    assert not different


# -- answers

LINKS = (
    "link add v0 type veth peer name v1",
    "link set v0 alias a\u00fc\u00df group 9 mtu 1400 up",
    "link property add dev v0 altname another-name-that-is-longer-than-fifteen",
    "link add br0 type bridge",
    "link set v1 master br0 up",
    "link add m0 link v0 address 02:00:00:00:00:77 type macvlan mode bridge",
    "link add x0 type vxlan id 7 dstport 4789 dev v0 remote 192.0.2.1",
    "link add i0 type ifb",
    "tuntap add t0 mode tun",
    "tuntap add t1 mode tap",
    "addr add 10.7.0.1/24 brd + dev v0 label v0:lan",
    "addr add 10.7.0.2 peer 10.7.9.9/30 dev v0 scope link",
    "addr add 10.7.0.3/24 dev v0 noprefixroute valid_lft 1000 preferred_lft 500",
    "addr add fd00:7::1/64 dev v0 nodad home",
    "addr add fd00:7::2/128 dev v0 nodad valid_lft 900 preferred_lft 0",
)


def test_answers(guest_ns: Namespaces, release: Release) -> None:
    """Of links of many kinds, also across namespaces, and of addresses each field is what pyroute2 reads."""
    guest, other = guest_ns(), guest_ns()
    routes.set_stage(guest, LINKS)
    guest.run("ip", "link", "add", "w0", "type", "veth", "peer", "name", "w1", "netns", other.name)
    guest.run("ip", "link", "add", "n0", "link", "v0", "netns", other.name, "type", "macvlan")
    with routes.opened(guest) as namespace, routes.opened(other) as beyond:
        assert assert_same_links(namespace, release) == {"", "veth", "bridge", "macvlan", "vxlan", "ifb", "tun"}
        assert assert_same_links(beyond, release) == {"", "veth", "macvlan"}
        assert_same_addresses(namespace, release)


def test_one_link(guest_ns: Namespaces) -> None:
    """A link that is asked for by its name is the same that is found among all; one that is not there is None."""
    guest = guest_ns()
    routes.set_stage(guest, LINKS)
    with routes.opened(guest) as namespace:
        netlink = namespace.netlink
        assert {link.name: link for link in netlink.links()} == {
            link.name: netlink.link(link.name) for link in netlink.links()
        }
        assert netlink.link("eth9") is None
        assert netlink.addresses(4711) == [] and netlink.routes_via(4711) == ()


def test_nothing_there(guest_ns: Namespaces) -> None:
    """A namespace in which nobody has set a route yet has none."""
    with routes.opened(guest_ns()) as namespace:
        assert namespace.netlink.default_routes(4) == namespace.netlink.default_routes(6) == []


# -- routes


@pytest.fixture(scope="module")
def junction() -> Iterator[NamedNamespace]:
    """Where routes can lead anywhere."""
    with named_namespace() as guest:
        routes.set_stage(guest)
        yield guest


@pytest.fixture
def crossroads(junction: NamedNamespace) -> Iterator[NamedNamespace]:
    """The same, without a route but the kernel's own."""
    yield junction
    routes.clear(junction)


def test_routes_are_read(crossroads: NamedNamespace, release: Release) -> None:
    """Of every route each field is what pyroute2 reads, and what it knows how to write it writes as we do."""
    for line in routes.RICH.values():
        routes.add(crossroads, line)
    with routes.opened(crossroads) as namespace:
        assert assert_same_routes(namespace, release) > 20


@pytest.mark.parametrize("line", routes.RICH.values(), ids=routes.RICH)
def test_route_comes_back(crossroads: NamedNamespace, line: str) -> None:
    """A route that is taken away and put back is what it was, whatever it has; so it is by the lines of a rehearsal."""
    routes.assert_comes_back(crossroads, line)


def test_object_that_has_gone(crossroads: NamedNamespace) -> None:
    """A route whose nexthop object has gone comes back to where that led; so it does by a rehearsal's line."""
    crossroads.run("ip", "nexthop", "add", "id", "77", "via", "10.0.0.2", "dev", "p0")
    routes.add(crossroads, "20.1.0.0/24 nhid 77 mtu 1300")
    with routes.opened(crossroads) as namespace:
        (route,) = routes.ours(namespace)
        crossroads.run("ip", "nexthop", "delete", "id", "77")
        assert routes.ours(namespace) == []
        namespace.netlink.put_back_route(route)
        by_us = routes.shown(crossroads)
        assert [line for line in by_us if "20.1.0.0/24 via 10.0.0.2 dev p0" in line and "mtu 1300" in line]
        namespace.netlink.delete_route(route)
        assert routes.ours(namespace) == []
        crossroads.run("sh", "-ec", route_line(namespace, "add", route, link_names(namespace)))
        assert routes.shown(crossroads) == by_us
        namespace.netlink.delete_route(route)


# -- dumps


class Disturbed:
    """A netlink socket that has others change something behind each of the first datagrams that it receives."""

    def __init__(self, real: socket.socket, disturb: Callable[[], object], times: int) -> None:
        self.real, self.disturb, self.left, self.requests = real, disturb, times, 0

    def send(self, data: bytes) -> None:
        """Pass a request on."""
        self.requests += 1
        self.real.send(data)

    def recvmsg(self, *arguments: int) -> Any:
        """Receive, then let something change."""
        received = self.real.recvmsg(*arguments)
        if self.left:
            self.left -= 1
            self.disturb()
        return received


@contextmanager
def disturbed(guest: NamedNamespace, times: int) -> Iterator[tuple[Netlink, Disturbed]]:
    """A thousand addresses, one of which comes and goes while they are read."""
    guest.batch(*(f"addr add 10.5.{n >> 8}.{n & 255}/32 dev lo" for n in range(1000)))
    own, fickle = ip_interface("10.6.0.1/32"), cycle((True, False))
    with routes.opened(guest) as namespace, routes.opened(guest) as others:

        def disturb() -> None:
            if next(fickle):
                others.netlink.add_address(1, own, None)
            else:
                others.netlink.delete_address(1, own)

        netlink = namespace.netlink
        real = netlink.socket
        between = Disturbed(real, disturb, times)
        netlink.socket = cast(Any, between)
        try:
            yield netlink, between
        finally:
            netlink.socket = real


def test_torn_dump_is_read_again(guest_ns: Namespaces) -> None:
    """Where something changes while the kernel tells what is there, it is asked again, and tells all."""
    guest = guest_ns()
    with disturbed(guest, 2) as (netlink, between):
        found = netlink.addresses(1)
        assert between.requests > 1
    assert len(found) == len(guest.ip("-j", "addr", "show", "dev", "lo")[0]["addr_info"])


def test_torn_for_good(guest_ns: Namespaces) -> None:
    """Where that happens time and again, pipework says so, and does not work with half of it."""
    with disturbed(guest_ns(), 10**6) as (netlink, between):
        with pytest.raises(Refused, match="change faster than the kernel can tell them"):
            netlink.addresses(1)
        assert between.requests == TRIES
        between.left = 0
        assert len(netlink.addresses(1)) > 1000


def test_half_read_dump(guest_ns: Namespaces) -> None:
    """What nobody has read to its end is in the way of no later question."""
    with disturbed(guest_ns(), 0) as (netlink, _):
        netlink.socket.send(messages.message(GETADDR, 0x301, 0, messages.address(1)))
        netlink.socket.recvmsg(1 << 16)
        assert len(netlink.addresses(1)) > 1000
        netlink.socket.send(messages.message(GETADDR, 0x301, 0, messages.address(1)))
        assert netlink.link("lo") is not None
        assert len(netlink.addresses(1)) > 1000


def test_overrun(guest_ns: Namespaces) -> None:
    """An answer that is lost for want of memory is asked for again."""
    guest = guest_ns()
    with routes.opened(guest) as namespace:
        netlink = namespace.netlink
        netlink.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
        netlink.socket.setsockopt(270, 1, 1)  # NETLINK_ADD_MEMBERSHIP, RTNLGRP_LINK
        guest.batch(*(f"link set lo mtu {60000 + n}" for n in range(50)))
        netlink.socket.setsockopt(270, 2, 1)  # NETLINK_DROP_MEMBERSHIP
        netlink.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        assert [link.name for link in netlink.links()] == ["lo"]


# -- the whole

RUN = """
import os, sys
sys.path.insert(0, sys.argv[1])
real_exit, loaded = os._exit, set()
sys.addaudithook(lambda event, told: event == "import" and loaded.add(told[0].partition(".")[0]))
def told_exit(code):
    print("LOADED", *sorted(loaded), file=sys.stderr, flush=True)
    real_exit(code)
os._exit = told_exit
from pipework.cli import main
main(sys.argv[2:])
"""


def pipework(host: Host, *words: str) -> tuple[int, str]:
    """Run pipework on a host with the standard library alone; return its exit status and what it says."""
    argv = host.argv(sys.executable, "-I", "-S", "-c", RUN, str(PACKAGE.parent), *words)
    done = subprocess.run(
        argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60 * SLOW, check=False
    )
    *said, loaded = done.stderr.splitlines()
    assert loaded.startswith("LOADED"), done.stderr
    assert not {
        "pyroute2",
        "asyncio",
    } & set(loaded.split())
    return done.returncode, "\n".join(said)


def test_an_attach_needs_no_library(host: Host, guest_ns: Namespaces, host_nic: Callable[[], Nic]) -> None:
    """With the standard library alone a guest is wired, and told of a refusal in the kernel's own words; exit 2."""
    guest, nic = guest_ns(), host_nic()
    assert pipework(host, "br0", guest.spec, "10.9.0.2/24@10.9.7.1", "02:00:00:00:09:02") == (0, "")
    shown = guest.ip("-j", "addr", "show", "eth1")[0]
    assert shown["address"] == "02:00:00:00:09:02"
    assert (shown["addr_info"][0]["local"], shown["addr_info"][0]["broadcast"]) == ("10.9.0.2", "10.9.0.255")
    told = {(route["dst"], route.get("gateway"), route["dev"]) for route in guest.ip("-j", "route")}
    assert {("default", "10.9.7.1", "eth1"), ("10.9.7.1", None, "eth1")} <= told
    assert pipework(host, nic.name, "-i", "lan0", guest.spec, "fd00:77::9/64@fd00:77::1") == (0, "")
    assert guest.addresses("lan0") == ["fd00:77::9/64"]
    assert guest.ping("fd00:77::1")
    # Refused by the kernel when the old default route is gone already: it comes back as it was.
    settle(guest)
    before = guest.ip("-j", "route"), guest.ip("-j", "link")
    assert pipework(host, "br0", "-i", "eth2", guest.spec, "10.9.2.2/24@10.9.2.255") == (
        2,
        "pipework: RTNETLINK answers: Invalid argument (Nexthop has invalid gateway)",
    )
    assert (guest.ip("-j", "route"), guest.ip("-j", "link")) == before


DEFAULTS = {
    "object": "default nhid 1 mtu lock 1400 congctl cubic",
    "hops": "default nexthop via 10.0.0.2 dev p0 nexthop encap ip id 5 dst 10.0.0.8 via 10.0.0.3 dev p0 weight 5",
    "other family": "default via inet6 fd00::2 dev p0 metric 7",
    "tunnel": "default encap ip id 30 dst 10.0.0.9 via 10.0.0.2 dev p0 realms 3",
    "expires": "-6 default via fd00::2 expires 1000 pref high",
    "segments": "-6 default encap seg6 mode encap segs fd00::5 dev p0 metric 1500",
}


@pytest.mark.parametrize("line", DEFAULTS.values(), ids=DEFAULTS)
def test_replaced_default_route(host: Host, guest_ns: Namespaces, line: str) -> None:
    """A default route that a wire takes the place of is what it was when the wire goes, or cannot be made."""
    guest = guest_ns()
    routes.set_stage(guest)
    routes.add(guest, line)
    before = routes.shown(guest)
    ours, refused = ("10.9.0.2/24@10.9.0.1", "10.9.0.2/24@10.9.0.255")
    if line.startswith("-6"):
        ours, refused = ("fd00:9::2/64@fd00:9::1", "fd00:9::2/64@fd00::1")  # the guest's own address
    assert host.pipework("br0", guest.spec, refused).code == 2
    assert routes.shown(guest) == before
    assert host.pipework("br0", guest.spec, ours).code == 0
    assert routes.shown(guest) != before
    rehearsed = host.pipework("--dry-run", "del", guest.spec, "-i", "eth1")
    assert host.pipework("del", guest.spec, "-i", "eth1") == (0, "", "")
    assert routes.shown(guest) == before
    assert host.pipework("br0", guest.spec, ours).code == 0
    host.run("sh", "-e", "-c", rehearsed.out)
    assert routes.shown(guest) == before

"""Our netlink messages where links and routes can be of more kinds: read and put back as on any other kernel."""

from __future__ import annotations

import pytest

from tests.lab import routes
from tests.lab.answers import assert_same_addresses, assert_same_links, assert_same_routes
from tests.lab.guest import HOST
from tests.lab.pyroute2_releases import Release, newest_release, oldest_release
from tests.vm.wiring import Namespaces

__all__ = ["newest_release", "oldest_release"]

pytestmark = pytest.mark.vm

LINKS = (
    "link add d0 type dummy",
    "link set d0 up",
    "link add d1 type dummy",
    "link add bond0 type bond mode active-backup",
    "link set d1 master bond0",
    "link add d0.7 link d0 type vlan id 7",
    "link add d0.8 link d0 type vlan protocol 802.1ad id 4094",
    "link add br0 type bridge vlan_filtering 1",
    "link add gre1 type gre remote 192.0.2.1 local 192.0.2.2",
    "link add tap1 type gretap remote 192.0.2.1",
    "link add ipip1 type ipip remote 192.0.2.1",
    "link add sit1 type sit remote 192.0.2.1",
    "link add six1 type ip6tnl remote 2001:db8::1 mode any",
    "link add gre6 type ip6gre remote 2001:db8::1",
    "link add vti1 type vti remote 192.0.2.1 key 5",
    "link add gen1 type geneve id 5 remote 192.0.2.1",
    "link add vx1 type vxlan id 6 dstport 4789 dev d0",
    "link add vrf1 type vrf table 77",
    "link add ipv1 link d0 type ipvlan mode l3",
    "link add wg0 type wireguard",
    "link add team0 type team",
    "link add p8 type veth peer name p9",
    "link add sec1 link p9 type macsec",
    "link add mac1 link p8 type macvtap mode private",
    "addr add 10.7.0.1/24 brd + dev d0 label d0:lan",
    "addr add fd00:7::1/64 dev d0 nodad",
)
KINDS = {
    *("dummy", "bond", "vlan", "bridge", "gre", "gretap", "ipip", "sit", "ip6tnl", "ip6gre", "vti", "geneve"),
    *("vxlan", "vrf", "ipvlan", "macvtap", "macsec", "wireguard", "team", "veth"),
}
MODULES = ("mpls_iptunnel", "mpls_router", "ip6_gre", "ip6_tunnel", "sit", "ipip", "ip_gre", "ip_vti")
RICH = {
    "labels": "20.2.0.0/24 encap mpls 100/200 ttl 9 via 10.0.0.2",
    "hops with labels": "20.2.1.0/24 nexthop encap mpls 100 via 10.0.0.2 nexthop encap mpls 101 via 10.0.0.3 weight 2",
    "v6 labels": "-6 2001:db8:20::/64 encap mpls 300 via fd00::2",
    "local table": "-6 2001:db8:21::/64 encap seg6local action End.DT6 table 254 dev p0",
    "reduced": "-6 2001:db8:22::/64 encap seg6 mode encap.red segs fd00::5,fd00::6 dev p0",
    "cubic": "20.2.2.0/24 via 10.0.0.2 congctl cubic mtu lock 1300",
}


@pytest.fixture(scope="module")
def modules() -> None:
    """What a namespace cannot load for itself."""
    # else each namespace of the tests that follow is born with tunnels
    HOST.run("sysctl", "-qw", "net.core.fb_tunnels_only_for_init_net=1")
    HOST.run("modprobe", "-a", *MODULES)


def test_links(modules: None, guest_ns: Namespaces, newest_release: Release, oldest_release: Release) -> None:
    """Of links of twenty kinds, and of addresses, each field is what pyroute2 reads."""
    guest = guest_ns()
    routes.set_stage(guest, LINKS)
    with routes.opened(guest) as namespace:
        for release in (oldest_release, newest_release):
            assert assert_same_links(namespace, release) >= KINDS
            assert_same_addresses(namespace, release)


def test_infiniband(infiniband: str, newest_release: Release) -> None:
    """The long address of an InfiniBand link is read, and given back to it."""
    HOST.run("ip", "link", "add", "ib0.8001", "link", infiniband, "type", "ipoib", "pkey", "0x8001")
    with routes.opened(HOST) as namespace:
        assert "ipoib" in assert_same_links(namespace, newest_release)
        link = namespace.netlink.link("ib0.8001")
        shown = HOST.link("ib0.8001")
        assert link is not None and shown is not None
        assert (link.mac, link.vlan) == (shown["address"], 0x8001)
        namespace.netlink.set_link(link.ifindex, IFLA_ADDRESS=link.mac)
        assert namespace.netlink.link("ib0.8001") == link


def test_routes(modules: None, guest_ns: Namespaces, newest_release: Release, oldest_release: Release) -> None:
    """Routes of all sorts come back as they were, by our hands and by the lines of a rehearsal."""
    guest = guest_ns()
    routes.set_stage(guest)
    for line in RICH.values():
        routes.assert_comes_back(guest, line)
        routes.clear(guest)
    for line in (*routes.RICH.values(), *RICH.values()):
        routes.add(guest, line)
    before = routes.shown(guest)
    with routes.opened(guest) as namespace:
        for release in (oldest_release, newest_release):
            assert assert_same_routes(namespace, release) > 20
        there = routes.ours(namespace)
        for route in there:
            namespace.netlink.delete_route(route)
        assert routes.ours(namespace) == []
        for route in there:
            namespace.netlink.put_back_route(route)
    assert routes.shown(guest) == before

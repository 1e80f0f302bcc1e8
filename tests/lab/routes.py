"""Routes with all that a route can have, taken away and put back by pipework's own hands."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from pipework.actions.lines import is_the_kernels, link_names, route_line
from pipework.kernel.namespaces import Namespace
from pipework.kernel.records import Route
from tests.lab.guest import Guest
from tests.lab.host import settle

# What they need: an interface p0 on 10.0.0.0/24 and fd00::/64.
STAGE = (
    "link add p0 type veth peer name p1",
    "link set p0 up",
    "link set p1 up",
    "addr add 10.0.0.1/24 dev p0",
    "addr add fd00::1/64 dev p0 nodad",
    "nexthop add id 1 via 10.0.0.2 dev p0",
    "nexthop add id 2 via 10.0.0.3 dev p0",
    "nexthop add id 3 blackhole",
    "nexthop add id 4 via fd00::2 dev p0",
    "nexthop add id 5 via fd00::3 dev p0",
    "nexthop add id 10 group 1/2,3",
    "nexthop add id 11 group 4/5",
)
RICH = {
    "nexthop object": "20.0.0.0/24 nhid 1",
    "nexthop group": "20.0.1.0/24 nhid 10",
    "blackhole object": "20.0.2.0/24 nhid 3",
    "object of the other family": "20.0.3.0/24 nhid 4",
    "gateway of the other family": "20.0.4.0/24 via inet6 fd00::2 dev p0",
    "encap ip": "20.0.5.0/24 encap ip id 30 dst 10.0.0.9 ttl 5 tos 8 key csum via 10.0.0.2",
    "encap ip6": "20.0.6.0/24 encap ip6 id 3 dst fd00::9 hoplimit 7 dev p0",
    "hops": "20.0.7.0/24 nexthop via 10.0.0.2 dev p0 weight 2"
    " nexthop encap ip id 5 dst 10.0.0.8 via 10.0.0.3 dev p0 weight 5 onlink",
    "hops of both families": "20.0.8.0/24 nexthop via inet6 fd00::2 dev p0 nexthop via 10.0.0.3 dev p0 realms 7",
    "metrics": "20.0.9.0/24 via 10.0.0.2 mtu lock 1400 advmss 1200 window 1000 rtt 100ms rttvar 50ms ssthresh 20"
    " cwnd lock 9 reordering 5 hoplimit 33 initcwnd 10 initrwnd 11 quickack 1 features ecn rto_min 5ms",
    "congestion control": "20.0.10.0/24 via 10.0.0.2 congctl lock cubic",
    "type of service": "20.0.11.0/24 tos 0x10 via 10.0.0.2 metric 5",
    "realms": "20.0.12.0/24 via 10.0.0.2 realms 3/4",
    "table": "20.0.13.0/24 via 10.0.0.2 table 1000 proto static",
    "source address": "20.0.14.0/24 via 10.0.0.2 src 10.0.0.1",
    "onlink": "20.0.15.0/24 via 192.0.2.1 dev p0 onlink",
    "scope": "20.0.16.0/24 dev p0 scope global",
    "blackhole": "blackhole 20.0.17.0/24",
    "prohibit": "prohibit 20.0.18.0/24 metric 9",
    "default by object": "default nhid 1 metric 77",
    "v6 nexthop object": "-6 2001:db8::/64 nhid 4",
    "v6 nexthop group": "-6 2001:db8:1::/64 nhid 11",
    "segments": "-6 2001:db8:2::/64 encap seg6 mode encap segs fd00::5,fd00::6 dev p0",
    "segments inline": "-6 2001:db8:3::/64 encap seg6 mode inline segs fd00::5,fd00::6 dev p0",
    "local segment": "-6 2001:db8:4::/64 encap seg6local action End.X nh6 fd00::2 dev p0",
    "preference": "-6 2001:db8:5::/64 via fd00::2 pref high",
    "expires": "-6 2001:db8:6::/64 via fd00::2 expires 1000 mtu 1300",
    "source prefix": "-6 2001:db8:7::/64 from 2001:db8:99::/64 via fd00::2",
    "v6 hops": "-6 2001:db8:8::/64 nexthop via fd00::2 dev p0 nexthop via fd00::3 dev p0 weight 4",
    "unreachable": "-6 unreachable 2001:db8:9::/64",
    "v6 metrics": "-6 2001:db8:10::/64 via fd00::2 mtu lock 1400 hoplimit 9 congctl cubic",
    "v6 table": "-6 default via fd00::2 table 70000 metric 3 proto 200",
}
LIFETIME = re.compile(r"expires \d+sec")


def add(guest: Guest, line: str) -> None:
    """Add a route of RICH."""
    family, words = ("-6", line[3:]) if line.startswith("-6 ") else ("-4", line)
    guest.run("ip", family, "route", "add", *words.split())


@contextmanager
def opened(guest: Guest) -> Iterator[Namespace]:
    """The guest as pipework sees it."""
    with Namespace.open(guest.namespace) if guest.namespace else Namespace.own() as namespace:
        yield namespace


def shown(guest: Guest) -> list[str]:
    """Return the routes of all tables as ``ip`` shows them, in full; seconds that pass left out."""
    text = "".join(guest.run("ip", "-d", family, "route", "show", "table", "all") for family in ("-4", "-6"))
    return sorted(LIFETIME.sub("expires", text).replace("\n\t", " ").splitlines())


def set_stage(guest: Guest, lines: Sequence[str] = STAGE) -> None:
    """Make what the routes need, and wait until the kernel has nothing to add."""
    for line in lines:
        guest.run("ip", *line.split())
    settle(guest)


def ours(namespace: Namespace) -> list[Route]:
    """Return the routes that somebody has added."""
    return [r for family in (4, 6) for r in namespace.netlink.all_routes(family) if not is_the_kernels(r)]


def clear(guest: Guest) -> None:
    """Remove what somebody has added; ``ip route flush`` cannot, where nexthop objects are."""
    with opened(guest) as namespace:
        for route in ours(namespace):
            namespace.netlink.delete_route(route)


def assert_comes_back(guest: Guest, line: str) -> None:
    """Take a route away and put it back, by way of its note, then by the lines that a rehearsal prints."""
    add(guest, line)
    before = shown(guest)
    with opened(guest) as namespace:
        (route,) = ours(namespace)
        noted = Route.from_note(json.loads(json.dumps(route.note)))
        assert noted == route
        namespace.netlink.delete_route(noted)
        assert len(shown(guest)) == len(before) - 1
        namespace.netlink.put_back_route(noted)
        assert shown(guest) == before
        names = link_names(namespace)
        lines = [route_line(namespace, verb, route, names) for verb in ("delete", "add")]
        for verb in lines:
            guest.run("sh", "-ec", verb)
        assert shown(guest) == before, lines
        assert "no word" not in lines[1]

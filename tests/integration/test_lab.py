"""What tests of "as if it had never run" rest on: a look that stays sees each change, and that it was taken back."""

from __future__ import annotations

import pytest

from tests.lab.host import Host
from tests.lab.snapshot import diff, watching

CHANGES = {
    "links": ("ip link set one mtu 1400", "ip link set one mtu 1500"),
    "names": ("ip link set one name other", "ip link set other name one"),
    "addresses": ("ip addr add 10.1.1.1/24 dev one", "ip addr del 10.1.1.1/24 dev one"),
    "addresses6": ("ip addr add fd00::1/64 dev one nodad", "ip addr del fd00::1/64 dev one"),
    "routes": ("ip route add 10.2.0.0/16 dev one table 7", "ip route del 10.2.0.0/16 dev one table 7"),
    "routes6": ("ip route add fd01::/64 dev one", "ip route del fd01::/64 dev one"),
    "rules": ("ip rule add from 10.3.0.0/16 table 7", "ip rule del from 10.3.0.0/16 table 7"),
    "rules6": ("ip -6 rule add from fd02::/64 table 7", "ip -6 rule del from fd02::/64 table 7"),
    "queues": ("tc qdisc add dev one root pfifo", "tc qdisc del dev one root"),
    "firewall": ("iptables -A FORWARD -i one -j ACCEPT", "iptables -D FORWARD -i one -j ACCEPT"),
    "firewall6": ("ip6tables -A FORWARD -i one -j ACCEPT", "ip6tables -D FORWARD -i one -j ACCEPT"),
}
SHOWN_AS = {"names": "links", "addresses6": "addresses", "routes6": "routes"}


@pytest.mark.parametrize("change", CHANGES)
def test_look_sees(host: Host, change: str) -> None:
    """Whatever changes between two looks shows where it belongs, and nothing shows once it is as before."""
    host.run("ip", "link", "add", "one", "address", "02:00:00:00:00:01", "type", "bridge")
    host.run("ip", "link", "set", "one", "addrgenmode", "none")
    host.run("ip", "link", "set", "one", "up")
    # with the first one comes a multicast route, which stays
    host.run("ip", "addr", "add", "fd09::1/64", "dev", "one", "nodad")
    do, undo = CHANGES[change]
    with watching(host) as look:
        before = look()
        assert diff(before, look()) == ""
        host.run(*do.split())
        assert f"{SHOWN_AS.get(change, change)}:\n" in diff(before, look())
        host.run(*undo.split())
        assert diff(before, look()) == ""

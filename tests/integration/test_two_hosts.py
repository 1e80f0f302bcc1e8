"""One network over two hosts, whose Open vSwitch switches in userspace."""

from __future__ import annotations

from tests.lab.switch_host import switch_host
from tests.lab.two_hosts import assert_pairs_reach_each_other


def test_open_vswitch() -> None:
    """Pairs of guests in two VLANs reach each other over both hosts, and only they."""
    with switch_host() as first, switch_host() as second:
        for switch in (first, second):
            switch.add_bridge("ovs0")
        assert_pairs_reach_each_other((first.host, second.host), "Open vSwitch")

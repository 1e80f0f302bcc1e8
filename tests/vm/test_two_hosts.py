"""One network over two hosts, with Linux bridges that keep VLANs apart, and the kernel's Open vSwitch."""

from __future__ import annotations

import pytest

from tests.lab.guest import HOST
from tests.lab.host import throwaway_host
from tests.lab.switch_host import switch_host
from tests.lab.two_hosts import assert_pairs_reach_each_other

pytestmark = pytest.mark.vm


def test_linux_bridges() -> None:
    """Pairs of guests in two VLANs reach each other over both hosts, and only they."""
    with throwaway_host() as first, throwaway_host() as second:
        assert_pairs_reach_each_other((first, second), "Linux bridges")


def test_open_vswitch() -> None:
    """The same with bridges of Open vSwitch that are made on demand."""
    HOST.run("modprobe", "openvswitch")
    with switch_host() as first, switch_host() as second:
        assert_pairs_reach_each_other((first.host, second.host), "Open vSwitch")
        for switch in (first, second):
            switch.vsctl("del-br", "ovs0")

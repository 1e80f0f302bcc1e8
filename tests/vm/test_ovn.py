"""OVN with the kernel's datapath: guests of two hosts on one switch, through a tunnel of Geneve."""

from __future__ import annotations

import pytest

from tests.lab.guest import HOST
from tests.lab.netns import named_namespace
from tests.lab.ovn import centre, ovn_host
from tests.lab.tcp import reaches

pytestmark = pytest.mark.vm

AROUND = 28  # bytes of IPv4's header and ICMP's


def test_two_hosts() -> None:
    """Guests of two hosts reach each other by ping, TCP and IPv6, and with packets as large as their MTU."""
    HOST.run("modprobe", "-a", "openvswitch", "geneve")
    with (
        centre() as made,
        ovn_host(made, 1, in_kernel=True) as one,
        ovn_host(made, 2, in_kernel=True) as two,
        named_namespace() as here,
        named_namespace() as there,
    ):
        for number, (host, guest) in enumerate(((one, here), (two, there)), 1):
            done = host.pipework("ovn:blue", guest.spec, f"10.7.1.{number}/24,fd00:7::{number}/64")
            assert done.code == 0, done.err
        assert "genev_sys_" in one.host.ip("-br", "link", "show")  # the tunnel is the kernel's
        assert here.ping("10.7.1.2")
        assert here.ping("fd00:7::2")
        assert reaches(here, there, "10.7.1.2")
        assert reaches(there, here, "fd00:7::1")
        link = here.link("eth1")
        assert link
        here.run("ping", "-n", "-c", "1", "-w", "20", "-M", "do", "-s", str(link["mtu"] - AROUND), "10.7.1.2")
        for host, guest in ((one, here), (two, there)):
            done = host.pipework("del", guest.spec)
            assert done.code == 0, done.err
        assert made.ports() == []

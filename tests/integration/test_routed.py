"""--routed: the host routes for the guest and answers for it: one MAC outside, and the host reaches its guest."""

from __future__ import annotations

from typing import Callable

from tests.lab.host import Host, settle
from tests.lab.netns import NamedNamespace, Nic
from tests.lab.snapshot import Unchanged
from tests.lab.tcp import reaches

Namespaces = Callable[[], NamedNamespace]
Nics = Callable[..., Nic]
IP, IP6 = "192.168.77.9", "fd00:77::9"
BOTH = f"{IP}/32,{IP6}/128"
TOLD = "pipework: the guest is routed over {nic}: broadcasts and multicast, with it mDNS, do not pass\n"


def furnished(host: Host, nic: Nic) -> None:
    """Give the host addresses on the NIC, and have it forward; its filters of paths are strict."""
    for line in (f"{nic.name}", "all"):
        host.run("sysctl", "-qw", f"net.ipv4.conf.{line}.rp_filter=1", f"net.ipv4.conf.{line}.arp_ignore=1")
    host.run("sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1")
    host.run("ip", "address", "add", "192.168.77.2/24", "dev", nic.name)
    host.run("ip", "address", "add", "fd00:77::2/64", "dev", nic.name, "nodad")
    for table in ("iptables", "ip6tables"):
        host.run(table, "-P", "FORWARD", "ACCEPT")
    settle(host)


def test_reached_from_everywhere(host: Host, host_nic: Nics, guest_ns: Namespaces) -> None:
    """A neighbour and the host reach the guest and it reaches them, by TCP and in both families, under one MAC."""
    nic, guest = host_nic(), guest_ns()
    furnished(host, nic)
    settle(host, guest)
    before = Unchanged(host), Unchanged(guest)
    assert host.pipework("--routed", nic.name, guest.spec, BOTH) == (0, "", TOLD.format(nic=nic.name))
    for ip, there, hosts in ((IP, nic.address, "192.168.77.2"), (IP6, nic.address6, "fd00:77::2")):
        assert nic.lan.ping(ip, wait=5)
        assert guest.ping(there, wait=5)
        assert reaches(nic.lan, guest, ip, wait=3)
        assert reaches(guest, nic.lan, there, wait=3)
        assert reaches(host, guest, ip)
        assert reaches(guest, host, hosts)
    known = {entry["lladdr"] for entry in nic.lan.ip("-j", "neighbour", "show") if "lladdr" in entry}
    assert len(known) == 1
    assert host.pipework("del", guest.spec) == (0, "", "")
    for each in before:
        each.check()
    print(host.run("sh", "-c", f"ip neigh show proxy; sysctl net.ipv6.conf.{nic.name}.proxy_ndp; ls /run/pipework"))

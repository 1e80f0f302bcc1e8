"""docs/ovn.md on hosts of OVN: its lines are typed as printed, and do what it says."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager

from tests.lab.command import CHECKOUT, capture
from tests.lab.guest import SLOW, eventually, run
from tests.lab.netns import NamedNamespace, named_namespace
from tests.lab.ovn_page import PAGE, Network, joined, sections
from tests.lab.switch_host import switch_host
from tests.lab.tcp import reaches

HEADINGS = {
    "From nothing to two hosts",
    "Guests",
    "Addresses",
    "A router, and NAT to the outside",
    "Access lists",
    "Looking after it",
    "With TLS",
}


def test_no_line_is_left_out() -> None:
    """Every line of the page is typed by a test, but for what an error says."""
    assert set(sections()) == HEADINGS
    typed = {line for lines in sections().values() for _, line in lines}
    assert typed <= set(indented())
    assert [line for line in indented() if line not in typed] == [refusal()]


def indented() -> list[str]:
    """The lines of the page that are no prose."""
    return re.findall("^    (.+)$", (CHECKOUT / PAGE).read_text(), re.MULTILINE)


def refusal() -> str:
    """What the page shows of an error."""
    return next(line for line in indented() if line.startswith("pipework: "))


def test_two_hosts() -> None:
    """Guests on two hosts reach each other by ping and TCP, with names, MAC and MTU as the page says."""
    with joined() as network:
        network.type("Guests")
        web, db = network.guests["web"], network.guests["db"]
        assert web.ping("10.7.1.2")
        assert reaches(web, db, "10.7.1.2")
        assert reaches(db, web, "10.7.1.1")
        link = web.link("eth1")
        assert link
        assert link["mtu"] == 1442
        assert network.centre.nbctl("lsp-get-addresses", "pipework:blue:10.7.1.1") == f"{link['address']} 10.7.1.1\n"
        [wire] = json.loads(network.first.pipework("ls", "--json").out)
        assert wire["link"] in network.first.vsctl("list-ports", "br-int").split()


def test_addresses() -> None:
    """OVN chooses addresses, by itself and by DHCP, none of which another guest has."""
    with joined() as network:
        network.type("Addresses")
        web, db, cache = network.guests.values()
        assert [guest.addresses("eth1") for guest in (web, db, cache)] == [
            ["10.7.1.100/24"],
            ["10.7.1.2/24", "fd00:7::2/64"],
            ["10.7.1.101/24"],
        ]
        assert "default via 10.7.1.254 dev eth1" in cache.ip("route")
        assert db.ping("10.7.1.100")
        assert cache.ping("10.7.1.2")
        refused = network.pipework(network.first, "ovn:blue", "-i", "eth2", "db", "10.7.1.101/24")
        assert refused.code == 1
        assert "10.7.1.101 is on ovn:blue already" in refused.err
        web.run("ip", "link", "del", "eth1")  # as when it ends
        network.type("Addresses", only=" web dynamic")
        assert web.addresses("eth1") == ["10.7.1.100/24"]
        assert network.pipework(network.second, "--replace", "ovn:blue", "cache", "0/0") == (0, "", "")
        assert cache.addresses("eth1") == []
        cache.run("ip", "addr", "add", "10.7.1.200/24", "dev", "eth1")
        assert web.ping("10.7.1.200")


@contextmanager
def lan_with_vlan(network: Network) -> Iterator[NamedNamespace]:
    """A switch at the first host's eno2, and a router in its VLAN 100 that leads to 203.0.113.1."""
    host = network.first.host
    with switch_host() as lan, named_namespace() as router:
        lan.add_bridge("ovs1")
        network.first.add_bridge("br-lan")  # which the page would have in the kernel
        host.run("ip", "link", "add", "eno2", "type", "veth", "peer", "name", "eno1", "netns", lan.host.name)
        for end, name in ((host, "eno2"), (lan.host, "eno1")):
            end.run("ethtool", "-K", name, "tx", "off")
            end.run("ip", "link", "set", name, "up")
        lan.vsctl("add-port", "ovs1", "eno1")
        assert lan.pipework("ovs1", router.spec, "192.168.77.1/24", "@100") == (0, "", "")
        router.run("ip", "addr", "add", "203.0.113.1/32", "dev", "lo")
        yield router


def test_a_router() -> None:
    """A guest reaches what is outside under the router's address; another is a host of the VLAN; IPv6 is announced."""
    with joined() as network, lan_with_vlan(network) as outside:
        network.type("A router, and NAT to the outside")
        web, db, cache = network.guests.values()
        with capture(outside, "eth1", "icmp") as seen:
            assert eventually(lambda: db.ping("203.0.113.1", wait=2))
            assert seen.wait_for(r"192\.168\.77\.2 > 203\.0\.113\.1: ICMP echo request")
            assert not seen.matching(r"10\.7\.1\.")
        assert reaches(db, outside, "192.168.77.1")
        assert reaches(outside, web, "192.168.77.20")
        assert web.ping("192.168.77.1")
        assert [address[:6] for address in cache.addresses("eth1")] == ["fd00:7"]
        assert cache.ping("fd00:7::fe")


def test_access_lists() -> None:
    """A rule drops by guest, for one that is wired again too; port security binds a guest to its addresses."""
    with joined() as network:
        network.type("Guests")
        web, db, cache = network.guests.values()
        assert network.pipework(network.first, "ovn:blue", "cache", "10.7.1.3/24") == (0, "", "")
        assert reaches(cache, db, "10.7.1.2")
        network.type("Access lists")
        network.centre.nbctl("--wait=hv", "sync")
        for _ in range(2):
            assert reaches(web, db, "10.7.1.2")
            assert cache.ping("10.7.1.2")
            assert reaches(db, cache, "10.7.1.3")
            assert not reaches(cache, db, "10.7.1.2", wait=1)
            assert network.pipework(network.second, "del", "db") == (0, "", "")
            network.type("Guests", only=" db ")
        web.run("ip", "addr", "add", "10.7.1.9/24", "dev", "eth1")
        assert web.ping("10.7.1.2")
        db.run("ip", "neigh", "flush", "all")
        assert not db.ping("10.7.1.9", wait=1)


def test_looking_after_it() -> None:
    """An address is one guest's, of its host the next; what a host leaves that is gone, another removes."""
    with joined() as network:
        network.type("Guests")
        web, _, cache = network.guests.values()
        refused = network.pipework(network.second, "ovn:blue", "cache", "10.7.1.1/24")
        assert refused.code == 1
        assert refused.err.splitlines()[0] == refusal().replace("web", web.name)

        mac = (web.link("eth1") or {})["address"]
        network.centre.nbctl("lsp-set-port-security", "pipework:blue:10.7.1.1", mac)
        web.run("ip", "link", "del", "eth1")  # as when it ends
        assert network.pipework(network.second, "ovn:blue", "cache", "10.7.1.1/24").code == 1
        network.type("Guests", only=" web ")
        assert (web.link("eth1") or {})["address"] == mac
        assert network.centre.nbctl("lsp-get-port-security", "pipework:blue:10.7.1.1") == f"{mac}\n"
        assert web.ping("10.7.1.2")

        web.run("ip", "link", "del", "eth1")
        assert network.pipework(network.first, "ovn:blue", "cache", "10.7.1.1/24") == (0, "", "")
        cache.run("ip", "link", "del", "eth1")
        assert network.pipework(network.first, "gc").code == 0
        assert network.pipework(network.second, "ovn:blue", "cache", "10.7.1.1/24") == (0, "", "")

        network.type("Looking after it", only=" gc ")
        assert not cache.ping("10.7.1.2", wait=1)
        network.second.stop_controller(kill=True)
        network.type("Looking after it", only=" chassis-del ")
        assert "host2" not in network.centre.sbctl("show")
        assert "pipework" not in network.centre.nbctl("show")
        assert network.pipework(network.first, "ovn:blue", "web", "10.7.1.2/24") == (0, "", "")


def test_with_tls() -> None:
    """With TLS a guest is wired as without; who has no key is refused."""
    run("mkdir", "-p", "/etc/ovn")
    run("openssl", *["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=ovn"],
        *["-keyout", "/etc/ovn/key.pem", "-out", "/etc/ovn/cert.pem"])  # fmt: skip
    run("cp", "/etc/ovn/cert.pem", "/etc/ovn/cacert.pem")
    with joined() as network:
        network.type("With TLS")
        for host in (network.first, network.second):
            host.await_connection()
        network.type("Guests")
        assert network.guests["web"].ping("10.7.1.2")
        del network.first.host.env["OVN_NBCTL_OPTIONS"]
        refused = network.pipework(network.first, "ovn:blue", "cache", "10.7.1.3/24")
        assert refused.code == 1
        assert "northbound" in refused.err


def test_without_the_centre() -> None:
    """While the centre is down guests reach each other; what is new is refused, and `del` changes nothing."""
    with joined() as network:
        network.type("Guests")
        web = network.guests["web"]
        for name in ("northd", "nb", "sb"):
            network.centre.stop(name)
        for words in (("ovn:blue", "cache", "10.7.1.3/24"), ("del", "web")):
            refused = network.pipework(network.first, *words)
            assert refused.code == 1, refused
            assert refused.err
        assert network.guests["cache"].link("eth1") is None
        assert web.ping("10.7.1.2", wait=round(20 * SLOW))

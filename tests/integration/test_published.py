"""Published ports go on working: what comes in by one of a guest's links is answered by it, whatever wires it gets."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Callable, NamedTuple

import pytest

from tests.lab.engine import IMAGE, docker, engine_on
from tests.lab.guest import SLOW, Guest, eventually
from tests.lab.host import Host, nic_of, settle, throwaway_host
from tests.lab.netns import NamedNamespace, Nic, dnsmasq, named_namespace
from tests.lab.scenes import bring_online
from tests.lab.snapshot import Unchanged

Namespaces = Callable[[], NamedNamespace]
HOSTS, LAN = "192.168.77.2", "192.168.77.9"  # the host's own address, and what the container gets
FAR = "10.99.0.2"  # a client behind the LAN's router
FETCH = """
import sys, urllib.request
opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
print(opener.open(sys.argv[1], timeout=float(sys.argv[2])).read().decode())
"""
LINES = {
    "with a gateway": [f"{LAN}/24@192.168.77.1"],
    "in the client's own network": [f"{LAN}/24"],
    "beside": ["--beside", f"{LAN}/24@192.168.77.1"],
    "leased": ["udhcpc"],
}


class Town(NamedTuple):
    """A Docker host with a container whose port 80 is published as 8080, and two clients outside."""

    host: Host
    nic: Nic
    env: dict[str, str]
    clients: tuple[Guest, ...]

    def run(self, *words: str) -> tuple[int, str, str]:
        """Run pipework on that host."""
        return self.host.pipework(*words, env=self.env)


def fetches(client: Guest, place: str, wait: float = 15.0) -> bool:
    """Whether a client gets a page from there; wait: seconds for an answer."""
    asked = client.enter(sys.executable, "-I", "-c", FETCH, f"http://{place}/passwd", str(wait * SLOW))
    return subprocess.run(asked, capture_output=True, check=False).stdout.startswith(b"root:")


@pytest.fixture(params=[True, False], ids=["proxy", "no proxy"], scope="module")
def town(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    """One whose engine has, or has not, its userland proxy."""
    folder = tmp_path_factory.mktemp("engine")
    settings = {"userland-proxy": request.param, "bip": "172.31.7.1/24"}
    with throwaway_host() as host, nic_of(host, "lan0") as nic, named_namespace("pwfar") as far:
        host.run("ip", "addr", "add", f"{HOSTS}/24", "dev", nic.name)
        host.run("ip", "route", "add", "default", "via", nic.address)
        nic.lan.run("sysctl", "-qw", "net.ipv4.ip_forward=1")
        nic.lan.run("ip", "link", "add", "far", "type", "veth", "peer", "name", "eth0", "netns", far.name)
        nic.lan.run("ip", "addr", "add", "10.99.0.1/24", "dev", "far")
        nic.lan.run("ip", "link", "set", "far", "up")
        far.run("ip", "addr", "add", f"{FAR}/24", "dev", "eth0")
        far.run("ip", "link", "set", "eth0", "up")
        far.run("ip", "route", "add", "default", "via", "10.99.0.1")
        with engine_on(host, folder, **settings) as address:
            serving = ("httpd", "-f", "-p", "80", "-h", "/etc")
            docker("--host", address, "run", "-d", "--name", "web", "-p", "8080:80", IMAGE, *serving)
            yield Town(host, nic, {"DOCKER_HOST": address}, (nic.lan, far))
            docker("--host", address, "rm", "-f", "web")


def published(town: Town) -> list[bool]:
    """Which of the clients are answered at the published port."""
    return [fetches(client, f"{HOSTS}:8080") for client in town.clients]


@pytest.mark.parametrize("words", LINES.values(), ids=LINES)
def test_published_port_and_lan_at_once(words: list[str], town: Town, tmp_path: Path) -> None:
    """Clients in the LAN and behind its router reach both at once; after del it is as before."""
    *options, address = words
    near, far = town.clients
    assert eventually(lambda: published(town) == [True, True])
    with dnsmasq(town.nic) as server:
        line = [*options, town.nic.name, "web", address]
        assert town.run(*line)[0] == 0
        own = server.leases()[0].address if address == "udhcpc" else LAN
        assert published(town) == [True, True]
        assert fetches(near, own)
        if "@" in address or address == "udhcpc":
            assert fetches(far, own)
        assert published(town) == [True, True]
        if address != "udhcpc":
            assert town.run("--replace", *line) == (0, "", "")
            assert town.run("--replace", "--mtu", "1400", *line) == (0, "", "")
            assert published(town) == [True, True]
        assert town.run("del", "web") == (0, "", "")
    assert published(town) == [True, True]
    assert not fetches(near, own, wait=2)


def out_of(guest: Guest, target: str, source: str) -> str:
    """The link by which the guest answers."""
    family = "-6" if ":" in target else "-4"
    words = guest.run("ip", family, "route", "get", target, "from", source).split()
    return words[words.index("dev") + 1]


@pytest.mark.parametrize("words", [[], ["--beside"]], ids=["instead", "beside"])
def test_each_address_by_its_own_link(words: list[str], host: Host, guest_ns: Namespaces) -> None:
    """Of both families, also where several wires have gateways; what one has added goes with it alone."""
    guest = guest_ns()
    bring_online(guest)
    host.run("ip", "link", "add", "br0", "type", "bridge")
    settle(guest)
    unchanged = Unchanged(guest)
    lines = {
        "eth1": "192.168.77.9/24@192.168.77.1,fd00:77::9/64@fd00:77::1",
        "eth2": "192.168.88.9/24@192.168.88.1,fd00:88::9/64@fd00:88::1",
    }
    places = ("203.0.113.7", "172.30.0.2"), ("2001:db8::7", "fd00:30::2")
    for ifname, addresses in lines.items():
        assert host.pipework(*words, "br0", "-i", ifname, guest.spec, addresses) == (0, "", "")
        for far, own in places:
            assert out_of(guest, far, own) == "eth0"
            assert out_of(guest, f"{own[:-1]}77", own) == "eth0"
    for far, first, second in (
        ("203.0.113.7", "192.168.77.9", "192.168.88.9"),
        ("2001:db8::7", "fd00:77::9", "fd00:88::9"),
        ("192.168.88.77", "192.168.77.9", "192.168.88.9"),
    ):
        assert (out_of(guest, far, first), out_of(guest, far, second)) == ("eth1", "eth2")
    assert host.pipework("del", guest.spec) == (0, "", "")
    for far, own in places:
        assert out_of(guest, far, own) == "eth0"
    assert out_of(guest, "203.0.113.7", "192.168.88.9") == "eth2"
    assert host.pipework("del", guest.spec, "-i", "eth2") == (0, "", "")
    unchanged.check()

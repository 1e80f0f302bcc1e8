"""Throwaway network namespaces: guests without an engine, a LAN behind a NIC, a DHCP server on it."""

from __future__ import annotations

import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Callable, NamedTuple

import pytest

from tests.lab.daemon import running
from tests.lab.guest import HOST, SLOW, Guest, fresh_name


class NamedNamespace(Guest):
    """A namespace made with `ip netns add`; `spec` is how pipework is told of it."""

    def __init__(self, name: str) -> None:
        super().__init__(name, f"/run/netns/{name}")
        self.spec = f"netns:{name}"


@contextmanager
def named_namespace(prefix: str = "pwns") -> Iterator[NamedNamespace]:
    """A fresh named namespace with its loopback up, deleted at the end."""
    guest = NamedNamespace(fresh_name(prefix))
    HOST.run("ip", "netns", "add", guest.name)
    try:
        guest.run("ip", "link", "set", "lo", "up")
        yield guest
    finally:
        # A test may have deleted it to see what happens to what was in it.
        if Path(guest.namespace or "").exists():
            HOST.run("ip", "netns", "del", guest.name)


class Nic(NamedTuple):
    """A veth whose host end plays a NIC; at the far end of the cable is a namespace that plays the LAN."""

    name: str
    lan: NamedNamespace
    far: str = "lan0"
    address: str = "192.168.77.1"
    address6: str = "fd00:77::1"
    subnet: str = "192.168.77.0/24"


@contextmanager
def cabled_nic() -> Iterator[Nic]:
    """A NIC without addresses on the host, up, cabled to a LAN that has an IPv4 and an IPv6 address."""
    with named_namespace("pwlan") as lan:
        nic = Nic(fresh_name("pwnic"), lan)
        HOST.run("ip", "link", "add", nic.name, "type", "veth", "peer", "name", nic.far, "netns", lan.name)
        try:
            lan.batch(
                f"addr add {nic.address}/24 dev {nic.far}",
                f"addr add {nic.address6}/64 dev {nic.far} nodad",
                f"link set {nic.far} up",
            )
            HOST.run("ip", "link", "set", nic.name, "up")
            yield nic
        finally:
            # Deleting this end is enough; it may be gone with a guest's namespace, and then both are.
            lan.run("ip", "link", "del", nic.far, check=False)


class Lease(NamedTuple):
    """One line of the server's lease file."""

    expires: int
    mac: str
    address: str
    hostname: str


class DhcpServer(NamedTuple):
    """dnsmasq on the LAN behind a NIC: a range, and one address reserved for one MAC."""

    nic: Nic
    lease_file: Path
    log: Path
    first: str = "192.168.77.100"
    last: str = "192.168.77.150"
    reserved_mac: str = "02:00:00:00:77:42"
    reserved_address: str = "192.168.77.42"
    gateway: str = "192.168.77.1"
    nameserver: str = "192.0.2.53"

    def leases(self) -> list[Lease]:
        """Return the leases that are out."""
        rows = [line.split() for line in self.lease_file.read_text().splitlines()]
        return [Lease(int(row[0]), row[1], row[2], row[3]) for row in rows if len(row) == 5]

    def count(self, word: str) -> int:
        """Return how often the server logged a message such as DHCPACK, DHCPREQUEST or DHCPRELEASE."""
        return self.log.read_text(errors="replace").count(f"{word}(")


@contextmanager
def dnsmasq(nic: Nic, timeout: float = 30 * SLOW) -> Iterator[DhcpServer]:
    """Serve DHCP on the far end of the NIC; leases last two minutes, the least that dnsmasq gives."""
    with tempfile.TemporaryDirectory(prefix="pipework-dhcp-") as folder:
        server = DhcpServer(nic, Path(folder, "leases"), Path(folder, "log"))
        server.lease_file.touch()
        server.log.touch()
        argv = nic.lan.enter(
            "dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--port=0", "--user=root",
            f"--pid-file={folder}/pid", f"--log-facility={server.log}", "--log-dhcp", "--no-ping",
            f"--interface={nic.far}", "--bind-interfaces", "--dhcp-authoritative",
            f"--dhcp-leasefile={server.lease_file}", f"--dhcp-range={server.first},{server.last},120",
            "--dhcp-sequential-ip",
            f"--dhcp-host={server.reserved_mac},{server.reserved_address}",
            f"--dhcp-option=option:router,{server.gateway}",
            f"--dhcp-option=option:dns-server,{server.nameserver}",
            # Renew after five seconds, for clients that listen to the server in this.
            "--dhcp-option=option:T1,5", "--dhcp-option=option:T2,60",
        )  # fmt: skip
        process = subprocess.Popen(argv, stdin=subprocess.DEVNULL)
        try:
            deadline = time.monotonic() + timeout
            while "IP range" not in server.log.read_text():
                if process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError(f"dnsmasq did not start: {server.log.read_text()}")
                time.sleep(0.02)
            yield server
        finally:
            process.terminate()
            process.wait(timeout)


BEHIND = "fd00:99::/48"  # the network that the router says it leads to, besides all the rest


@contextmanager
def announcing(nic: Nic, prefix: bool = True) -> Iterator[str]:
    """Let the far end of the NIC play an IPv6 router that announces itself, BEHIND and its network's prefix, yielded.

    prefix: whether guests may make themselves addresses of that.
    """
    nic.lan.run("sysctl", "-qw", "net.ipv6.conf.all.forwarding=1")
    network = nic.address6.removesuffix("1")
    with tempfile.TemporaryDirectory(prefix="pipework-radvd-") as folder:
        file = Path(folder, "radvd.conf")
        file.write_text(
            f"interface {nic.far} {{ AdvSendAdvert on; MinRtrAdvInterval 3; MaxRtrAdvInterval 4;\n"
            f"prefix {network}/64 {{ AdvAutonomous {'on' if prefix else 'off'}; }};\nroute {BEHIND} {{ }};\n}};\n"
        )
        argv = nic.lan.enter("radvd", "--nodaemon", "--logmethod=none", f"--config={file}", f"--pidfile={folder}/pid")
        with running(argv, Path(folder, "log")):
            yield network


@pytest.fixture
def guest_ns() -> Iterator[Callable[[], NamedNamespace]]:
    """A factory of named namespaces that play guests."""
    with ExitStack() as made:
        yield lambda: made.enter_context(named_namespace())


@pytest.fixture
def nic() -> Iterator[Nic]:
    """A NIC cabled to a LAN."""
    with cabled_nic() as made:
        yield made


@pytest.fixture
def dhcp_server(nic: Nic) -> Iterator[DhcpServer]:
    """A DHCP server on the LAN of `nic`."""
    with dnsmasq(nic) as server:
        yield server

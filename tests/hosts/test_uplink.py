"""uplink beside the real NetworkManager, the real ifupdown and the real firewalld."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Callable

import pytest

from tests.hosts.conftest import message_bus
from tests.lab.daemon import running
from tests.lab.guest import eventually
from tests.lab.host import Host, host, host_nic, nic_of
from tests.lab.netns import Nic
from tests.lab.tcp import reaches
from tests.lab.uplinks import CARD, MINE, network_of

__all__ = ["host", "host_nic"]

Nics = Callable[..., Nic]
CONNECTIONS = Path("/etc/NetworkManager/system-connections")
FILE = f"""[connection]
id=office
type=ethernet
interface-name={CARD}
[ipv4]
method=manual
address1={MINE}/24,192.168.77.1
[ipv6]
method=disabled
"""


@contextmanager
def network_manager(host: Host, folder: Path) -> Iterator[None]:
    """NetworkManager on that host; it minds every card there, without udev, as where /sys cannot be written."""
    (folder / "conf").write_text("[main]\nplugins=keyfile\n[device]\nmatch-device=*\nmanaged=1\n")
    starting = f"mount -o remount,bind,ro /sys && exec NetworkManager -n --config={folder}/conf"
    with running(host.argv("sh", "-c", starting), folder / "log"):
        assert eventually(lambda: f"{MINE}/24" in host.addresses(CARD) + made(host)), (folder / "log").read_text()
        yield


def made(host: Host) -> list[str]:
    """The addresses of the bridge, if there is one."""
    return host.addresses("br0") if host.link("br0") else []


@pytest.fixture
def office() -> Iterator[Path]:
    """A connection of NetworkManager's with a fixed address; all go that are there afterwards."""
    CONNECTIONS.mkdir(parents=True, exist_ok=True)
    file = CONNECTIONS / "office.nmconnection"
    file.write_text(FILE)
    file.chmod(0o600)
    yield file
    for there in CONNECTIONS.iterdir():
        there.unlink()


def test_network_manager(host: Host, host_nic: Nics, office: Path, tmp_path: Path) -> None:
    """It leaves the card alone until the way back; what is printed has it make the same bridge at its next start."""
    nic = host_nic(CARD)
    with message_bus(tmp_path):
        with network_manager(host, tmp_path):
            had = network_of(host, CARD)
            code, out, err = host.pipework("uplink", "br0", CARD)
            assert (code, out) == (0, ""), err
            head, *lines = err.splitlines()
            assert f"{CARD} is NetworkManager's, which makes it at the next boot what it was" in head
            time.sleep(3)  # in which it would take the address back
            assert reaches(nic.lan, host, MINE)
            assert network_of(host, "br0") == had
            assert host.pipework("uplink", "--undo", "br0", CARD) == (0, "", "")
            time.sleep(3)
            assert network_of(host, CARD) == had
            states = ["nmcli", "-t", "-f", "DEVICE,STATE", "device"]
            assert eventually(lambda: f"{CARD}:connected" in subprocess.check_output(states, text=True))
            assert host.pipework("uplink", "br0", CARD).code == 0
            subprocess.run(["sh", "-e", "-c", "\n".join(lines)], check=True, stdout=subprocess.DEVNULL)
        host.run("ip", "link", "del", "br0")
        host.run("ip", "addr", "flush", "dev", CARD)
        for memory in Path("/run/NetworkManager/devices").iterdir():
            memory.unlink()  # which a boot takes along
        with network_manager(host, tmp_path):
            assert eventually(lambda: reaches(nic.lan, host, MINE))
            assert (made(host), host.addresses(CARD)) == ([f"{MINE}/24"], [])


def test_ifupdown(host: Host, host_nic: Nics, tmp_path: Path) -> None:
    """What is printed, written into its file, has ifup make the same bridge."""
    nic, file = host_nic(CARD), tmp_path / "interfaces"
    file.write_text(f"iface {CARD} inet static\n    address {MINE}/24\n    gateway {nic.address}\n")
    Path("/run/network").mkdir(exist_ok=True)
    subprocess.run(host.argv("ifup", "-i", str(file), CARD), check=True)
    had = network_of(host, CARD)
    code, out, err = host.pipework("uplink", "br0", CARD)
    assert (code, out) == (0, ""), err
    head, *lines = err.splitlines()
    assert f"{CARD} is ifupdown's, which makes it at the next boot what it was" in head
    assert reaches(nic.lan, host, MINE)
    assert host.pipework("uplink", "--undo", "br0", CARD) == (0, "", "")
    subprocess.run(host.argv("ifdown", "-i", str(file), CARD), check=True)
    file.write_text("\n".join(line.removeprefix("    ") for line in lines) + "\n")
    subprocess.run(host.argv("ifup", "-i", str(file), "br0"), check=True)
    assert eventually(lambda: reaches(nic.lan, host, MINE))
    assert network_of(host, "br0")[0] == had[0]
    subprocess.run(host.argv("ifdown", "-i", str(file), "br0"), check=True)


def test_firewalld(firewalld: Host) -> None:
    """A card in a zone is refused until the bridge is in it, too; then what the zone lets in gets in, and no more."""
    with nic_of(firewalld, CARD) as nic:
        firewalld.run("ip", "addr", "add", f"{MINE}/24", "dev", CARD)
        firewalld.run("firewall-cmd", "--zone=work", "--add-port=7007/tcp")
        firewalld.run("firewall-cmd", "--zone=work", f"--add-interface={CARD}")
        refused = firewalld.pipework("uplink", "br0", CARD)
        assert refused.code == 1
        assert f"the firewall names {CARD}" in refused.err
        assert "firewall-cmd --zone=ZONE --add-interface=br0" in refused.err
        firewalld.run("firewall-cmd", "--zone=work", "--add-interface=br0")
        assert firewalld.pipework("uplink", "br0", CARD).code == 0
        assert reaches(nic.lan, firewalld, MINE)
        firewalld.run("firewall-cmd", "--zone=work", "--remove-port=7007/tcp")
        assert not reaches(nic.lan, firewalld, MINE, wait=1)

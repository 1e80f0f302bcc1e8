"""A Wi-Fi card, whose access point takes frames of one MAC only: guests behind it, in the ways that want no other."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.lab.daemon import running
from tests.lab.guest import HOST, eventually
from tests.lab.host import Host, host
from tests.lab.netns import NamedNamespace
from tests.lab.tcp import reaches
from tests.vm.wiring import Namespaces

pytestmark = pytest.mark.vm
__all__ = ["host"]

OURS, ITS = "192.168.88.2", "192.168.88.1"
OURS6, ITS6 = "fd00:88::2", "fd00:88::1"
ACCESS_POINT = "interface=wlan1\ndriver=nl80211\nssid=pipework\nhw_mode=g\nchannel=1\n"
NETWORK = 'network={\n\tssid="pipework"\n\tkey_mgmt=NONE\n\tscan_freq=2412\n}\n'


@pytest.fixture
def station(host: Host, radios: list[str], guest_ns: Namespaces, tmp_path: Path) -> Iterator[NamedNamespace]:
    """What is behind the access point, with which the host's wlan0 is connected, and stays so."""
    lan = guest_ns()
    for phy, name in zip(radios, (host.name, lan.name)):
        HOST.run("iw", "phy", phy, "set", "netns", "name", name)
    for end, card, addresses in ((host, "wlan0", (OURS, OURS6)), (lan, "wlan1", (ITS, ITS6))):
        end.run("ip", "addr", "add", f"{addresses[0]}/24", "dev", card)
        end.run("ip", "addr", "add", f"{addresses[1]}/64", "dev", card, "nodad")
    access_point, network = tmp_path / "hostapd.conf", tmp_path / "wpa_supplicant.conf"
    access_point.write_text(ACCESS_POINT)
    network.write_text(NETWORK)
    serving, connecting = tmp_path / "hostapd", tmp_path / "wpa_supplicant"  # the logs
    with ExitStack() as daemons:
        daemons.enter_context(running(lan.enter("hostapd", str(access_point)), serving))
        assert eventually(lambda: "AP-ENABLED" in serving.read_text()), serving.read_text()
        argv = host.argv("wpa_supplicant", "-i", "wlan0", "-c", str(network))
        daemons.enter_context(running(argv, connecting))
        assert eventually(lambda: "CTRL-EVENT-CONNECTED" in connecting.read_text()), connecting.read_text()
        assert eventually(lambda: host.ping(ITS, wait=1)), connecting.read_text()
        yield lan


def test_routed(host: Host, station: NamedNamespace, guest_ns: Namespaces) -> None:
    """A routed guest, what is behind the access point, and the host reach each other, in both families."""
    guest = guest_ns()
    host.run("sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1")
    done = host.pipework("--routed", "wlan0", guest.spec, "192.168.88.9/32,fd00:88::9/128")
    assert (done.code, done.out) == (0, ""), done
    for address, own in (("192.168.88.9", ITS), ("fd00:88::9", ITS6)):
        assert reaches(station, guest, address)
        assert reaches(guest, station, own)
        assert reaches(host, guest, address)
    assert host.pipework("del", guest.spec) == (0, "", "")


def test_ipvlan(host: Host, station: NamedNamespace, guest_ns: Namespaces) -> None:
    """So does one that shares the card's MAC, but for the host."""
    guest = guest_ns()
    assert host.pipework("--ipvlan", "l2", "wlan0", guest.spec, "192.168.88.9/24,fd00:88::9/64") == (0, "", "")
    for address, own in (("192.168.88.9", ITS), ("fd00:88::9", ITS6)):
        assert reaches(station, guest, address)
        assert reaches(guest, station, own)
    assert host.pipework("del", guest.spec) == (0, "", "")

"""--direct-phys with a real network card and with a radio, which come back to the host."""

from __future__ import annotations

from typing import Callable

import pytest

from tests.lab.command import run_pipework
from tests.lab.engine import Container
from tests.lab.guest import HOST, eventually
from tests.lab.netns import Nic
from tests.vm.wiring import NO_ROUTER, Namespaces, fail, succeed, untouched

pytestmark = pytest.mark.vm


def test_card(cable: Nic, guest_ns: Namespaces) -> None:
    """A card leaves the host, carries the guest's traffic, and when that is gone, gc brings it back as it was."""
    guest, there = guest_ns(), HOST.link("eth0")
    succeed("--direct-phys", "eth0", "-i", "lan7", guest.spec, "192.168.77.8/24@192.168.77.1")
    assert HOST.link("eth0") is None
    link = guest.link("lan7")
    assert link is not None
    assert there is not None
    assert link["address"] == there["address"]
    assert guest.ping("192.168.77.1")
    HOST.run("ip", "netns", "del", guest.name)
    assert eventually(lambda: HOST.link("lan7"))
    assert run_pipework("gc").code == 0
    home = HOST.link("eth0")
    assert home is not None
    assert "ifalias" not in home
    assert "UP" in home["flags"]


@pytest.mark.parametrize("by_hand", [False, True])
def test_card_lent_on(cable: Nic, guest_ns: Namespaces, by_hand: bool) -> None:
    """Of a card that the kernel gives back and somebody lends on, what it was at home outlives both guests; of one that
    they have put in order themselves, that."""
    first, second = guest_ns(), guest_ns()
    HOST.run("ip", "addr", "add", "192.168.77.2/24", "dev", "eth0")
    succeed("--direct-phys", "eth0", "-i", "lan7", first.spec, "0/0")
    HOST.run("ip", "netns", "del", first.name)
    assert eventually(lambda: HOST.link("lan7"))
    if by_hand:
        HOST.batch("link set lan7 name eth0", "link set eth0 up", "addr add 192.168.77.3/24 dev eth0")
    succeed("--direct-phys", "eth0" if by_hand else "lan7", "-i", "lan8", second.spec, "0/0")
    assert "loan of" not in run_pipework("gc").out
    HOST.run("ip", "netns", "del", second.name)
    assert eventually(lambda: HOST.link("lan8"))
    assert run_pipework("gc").out.count("the loan of eth0, which is home again") == 1
    assert HOST.addresses("eth0") == ["192.168.77.3/24" if by_hand else "192.168.77.2/24"]
    home = HOST.link("eth0")
    assert home is not None
    assert "ifalias" not in home


def test_card_comes_back_from_a_failure(cable: Nic, guest_ns: Namespaces) -> None:
    """A run that fails brings the card back with name, MAC, address and routes; exit 2."""
    guest = guest_ns()
    HOST.run("ip", "addr", "add", "192.168.77.2/24", "dev", "eth0")
    HOST.run("ip", "route", "add", "10.20.0.0/16", "via", "192.168.77.1", "dev", "eth0")
    try:
        words = ("--direct-phys", "eth0", guest.spec, "192.168.77.8/24@" + NO_ROUTER, "02:00:00:00:07:07")
        with untouched(guest):
            assert "RTNETLINK answers:" in fail(*words, code=2)
    finally:
        HOST.run("ip", "addr", "flush", "dev", "eth0")


def test_radio(radios: list[str], container: Callable[..., Container], guest_ns: Namespaces) -> None:
    """A radio moves whole to a container and to a namespace, its interface renamed, whatever the host has."""
    guest, other = container(), guest_ns()
    HOST.run("ip", "link", "add", "eth1x", "type", "dummy")
    succeed("--direct-phys", "wlan0", "-i", "wifi0", guest.name, "192.168.9.1/24")
    assert guest.addresses("wifi0") == ["192.168.9.1/24"]
    assert "Interface wifi0" in guest.run("iw", "dev")
    assert HOST.link("wlan0") is None
    succeed("--direct-phys", "wlan1", "-i", "eth1x", other.spec, "192.168.9.2/24")
    assert "Interface eth1x" in other.run("iw", "dev")
    assert HOST.run("iw", "dev").strip() == ""
    HOST.run("ip", "link", "del", "eth1x")
    # else the next radios, which have the same MACs, would be those that come home
    succeed("del", guest.name, "-i", "wifi0")
    succeed("del", other.spec, "-i", "eth1x")


def test_radio_of_a_guest_that_is_gone(radios: list[str], guest_ns: Namespaces) -> None:
    """The kernel gives the radio back when its guest has gone, and gc makes it what it was."""
    guest = guest_ns()
    HOST.run("ip", "addr", "add", "192.168.9.7/24", "dev", "wlan0")
    succeed("--direct-phys", "wlan0", "-i", "wifi0", guest.spec, "0/0")
    HOST.run("ip", "netns", "del", guest.name)
    assert eventually(lambda: HOST.link("wifi0"))
    assert "the loan of wlan0, which is home again" in run_pipework("gc").out
    assert HOST.addresses("wlan0") == ["192.168.9.7/24"]
    assert "Interface wlan0" in HOST.run("iw", "dev")


def test_radio_comes_back_from_a_failure(radios: list[str], guest_ns: Namespaces) -> None:
    """A run that fails brings the radio back under its name, although the host has a link of the guest's name."""
    guest = guest_ns()
    HOST.run("ip", "link", "add", "wifi0", "type", "dummy")
    try:
        words = ("--direct-phys", "wlan0", "-i", "wifi0", guest.spec, "192.168.77.8/24@" + NO_ROUTER)
        with untouched(guest):
            assert "RTNETLINK answers:" in fail(*words, code=2)
        assert "Interface wlan0" in HOST.run("iw", "dev")
    finally:
        HOST.run("ip", "link", "del", "wifi0")


def test_radio_cannot_be_shared(radios: list[str], guest_ns: Namespaces) -> None:
    """A macvlan on Wi-Fi is refused with the way that works; a radio that is not there is refused, too."""
    guest = guest_ns()
    with untouched(guest):
        said = fail("wlan0", guest.spec, "192.168.9.1/24")
        assert "Wi-Fi" in said
        assert "--direct-phys wlan0" in said
        said = fail("--direct-phys", "wlan9", guest.spec, "192.168.9.1/24")
    assert "this host has no interface wlan9" in said

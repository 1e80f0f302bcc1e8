"""--dry-run: the lines that it prints do what the run itself would do, and printing them does nothing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial

import pytest

from tests.integration.test_del import on_bridge
from tests.lab.host import nic_of, settle
from tests.lab.netns import named_namespace
from tests.lab.rehearsing import assert_same
from tests.lab.scenes import ADDRESSES, MAC, Scene, bring_online, set_scene
from tests.lab.scenes import scene as lab_scene
from tests.lab.switch_host import switch_host

KINDS = ("bridge-new", "bridge", "left-over", "openvswitch", "fake-bridge", "macvlan", "direct", "direct-port")


@contextmanager
def scene(kind: str, address: str) -> Iterator[Scene]:
    """Build host and guest afresh."""
    with ExitStack() as stack:
        switch = stack.enter_context(switch_host(switching=kind in ("openvswitch", "fake-bridge")))
        host = switch.host
        guest = stack.enter_context(named_namespace())
        nic = stack.enter_context(nic_of(host, "nic0"))
        bring_online(guest)
        guest.run("sysctl", "-qw", "net.ipv6.conf.default.disable_ipv6=1", "net.ipv6.conf.default.dad_transmits=0")
        host.run("ip", "addr", "add", "192.168.77.2/24", "dev", nic.name)
        host.run("ip", "addr", "add", "fd00:77::2/64", "dev", nic.name, "nodad")
        host.run("ip", "route", "add", "10.20.0.0/16", "via", "192.168.77.1", "dev", nic.name, "mtu", "1400")
        host.run("ip", "route", "add", "10.30.0.0/16", "dev", nic.name, "src", "192.168.77.2", "table", "77")
        host.run("ip", "-6", "route", "add", "fd00:99::/48", "via", "fd00:77::1", "dev", nic.name)
        before = {"macvlan": ["nic0"], "direct": ["--direct-phys", "nic0"], "direct-port": ["--direct-phys", "nic0"]}
        words = before.get(kind, ["br0"])
        if kind in ("bridge", "left-over", "direct-port"):
            on_bridge(host)
        if kind == "left-over":
            assert host.pipework("br0", "-l", "plugged", guest.spec, "10.9.9.9/24").code == 0
            host.run("ip", "link", "set", "plugged", "down")
            words = ["br0", "-l", "plugged"]
        if kind == "direct-port":
            host.run("ip", "link", "set", "nic0", "master", "br0")
        if kind == "openvswitch":
            words = [switch.add_bridge("sw0")]
        if kind == "fake-bridge":
            switch.vsctl("add-br", "fake0", switch.add_bridge("sw0"), "10")
            words = ["fake0"]
        tag = f"{MAC}@100" if kind == "openvswitch" else MAC
        settle(host, guest)
        with set_scene(host, guest, [*words, guest.spec, ADDRESSES[address], tag], switch) as taken:
            yield taken


@pytest.mark.parametrize("address", ["v4-gateway", "v6-off-link"])
@pytest.mark.parametrize("kind", KINDS)
def test_lines_do_the_same(kind: str, address: str) -> None:
    """An attach of each kind: printing touches nothing, and the lines leave what the run leaves."""
    assert_same(partial(scene, kind, address), "attach")


@pytest.mark.parametrize("address", [key for key in ADDRESSES if key not in ("v4-gateway", "v6-off-link")])
def test_each_address(address: str) -> None:
    """The same for each form of an address."""
    assert_same(partial(scene, "bridge", address), "attach")


@pytest.mark.parametrize("kind", ["options", "beside", "private", "direct-options", "host-access"])
def test_options(kind: str) -> None:
    """The same with routes, a metric and an MTU, and beside another default route."""
    assert_same(partial(lab_scene, kind, "both" if kind == "host-access" else "several"), "attach")


@pytest.mark.parametrize("verb", ["attach", "del"])
def test_routed(verb: str) -> None:
    """The same with a guest that the host routes for, made and taken back."""
    assert_same(partial(scene, "routed", "alone"), verb)


@pytest.mark.parametrize("address", ["v4-gateway", "v6-off-link"])
@pytest.mark.parametrize("kind", ["bridge-new", "openvswitch", "macvlan", "direct", "direct-port"])
def test_del(kind: str, address: str) -> None:
    """Of del as well, with the default routes that come back and the NIC that comes home."""
    assert_same(partial(scene, kind, address), "del")


@pytest.mark.parametrize("address", ["v4-gateway", "v6-off-link"])
@pytest.mark.parametrize("kind", ["bridge", "openvswitch", "fake-bridge", "macvlan"])
def test_replace(kind: str, address: str) -> None:
    """Of --replace, where another wire of that name is there, and the default routes that it had replaced."""
    assert_same(partial(scene, kind, address), "replace")


@pytest.mark.parametrize("verb", ["attach", "replace", "del"])
def test_ovn(verb: str) -> None:
    """Of a port of OVN, of its replacement and of its end."""
    assert_same(partial(lab_scene, "ovn", "several"), verb)


@pytest.mark.parametrize("verb", ["attach", "replace", "del"])
def test_wire_between_guests(verb: str) -> None:
    """Of a wire between two guests, of its replacement and of its end."""
    assert_same(partial(lab_scene, "wire", "several"), verb)


def test_lines_of_a_refusal() -> None:
    """What a run would refuse, its rehearsal refuses, in the same words and with no line."""
    with scene("bridge", "v4") as taken:
        assert taken.host.pipework(*taken.words).code == 0
        rehearsed = taken.host.pipework("--dry-run", *taken.words)
        assert rehearsed == taken.host.pipework(*taken.words)
        assert rehearsed.code == 1

"""Guests whose names are longer than the mark of a link can be."""

from __future__ import annotations

import json
from typing import Any, Callable

import pytest

from tests.lab.command import run_pipework
from tests.lab.engine import Container
from tests.lab.guest import run
from tests.lab.netns import NamedNamespace, Nic
from tests.lab.podman import PodmanContainer
from tests.lab.snapshot import wait_for_the_ended

pytestmark = pytest.mark.docker

ADDRESS = "192.168.1.1/24"
NAME = "n" * 240
OTHER = NAME + "o"  # the same as far as a mark has room


def wires(hostif: str) -> list[dict[str, Any]]:
    """What ``ls`` tells of a bridge or a NIC."""
    return [wire for wire in json.loads(run_pipework("ls", "--json").out) if wire["hostif"] == hostif]


@pytest.mark.parametrize("length", [228, 229, 230, 231, 255])
def test_container(container: Callable[..., Container], bridge: Callable[..., str], length: int) -> None:
    """A container of a very long name is wired, listed, wired anew, left alone and taken back."""
    guest, name = container(name="n" * length), bridge()
    assert run_pipework(name, guest.name, ADDRESS) == (0, "", "")
    assert run_pipework("--replace", name, guest.name, "192.168.1.2/24") == (0, "", "")
    before = guest.link("eth1")
    assert run_pipework("--replace", name, guest.name, "192.168.1.2/24") == (0, "", "")
    assert guest.link("eth1") == before
    (wire,) = wires(name)
    assert (wire["ifname"], wire["runtime"]) == ("eth1", "docker")
    assert guest.name.startswith(wire["guest"])
    assert run_pipework("del", guest.name, "-i", "eth1") == (0, "", "")
    assert guest.link("eth1") is None


def test_two_of_the_same_mark(container: Callable[..., Container], bridge: Callable[..., str]) -> None:
    """Two guests whose names differ behind what a mark holds keep their wires apart."""
    one, other, name = container(name=NAME), container(name=OTHER), bridge()
    assert run_pipework(name, one.name, ADDRESS) == (0, "", "")
    assert run_pipework(name, other.name, "192.168.1.2/24") == (0, "", "")
    assert run_pipework("del", one.name) == (0, "", "")
    assert one.link("eth1") is None
    assert other.addresses("eth1") == ["192.168.1.2/24"]
    assert len(wires(name)) == 1


def test_switch(container: Callable[..., Container], ovs_bridge: Callable[..., str]) -> None:
    """On a bridge of Open vSwitch the port of such a container is collected once it has ended."""
    guest, name = container(name=NAME), ovs_bridge()
    assert run_pipework(name, guest.name, ADDRESS, "@20") == (0, "", "")
    (wire,) = wires(name)
    assert (wire["vlan"], wire["ifname"]) == (20, "eth1")
    assert run("ovs-vsctl", "list-ports", name).split()
    run("docker", "rm", "-f", guest.name)
    wait_for_the_ended()
    assert run_pipework("gc").code == 0
    assert run("ovs-vsctl", "list-ports", name).split() == []


def test_podman(podman: Callable[..., PodmanContainer], nic: Nic) -> None:
    """On a NIC, whose mark is on the guest's own link, a container of podman is told, too."""
    guest = podman(name=NAME)
    name = nic.name
    assert run_pipework(name, guest.name, ADDRESS) == (0, "", "")
    (wire,) = wires(name)
    assert wire["runtime"] == "podman"
    assert guest.name.startswith(wire["guest"])
    assert run_pipework("del", guest.name) == (0, "", "")
    assert guest.link("eth1") is None


def test_letters_of_two_bytes(bridge: Callable[..., str]) -> None:
    """No letter is cut in two."""
    guest, name = NamedNamespace("\u00e9" * 120), bridge()
    run("ip", "netns", "add", guest.name)
    try:
        assert run_pipework(name, guest.spec, ADDRESS) == (0, "", "")
        (wire,) = wires(name)
        assert set(wire["guest"]) == {"\u00e9"}
        assert run_pipework("del", guest.spec) == (0, "", "")
        assert guest.link("eth1") is None
    finally:
        run("ip", "netns", "del", guest.name)

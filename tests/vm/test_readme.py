"""The commands of README.md and docs/ that want a distribution kernel, as printed."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.lab.command import run_pipework
from tests.lab.console import Section
from tests.lab.guest import HOST, run
from tests.lab.lxc import started_lxc
from tests.lab.netns import Nic
from tests.lab.pages import CARD, MACHINE_SECTIONS, check, name_of
from tests.lab.podman import ensure_podman_image
from tests.vm.wiring import delete, vlan_on

pytestmark = pytest.mark.vm


@pytest.fixture
def card(cable: Nic) -> Iterator[None]:
    """The cable's end by the name that the pages have for it, and VLAN 100 on the LAN."""
    HOST.run("ip", "link", "set", cable.name, "down")
    HOST.run("ip", "link", "set", cable.name, "name", CARD)
    HOST.run("ip", "link", "set", CARD, "up")
    vlan_on(cable.lan, cable.far, 100, "192.168.100.1/24")
    yield
    HOST.run("ip", "link", "set", CARD, "down")
    HOST.run("ip", "link", "set", CARD, "name", cable.name)


@pytest.mark.parametrize("section", MACHINE_SECTIONS, ids=name_of)
def test_prints_what_it_says(
    section: Section,
    engine: None,
    kernel_switch: None,
    card: None,
    request: pytest.FixtureRequest,
) -> None:
    """Every command of a page prints what stands below it."""
    if section.heading in ("Wi-Fi", "IPoIB"):
        request.getfixturevalue("radios" if section.heading == "Wi-Fi" else "infiniband")
    if section.heading == "podman":
        ensure_podman_image()
    before = set(links())
    try:
        if section.heading == "LXC":
            with started_lxc("box"):
                check(section, ())
        else:
            check(section, ())
    finally:
        for bridge in run("ovs-vsctl", "list-br").split():
            run("ovs-vsctl", "del-br", bridge)
        delete(*(set(links()) - before))
        assert run_pipework("gc").code == 0  # takes the firewall's rules of those bridges, too


def links() -> list[str]:
    """Return the names of the machine's links."""
    return [str(link["ifname"]) for link in HOST.ip("-j", "link", "show")]

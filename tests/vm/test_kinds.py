"""Each kind of link once, listed as what it is and taken back: on whichever Debian the machine has."""

from __future__ import annotations

import json
from typing import Callable

import pytest

from tests.lab.command import run_pipework
from tests.lab.guest import HOST
from tests.lab.netns import NamedNamespace, Nic
from tests.vm.wiring import delete, succeed

pytestmark = pytest.mark.vm

# kind: the fixture that brings its part, the words of a line in front of the guest, those behind it
LINES = {
    "bridge": ("", ("br-kind",), ("192.168.77.9/24",)),
    "openvswitch": ("kernel_switch", ("ovskind",), ("192.168.77.9/24",)),
    "macvlan": ("cable", ("eth0",), ("192.168.77.9/24",)),
    "nic": ("cable", ("--direct-phys", "eth0"), ("192.168.77.9/24",)),
    "vlan": ("cable", ("--direct-phys", "eth0"), ("192.168.77.9/24", "@100")),
    "ipoib": ("infiniband", ("ib0",), ("192.168.77.9/24",)),
    "dummy": ("", ("dummy0",), ("192.168.77.9/24",)),
}
ON_THE_LAN = ("macvlan", "nic")


@pytest.mark.parametrize("kind", LINES)
def test_kind(kind: str, guest_ns: Callable[[], NamedNamespace], request: pytest.FixtureRequest) -> None:
    """It is made as asked, ls says what it is, a LAN behind it is reached, and del takes it back."""
    part, before, behind = LINES[kind]
    far = request.getfixturevalue(part) if part else None
    guest = guest_ns()
    succeed(*before, guest.spec, *behind)
    (wire,) = json.loads(run_pipework("ls", "--json", guest.spec).out)
    assert (wire["kind"], wire["addresses"][:1]) == (kind, ["192.168.77.9/24"])
    if kind in ON_THE_LAN:
        assert isinstance(far, Nic)
        assert guest.ping(far.address)
    succeed("del", guest.spec, "-i", wire["ifname"])
    if kind == "openvswitch":
        HOST.run("ovs-vsctl", "del-br", before[0])
    delete("br-kind")
    assert guest.link(wire["ifname"]) is None
    assert json.loads(run_pipework("ls", "--json", guest.spec).out) == []
    assert kind != "nic" or HOST.link("eth0")

"""Dummy links, and IPoIB children as far as an adapter without a cable carries them."""

from __future__ import annotations

import pytest

from tests.lab.command import run_pipework
from tests.lab.guest import HOST
from tests.lab.netns import NamedNamespace
from tests.lab.snapshot import Unchanged
from tests.vm.wiring import NO_ROUTER, Namespaces, fail, kind, succeed, untouched

pytestmark = pytest.mark.vm


def test_dummy(guest_ns: Namespaces) -> None:
    """dummy* gives the guest a dummy link with address and MAC, and the host nothing, first time and second."""
    one, two = guest_ns(), guest_ns()
    before = Unchanged()
    succeed("dummy0", one.spec, "192.168.1.1/24", "02:00:00:00:05:01")
    succeed("dummy0", "-i", "lan7", two.spec, "192.168.1.2/24")
    assert kind(one, "eth1") == "dummy"
    assert one.addresses("eth1") == ["192.168.1.1/24"]
    link = one.link("eth1")
    assert link is not None
    assert link["address"] == "02:00:00:00:05:01"
    assert kind(two, "lan7") == "dummy"
    before.check()


def test_dummy_refusals(guest_ns: Namespaces) -> None:
    """A dummy link has no VLANs, and what fails is undone."""
    guest = guest_ns()
    with untouched(guest):
        assert "VLAN @100" in fail("dummy0", guest.spec, "192.168.1.1/24", "@100")
        fail("dummy0", guest.spec, "192.168.77.8/24@" + NO_ROUTER, code=2)


def pkey(guest: NamedNamespace, name: str) -> int:
    """Return the partition key of a guest's IPoIB link."""
    assert kind(guest, name) == "ipoib"
    link = guest.link(name)
    assert link is not None
    data = link["linkinfo"]["info_data"]
    return int(str(data.get("pkey", data.get("key"))), 16)


def test_ipoib(infiniband: str, guest_ns: Namespaces) -> None:
    """A guest on IPoIB has a child called ib0, or as -i says, in the parent's partition or that of the key given."""
    plain, keyed, named = guest_ns(), guest_ns(), guest_ns()
    succeed(infiniband, plain.spec, "192.168.1.1/24")
    assert pkey(plain, "ib0") == 0xFFFF
    assert plain.addresses("ib0") == ["192.168.1.1/24"]
    succeed(infiniband, keyed.spec, "192.168.1.2/24", "@8001")
    assert pkey(keyed, "ib0") == 0x8001
    succeed(infiniband, "-i", "eth1", named.spec, "192.168.1.3/24", "@8001")
    assert pkey(named, "eth1") == 0x8001
    parent = HOST.link(infiniband)
    assert parent is not None
    assert "UP" in parent["flags"]


def test_ipoib_replaced(infiniband: str, guest_ns: Namespaces) -> None:
    """ls tells the partition; --replace leaves a child of the same one alone, and makes one in another."""
    guest = guest_ns()
    line = ("--replace", infiniband, guest.spec, "192.168.1.2/24")
    succeed(*line, "@1")
    assert "  0x8001  " in run_pipework("ls").out
    before = guest.link("ib0")
    succeed(*line, "@8001")
    assert guest.link("ib0") == before
    succeed(*line, "@8002")
    assert pkey(guest, "ib0") == 0x8002
    succeed(*line)
    assert pkey(guest, "ib0") == 0xFFFF
    assert "  0xffff  " in run_pipework("ls").out


def test_ipoib_refusals(infiniband: str, guest_ns: Namespaces) -> None:
    """A MAC and a key out of range are refused by name, and what fails is undone."""
    guest = guest_ns()
    HOST.run("ip", "link", "set", infiniband, "up")
    with untouched(guest):
        said = fail(infiniband, guest.spec, "192.168.1.1/24", "02:00:00:00:00:05")
        assert "MAC 02:00:00:00:00:05" in said
        for wrong in ("0", "10000"):
            said = fail(infiniband, guest.spec, "192.168.1.1/24", f"@{wrong}")
            assert f"partition key @{wrong} is out of range" in said
        fail(infiniband, guest.spec, "192.168.77.8/24@" + NO_ROUTER, "@8001", code=2)

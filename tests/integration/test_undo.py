"""As if it had never run: whatever fails, at whatever step, host and guest are as before."""

from __future__ import annotations

from functools import partial

import pytest

from tests.lab.disturbing import broken_at_every_step, healed_at_every_step
from tests.lab.faults import PROGRAM_FAULTS
from tests.lab.scenes import ADDRESSES, CLIENTS, scene

KINDS = ("new-bridge", "bridge", "replaced-port", "macvlan", "direct", "switch", "dead-port")
# Each kind with a default route of either family; each way of addressing with the simplest kind, and with the NIC that
# comes home with addresses of its own.
ADDRESSED = [
    *((kind, address) for kind in KINDS for address in ("v4-gateway", "v6-off-link")),
    *(
        (kind, address)
        for kind in ("bridge", "direct")
        for address in ADDRESSES
        if address not in ("v4-gateway", "v6-off-link", "several")
    ),
]


def undone(kind: str, address: str, fault: str) -> int:
    """Break the command at one step after the other; return how many there were."""
    return broken_at_every_step(partial(scene, kind, address), fault, f"{kind} {address}")


@pytest.mark.parametrize(("kind", "address"), ADDRESSED)
def test_refused_at_any_step(kind: str, address: str) -> None:
    """Whichever request the kernel refuses, host and guest are as before; exit 2."""
    assert undone(kind, address, "refuse") > 10


@pytest.mark.parametrize("fault", ["refuse", "INT"])
@pytest.mark.parametrize("kind", ["options", "beside", "direct-options", "trunk"])
def test_options_at_any_step(kind: str, fault: str) -> None:
    """The same with routes, a metric and an MTU, or VLANs, for addresses of both families."""
    assert undone(kind, "several", fault) > 20


@pytest.mark.parametrize("fault", ["refuse", "INT"])
def test_ovn_at_any_step(fault: str) -> None:
    """The same with a port of OVN, for addresses of both families: OVN has the port no more."""
    assert undone("ovn", "several", fault) > 20


@pytest.mark.parametrize("fault", ["refuse", "INT"])
def test_routed_at_any_step(fault: str) -> None:
    """The same with a guest that the host routes for: the NIC answers for it no more, and no rule is left."""
    assert undone("routed", "alone", fault) > 20


@pytest.mark.parametrize(("address", "fault"), [("several", "refuse"), ("several", "INT"), ("v6-off-link", "refuse")])
def test_wire_at_any_step(address: str, fault: str) -> None:
    """The same of a wire between two guests, each of which has default routes already."""
    assert undone("wire", address, fault) > 20


@pytest.mark.parametrize("fault", ["refuse", "INT"])
def test_host_access_at_any_step(fault: str) -> None:
    """The same with the host's way to the guest, for addresses of both families."""
    assert undone("host-access", "both", fault) > 20


def test_sure_at_any_step() -> None:
    """The same with an address that is looked for first, and a gateway that has to answer."""
    assert undone("sure", "192.168.77.9/24@192.168.77.1", "refuse") > 10


def test_range_at_any_step() -> None:
    """The same with an address of a range; each run takes four seconds to look for it."""
    assert undone("macvlan", "192.168.77.100-103/24@192.168.77.1", "refuse") > 10


@pytest.mark.parametrize("fault", ["refuse", "TERM"])
def test_announced_at_any_step(fault: str) -> None:
    """The same with an address and a default route of the router's."""
    assert undone("announced", "auto:::99", fault) > 5


@pytest.mark.parametrize("fault", ["break", "INT", "TERM"])
@pytest.mark.parametrize(
    ("kind", "address"),
    [
        ("new-bridge", "v4-off-link"),
        ("replaced-port", "none"),
        ("macvlan", "v6-off-link"),
        ("direct", "v4-off-link"),
        ("bridge", "v6-gateway"),
        ("dead-port", "v4-gateway"),
    ],
)
def test_broken_at_any_step(kind: str, address: str, fault: str) -> None:
    """Whenever a fault of pipework itself or a signal strikes, host and guest are as before; exit 1, 130 or 143."""
    assert undone(kind, address, fault) > 10


@pytest.mark.parametrize(
    ("client", "fault"), [*((client, "refuse") for client in CLIENTS), ("udhcpc-f", "INT"), ("dhclient-f", "TERM")]
)
def test_lease_at_any_step(client: str, fault: str) -> None:
    """The same with a lease in place of an address, for each client of the host."""
    assert undone("lan", client, fault) > 10


@pytest.mark.parametrize(
    ("kind", "fault"),
    [
        *((kind, fault) for kind in ("new-bridge", "switch", "ovn") for fault in PROGRAM_FAULTS),
        *((kind, fault) for kind in ("dead-port", "fake-switch") for fault in ("fail", "do-and-die")),
    ],
)
def test_program_fails_at_any_step(kind: str, fault: str) -> None:
    """Whichever program fails, dies or hangs, before its work or after it, host and guest are as before."""
    assert undone(kind, "none" if kind == "new-bridge" else "v4", fault) > 2


@pytest.mark.parametrize(
    ("kind", "address"),
    [
        ("new-bridge", "v4-off-link"),
        ("replaced-port", "v4-gateway"),
        ("macvlan", "v4-gateway"),
        ("bridge", "v6-gateway"),
        ("namesake", "none"),
        ("direct", "v4-off-link"),
        ("switch", "v4-gateway"),
        ("fake-switch-vlan", "v4-gateway"),
        ("dead-port", "none"),
        ("lan", "udhcpc-f"),
        ("options", "several"),
        ("beside", "several"),
        ("macvlan", "192.168.77.1-2/24@192.168.77.1"),
        ("trunk", "v4"),
        ("wire", "several"),
        ("wire", "v4-off-link"),
        ("direct-options", "several"),
        ("announced", "auto"),
        ("routed", "alone"),
        ("host-access", "both"),
        ("ovn", "several"),
    ],
)
def test_killed_at_any_step(kind: str, address: str) -> None:
    """After a kill -9 at whatever step the same command succeeds, and leaves what an undisturbed one leaves."""
    leaves_nothing = kind not in ("new-bridge", "replaced-port", "dead-port")
    assert healed_at_every_step(partial(scene, kind, address), f"{kind} {address}", leaves_nothing) > 4

"""Nothing is lost while removing: del, gc and --replace broken, interrupted and killed at each of their steps."""

from __future__ import annotations

from functools import partial

import pytest

from tests.lab.faults import PROGRAM_FAULTS
from tests.lab.removals import KILLED, REFUSED, REMNANTS, REPLACEMENTS, SEVERAL, remnant, replacement, wire, wires
from tests.lab.removing import (
    ORDERS,
    broken_collection,
    broken_removal,
    broken_removal_of_all,
    broken_replacement,
    killed_removal,
    killed_replacement,
)

FIRST, SECOND = SEVERAL


@pytest.mark.parametrize(("kind", "address"), REFUSED)
def test_del_refused_at_any_step(kind: str, address: str) -> None:
    """Whichever request the kernel refuses, the wire is there as before, or del again or gc does the rest."""
    assert broken_removal(partial(wire, kind, address), "refuse", f"{kind} {address}") > 5


@pytest.mark.parametrize("fault", ["break", "INT", "TERM"])
@pytest.mark.parametrize(
    ("kind", "address"),
    [("bridge", "v4-gateway"), ("switch", "v6-gateway"), ("macvlan", "v4-gateway"), ("direct-port", "v4-gateway")],
)
def test_del_broken_at_any_step(kind: str, address: str, fault: str) -> None:
    """Whenever a fault of pipework itself or a signal strikes, the same; exit 1, 130 or 143."""
    assert broken_removal(partial(wire, kind, address), fault, f"{kind} {address}") > 3


@pytest.mark.parametrize("fault", PROGRAM_FAULTS)
@pytest.mark.parametrize("kind", ["bridge", "switch", "ovn"])
def test_program_of_del_fails_at_any_step(kind: str, fault: str) -> None:
    """Whichever program fails, dies or hangs, before its work or after it, the same."""
    assert broken_removal(partial(wire, kind, "v4-gateway"), fault, kind) > 1


@pytest.mark.parametrize(("kind", "address", "order"), KILLED)
def test_del_killed_at_any_step(kind: str, address: str, order: str) -> None:
    """After a kill -9 at whatever step, del again and gc leave host and guest as before the attach, in either order."""
    assert killed_removal(partial(wire, kind, address), order, f"{kind} {address}") > 1


@pytest.mark.parametrize("fault", ["refuse", "INT", "TERM"])
def test_lease_at_any_step(fault: str) -> None:
    """A wire with a lease is there as before, or its client has given the lease back, and del again does the rest."""
    assert broken_removal(partial(wire, "lan", "udhcpc-f"), fault, "lan udhcpc-f") > 2


@pytest.mark.parametrize("order", ORDERS)
def test_lease_killed_at_any_step(order: str) -> None:
    """The same after a kill -9; nothing is left of the client."""
    assert killed_removal(partial(wire, "lan", "udhcpc-f"), order, "lan udhcpc-f") > 2


@pytest.mark.parametrize(
    ("kinds", "fault", "part"),
    [(FIRST, "break", (0, 1)), (SECOND, "refuse", (0, 1)), *((FIRST, "INT", (part, 3)) for part in range(3))],
)
def test_all_broken_at_any_step(kinds: tuple[str, ...], fault: str, part: tuple[int, int]) -> None:
    """Of several wires each is taken back wholly or not at all, the error says which, and del again does the rest."""
    assert broken_removal_of_all(partial(wires, kinds), fault, "-".join(kinds), part) > 8


@pytest.mark.parametrize(("kinds", "order"), [*zip(SEVERAL, ORDERS)])
def test_all_killed_at_any_step(kinds: tuple[str, ...], order: str) -> None:
    """After a kill -9 at whatever step, del again and gc leave host and guest as before the first attach."""
    assert killed_removal(partial(wires, kinds), order, "-".join(kinds)) > 8


@pytest.mark.parametrize("fault", ["refuse-change", "INT", "KILL"])
@pytest.mark.parametrize("name", REMNANTS)
def test_gc_broken_at_any_step(name: str, fault: str) -> None:
    """Broken, interrupted or killed at whatever step, gc again leaves what an undisturbed one leaves."""
    # the stale name takes one change among the files, and none of the kernel's
    assert broken_collection(partial(remnant, name), fault, name) > (0 if name == "stale name" else 1)


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        *((name, "refuse-change") for name in REPLACEMENTS),
        *((name, "INT") for name in ("other address", "other kind", "other VLAN", "macvlan", "NIC on loan")),
        *((name, "INT") for name in ("other VLAN than a fake bridge's", "other bridge", "wire between guests")),
        ("other address", "refuse"),
        ("NIC on loan", "break"),
        ("other bridge", "break"),
    ],
)
def test_replace_broken_at_any_step(name: str, fault: str) -> None:
    """Broken or interrupted at whatever step, --replace leaves the wire that was there, with all that it had."""
    assert broken_replacement(partial(replacement, name), fault, name) > 5


@pytest.mark.parametrize("part", [(0, 2), (1, 2)])
@pytest.mark.parametrize("name", REPLACEMENTS)
def test_replace_killed_at_any_step(name: str, part: tuple[int, int]) -> None:
    """After a kill -9 the same command again leaves the wire as asked, and del after it what was before the attach."""
    assert killed_replacement(partial(replacement, name), name, part) > 5

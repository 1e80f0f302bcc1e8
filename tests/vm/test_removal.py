"""Nothing is lost while removing, for the kinds of links that want a distribution kernel."""

from __future__ import annotations

from functools import partial

import pytest

from tests.lab.removals import IN_MACHINE, REMNANTS_IN_MACHINE, remnant, wire
from tests.lab.removing import ORDERS, broken_collection, broken_removal, killed_removal
from tests.vm.places import of_kinds

EITHER = [(kind, ORDERS[number % 2]) for number, kind in enumerate(IN_MACHINE)]


@pytest.mark.parametrize("kind", of_kinds(IN_MACHINE))
def test_del_refused_at_any_change(kind: str) -> None:
    """Whichever change the kernel or a program refuses, the wire is there, or del again or gc does the rest."""
    assert broken_removal(partial(wire, kind, "v4-gateway"), "refuse-change", kind) > 3


@pytest.mark.parametrize(("kind", "order"), of_kinds(EITHER))
def test_del_killed_at_any_step(kind: str, order: str) -> None:
    """After a kill -9 at whatever step, del again and gc leave host and guest as before the attach."""
    assert killed_removal(partial(wire, kind, "v4-gateway"), order, kind) > 3


@pytest.mark.vm
@pytest.mark.parametrize("fault", ["refuse-change", "INT", "KILL"])
@pytest.mark.parametrize("name", REMNANTS_IN_MACHINE)
def test_gc_broken_at_any_step(name: str, fault: str) -> None:
    """Broken, interrupted or killed at whatever step, gc again leaves what an undisturbed one leaves."""
    assert broken_collection(partial(remnant, name), fault, name) > 1

"""As if it had never run, for the kinds of links that want a distribution kernel."""

from __future__ import annotations

from functools import partial

import pytest

from tests.lab.disturbing import broken_at_every_step, collected_at_every_step, healed_at_every_step
from tests.lab.scenes import STEPPED_IN_MACHINE, scene
from tests.vm.places import of_kinds


@pytest.mark.parametrize("kind", of_kinds([*STEPPED_IN_MACHINE, "to-filter"]))
def test_refused_at_any_step(kind: str) -> None:
    """Whichever change the kernel or a program refuses, host and guest are as before; exit 2."""
    assert broken_at_every_step(partial(scene, kind, "v4-gateway"), "refuse-change", kind) > 5


@pytest.mark.parametrize("kind", of_kinds(["dummy", "ipoib", "radio", "direct-vlan"]))
def test_killed_at_any_step(kind: str) -> None:
    """After a kill -9 at whatever step the same command succeeds, and leaves what an undisturbed one leaves."""
    assert healed_at_every_step(partial(scene, kind, "none"), kind, leaves_nothing=True) > 3


@pytest.mark.user_mode
def test_new_switch_collected_at_any_step() -> None:
    """After a kill -9 at whatever step gc leaves host and guest as they were before, the bridge included."""
    assert collected_at_every_step(partial(scene, "new-switch", "v4"), "new-switch") > 3

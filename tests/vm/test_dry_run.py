"""--dry-run of the kinds of links that want a distribution kernel: the lines do what the run would do."""

from __future__ import annotations

from functools import partial

import pytest

from tests.lab.rehearsing import assert_same
from tests.lab.scenes import IN_MACHINE, scene
from tests.vm.places import of_kinds


@pytest.mark.parametrize("kind", of_kinds([*IN_MACHINE, "to-filter"]))
def test_lines_do_the_same(kind: str) -> None:
    """An attach: printing touches nothing, and the lines leave what the run leaves."""
    assert_same(partial(scene, kind, "v4-gateway"), "attach")


@pytest.mark.parametrize("kind", of_kinds(["direct-vlan", "ipoib", "radio"]))
def test_del(kind: str) -> None:
    """Of del as well, with the default routes that come back, and the radio that comes home."""
    assert_same(partial(scene, kind, "v4-gateway"), "del")

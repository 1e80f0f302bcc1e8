"""save prints the line of the kinds of wire that want a distribution kernel, and apply makes them from it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.lab.saving import save_and_apply
from tests.lab.scenes import IN_MACHINE
from tests.vm.places import of_kinds


@pytest.mark.parametrize("kind", of_kinds(IN_MACHINE))
def test_save_and_apply(kind: str, tmp_path: Path) -> None:
    """The line changes nothing, and makes the wire as it was."""
    save_and_apply(kind, "v4-gateway", tmp_path)

"""Which kernel a test of a kind of link wants: the user-mode one, which is fast, or one with hardware, the emulated."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from tests.lab.scenes import DEVICES


def of_kinds(kinds: Iterable[Any]) -> list[Any]:
    """Parameters whose first, or only one is a kind of link, marked."""
    return [
        pytest.param(*values, marks=pytest.mark.vm if values[0] in DEVICES else pytest.mark.user_mode)
        for values in ((kind,) if isinstance(kind, str) else kind for kind in kinds)
    ]

"""Modules that tables name as text, loaded when they are needed.

As importlib.import_module does it, without importlib and the warnings that this brings along: they would add 0.4 ms.
"""

from __future__ import annotations

import sys

from pipework.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from types import ModuleType


def load(name: str) -> ModuleType:
    """The module of that full name."""
    __import__(name)
    return sys.modules[name]

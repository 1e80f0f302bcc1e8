"""pipework: put containers and network namespaces on any network."""

from __future__ import annotations

from pipework.typed import Any

__version__ = "0.2.0"


def module(name: str) -> Any:
    """A module of this package, by its full name, loaded now: most runs need few of them.

    Like importlib.import_module, without the warnings that importlib itself has to load first.
    """
    return __import__(name, fromlist=("_",))

"""How a guest's link gets its address: one file for each way."""

from __future__ import annotations

from importlib import import_module

from pipework.addressing.base import Addressing
from pipework.links.base import Wire
from pipework.model import Static
from pipework.typed import cast


def choose(wire: Wire) -> Addressing:
    """The module that serves ADDRESS."""
    kind = "static" if isinstance(wire.request.address, Static) else "dhcp"
    return cast(Addressing, import_module(f"pipework.addressing.{kind}"))

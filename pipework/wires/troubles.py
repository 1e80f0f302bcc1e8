"""Which wires are up and yet no frames pass, as their kinds see it."""

from __future__ import annotations

from collections.abc import Sequence

from pipework import links
from pipework.kernel.namespaces import Namespace
from pipework.links.base import Wired


def with_troubles(host: Namespace, wires: Sequence[Wired]) -> list[Wired]:
    """The same, with the state of those that are up told whose frames do not pass."""
    by_kind = dict[str, list[Wired]]()
    for wire in wires:
        if wire.state == "up":
            by_kind.setdefault(wire.kind, []).append(wire)
    troubles = [links.kind(kind).troubles(host, there) for kind, there in by_kind.items()]
    states = {id(wire): state for those in troubles for wire, state in those}
    return [wire.replace(state=states[id(wire)]) if id(wire) in states else wire for wire in wires]

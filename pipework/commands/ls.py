"""``pipework ls``: what is wired, as a table for people or as JSON for programs."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from pipework import guests, links
from pipework.errors import one_line
from pipework.kernel.namespaces import Namespace
from pipework.kernel.own_sys import see_own_sys
from pipework.links.base import Host, Wired
from pipework.requests import List
from pipework.wires.inventory import find_all
from pipework.wires.names import named
from pipework.wires.troubles import with_troubles

COLUMNS = ("GUEST", "IFNAME", "KIND", "HOSTIF", "VLAN", "LINK", "ADDRESSES", "MAC", "MTU", "STATE")
GREEN, YELLOW, RED = "32", "33", "31"
COLOURS = {"up": GREEN, "no carrier": YELLOW, "unfinished": YELLOW}
WRONG = ("down", "bridge down", "filtered", "no pvid", "not forwarded", "not answered for", "guest gone")
COLOURS.update(dict.fromkeys(WRONG, RED))


def list_wires(request: List) -> None:
    """Print the wires of this host, or of one guest.  Raises PipeworkError."""
    with Namespace.own() as host:
        see_own_sys(host)
        wires = named(with_troubles(host, find_all(Host(host))))
    if request.guest is not None:
        with guests.find(request.guest).namespace as namespace:
            wires = [wire for wire in wires if _same(wire, namespace)]
    if request.as_json:
        from json import dumps  # only for programs

        print(dumps([_as_json(wire) for wire in wires], indent=2))
    else:
        _print_table(wires)


def _same(wire: Wired, namespace: Namespace) -> bool:
    if not wire.path:
        return False
    try:
        with Namespace.open(wire.path) as other:
            return other.identity == namespace.identity
    except OSError:
        return False


def _as_json(wire: Wired) -> dict[str, object]:
    keys = [field for field in wire.fields if field not in ("path", "there", "assigned", "trunk")]
    return {**{key: getattr(wire, key) for key in keys}, "trunk": wire.trunk.text if wire.trunk else None}


def _print_table(wires: Sequence[Wired]) -> None:
    rows = [COLUMNS, *map(_row, wires)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(COLUMNS))]
    coloured = sys.stdout.isatty()
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row, widths)]
        if coloured and row[-1] in COLOURS:
            cells[-1] = f"\033[{COLOURS[row[-1]]}m{row[-1]}\033[0m"
        print("  ".join(cells).rstrip())


def _row(wire: Wired) -> tuple[str, ...]:
    cells = (
        f"{wire.runtime}:{wire.guest}",
        wire.ifname,
        wire.kind,
        wire.hostif,
        links.kind(wire.kind).say_vlans(wire),
        wire.link,
        ",".join(wire.addresses),
        wire.mac,
        wire.mtu or "",
        wire.state,
    )
    return tuple(one_line(str(cell)) if cell not in (None, "") else "-" for cell in cells)

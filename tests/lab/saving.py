"""A wire of each kind saved as a line, and made again from it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from tests.lab.host import Host
from tests.lab.scenes import Scene, scene

ALL_AS_ASKED = "1 line: 1 as asked, 0 made, 0 replaced, 0 removed, 0 skipped, 0 failed\n"
ALL_MADE = ALL_AS_ASKED.replace("1 as asked, 0 made", "0 as asked, 1 made")
# What the kernel chooses anew for each link.
CHOSEN = ("link", "pid")


def listed(host: Host) -> list[dict[str, Any]]:
    """What ls says of the wires, but for what is another each time."""
    rows = json.loads(host.pipework("ls", "--json").out)
    for row in rows:
        if row["kind"] == "ipoib":  # a part of whose address is the number of a queue
            row["mac"] = row["mac"][12:]
    return [{key: value for key, value in row.items() if key not in CHOSEN} for row in rows]


def routes(taken: Scene) -> str:
    """The guest's default routes; dhcpcd puts the link's ifindex into their metric, a router's do not last."""
    lines = (("ip", family, "route", "show", "default") for family in ("-4", "-6"))
    told = (guest.run(*line) for line in lines for guest in taken.guests)
    return re.sub(r"((proto dhcp .*) metric 10\d\d|expires \d+sec)", r"\2", "".join(told))


def save_and_apply(kind: str, address: str, folder: Path) -> None:
    """Of a saved line apply changes nothing; once the wire is taken back, it makes it as it was."""
    file = folder / "wiring"
    with scene(kind, address) as taken:
        host = taken.host
        assert host.pipework(*taken.words).code == 0
        taken.settle()
        wired, rows, online = taken.state(), listed(host), routes(taken)
        saved = host.pipework("save")
        assert (saved.code, saved.err, saved.out.count("\n")) == (0, "", 1), saved
        file.write_text(saved.out)
        assert host.pipework("apply", "--prune", str(file)) == (0, ALL_AS_ASKED, "")
        assert host.pipework("save") == saved
        changed = taken.difference(wired)
        assert not changed, changed
        assert host.pipework("del", "--all", taken.guest.spec).code == 0
        assert listed(host) == []
        planned = host.pipework("--dry-run", "apply", str(file))
        assert planned.out.startswith(f"+ {saved.out.removeprefix('pipework ')}    "), planned
        assert listed(host) == []
        made = host.pipework("apply", str(file))
        assert made == (0, f"+ {saved.out.removeprefix('pipework ')}{ALL_MADE}", ""), made
        taken.settle()
        again = listed(host), routes(taken)
        assert again == (rows, online), (again, rows, online)
        assert host.pipework("save") == saved

"""What --dry-run prints, pasted into a shell on one host and run on another: both must leave the same."""

from __future__ import annotations

import json
import re
from typing import Any

from tests.lab.guest import SLOW, eventually, run
from tests.lab.host import settle
from tests.lab.scenes import MAC, Scene, Stage, named_alike
from tests.lab.snapshot import Snapshot, diff

# What no two links made after each other have in common, and what changes by itself.
OWN = re.compile(r"^(ifindex|link_index|link_netnsid|address|link_netns|.*_timer|bridge_id|root_id|designated_.*)$")


def plain(value: Any, names: list[str]) -> Any:
    """Leave out what is each link's own, and the guests' names."""
    if isinstance(value, dict):
        # if5: a link of another namespace, by its number
        own = {key for key, inner in value.items() if OWN.match(key) or (key == "link" and inner.startswith("if"))}
        return {key: plain(inner, names) for key, inner in value.items() if key not in own}
    if isinstance(value, list):
        entries = [plain(inner, names) for inner in value]
        return [entry for entry in entries if not _is_link_local(entry)]
    return named_alike(value, names) if isinstance(value, str) else value


def _is_link_local(entry: Any) -> bool:
    return isinstance(entry, dict) and str(entry.get("local") or entry.get("dst")).startswith("fe80")


def told(looked: Snapshot, names: list[str]) -> Snapshot:
    """Return what a look has seen, in comparable terms."""
    shown = {
        section: lines
        if section.startswith("firewall")
        else sorted(str(plain(json.loads(line), names)) for line in lines)
        for section, lines in looked.items()
    }
    # a link-local address brings routes of its own
    shown["routes"] = [route for route in shown["routes"] if "fe80" not in route]
    return shown


def state(taken: Scene) -> Snapshot:
    """Return the state of host, guest and switch, in comparable terms."""
    settle(taken.host, *taken.guests)
    host, guest = (told(look(), taken.names) for look in (taken.at_host, taken.at_guest))
    peer = told(taken.at_peer(), taken.names) if taken.peer else {}
    rows = taken.switch.rows() if taken.switch else ""
    rows = sorted(named_alike(row, taken.names) for row in rows.splitlines())
    others = {
        f"{whose} {key}": lines for whose, part in (("host", host), ("peer", peer)) for key, lines in part.items()
    }
    return {**others, **guest, "switch": rows}


def macs_of(taken: Scene) -> list[str]:
    """Return the MACs that the guest's links were given."""
    return [entry["address"] for entry in taken.guest.ip("-j", "link", "show") if entry["address"] == MAC]


def paste(taken: Scene, lines: str) -> None:
    """Have a root shell of the host take the lines, and stop at the first that fails."""
    run(*taken.host.argv("sh", "-e"), stdin=lines.encode())


def assert_same(stage: Stage, verb: str) -> None:
    """Fail unless the pasted lines and the run leave the same; verb: of what is rehearsed."""

    def words(taken: Scene) -> list[str]:
        return {
            "attach": taken.words,
            "replace": ["--replace", *taken.words],
            "del": ["del", taken.guest.spec, "--all"],
        }[verb]

    def prepare(taken: Scene) -> None:
        if verb == "del":
            assert taken.host.pipework(*taken.words) == (0, "", "")
        if verb == "replace":
            assert taken.host.pipework(*taken.otherwise()) == (0, "", "")

    with stage() as done:
        prepare(done)
        assert done.host.pipework(*words(done)) == (0, "", "")
        expected, macs = state(done), macs_of(done)
    with stage() as pasted:
        prepare(pasted)
        settle(pasted.host, *pasted.guests)
        before = pasted.state()
        rehearsed = pasted.host.pipework("--dry-run", *words(pasted))
        assert (rehearsed.code, rehearsed.err) == (0, "")
        assert not pasted.difference(before), rehearsed.out
        paste(pasted, rehearsed.out)
        eventually(lambda: state(pasted) == expected, 20 * SLOW)
        changed = diff(expected, state(pasted))
        assert not changed, f"{rehearsed.out}\nby the run (-), by the lines (+):\n{changed}"
        assert macs_of(pasted) == macs

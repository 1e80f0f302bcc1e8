"""All that pipework may touch, as comparable text: before and after, only what was asked may differ."""

from __future__ import annotations

import difflib
import json
import os
import re
import subprocess
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Callable

import pytest

from tests.lab.guest import HOST, MARK, SLOW, Guest, eventually, fresh_name
from tests.lab.host import settle
from tests.lab.kept import LOOKING
from tests.lab.switch import switch_tables

Snapshot = dict[str, list[str]]

# Fields that change by themselves: counters of time, and what settles a moment after a link was made.
_VOLATILE = re.compile(
    r".*_timer$|^(expires|age|used|valid_life_time|preferred_life_time|tentative|optimistic|dadfailed"
    r"|topology_change|topology_change_detected|message_age|stats|stats64)$"
)


# What `ip addr show` tells of a link.
_PLAIN = ("ifname", "ifindex", "link", "link_index", "flags", "mtu", "qdisc", "master", "operstate", "group", "txqlen")
_PLAIN += ("link_type", "address", "broadcast", "addr_info")


def _settled(value: Any) -> Any:
    """Return the value without its volatile fields, and with lists whose order means nothing sorted."""
    if isinstance(value, dict):
        return {key: _settled(inner) for key, inner in value.items() if not _VOLATILE.match(key)}
    if isinstance(value, list):
        return [_settled(inner) for inner in value]
    return value


def _read(said: str) -> list[dict[str, Any]]:
    # a filter that nothing matches makes `ip -j` print nothing
    return [entry for entry in json.loads(said or "[]") if entry]


def _lines(entries: Iterable[dict[str, Any]]) -> list[str]:
    return sorted(json.dumps(_settled(entry), sort_keys=True) for entry in entries)


def _entries(said: str) -> list[str]:
    return _lines(_read(said))


def _without_flag_of_a_switch(said: str) -> list[dict[str, Any]]:
    """Leave out the flag that a switch in userspace gives its ports, and loses: it sets all flags anew to those that
    it remembers, which by then may not be the present ones (netdev-linux.c); pipework never sets it.
    """
    entries = _read(said)
    for entry in entries:
        if entry.get("linkinfo", {}).get("info_kind") in ("tun", "veth") and "master" not in entry:
            entry["flags"] = [flag for flag in entry["flags"] if flag != "PROMISC"]
            entry.pop("promiscuity", None)
    return entries


def _links(said: str) -> list[str]:
    return _lines(_without_flag_of_a_switch(said))


def _addresses(said: str) -> list[str]:
    """Links with their addresses, without what else the kernel tells of links in detail."""
    return _lines({key: entry[key] for key in _PLAIN if key in entry} for entry in _without_flag_of_a_switch(said))


def _firewall(said: str) -> list[str]:
    return [re.sub(r" ?\[\d+:\d+\]", "", line) for line in said.splitlines() if not line.startswith("#")]


# The programs that look at a namespace; all but the shell answer each line of their input with one line of JSON.
_LOOKERS = {
    "ip -d": ("ip", "-j", "-d", "-batch", "-"),
    "ip": ("ip", "-j", "-batch", "-"),
    "ip -6": ("ip", "-j", "-6", "-batch", "-"),
    "tc": ("tc", "-j", "-batch", "-"),
    "nft": ("nft", "-j", "-i"),
    "sh": ("sh", "-e"),
}
# Links that answer for others; without a program of its own, for there are a hundred and its start takes the time.
_PROXIES = (
    "for file in /proc/sys/net/ipv6/conf/*/proxy_ndp; do "
    'if { read -r value <"$file"; } 2>/dev/null; then [ "$value" = 0 ] || echo "$file"; fi; done'
)
# What is asked of them, and how an answer is read.
_ASKED: dict[str, tuple[str, str, Callable[[str], list[str]]]] = {
    "links": ("ip -d", "link show", _links),
    "addresses": ("ip -d", "addr show", _addresses),
    "routes": ("ip", "route show table all", _entries),  # of both families
    "rules": ("ip", "rule show", _entries),
    "rules6": ("ip -6", "rule show", _entries),
    "answers": ("ip", "neigh show proxy", _entries),
    "answers6": ("sh", f"{_PROXIES}; echo {MARK}", str.split),
    "queues": ("tc", "qdisc show", _entries),
}
_RULES = {"firewall": "iptables-save", "firewall6": "ip6tables-save"}


def _answer(looker: subprocess.Popen[str], end: str) -> str:
    """Read one answer: a line, or those before the one that marks the end."""
    assert looker.stdout is not None
    lines = ""
    for line in looker.stdout:
        if line.strip() == end:
            return lines
        if not end:
            return line
        lines += line
    raise RuntimeError(f"{looker.args!r} has ended")


def _legacy_tables(process: int) -> str:
    """The names of the tables of the firewall before nftables, where a process is."""
    files = (Path(f"/proc/{process}/net/{name}_tables_names") for name in ("ip", "ip6"))
    return "".join(file.read_text() for file in files if file.exists())


def _switch() -> list[str]:
    """The machine's Open vSwitch database, or nothing where no switch runs."""
    database = Path("/run/openvswitch/db.sock")
    if not database.exists():
        return []
    # The socket of a switch that is gone stays behind; no switch is a state, too.
    try:
        tables = switch_tables(database)
    except (OSError, RuntimeError):
        return ["no answer"]
    return sorted(f"{table} {json.dumps(row)}" for table, rows in tables.items() for row in rows)


def _goes_with(addresses: list[str], route: dict[str, Any]) -> bool:
    """Tell whether a route is that of an IPv6 address which is there: it comes a moment later, once that is checked."""
    own = f'"local": "{route["dst"]}"'
    local = route.get("table") == route.get("type") == "local" and ":" in route["dst"]
    return local and any(own in entry for entry in addresses)


@contextmanager
def watching(guest: Guest = HOST) -> Iterator[Callable[[], Snapshot]]:
    """What comes back tells the state of one network namespace each time that it is called; for the host's, that of its
    files and switch as well. The programs that look stay meanwhile: in a virtual machine their start takes the time.
    """
    with ExitStack() as running:
        lookers = {
            name: running.enter_context(
                subprocess.Popen(
                    guest.enter(*argv), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, errors="replace"
                )
            )
            for name, argv in _LOOKERS.items()
        }
        pids = {looker.pid for looker in lookers.values()}
        LOOKING.update(pids)
        running.callback(LOOKING.difference_update, pids)
        known: dict[str, Snapshot] = {}

        def rules() -> Snapshot:
            """The firewall's, which are as they were where all of nftables is, handles included."""
            print("list ruleset", file=lookers["nft"].stdin, flush=True)
            ruleset = _answer(lookers["nft"], "")
            if ruleset not in known or _legacy_tables(lookers["sh"].pid):
                for program in _RULES.values():
                    print(f"{program}; echo {MARK}", file=lookers["sh"].stdin, flush=True)
                known[ruleset] = {section: _firewall(_answer(lookers["sh"], MARK)) for section in _RULES}
            return known[ruleset]

        def look() -> Snapshot:
            for looker, line, _ in _ASKED.values():
                print(line, file=lookers[looker].stdin, flush=True)
            taken = {
                section: read(_answer(lookers[looker], MARK if looker == "sh" else ""))
                for section, (looker, _, read) in _ASKED.items()
            }
            taken.update(rules())
            addresses = taken["addresses"]
            taken["routes"] = [entry for entry in taken["routes"] if not _goes_with(addresses, json.loads(entry))]
            if guest.namespace is None:
                taken["namespaces"] = sorted(os.listdir("/run/netns")) if os.path.isdir("/run/netns") else []
                taken["resolver"] = [repr(Path("/etc/resolv.conf").read_bytes())]
                taken["switch"] = _switch()
            return taken

        yield look


def snapshot(guest: Guest = HOST) -> Snapshot:
    """Return the state of one network namespace, once."""
    with watching(guest) as look:
        return look()


def diff(before: Snapshot, after: Snapshot) -> str:
    """Return what changed, section by section, as a unified diff for people; empty if nothing did."""
    told = []
    for section in before:
        changed = difflib.unified_diff(before[section], after[section], "before", "after", n=0, lineterm="")
        lines = [line for line in changed if not line.startswith(("---", "+++", "@@"))]
        if lines:
            told.append("\n  ".join([f"{section}:", *lines]))
    return "\n".join(told)


def wait_for_the_ended() -> None:
    """Wait until the links of namespaces that have ended are gone: the kernel removes them in their order, some time
    later, so one that ends now is the last.
    """
    last = fresh_name("pwend")
    HOST.run("ip", "netns", "add", last)
    HOST.run("ip", "link", "add", last, "type", "veth", "peer", "name", "end", "netns", last)
    HOST.run("ip", "netns", "del", last)
    assert eventually(lambda: HOST.link(last) is None), "the kernel does not remove what has ended"


class Unchanged:
    """The state that a namespace must still have when the test is over."""

    def __init__(self, guest: Guest = HOST) -> None:
        self.guest = guest
        self()

    def __call__(self) -> None:
        """Take the baseline afresh, once the test has arranged its guests, and nothing changes by itself any more."""
        if any("link_netnsid" in entry for entry in self.guest.ip("-j", "link", "show")):
            wait_for_the_ended()
        settle(self.guest)
        self.before = snapshot(self.guest)

    def check(self) -> None:
        """Fail, saying what changed, unless all is as it was, or comes to be: carrier takes a moment to show."""
        changed = [""]
        with watching(self.guest) as look:

            def is_as_before() -> bool:
                changed[0] = diff(self.before, look())
                return not changed[0]

            assert eventually(is_as_before, 20 * SLOW), f"{self.guest.name} is not as before:\n{changed[0]}"


@pytest.fixture
def host_unchanged() -> Iterator[Unchanged]:
    """Assert at the test's end that the host is as it was; ask for it after the fixtures that make guests.

    Call it once the guests are made, so that they belong to the baseline.
    """
    watched = Unchanged()
    yield watched
    watched.check()

"""A switch of OVN with thousands of ports: what an attach beside them takes; and two hosts that fill up at once."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from typing import NamedTuple

import pytest

from tests.lab.command import COMMAND
from tests.lab.crowd import end, start
from tests.lab.guest import at_rest, run
from tests.lab.netns import named_namespace
from tests.lab.ovn import UNDERLAY, Centre, OvnHost, centre, ovn_host

OTHERS = (1, 200, 1000, 3000)  # ports of other hosts on the switch
TIMES = 5
MOST_GROWTH = 10  # times that an attach beside the most ports may take of one beside the fewest
BATCH = 500  # ports in one transaction
GUESTS = 20  # of each host that fills up
TICK = os.sysconf("SC_CLK_TCK")


class Cost(NamedTuple):
    """Milliseconds on the clock and of processor."""

    wall: float
    cpu: float


class Row(NamedTuple):
    """Of attach and deletion, medians, and the milliseconds of processor of each daemon for both, means."""

    others: int
    attach: Cost
    delete: Cost
    daemons: dict[str, float]


def daemons(made: Centre, host: OvnHost) -> dict[str, int]:
    """The process numbers of OVN's daemons, and of the host's switch."""
    own = {name: int(Path(host.place, f"{name}.pid").read_text()) for name in ("ovs-vswitchd", "ovn-controller")}
    return {**{name: process.pid for name, process in made.running.items()}, **own}


def used(processes: dict[str, int]) -> dict[str, int]:
    """Ticks of processor that each has had."""

    def ticks(pid: int) -> int:
        words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return int(words[11]) + int(words[12])

    return {name: ticks(pid) for name, pid in processes.items()}


def bound_elsewhere(made: Centre, numbers: range, chassis: str) -> None:
    """Give the switch ports of a host that is not there."""
    for first in numbers[::BATCH]:
        adding = list[str]()
        for number in range(first, min(first + BATCH, numbers.stop)):
            high, low = divmod(number, 200)
            address = f"06:00:00:00:{high:02x}:{low:02x} 10.8.{high}.{low + 1}"
            adding += ["--", "lsp-add", "blue", f"far{number}", "--", "lsp-set-addresses", f"far{number}", address]
        made.nbctl("--wait=sb", *adding[1:])
    # lsp-bind looks each up among all
    unbound, bound = [["chassis", "==", ["set", []]]], {"chassis": ["uuid", chassis], "up": True}
    change = {"op": "update", "table": "Port_Binding", "where": unbound, "row": bound}
    (told,) = json.loads(run("ovsdb-client", "transact", made.database("sb"), json.dumps(["OVN_Southbound", change])))
    assert told == {"count": len(numbers)}


def rows(made: Centre, host: OvnHost) -> Iterator[Row]:
    """Attach and delete a guest some times, beside more and more ports."""
    made.nbctl("--wait=sb", "ls-add", "blue")
    made.sbctl("chassis-add", "far", "geneve", f"{UNDERLAY}.99")
    chassis = made.sbctl("get", "Chassis", "far", "_uuid").strip()
    processes, there = daemons(made, host), 0
    with named_namespace() as guest:
        for others in OTHERS:
            bound_elsewhere(made, range(there, others), chassis)
            there = others
            before = at_rest(lambda: used(processes))
            attaches, deletions = list[Cost](), list[Cost]()
            for _ in range(TIMES):
                attaches.append(cost(host, "ovn:blue", guest.spec, "10.8.255.1/16"))
                deletions.append(cost(host, "del", guest.spec))
            after = at_rest(lambda: used(processes))
            took = {name: (after[name] - before[name]) * 1000 / TICK / TIMES for name in processes}
            yield Row(others, middle(attaches), middle(deletions), took)


def newcomer(made: Centre) -> None:
    """Attach the first guest of another host, whose controller then hears of all those ports at once, and print it."""
    with ovn_host(made, 2) as host, named_namespace() as guest:
        processes = daemons(made, host)
        before = at_rest(lambda: used(processes))
        took = cost(host, "ovn:blue", guest.spec, "10.8.255.2/16")
        after = at_rest(lambda: used(processes))
        busy = (after["ovn-controller"] - before["ovn-controller"]) * 1000 / TICK
        print(f"The first guest of another host: {took.wall:.0f}; its ovn-controller's processor then: {busy:.0f}")


def cost(host: OvnHost, *words: str) -> Cost:
    """What a command takes, the programs that it runs included."""
    began = time.perf_counter()
    process = subprocess.Popen(host.host.argv(*COMMAND, *words), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, words
    wall = (time.perf_counter() - began) * 1000
    return Cost(wall, (usage.ru_utime + usage.ru_stime) * 1000)


def middle(costs: Sequence[Cost]) -> Cost:
    """The medians of them."""
    wall, cpu = (median(column) for column in zip(*costs))
    return Cost(wall, cpu)


def show(table: Sequence[Row]) -> None:
    """Print them."""
    print(f"\nAn attach and its del beside ports of another host on one switch; ms, medians of {TIMES};", end=" ")
    print("cpu: of the command and its programs; of each daemon for both")
    names = ("ports", "attach", "cpu", "del", "cpu", *table[0].daemons)
    widths = [max(7, len(name) + 2) for name in names]
    print(*(f"{name:>{width}}" for name, width in zip(names, widths)), sep="")
    for row in table:
        cells = (row.others, *row.attach, *row.delete, *row.daemons.values())
        print(*(f"{cell:{width}.0f}" for cell, width in zip(cells, widths)), sep="")


@pytest.mark.soak
def test_attach_beside_thousands() -> None:
    """An attach to a switch of thousands of ports takes little more than to one of a few."""
    with centre() as made, ovn_host(made) as host:
        table = list(rows(made, host))
        show(table)
        newcomer(made)
    assert table[-1].attach.wall < MOST_GROWTH * table[0].attach.wall


@pytest.mark.soak
def test_two_hosts_fill_up_at_once() -> None:
    """Of many guests that are wired on two hosts at the same moment each is, and reaches one on the other host."""
    with ExitStack() as stack:
        made = stack.enter_context(centre())
        hosts = [stack.enter_context(ovn_host(made, number)) for number in (1, 2)]
        guests = [[stack.enter_context(named_namespace()) for _ in range(GUESTS)] for _ in hosts]
        began = time.perf_counter()
        running = [
            start(host.host, "ovn:blue", guest.spec, f"10.7.{number}.{index}/16")
            for index in range(1, GUESTS + 1)
            for number, host in enumerate(hosts, 1)
            for guest in [guests[number - 1][index - 1]]
        ]
        done = [end(one) for one in running]
        print(f"\n{len(done)} guests of two hosts wired at once: {time.perf_counter() - began:.1f} s")
        assert [one for one in done if one.code] == []
        assert len(made.ports()) == 2 * GUESTS
        for index, guest in enumerate(guests[0], 1):
            assert guest.ping(f"10.7.2.{index}")

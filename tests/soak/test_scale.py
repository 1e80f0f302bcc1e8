"""A thousand attaches: the last one takes no more than the first, but for what the kernel itself takes."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial

import pytest

from tests.lab.crowd import ports, unfinished
from tests.lab.host import Host, throwaway_host
from tests.lab.netns import NamedNamespace, named_namespace
from tests.soak.field import Cost, by_command, first_and_last, in_one_process

GUESTS = int(os.environ.get("PIPEWORK_LAB_GUESTS", "200"))
INTERFACES = 5  # of each guest; a Linux bridge has at most 1023 ports
SLACK = 3.0  # milliseconds of processor by which medians of a busy machine may differ
MEMORY_SLACK = 1024  # KiB


@contextmanager
def field() -> Iterator[tuple[Host, list[NamedNamespace]]]:
    """A host with a bridge, and its guests."""
    with ExitStack() as made:
        host = made.enter_context(throwaway_host())
        host.run("ip", "link", "add", "br0", "type", "bridge")
        host.run("ip", "link", "set", "br0", "up")
        yield host, [made.enter_context(named_namespace("pwf")) for _ in range(GUESTS)]


def measured(attach: Callable[[Host, str, int, Sequence[NamedNamespace]], list[Cost]]) -> tuple[Cost, Cost]:
    """Attach a thousand times on a fresh host; return the medians of the first and the last hundred."""
    with field() as (host, guests):
        costs = attach(host, "br0", INTERFACES, guests)
        assert len(costs) == len(ports(host, "br0")) == GUESTS * INTERFACES
        assert unfinished(host) == []
        assert all(len(guest.ip("-j", "addr", "show", "up")) == INTERFACES + 1 for guest in guests)
        return first_and_last(costs, GUESTS // 2)


@pytest.mark.soak
def test_thousand_attaches() -> None:
    """Processor time per attach grows by no more than the kernel's own part does, and memory not at all."""
    rows = {
        "command": measured(by_command),
        "package": measured(partial(in_one_process, "package")),
        "kernel": measured(partial(in_one_process, "kernel")),
    }
    print(f"\n{GUESTS * INTERFACES} attaches in a row, {GUESTS} guests on one bridge; medians of {GUESTS // 2}")
    for name, costs in rows.items():
        for when, cost in zip(("first", "last"), costs):
            print(f"{name:8}{when:6}{cost.wall:8.1f} ms {cost.cpu:8.1f} ms of processor {cost.memory:8.0f} KiB")
    growth = {name: last.cpu - first.cpu for name, (first, last) in rows.items()}
    assert growth["package"] <= growth["kernel"] + SLACK
    for first, last in (rows["command"], rows["package"]):
        assert last.memory - first.memory <= MEMORY_SLACK

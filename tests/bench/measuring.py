"""Whole processes, measured one at a time, in turn."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from statistics import median
from typing import NamedTuple


class Cost(NamedTuple):
    """What a process took, in milliseconds: on the clock, and of processors with all its children."""

    wall: float
    cpu: float


class Contender(NamedTuple):
    """A command, mostly one that attaches a guest, and how to make it undone; both given before anything is timed."""

    name: str
    argv: Sequence[str]
    undo: Callable[[], object]
    env: Mapping[str, str] | None = None
    stdin: str = ""
    attached: Callable[[], object] = bool


class Result(NamedTuple):
    """A contender's costs, one a round."""

    name: str
    costs: list[Cost]

    @property
    def wall(self) -> float:
        """The median on the clock, in milliseconds."""
        return median(cost.wall for cost in self.costs)

    def ratio(self, other: Result) -> float:
        """The median of how many times the other's each round took: a machine is not always as fast."""
        return median(own.wall / its.wall for own, its in zip(self.costs, other.costs))

    @property
    def least(self) -> float:
        """The least on the clock, in milliseconds."""
        return min(cost.wall for cost in self.costs)

    @property
    def cpu(self) -> float:
        """The median of processor time, in milliseconds."""
        return median(cost.cpu for cost in self.costs)


def cost(argv: Sequence[str], env: Mapping[str, str] | None = None, stdin: str = "") -> Cost:
    """Run a program and tell what it took.  Raises RuntimeError if it fails."""
    given, giving = os.pipe()
    os.write(giving, stdin.encode())
    os.close(giving)
    # Not a pipe: what says much would wait for a reader, and one that is left running behind it would keep it open.
    with open(os.memfd_create("said"), "rb") as out:
        began = time.perf_counter()
        process = subprocess.Popen(
            argv, stdin=given, stdout=out, stderr=subprocess.STDOUT, env={**os.environ, **(env or {})}
        )
        _, status, used = os.wait4(process.pid, 0)
        took = time.perf_counter() - began
        os.close(given)
        process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        said = out.read()
    if process.returncode:
        raise RuntimeError(f"{' '.join(argv)}: exit {process.returncode}: {said.decode(errors='replace')}")
    return Cost(took * 1000, (used.ru_utime + used.ru_stime) * 1000)


def in_turn(contenders: Sequence[Contender], rounds: int) -> list[Result]:
    """Measure every contender once a round, beginning with another each time, after one round that does not count."""
    results = [Result(contender.name, []) for contender in contenders]
    order = list(range(len(contenders)))
    for number in range(rounds + 1):
        for place in order:
            contender = contenders[place]
            took = cost(contender.argv, contender.env, contender.stdin)
            contender.attached()
            contender.undo()
            if number:
                results[place].costs.append(took)
        order = order[1:] + order[:1]
    return results

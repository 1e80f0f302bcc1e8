"""A command broken at one step after the other, and what must be true of each break."""

from __future__ import annotations

import itertools
from contextlib import AbstractContextManager
from typing import Callable

from tests.lab.faults import Broken, breaking
from tests.lab.scenes import Scene, links, shape

ENDS = {"refuse": 2, "break": 1, "INT": 130, "TERM": 143, "KILL": -9}
# Asked whether there is a need for a rule; where there is no such chain iptables fails with 1, too.
QUESTION = "tables -w 5 -S DOCKER-USER"

Stage = Callable[[], AbstractContextManager[Scene]]


def broken_at_every_step(stage: Stage, fault: str, told: str) -> int:
    """Break the command at one step after the other, all of which are undone; return how many there were."""
    number = 0
    while True:
        with stage() as taken, breaking(taken.host.argv()) as run:
            before = taken.state()
            while True:
                number += 1
                broken = run(fault, number, taken.words)
                if not broken.step:
                    assert broken[:3] == (0, "", "")
                    print(f"\n{told}: {fault} at each of {number - 1} steps, all undone")
                    return number - 1
                if broken.code == 0:
                    assert_may_succeed(fault, broken, taken)
                    break  # on to a fresh stage
                assert_refused(fault, broken)
                changed = taken.difference(before)
                assert not changed, f"step {number}: {broken.step}: {broken.err}\n{changed}"


def assert_refused(fault: str, broken: Broken) -> None:
    """Fail unless the run has said what went wrong, and no more."""
    where = f"{broken.step}: {broken.err}"
    assert broken.code == ENDS[fault] if fault in ENDS else broken.code in (1, 2), where
    assert broken.out == "", where
    assert broken.err, where
    assert "could not undo" not in broken.err, where
    assert "Traceback" not in broken.err, where
    assert "fault of pipework" not in broken.err or fault == "break", where


def assert_may_succeed(fault: str, broken: Broken, taken: Scene) -> None:
    """Fail unless the run had a reason to go on to its end."""
    if fault in ("INT", "TERM"):
        # an old link was on its way out, from where there is no way back
        assert broken.step == "request 17", broken
    else:
        assert fault in ("fail", "do-and-fail"), broken
        assert broken.step.endswith(QUESTION), broken
    assert not [name for name in links(taken.host) + links(taken.guest) if name.startswith("vpo")]


def healed_at_every_step(stage: Stage, told: str) -> int:
    """Kill the command at one step after the other; the same command again leaves what an undisturbed one does,
    and so does del after it."""
    with stage() as undisturbed:
        assert undisturbed.host.pipework(*undisturbed.words) == (0, "", "")
        expected = shape(undisturbed)
        expected_afterwards = _shape_after_del(undisturbed)
    for number in itertools.count(1):
        with stage() as taken:
            with breaking(taken.host.argv()) as run:
                broken = run("KILL", number, taken.words)
            if not broken.step:
                print(f"\n{told}: KILL at each of {number - 1} steps, all healed")
                return number - 1
            assert broken.code == ENDS["KILL"]
            again = taken.host.pipework(*taken.words)
            where = f"step {number}: {broken.step}"
            old = [name for name in links(taken.host) if name.startswith("vpo")]
            if old and "exists and is up" in again.out:
                # all was done but for the removal of the old link
                taken.host.run("ip", "link", "del", *old)
            else:
                assert again == (0, "", ""), where
            assert shape(taken) == expected, where
            assert _shape_after_del(taken) == expected_afterwards, where
    raise AssertionError("no step was the last")


def _shape_after_del(taken: Scene) -> str:
    assert taken.host.pipework("del", taken.guest.spec, "--all") == (0, "", "")
    return shape(taken)

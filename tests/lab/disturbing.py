"""A command broken at one step after the other, and what must be true of each break."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Callable

from tests.lab.crowd import unfinished
from tests.lab.faults import FAULTS, NONE, Broken, breaking
from tests.lab.scenes import MOMENT, Scene, Stage, links, shape
from tests.lab.snapshot import Snapshot

# runs pipework on the stage's host, undisturbed
Command = Callable[[Sequence[str]], Broken]
# looks at a stage, what it was before, and the run that was broken; tells whether the stage serves for the next
Look = Callable[[Scene, Snapshot, Broken, Command], bool]


def _at_every_step(stage: Stage, fault: str, told: str, look: Look) -> int:
    """Break the command at one step after the other, and look at what becomes of it; return how many there were."""
    number = 0
    while True:
        with stage() as taken, breaking(taken.host.argv()) as run:
            before, command = taken.state(), partial(run, NONE, 0)
            serves = True
            while serves:
                number += 1
                broken = run(fault, number, taken.words, taken.stdin)
                if not broken.step:
                    assert broken[:3] == (0, "", "")
                    print(f"\n{told}: {fault} at each of {number - 1} steps")
                    return number - 1
                serves = look(taken, before, broken, command)


def broken_at_every_step(stage: Stage, fault: str, told: str) -> int:
    """Whatever is broken is undone; return how many steps there were."""

    def look(taken: Scene, before: Snapshot, broken: Broken, _command: Command) -> bool:
        if broken.code == 0:
            assert_may_succeed(fault, broken, taken)
            return False
        assert_refused(fault, broken)
        changed = taken.difference(before)
        assert not changed, f"{broken.step}: {broken.err}\n{changed}"
        return True

    return _at_every_step(stage, fault, told, look)


def assert_refused(fault: str, broken: Broken) -> None:
    """Fail unless the run has said what went wrong, and no more."""
    where = f"{broken.step}: {broken.err}"
    assert broken.code == FAULTS[fault] if fault in FAULTS else broken.code in (1, 2), where
    assert broken.out == "", where
    assert broken.err, where
    assert "could not undo" not in broken.err, where
    assert "Traceback" not in broken.err, where
    assert "fault of pipework" not in broken.err or fault == "break", where


def assert_may_succeed(fault: str, broken: Broken, taken: Scene) -> None:
    """Fail unless the run had a reason to go on to its end."""
    if fault.endswith("hang") and broken.step.startswith("ovn-appctl "):  # it may be busy; the flows will tell
        return
    assert fault in ("INT", "TERM"), broken
    assert broken.step == "request 17", broken  # an old link was on its way out, from where there is no way back
    assert not [name for each in (taken.host, *taken.guests) for name in links(each) if name.startswith("vpo")]


def healed_at_every_step(stage: Stage, told: str, leaves_nothing: bool = False) -> int:
    """Killed, the same command again leaves what an undisturbed one does, and so does del after it; return how many
    steps there were.

    leaves_nothing: del takes all of it back, so that one stage serves for all steps.
    """
    with stage() as undisturbed:
        assert undisturbed.host.pipework(*undisturbed.words) == (0, "", "")
        expected = shape(undisturbed)
        assert "'unfinished': []" in expected and "pipework.unfinished" not in expected
        assert undisturbed.host.pipework(*_removing(undisturbed)) == (0, "", "")
        expected_afterwards = shape(undisturbed)

    def look(taken: Scene, _before: Snapshot, broken: Broken, command: Command) -> bool:
        assert broken.code == FAULTS["KILL"]
        _heal(taken, broken.step, command)
        assert shape(taken) == expected, broken.step
        assert command(_removing(taken))[:3] == (0, "", ""), broken.step
        assert shape(taken) == expected_afterwards, broken.step
        return leaves_nothing

    return _at_every_step(stage, "KILL", told, look)


def _removing(taken: Scene) -> list[str]:
    return ["del", taken.guest.spec, "--all"]


def _heal(taken: Scene, where: str, command: Command) -> None:
    """Run the command again, which does what is left to do, or says that the wire is there."""
    again = command(taken.words)
    assert "exists and is up" in again.out or again[:3] == (0, "", ""), f"{where}: {again}"


def _assert_finished(taken: Scene, where: str) -> None:
    assert unfinished(taken.host, *taken.guests) == [], where
    assert not taken.switch or "pipework.unfinished" not in taken.switch.rows(), where


def collected_at_every_step(stage: Stage, told: str) -> int:
    """Killed, gc leaves what was there before, unless the wire is complete; return how many steps there were."""

    def look(taken: Scene, before: Snapshot, broken: Broken, command: Command) -> bool:
        assert broken.code == FAULTS["KILL"]
        collected = command(["gc"])
        assert (collected.code, collected.err) == (0, ""), broken.step
        changed = taken.difference(before, MOMENT)
        if changed:
            again = command(taken.words)
            complete = "exists and is up" in again.out or "File exists" in again.err
            assert complete, f"{broken.step}\n{collected.out}\n{changed}"
            _assert_finished(taken, broken.step)
        return not changed

    return _at_every_step(stage, "KILL", told, look)

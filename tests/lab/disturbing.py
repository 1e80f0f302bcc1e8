"""A command broken at one step after the other, and what must be true of each break."""

from __future__ import annotations

from tests.lab.faults import FAULTS, Broken, breaking
from tests.lab.scenes import Scene, Stage, links, shape

# Asked whether there is a need for a rule; where there is no such chain iptables fails with 1, too.
QUESTION = "tables -w 5 -S DOCKER-USER"


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
    assert broken.code == FAULTS[fault] if fault in FAULTS else broken.code in (1, 2), where
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


def healed_at_every_step(stage: Stage, told: str, leaves_nothing: bool = False) -> int:
    """Kill the command at one step after the other; the same command again leaves what an undisturbed one does,
    and so does del after it.

    leaves_nothing: del takes all of it back, so that one stage serves for all steps.
    """
    with stage() as undisturbed:
        assert undisturbed.host.pipework(*undisturbed.words) == (0, "", "")
        expected = shape(undisturbed)
        expected_afterwards = _shape_after_del(undisturbed)
    number = 0
    while True:
        with stage() as taken, breaking(taken.host.argv()) as run:
            while True:
                number += 1
                broken = run("KILL", number, taken.words)
                if not broken.step:
                    assert broken[:3] == (0, "", "")
                    print(f"\n{told}: KILL at each of {number - 1} steps, all healed")
                    return number - 1
                assert broken.code == FAULTS["KILL"]
                where = f"step {number}: {broken.step}"
                _heal(taken, where)
                assert shape(taken) == expected, where
                assert _shape_after_del(taken) == expected_afterwards, where
                if not leaves_nothing:
                    break  # on to a fresh stage


def _heal(taken: Scene, where: str) -> None:
    """Run the command again, which does what is left to do, or says that the wire is there."""
    again = taken.host.pipework(*taken.words)
    if "exists and is up" in again.out:
        # but for the removal of an old link, that is
        old = [name for name in links(taken.host) if name.startswith("vpo")]
        assert all(f"link {name}, half made" in taken.host.pipework("gc").out for name in old), where
    else:
        assert again == (0, "", ""), where


def collected_at_every_step(stage: Stage, told: str) -> int:
    """Kill the command at one step after the other; gc leaves what was there before, unless the wire is complete."""
    number = 0
    while True:
        with stage() as taken, breaking(taken.host.argv()) as run:
            before = taken.state()
            while True:
                number += 1
                broken = run("KILL", number, taken.words)
                if not broken.step:
                    assert broken[:3] == (0, "", "")
                    print(f"\n{told}: KILL at each of {number - 1} steps, gc has cleared up after all")
                    return number - 1
                where = f"step {number}: {broken.step}"
                collected = taken.host.pipework("gc")
                assert (collected.code, collected.err) == (0, ""), where
                if changed := taken.difference(before):
                    again = taken.host.pipework(*taken.words)
                    complete = "exists and is up" in again.out or "File exists" in again.err
                    assert complete, f"{where}\n{collected.out}\n{changed}"
                    break  # on to a fresh stage


def _shape_after_del(taken: Scene) -> str:
    assert taken.host.pipework("del", taken.guest.spec, "--all") == (0, "", "")
    return shape(taken)

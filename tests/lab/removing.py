"""A command that removes or replaces, broken at one step after the other: nothing of what was there before is lost.

A Removal says what gets wired and by which command it goes. It is wired as often as it takes, on the same stage, for
whatever befalls the command, all is as before the attach in the end.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Callable, NamedTuple, Optional

from tests.lab.faults import FAULTS, NONE, PROGRAM_FAULTS, Broken, breaking
from tests.lab.host import settle
from tests.lab.scenes import MOMENT, Scene, shape
from tests.lab.snapshot import Snapshot, diff

NOTHING = "that pipework made"  # what del says where there is nothing to remove
SIGNALS = ("INT", "TERM")
ORDERS = ("again, gc", "gc, again")  # what is typed after a kill
LEFT = ("notes", "host's firewall", "host's firewall6")  # what gc knows of once a wire is gone


class Removal(NamedTuple):
    """What gets wired, by which lines one after the other, and by which command all of it goes.

    ifnames: what the guest has of it, the last first to go; leave: what befalls it once it is wired; stays: an attach
    leaves something to all that come after it, a VLAN link or a NIC that is up, so only the second is wholly undone.
    """

    scene: Scene
    wiring: Sequence[Sequence[str]]
    words: Sequence[str]
    ifnames: Sequence[str] = ("eth1",)
    leave: Optional[Callable[[Trial], None]] = None
    stays: bool = False


Stage = Callable[[], AbstractContextManager[Removal]]


class Trial:
    """A removal under way: what was there before all, and with each of its wires; whether they are there.

    compares: what is there with each wire is of interest, which takes its time to settle.
    """

    def __init__(self, removal: Removal, run: Callable[[str, int, Sequence[str]], Broken], compares: bool) -> None:
        self.removal, self.scene, self.run, self.compares = removal, removal.scene, run, compares
        self.before = self.scene.state()
        self.wired: list[Snapshot] = []
        self.is_wired = False

    def command(self, *words: str) -> Broken:
        """Run pipework, undisturbed."""
        return self.run(NONE, 0, words)

    def wire(self) -> None:
        """See that all wires are there."""
        if self.is_wired:
            return
        self.wired = [self._with(line) for line in self.removal.wiring]
        if self.removal.leave:
            self.removal.leave(self)
            self.wired[-1:] = [self._settled()]
        self.is_wired = True

    def _with(self, line: Sequence[str]) -> Snapshot:
        done = self.command(*line)
        assert done[:3] == (0, "", ""), done
        return self._settled()

    def _settled(self) -> Snapshot:
        if not self.compares:
            return {}
        self.scene.settle()
        return self.scene.state()

    def again(self, where: str, words: Sequence[str] = ()) -> bool:
        """Type the same command again, or other words; tell whether it found something to do."""
        done = self.command(*(words or self.removal.words))
        is_nothing = done.code == 1 and NOTHING in done.err
        assert done[:3] == (0, "", "") or is_nothing, f"{where}: {done}"
        return not is_nothing

    def collect(self) -> None:
        """Have gc collect, which must not complain."""
        done = self.command("gc")
        assert (done.code, done.err) == (0, ""), done

    def assert_as_before(self, where: str) -> None:
        """Fail unless host and guest are as before the attach, for which all is ready then."""
        changed = self.scene.difference(self.before)
        assert not changed, f"{where}: not as before the attach\n{changed}"
        self.is_wired = False

    def gone(self) -> list[str]:
        """Return what the guest has no more of that which it was to lose."""
        there = {entry["ifname"] for entry in self.scene.guest.ip("-j", "link", "show")}
        return [ifname for ifname in self.removal.ifnames if ifname not in there]


# looks at what has become of a run that was broken, and sees to it that the trial can go on
Look = Callable[[Trial, Broken], None]


ALL = (0, 1)


def at_every_step(stage: Stage, fault: str, told: str, look: Look, ended: Look, part: tuple[int, int] = ALL) -> int:
    """Break the command at one step after the other and look; return how many there were.

    ended: looks at a run that nobody has broken, first and last; part: which of so many parts of the steps.
    """
    with stage() as removal, breaking(removal.scene.host.argv()) as run:
        if removal.stays:
            _once(Trial(removal, run, compares=False))
        trial = Trial(removal, run, fault != "KILL")
        trial.wire()
        ended(trial, trial.command(*removal.words))
        number, stride = part[0] + 1 - part[1], part[1]
        while True:
            trial.wire()
            number += stride
            broken = run(fault, number, removal.words)
            if not broken.step:
                ended(trial, broken)
                print(f"\n{told}: {fault} at each of {number - 1} steps, or one of {stride}")
                return number - 1
            look(trial, broken)


def _once(trial: Trial) -> None:
    """Have it wired and removed."""
    trial.wire()
    trial.command(*trial.removal.words)
    trial.again("undisturbed", ["del", trial.scene.guest.spec, "--all"])
    settle(trial.scene.host, *trial.scene.guests)


def assert_said(fault: str, broken: Broken, out: bool = False, lines: int = 2) -> None:
    """Fail unless the run has said what went wrong, in so many lines, and no more; out: it tells what it has done."""
    where = f"{broken.step}: {broken}"
    assert broken.code == FAULTS[fault] if fault in FAULTS else broken.code in (1, 2), where
    assert out or broken.out == "", where
    assert 1 <= len(broken.err.splitlines()) <= lines, where
    assert "could not undo" not in broken.err, where
    assert "Traceback" not in broken.err, where
    assert "fault of pipework" not in broken.err or fault == "break", where


def _removed(trial: Trial, broken: Broken) -> None:
    assert broken[:3] == (0, "", ""), broken
    trial.assert_as_before("undisturbed")


def _removed_after_all(fault: str, trial: Trial, broken: Broken) -> None:
    """Fail unless a run that was disturbed had a reason to succeed, and has left nothing."""
    assert fault in SIGNALS or fault in PROGRAM_FAULTS, broken
    trial.assert_as_before(broken.step)


def broken_removal(stage: Stage, fault: str, told: str) -> int:
    """A wire whose removal is broken is there as before, or gone for good; then the same command again, or gc where it
    finds nothing, does the rest. Return how many steps there were.
    """

    def look(trial: Trial, broken: Broken) -> None:
        if broken.code == 0:
            _removed_after_all(fault, trial, broken)
            return
        assert_said(fault, broken, lines=3)
        changed = trial.scene.difference(trial.wired[-1], MOMENT)
        if not changed:
            return
        where = f"{broken.step}: {broken.err}"
        # a client that has given its lease back cannot have it again
        is_beyond = trial.gone() or "\nprocesses:" in f"\n{changed}"
        assert is_beyond, f"{where}neither there nor gone\n{changed}"
        assert "nothing was changed" not in broken.err, f"{where}{changed}"
        if not trial.again(where):
            trial.collect()
        trial.assert_as_before(where)

    return at_every_step(stage, fault, told, look, _removed)


def broken_removal_of_all(stage: Stage, fault: str, told: str, part: tuple[int, int] = ALL) -> int:
    """Of several wires each is gone or there as before, and the error names those that are gone; the same command again
    removes the others. Return how many steps there were.
    """

    def look(trial: Trial, broken: Broken) -> None:
        if broken.code == 0:
            _removed_after_all(fault, trial, broken)
            return
        assert_said(fault, broken, lines=3)
        gone, where = trial.gone(), f"{broken.step}: {broken.err}"
        assert gone == list(trial.removal.ifnames[: len(gone)]), where
        changed = _but(trial.scene.difference(_there(trial, len(gone)), MOMENT), LEFT if gone else ())
        assert not changed, f"{where}gone: {gone}\n{changed}"
        assert all(ifname in broken.err for ifname in gone), f"{where}gone: {gone}"
        if gone:
            assert "nothing was changed" not in broken.err, where
            if not trial.again(where):
                trial.collect()
            trial.assert_as_before(where)

    return at_every_step(stage, fault, told, look, _removed, part)


def _there(trial: Trial, gone: int) -> Snapshot:
    """What is to be there when so many wires are gone."""
    return [trial.before, *trial.wired][len(trial.wired) - gone]


def _but(changed: str, sections: Sequence[str]) -> str:
    """What changed, without some sections of it."""
    parts = [part for part in f"\n{changed}".split("\n") if part]
    kept, is_kept = [], True
    for line in parts:
        is_kept = is_kept if line.startswith(" ") else line.rstrip(":") not in sections
        kept += [line] if is_kept else []
    return "\n".join(kept)


def killed_removal(stage: Stage, order: str, told: str) -> int:
    """Killed, the same command again and gc leave nothing, whichever comes first; return how many steps there were."""

    def look(trial: Trial, broken: Broken) -> None:
        assert broken.code == FAULTS["KILL"], broken
        for typed in order.split(", "):
            if typed == "gc":
                trial.collect()
            elif trial.again(broken.step):
                trial.assert_as_before(f"{broken.step}, again")
        trial.assert_as_before(f"{broken.step}, {order}")

    return at_every_step(stage, "KILL", told, look, _removed)


def broken_collection(stage: Stage, fault: str, told: str) -> int:
    """Broken or killed, gc can be run again and leaves what an undisturbed one does: nothing; return how many steps
    there were.
    """

    def ended(trial: Trial, broken: Broken) -> None:
        assert (broken.code, broken.err) == (0, ""), broken
        assert broken.out.startswith("removed "), broken
        trial.assert_as_before("undisturbed")

    def look(trial: Trial, broken: Broken) -> None:
        if fault == "KILL":
            assert broken.code == FAULTS[fault], broken
        elif broken.code or fault not in SIGNALS:
            assert_said(fault, broken, out=True)
        trial.collect()
        trial.assert_as_before(broken.step)

    return at_every_step(stage, fault, told, look, ended)


class Replacement:
    """What a --replace that nobody disturbs leaves, in terms that hold for every such wire."""

    def __init__(self) -> None:
        self.expected = ""

    def ended(self, trial: Trial, broken: Broken) -> None:
        """Look at a run that nobody has broken."""
        assert broken[:3] == (0, "", ""), broken
        self.expected = self.expected or shape(trial.scene)
        assert "'unfinished': []" in self.expected
        self.assert_there(trial, "undisturbed")

    def assert_there(self, trial: Trial, where: str) -> None:
        """Fail unless the wire is as asked and nothing is left of the other, at least once gc has run, and del takes it
        back.
        """
        if shape(trial.scene) != self.expected:
            trial.collect()
        assert shape(trial.scene) == self.expected, where
        assert trial.again(where, ["del", trial.scene.guest.spec]), where
        trial.assert_as_before(f"{where}, del")


def broken_replacement(stage: Stage, fault: str, told: str) -> int:
    """Broken, --replace leaves the wire that was there, unless that is gone: then the new one is there, at the latest
    when the same command is run again; return how many steps there were.
    """
    asked = Replacement()

    def look(trial: Trial, broken: Broken) -> None:
        if broken.code == 0:
            assert fault in SIGNALS, broken
            asked.assert_there(trial, broken.step)
            return
        assert_said(fault, broken)
        changed = trial.scene.difference(trial.wired[-1], MOMENT)
        if changed:
            where = f"{broken.step}: {broken.err}{changed}"
            assert "nothing was changed" not in broken.err, where
            assert not _without_new_ones(trial), where
            assert trial.again(where), where
            asked.assert_there(trial, where)

    return at_every_step(stage, fault, told, look, asked.ended)


def _without_new_ones(trial: Trial) -> bool:
    """Whether the guest has the link that it had."""
    links = trial.scene.at_guest()["links"]
    return diff({"": trial.wired[-1]["guest's links"]}, {"": links}) == ""


def killed_replacement(stage: Stage, told: str, part: tuple[int, int] = ALL) -> int:
    """Killed, the same command again leaves the wire as asked, and del nothing; return how many steps there were."""
    asked = Replacement()

    def look(trial: Trial, broken: Broken) -> None:
        assert broken.code == FAULTS["KILL"], broken
        assert trial.again(broken.step), broken.step
        asked.assert_there(trial, broken.step)

    return at_every_step(stage, "KILL", told, look, asked.ended, part)

"""The undo log: all of a plan or none of it."""

from __future__ import annotations

import signal
from collections.abc import Callable
from typing import Optional

import pytest

from pipework.actions.base import Action
from pipework.errors import Interrupted, Refused
from pipework.executor import undoing


class Step(Action):
    """Tells in a list what is done and undone; may raise on either."""

    told: list[str]
    name: str
    failures: tuple[Optional[BaseException], Optional[BaseException]]

    def __init__(
        self, told: list[str], name: str, do: Optional[BaseException] = None, undo: Optional[BaseException] = None
    ) -> None:
        self.__dict__.update(told=told, name=name, failures=(do, undo))

    def do(self) -> None:
        if self.failures[0]:
            raise self.failures[0]
        self.told.append(f"do {self.name}")

    def undo(self) -> None:
        self.told.append(f"undo {self.name}")
        if self.failures[1]:
            raise self.failures[1]

    def say(self) -> str:
        return f"ip link {self.name}"


class Signalled(Step):
    """Sends a signal to this process while it is being done."""

    def __init__(self, told: list[str], name: str, number: int) -> None:
        super().__init__(told, name)
        self.__dict__["number"] = number

    def do(self) -> None:
        super().do()
        signal.raise_signal(self.number)  # for this thread: a worker of pytest-xdist has more


@pytest.fixture
def told() -> list[str]:
    return []


def test_success_is_kept(told: list[str]) -> None:
    """Plans are done in order, and nothing is undone."""
    with undoing() as log:
        log.carry_out([Step(told, "a"), Step(told, "b")])
        log.carry_out([Step(told, "c")])
    assert told == ["do a", "do b", "do c"]


@pytest.mark.parametrize("failing", range(4))
def test_failure_at_each_step(told: list[str], failing: int) -> None:
    """Whichever step fails, those before it are undone in reverse, and it and those after it are not."""
    plan = [Step(told, str(n), do=Refused("no") if n == failing else None) for n in range(4)]
    with pytest.raises(Refused, match="no"), undoing() as log:
        log.carry_out(plan[:2])
        log.carry_out(plan[2:])
    assert told == [f"do {n}" for n in range(failing)] + [f"undo {n}" for n in reversed(range(failing))]


def test_an_error_between_plans(told: list[str]) -> None:
    """An error of the story itself, whatever its kind, undoes as well."""
    for error in (ValueError("x"), KeyboardInterrupt(), SystemExit(3)):
        told.clear()
        with pytest.raises(type(error)), undoing() as log:
            log.carry_out([Step(told, "a")])
            raise error
        assert told == ["do a", "undo a"]


def test_failing_undo(told: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """A step that cannot be undone is told, does not stop the others, and the first error remains."""
    plan = [
        Step(told, "a"),
        Step(told, "b", undo=Refused("busy", "a hint")),
        Step(told, "c", undo=OSError(5, "I/O")),
        Step(told, "d", do=Refused("the first error")),
    ]
    with pytest.raises(Refused, match=r"^the first error$"), undoing() as log:
        log.carry_out(plan)
    assert told == ["do a", "do b", "do c", "undo c", "undo b", "undo a"]
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines() == [
        "pipework: could not undo 'ip link c': [Errno 5] I/O",
        "pipework: could not undo 'ip link b': busy",
    ]


def test_failing_undo_is_escaped(told: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """What is told of a failing undo sends no control characters to the terminal."""
    plan = [Step(told, "\x1b[2J", undo=OSError("\x07")), Step(told, "b", do=Refused("no"))]
    with pytest.raises(Refused), undoing() as log:
        log.carry_out(plan)
    assert capsys.readouterr().err == "pipework: could not undo 'ip link \\x1b[2J': \\x07\n"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signal_between_two_steps(told: list[str], number: signal.Signals) -> None:
    """A signal lets the step at hand finish, then undoes all; the exit code is 128 and the signal's number."""
    with pytest.raises(Interrupted) as caught, undoing() as log:
        log.carry_out([Step(told, "a"), Signalled(told, "b", number), Step(told, "c")])
    assert told == ["do a", "do b", "undo b", "undo a"]
    assert caught.value.exit_code == 128 + number


def test_signal_during_the_last_step(told: list[str]) -> None:
    """A signal that arrives with the last step still counts."""
    with pytest.raises(Interrupted), undoing() as log:
        log.carry_out([Signalled(told, "a", signal.SIGTERM)])
    assert told == ["do a", "undo a"]


def test_signal_during_undo(told: list[str]) -> None:
    """A signal that arrives while a failure is being undone does not cut the undoing short."""

    class Impatient(Step):
        def undo(self) -> None:
            super().undo()
            signal.raise_signal(signal.SIGTERM)

    arrived: list[int] = []
    taken = handler(signal.SIGTERM, lambda number, frame: arrived.append(number))
    with taken, pytest.raises(Refused, match="no"), undoing() as log:
        log.carry_out([Step(told, "a"), Impatient(told, "b"), Step(told, "c", do=Refused("no"))])
    assert told == ["do a", "do b", "undo b", "undo a"]
    assert arrived == [signal.SIGTERM], "the signal is not lost: it is delivered once all is undone"


def test_signals_work_as_before(told: list[str]) -> None:
    """The block leaves the signal mask as it found it, whether it succeeds or fails."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [])
    with undoing() as log:
        log.carry_out([Step(told, "a")])
    with pytest.raises(Refused), undoing() as log:
        log.carry_out([Step(told, "a", do=Refused("no"))])
    assert signal.pthread_sigmask(signal.SIG_BLOCK, []) == before


class handler:
    """Another handler for a signal, during the block."""

    def __init__(self, number: int, function: Callable[..., object]) -> None:
        self.number, self.function = number, function

    def __enter__(self) -> None:
        self.before = signal.signal(self.number, self.function)

    def __exit__(self, *_: object) -> None:
        signal.signal(self.number, self.before)

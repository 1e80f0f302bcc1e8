"""What an action is: one change to the world, decided beforehand; and several that are one."""

from __future__ import annotations

from collections.abc import Sequence

from pipework.value import Value


class Action(Value):
    """One change to the world.

    One that has ``is_final`` set cannot be undone: once it is done the run goes on to its end, whatever signal arrives.
    keeps_note: whether it leaves a note for whoever takes the wire back.
    """

    is_final = False
    keeps_note = False

    def do(self) -> None:
        """Make the change, or raise having changed nothing."""
        raise NotImplementedError

    def undo(self) -> None:
        """Take back exactly that; only asked after ``do`` succeeded.  Nothing, where nothing is left to take back."""

    def say(self) -> str:
        """The shell line that does the same, "" where there is none."""
        return ""


class Together(Action):
    """Several actions as one: all of them are done, or none is."""

    steps: Sequence[Action]

    def do(self) -> None:
        done: list[Action] = []
        try:
            for step in self.steps:
                step.do()
                done.append(step)
        except BaseException:
            for step in reversed(done):
                step.undo()
            raise

    def undo(self) -> None:
        for step in reversed(self.steps):
            step.undo()

    def say(self) -> str:
        return "\n".join(filter(None, (step.say() for step in self.steps)))


class Heal(Together):
    """Put right what a killed run has left; nobody wants that undone, whatever else fails."""

    def do(self) -> None:
        for step in self.steps:
            step.do()

    def undo(self) -> None:
        """Nothing: it would bring the debris back."""

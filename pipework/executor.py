"""Carries plans out: in order, all of it or none of it.

``undoing()`` opens an undo log.  Each action that the log has carried out is noted; leaving the block
normally drops the log, leaving it by any error plays it back in reverse.  A step that cannot be undone
is told on stderr, does not stop the others, and never hides the first error.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext

from pipework.actions.base import Action
from pipework.errors import warn
from pipework.kernel import signals
from pipework.kernel.locks import host_lock


class UndoLog:
    """What was done so far, newest last."""

    only_says = False

    def __init__(self) -> None:
        self._done: list[Action] = []
        self.is_final = False  # what was done last cannot be undone, so the rest of it must be done, too
        self.is_kept = False  # something stays, and nothing was done since

    def alone(self) -> AbstractContextManager[None]:
        """While it is held, no other command decides or plugs.  Raises Refused, Interrupted."""
        return host_lock()

    def carry_out(self, plan: Sequence[Action]) -> None:
        """Do every action of a plan; a signal is noticed between two."""
        for action in plan:
            if not self.is_final:
                signals.check()
            action.do()
            self._done.append(action)
            self.is_kept = False
            self.is_final = self.is_final or action.is_final

    def keep(self) -> None:
        """Let all that was done so far stay, whatever comes: a part of the whole that makes sense alone is complete."""
        self._done.clear()
        self.is_final = False
        self.is_kept = True

    def play_back(self) -> None:
        """Undo everything, newest first."""
        while self._done:
            action = self._done.pop()
            try:
                action.undo()
            except Exception as error:
                first_line = str(error).split("\n")[0]
                said = action.say().replace("\n", "; ")
                warn(f"could not undo '{said}': {first_line}")


@contextmanager
def undoing(is_last: bool = True) -> Iterator[UndoLog]:
    """Carry out plans such that a failure leaves the world as it was.  Stopping signals raise Interrupted.

    is_last: whether the command has nothing else to do; else a signal that comes once all is done waits for what does.
    """
    log = UndoLog()
    with signals.held():
        try:
            yield log
            if is_last and (log.is_final or log.is_kept):
                signals.ignore_pending()
            elif is_last:
                signals.check()
        except BaseException:
            if not log.is_final:
                log.play_back()
            raise


class Rehearsal:
    """Says what would be done, in the shell lines of each action, and does nothing.

    margin: in front of each; once: whether none is said again: of several plans the later would find what the earlier
    ones have made.
    """

    is_final = False
    only_says = True

    def __init__(self, margin: str = "", once: bool = False) -> None:
        self._margin = margin
        self._once = once
        self._said = set[str]()

    def alone(self) -> AbstractContextManager[None]:
        """Hold nothing: a rehearsal only looks."""
        return nullcontext()

    def keep(self) -> None:
        """Nothing was done."""

    def carry_out(self, plan: Sequence[Action]) -> None:
        """Print the plan."""
        for lines in filter(None, (action.say() for action in plan)):
            if self._once and lines in self._said:
                continue
            self._said.add(lines)
            print("\n".join(f"{self._margin}{line}" for line in lines.split("\n")))

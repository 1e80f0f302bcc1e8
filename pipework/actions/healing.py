"""What a run that was killed has left, put right by the next."""

from __future__ import annotations

from collections.abc import Sequence

from pipework.typed import Any
from pipework.value import Value


class Heal(Value):
    """Several actions that nobody wants undone, even if the run fails that found them to be needed."""

    steps: Sequence[Any]

    def do(self) -> None:
        for step in self.steps:
            step.do()

    def undo(self) -> None:
        """Nothing: it would bring the debris back."""

    def say(self) -> str:
        return "\n".join(filter(None, (step.say() for step in self.steps)))

"""What a command could not make work, told once all else is done."""

from __future__ import annotations

from pipework.actions.base import Action
from pipework.errors import one_line, warn


class Notice(Action):
    """Tell on stderr, in one line, and in a rehearsal as a comment of the shell's."""

    text: str

    def do(self) -> None:
        warn(self.text)

    def say(self) -> str:
        return f"# {one_line(self.text)}"

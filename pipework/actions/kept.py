"""The lines that ``watch`` finds when a guest starts again."""

from __future__ import annotations

from pipework import kept
from pipework.actions.base import Action
from pipework.quoting import quote


class ChangeKept(Action):
    """Keep lines in the place of others; undone, those are kept again.  drop, add: each with its end."""

    drop: tuple[str, ...]
    add: tuple[str, ...] = ()

    def do(self) -> None:
        kept.change(self.drop, self.add)

    def undo(self) -> None:
        kept.change(self.add, self.drop)

    def say(self) -> str:
        file, new = quote(kept.FILE), quote(f"{kept.FILE}.new")
        less = [f"grep -vxF -e {quote(text.rstrip())} {file} >{new}; mv {new} {file}" for text in self.drop]
        return "\n".join([*less, *(f"echo {quote(text.rstrip())} >>{file}" for text in self.add)])

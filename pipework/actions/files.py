"""Files of pipework's own in the folders of others."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress

from pipework.actions.base import Action
from pipework.kernel.drafts import not_written, write_whole
from pipework.quoting import quote
from pipework.typed import Optional


class MakeFolder(Action):
    """Make a folder; undone, it is gone again, unless somebody has put something there."""

    path: str

    def do(self) -> None:
        try:
            os.mkdir(self.path, 0o755)
        except OSError as error:
            raise not_written(self.path, error) from None

    def undo(self) -> None:
        with suppress(OSError):
            os.rmdir(self.path)

    def say(self) -> str:
        return f"mkdir {quote(self.path)}"


class WriteFile(Action):
    """Write a file, all of it or nothing; undone, it is what it was.  former: that, None where there was none."""

    path: str
    text: str
    former: Optional[str]

    def do(self) -> None:
        try:
            _write(self.path, self.text)
        except OSError as error:
            raise not_written(self.path, error) from None

    def undo(self) -> None:
        if self.former is None:
            os.unlink(self.path)
        else:
            _write(self.path, self.former)

    def say(self) -> str:
        return f"cat >{quote(self.path)} <<'END'\n{self.text}END"


class RemoveFile(Action):
    """Remove a file; undone, it is there again.  former: what stands in it."""

    path: str
    former: str

    def do(self) -> None:
        try:
            os.unlink(self.path)
        except OSError as error:
            raise not_written(self.path, error) from None

    def undo(self) -> None:
        _write(self.path, self.former)

    def say(self) -> str:
        return f"rm {quote(self.path)}"


def missing_folders(path: str) -> Sequence[str]:
    """The folders above a file that are not there, the upper ones first."""
    found = list[str]()
    folder = os.path.dirname(path)
    while not os.path.isdir(folder):
        found.insert(0, folder)
        folder = os.path.dirname(folder)
    return found


def _write(path: str, text: str) -> None:
    write_whole(path, f"{path}.new", text, 0o644)  # engines read files that end in .json

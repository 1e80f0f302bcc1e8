"""Files of pipework's own in the folders of others."""

from __future__ import annotations

import os
from contextlib import suppress

from pipework.actions.base import Action
from pipework.errors import Refused
from pipework.kernel.drafts import write_whole
from pipework.quoting import quote
from pipework.typed import Optional


class MakeFolder(Action):
    """Make a folder; undone, it is gone again, unless somebody has put something there."""

    path: str

    def do(self) -> None:
        try:
            os.mkdir(self.path, 0o755)
        except OSError as error:
            raise _refused(self.path, error) from None

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
            raise _refused(self.path, error) from None

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
            raise _refused(self.path, error) from None

    def undo(self) -> None:
        _write(self.path, self.former)

    def say(self) -> str:
        return f"rm {quote(self.path)}"


def _write(path: str, text: str) -> None:
    write_whole(path, f"{path}.new", text, 0o644)  # engines read files that end in .json


def _refused(path: str, error: OSError) -> Refused:
    return Refused(f"cannot write {path}: {error.strerror}", "See whether that file system can be written to.")

"""Names of namespaces under /var/run/netns."""

from __future__ import annotations

import os
from contextlib import suppress

from pipework.actions.base import Action
from pipework.quoting import quote


class RemoveName(Action):
    """Remove a symbolic link from there; undone, it is again what it was.  It is never followed."""

    path: str
    target: str

    def do(self) -> None:
        with suppress(FileNotFoundError):
            os.unlink(self.path)

    def undo(self) -> None:
        with suppress(FileExistsError):
            os.symlink(self.target, self.path)

    def say(self) -> str:
        return f"rm {quote(self.path)}"

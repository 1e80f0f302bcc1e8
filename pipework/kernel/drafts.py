"""Files that are there wholly or not at all."""

from __future__ import annotations

import os

from pipework.errors import Refused


def write_whole(path: str, draft: str, text: str, mode: int = 0o600) -> None:
    """Write a file; whoever reads it meanwhile finds what was there.  Raises OSError, having left nothing.

    draft: where it is written first, in the same folder.
    """
    fd = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, mode)
    try:
        with os.fdopen(fd, "w", encoding="utf-8", errors="surrogateescape") as file:
            file.write(text)
            file.flush()
            os.fsync(fd)  # after a power cut there shall be the one or the other
        os.rename(draft, path)
    except BaseException:
        os.unlink(draft)
        raise


def not_written(path: str, error: OSError) -> Refused:
    """The refusal of a command that cannot write there."""
    return Refused(f"cannot write {path}: {error.strerror}", "See whether that file system can be written to.")

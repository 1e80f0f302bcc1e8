"""Lines that ``--keep`` has kept, one each as ``apply`` takes them, in a file that people may read and change."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress

from pipework.errors import Refused
from pipework.kernel import sysfs
from pipework.kernel.containment import check_of_the_host
from pipework.kernel.drafts import not_written, write_whole
from pipework.kernel.locks import host_lock
from pipework.lines import SPECIAL, read
from pipework.model import Attach

FOLDER = "/var/lib/pipework"
FILE = f"{FOLDER}/lines"
HEAD = "# Lines that pipework --keep has kept, for pipework watch. pipework del removes those of what it takes back.\n"


def texts(path: str = FILE) -> list[str]:
    """What a file of the folder has, line by line, each with its end.  Raises Refused."""
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as file:
            return file.read().splitlines(keepends=True)
    except FileNotFoundError:
        return []
    except OSError as error:
        raise Refused(f"cannot read {path}: {error.strerror}", f"Look at it: ls -l {path}") from None


def lines(*names: str) -> list[tuple[str, Attach]]:
    """What the lines ask for that can be read and may name one of these guests, each with its text.  Raises Refused.

    To read a line takes a thousand times as long as to see that a name is not in it.
    """
    there = (text for text in texts() if not SPECIAL.isdisjoint(text) or any(name in text for name in names))
    read_each = ((text, read(FILE, [text], sysfs.exists)[0]) for text in there)
    return [(text, end) for text, found in read_each for line in found for end in line.ends]


def change(drop: Sequence[str], add: Sequence[str]) -> None:
    """Remove lines, and add others behind the rest.  Raises Refused, having changed nothing."""
    with host_lock(patient=True, name="kept"):
        there = texts()
        for text in drop:
            if text in there:
                there.remove(text)
        if there and not there[-1].endswith("\n"):
            there[-1] += "\n"
        rewrite([*there, *add])


def rewrite(lines: Sequence[str], path: str = FILE, head: str = HEAD) -> None:
    """Have a file of the folder say that, behind its head; without lines there is none.  Raises Refused."""
    try:
        if any(line != head for line in lines):
            write_whole(path, f"{path}.new", "".join(lines if head in lines else [head, *lines]), 0o644)
        else:
            with suppress(FileNotFoundError):
                os.unlink(path)
    except OSError as error:
        raise not_written(path, error) from None


def check_outlasts() -> None:
    """See that what is kept outlasts this command.  Raises Refused."""
    check_of_the_host(FOLDER, "a line kept there would end with it")

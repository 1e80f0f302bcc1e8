"""Programs that run beside a test: servers and daemons."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.lab.guest import SLOW


@contextmanager
def running(words: list[str], log: Path) -> Iterator[None]:
    """A program that runs for as long as the block lasts; log: what it prints."""
    with log.open("w") as told:
        process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=told, stderr=told)
        try:
            yield
        finally:
            process.terminate()
            process.wait(30 * SLOW)

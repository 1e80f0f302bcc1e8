"""How far a command is that has much to do: a bar on a terminal, nothing elsewhere; and lines beside it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from pipework.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import NoReturn, TextIO

    from tqdm import tqdm


class Progress:
    """Nothing but the lines."""

    def tell(self, text: str, stream: TextIO) -> None:
        """Print a line, or several."""
        print(text, file=stream, flush=True)

    def advance(self, steps: int) -> None:
        """So much more is done."""


class _Bar(Progress):
    def __init__(self, bar: tqdm[NoReturn]) -> None:
        self._bar = bar

    def tell(self, text: str, stream: TextIO) -> None:
        self._bar.write(text, file=stream)

    def advance(self, steps: int) -> None:
        self._bar.update(steps)


@contextmanager
def progress(steps: int) -> Iterator[Progress]:
    """Show how many of so many steps are done; 0 for a command that only looks."""
    if not (steps and sys.stderr and sys.stderr.isatty()):
        yield Progress()
        return
    from tqdm import tqdm  # takes its time to import

    tqdm.monitor_interval = 0  # no thread beside one that changes its namespaces
    bar: tqdm[NoReturn] = tqdm(total=steps, leave=False, dynamic_ncols=True, unit="wire")
    with bar:
        yield _Bar(bar)

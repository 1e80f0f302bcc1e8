"""Each line of rows.py through the original and through ours, the state of host and guest compared."""

from __future__ import annotations

from typing import Callable

import pytest

from tests.parity.conftest import Compared
from tests.parity.rows import ROWS, Row
from tests.parity.telling import original, ours, tell

pytestmark = [pytest.mark.docker, pytest.mark.parity]

RACES = 4  # how often the original may lose one

if not original():
    pytest.skip("PIPEWORK_ORIGINAL=/path/to/pipework is not set: nothing to compare with", allow_module_level=True)


def param(number: int, row: Row) -> object:
    """A row as a parameter with a name of its own."""
    marks = [pytest.mark.vm] if row.vm else []
    return pytest.param(row, id=f"{number}: {row.title}", marks=marks)


@pytest.mark.parametrize("row", [param(number, row) for number, row in enumerate(ROWS, 1)])
def test_line(rows_guests: None, compared: Callable[[Compared], None], row: Row) -> None:
    """Host and guest are in the same state after both, but for what is said to be better."""
    theirs, mine = tell(row, original()), tell(row, ours())
    for _ in range(RACES):
        if row.fails and row.fails in theirs.summary:
            theirs = tell(row, original())
    differing = {part for part in theirs.state if theirs.state[part] != mine.state[part]}
    if set(theirs.state["texts"]) <= set(mine.state["texts"]):  # a text more harms no script
        differing.discard("texts")
    told = "\n".join(f"{part}:\n  {theirs.state[part]!r}\n  {mine.state[part]!r}" for part in sorted(differing))
    assert not differing - set(row.differs), f"the original, then ours\n{told}"
    assert not set(row.differs) - differing, "the same as the original's; ours is said to differ in that"
    assert bool(row.differs) == bool(row.better)
    compared(Compared(row.title, theirs.summary, mine.summary, f"better: {row.better}" if row.better else "same"))

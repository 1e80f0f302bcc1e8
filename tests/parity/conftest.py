"""Prints the table of the comparison when the tests are over."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import pytest

from tests.parity.guests import end_lent

WIDTHS = (58, 44, 44)


class Compared(NamedTuple):
    """A line of the table."""

    line: str
    original: str
    ours: str
    verdict: str


TABLE = pytest.StashKey[list[Compared]]()


@pytest.fixture
def table(request: pytest.FixtureRequest) -> list[Compared]:
    """The table, to add a line to."""
    return request.config.stash.setdefault(TABLE, [])


@pytest.fixture(scope="session")
def rows_guests(engine: None) -> Iterator[None]:
    """What guests of rows need, and the end of those that have been kept."""
    yield
    end_lent()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print the table."""
    rows = config.stash.get(TABLE, [])
    if not rows:
        return
    terminalreporter.section("parity with the original")
    for row in (Compared("line", "original", "ours", "same, or better and why"), *rows):
        cells = [cut(cell, width) for cell, width in zip(row, WIDTHS)]
        terminalreporter.write_line(" | ".join([*cells, row.verdict]))
    same = sum(row.verdict == "same" for row in rows)
    terminalreporter.write_line(f"{len(rows)} lines: {same} same, {len(rows) - same} better")


def cut(text: str, width: int) -> str:
    """The text in exactly that many columns."""
    return (text if len(text) <= width else text[: width - 1] + "…").ljust(width)

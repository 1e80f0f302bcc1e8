"""Prints the table of the comparison when the tests are over."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Callable, NamedTuple

import pytest

from tests.lab.sandboxed import sandboxed
from tests.parity.guests import end_lent
from tests.parity.rows import ROWS

__all__ = ["sandboxed"]

WIDTHS = (58, 44, 44)
PROPERTY = "compared"


class Compared(NamedTuple):
    """A line of the table."""

    line: str
    original: str
    ours: str
    verdict: str


@pytest.fixture
def compared(record_property: Callable[[str, object], None]) -> Callable[[Compared], None]:
    """Adds a line to the table; it goes along with the test's report, which may come from another process."""
    return lambda row: record_property(PROPERTY, list(row))


@pytest.fixture(scope="session")
def rows_guests(official_image: None) -> Iterator[None]:
    """What guests of rows need, and the end of those that have been kept."""
    yield
    end_lent()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the table."""
    reports = terminalreporter.getreports("passed")
    rows = [Compared(*row) for report in reports for name, row in report.user_properties if name == PROPERTY]
    order = [row.title for row in ROWS]
    rows.sort(key=lambda row: order.index(row.line))
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

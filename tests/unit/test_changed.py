"""make test-changed: what a change can touch is run."""

from __future__ import annotations

import re

import pytest

from tests.changed import ALL, ROWS, files, touched
from tests.lab.command import CHECKOUT

FOLDERS = ("pipework", "tests", "contrib", "docs")
FILES = [
    str(path.relative_to(CHECKOUT))
    for path in (*CHECKOUT.glob("*"), *(path for folder in FOLDERS for path in (CHECKOUT / folder).rglob("*")))
]


@pytest.mark.parametrize(("pattern", "names"), ROWS, ids=[pattern for pattern, _ in ROWS])
def test_rows_are_true(pattern: str, names: str) -> None:
    """Each row speaks of files that are there, and names test files that are there."""
    for part in pattern.split("|") if "(" not in pattern else [pattern]:
        assert any(re.match(part, path) for path in FILES), part
    assert [path for path in files(names) if not (CHECKOUT / path).is_file()] == []


def test_a_part_runs_what_drives_it() -> None:
    """A change to a part runs the unit tests and those that drive that part; a test file runs itself."""
    of_gc = [f"tests/integration/test_{name}.py" for name in ("gc", "removal", "notes", "hooks")]
    assert touched(["pipework/commands/gc.py"]) == ("tests/unit", *of_gc)
    assert touched(["tests/integration/test_ls.py"]) == ("tests/unit", "tests/integration/test_ls.py")
    assert touched(["CHANGELOG.md"]) == ("tests/unit",)


@pytest.mark.parametrize("path", ["pipework/kernel/netlink.py", "pipework/cli.py", "tests/lab/host.py", "Makefile"])
def test_what_all_stands_on_runs_all(path: str) -> None:
    """A change to what everything stands on runs all tests, whatever else has changed."""
    assert touched(["CHANGELOG.md", path]) == ALL

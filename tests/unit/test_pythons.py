"""`make test-pythons`: which Pythons it finds, and how it tells what their tests have said."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests import pythons
from tests.pythons import Outcome, Python


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """A machine with an empty PATH and nothing of pyenv."""
    (tmp_path / "bin").mkdir()
    return {"PATH": str(tmp_path / "bin"), "HOME": str(tmp_path)}


def program(path: Path, body: str) -> None:
    """Write a shell script that can be run."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)


def python(path: Path, release: str, *, venv: bool = True) -> None:
    """Write a program that answers as a Python of that release."""
    program(path, f'case $2 in *venv*) exit {0 if venv else 1} ;; *) printf "%s\\n" "{path}" {release} ;; esac')


def test_a_python_that_is_missing_is_named(environ: dict[str, str]) -> None:
    """A Python that the machine does not have is told, and is no failure."""
    assert pythons.find("3.9", environ) == Outcome(True, "python3.9: not here")


def test_a_stand_in_is_passed_over(environ: dict[str, str], tmp_path: Path) -> None:
    """A python3.9 on the PATH that cannot run does not hide the one that pyenv keeps."""
    program(tmp_path / "bin" / "python3.9", "echo 'pyenv: python3.9: command not found' >&2; exit 127")
    real = tmp_path / ".pyenv" / "versions" / "3.9.18" / "bin" / "python3.9"
    python(real, "3.9.18")
    assert pythons.find("3.9", environ) == Python(str(real), "3.9.18")


def test_the_path_comes_first(environ: dict[str, str], tmp_path: Path) -> None:
    """The Python that the administrator's PATH names is taken."""
    python(tmp_path / ".pyenv" / "versions" / "3.10.1" / "bin" / "python3.10", "3.10.1")
    python(tmp_path / "bin" / "python3.10", "3.10.2")
    assert pythons.find("3.10", environ) == Python(str(tmp_path / "bin" / "python3.10"), "3.10.2")


def test_a_python_without_venv_fails(environ: dict[str, str], tmp_path: Path) -> None:
    """A Python that is here but cannot make virtual environments is a failure that names it, not a silent gap."""
    python(tmp_path / "bin" / "python3.11", "3.11.2", venv=False)
    found = pythons.find("3.11", environ)
    assert isinstance(found, Outcome) and not found.passed
    assert f"{tmp_path / 'bin' / 'python3.11'} cannot make virtual environments" in found.line


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("644 passed, 4 errors in 24.60s", "644 passed, 0 failed, 4 errors"),
        ("1 failed, 647 passed, 1 warning in 29.53s", "647 passed, 1 failed"),
        ("1 skipped, 2 passed in 61.00s (0:01:01)", "2 passed, 0 failed, 1 skipped"),
        ("ERROR: file or directory not found: tests/unit", "0 passed, 0 failed"),
    ],
)
def test_counts(said: str, told: str) -> None:
    """What passed and what failed is always told, and what else there was when there was any."""
    assert pythons.counts(f"in the morning\n{said}\n") == told


def test_an_environment_depends_on_its_python() -> None:
    """Another release of a Python gets another environment, the same keeps its own."""
    here = Python(sys.executable, "3.11.2")
    assert pythons.made_of(here) == pythons.made_of(here)
    assert pythons.made_of(here) != pythons.made_of(Python(sys.executable, "3.11.3"))

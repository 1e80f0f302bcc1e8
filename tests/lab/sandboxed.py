"""Keeps tests that change the machine to machines that are theirs."""

from __future__ import annotations

import os

import pytest


@pytest.fixture(scope="session", autouse=True)
def sandboxed() -> None:
    """Refuse to run on the machine itself, whose engines, links and files are somebody's."""
    assert os.environ.get("PIPEWORK_SANDBOX") or os.environ.get("PIPEWORK_MACHINE"), (
        "These tests run in a sandbox: tests/lab/sandbox .venv/bin/python -m pytest ..., or make test"
    )

"""podman with a folder for hooks that is the test's own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.lab.command import run_pipework

FOLDER = "/etc/containers/oci/hooks.d"
SETTINGS = Path("/etc/containers/containers.conf")


@contextmanager
def podman_looking_in(folder: str = FOLDER) -> Iterator[None]:
    """podman looks for hooks there alone; the tests' /etc is their own."""
    before = SETTINGS.read_text() if SETTINGS.exists() else None
    SETTINGS.write_text(f'{before or ""}\n[engine]\nhooks_dir = ["{folder}"]\n')
    try:
        yield
    finally:
        if before is None:
            SETTINGS.unlink()
        else:
            SETTINGS.write_text(before)


@contextmanager
def hooked_podman(*words: str) -> Iterator[None]:
    """podman runs pipework."""
    with podman_looking_in():
        installed = run_pipework("hook", "install", *words)
        assert installed.code == 0 and f"podman: wrote {FOLDER}/pipework.json" in installed.out, installed
        try:
            yield
        finally:
            assert run_pipework("hook", "uninstall") == (0, "", "")

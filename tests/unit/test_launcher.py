"""What `make install` writes: a command, and the bundle that it starts from."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.lab.command import CHECKOUT


@pytest.fixture
def command(tmp_path: Path) -> Path:
    """The command, for a copy of the package in a folder that a shell would take apart."""
    folder = tmp_path / "it's here"
    shutil.copytree(CHECKOUT / "pipework", folder / "pipework", ignore=shutil.ignore_patterns("__pycache__"))
    file = folder / "command"
    writer = [sys.executable, "-I", str(CHECKOUT / "contrib" / "launcher.py")]
    subprocess.run([*writer, str(file), str(folder), "--bundle", str(folder / "start")], check=True)
    change_version(folder)
    return file


def change_version(folder: Path) -> None:
    """Have the package's own files say another version than the bundle; that leaves its folder as it is."""
    file = folder / "pipework" / "__init__.py"
    with file.open("r+", encoding="utf-8") as opened:
        text = opened.read().replace('"0.', '"9.')
        opened.seek(0)
        opened.write(text)


def said(*argv: str) -> str:
    return subprocess.run(argv, capture_output=True, text=True, check=True).stdout


def test_bundle(command: Path) -> None:
    """The code is that of the bundle; nothing is put in front of the words."""
    assert said(str(command), "--version").startswith("pipework 0.")
    assert said("sh", str(command), "--version").startswith("pipework 0.")
    assert "Usage: pipework " in said(str(command), "--help")


def test_package_has_changed(command: Path) -> None:
    """Whoever puts another release there gets that."""
    (command.parent / "pipework" / "new.py").touch()
    assert said(str(command), "--version").startswith("pipework 9.")


def test_file_has_changed(command: Path) -> None:
    """Whoever puts another file in the place of one, in whichever folder, gets that."""
    file = command.parent / "pipework" / "commands" / "tell.py"
    text = file.read_text().replace("print(", "print('patched:', ")
    (new := file.with_name("tell.py.new")).write_text(text)
    new.replace(file)
    assert said(str(command), "--version").startswith("patched: pipework 0.")


def test_another_python(command: Path) -> None:
    """After an upgrade of the system the Python that can read the bundle may be gone."""
    python = os.path.realpath(sys.executable)
    text = command.read_text()
    assert text.count(python) == 2
    command.write_text(text.replace(python, f"{python}-that-was"))
    assert said(str(command), "--version").startswith("pipework 9.")


def test_another_bundle(command: Path) -> None:
    """An upgrade may put another bundle there between the start and the look at what stands behind."""
    with (command.parent / "start.pyc").open("ab") as opened:
        opened.write(b"\0")
    assert said(str(command), "--version").startswith("pipework 9.")


def test_error(command: Path) -> None:
    """Errors and exit status are those of the command."""
    ended = subprocess.run([str(command), "br0"], capture_output=True, text=True, check=False)
    assert ended.returncode == 1 and ended.stderr.startswith("pipework: GUEST is missing")

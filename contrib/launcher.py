"""`PYTHON -I contrib/launcher.py FILE [--bundle BUNDLE] [FOLDER...]`: write FILE, a command that runs pipework.

It does so with this PYTHON, and with the packages of FOLDER... and of PYTHON.  It is shell, for scripts call pipework
as `sh pipework` and `bash pipework` too; and it names the folders itself instead of letting Python search for them
(-I -S), which starts in half the time of the script that pip makes.  With --bundle it has all code in one more file,
BUNDLE.pyc, as long as there is the very Python that can read that.
"""

from __future__ import annotations

import argparse
import marshal
import os
import sys
import sysconfig
from importlib.util import MAGIC_NUMBER
from pathlib import Path
from shlex import quote
from types import CodeType

BUNDLED = Path(__file__).with_name("bundled.py")
START = (
    "import gc, sys; gc.disable(); sys.path += sys.argv[1:{end}]; sys.argv[:{end}] = ['pipework']; "
    "from pipework.cli import main; main()"
)
UNCHECKED = bytes(12)  # of a .pyc file: no source is looked for, PEP 552


def main() -> None:
    """Write the command, and the bundle."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--bundle", type=Path)
    parser.add_argument("folders", nargs="*")
    wanted = parser.parse_args()
    folders = (*wanted.folders, sysconfig.get_path("purelib"))
    lines = ["#!/bin/sh"]
    python = os.path.realpath(sys.executable)
    if wanted.bundle and python.endswith(f"{sys.version_info[0]}.{sys.version_info[1]}"):
        file = wanted.bundle.with_suffix(".pyc")
        write(file, MAGIC_NUMBER + UNCHECKED + marshal.dumps(bundle(folders)), 0o644)
        lines.append(f'[ -x {quote(python)} ] && exec {quote(python)} -I -S {quote(str(file))} "$@"')
    words = [sys.executable, "-I", "-S", "-c", START.format(end=len(folders) + 1), *folders]
    lines.append(f'exec {" ".join(map(quote, words))} "$@"')
    write(wanted.file, "\n".join([*lines, ""]).encode(), 0o755)


def bundle(folders: tuple[str, ...]) -> CodeType:
    """The code of all modules of the package, and what starts the command with it."""
    package = Path(folders[0], "pipework")
    modules = {}
    for file in sorted(package.rglob("*.py")):
        parts = file.relative_to(package.parent).with_suffix("").parts
        is_package = parts[-1] == "__init__"
        name = ".".join(parts[:-1] if is_package else parts)
        modules[name] = str(file), is_package, marshal.dumps(compiled(file.read_text(encoding="utf-8"), str(file)))
    call = f"start({folders!r}, {package.stat().st_mtime_ns}, {modules!r})"
    return compiled(f"{BUNDLED.read_text(encoding='utf-8')}\n\n{call}\n", str(BUNDLED))


def compiled(text: str, file: str) -> CodeType:
    return compile(text, file, "exec", dont_inherit=True)


def write(path: Path, content: bytes, mode: int) -> None:
    """Write a file, all of it or nothing."""
    new = path.with_name(f"{path.name}.new")
    new.write_bytes(content)
    new.chmod(mode)
    os.replace(new, path)


if __name__ == "__main__":
    main()

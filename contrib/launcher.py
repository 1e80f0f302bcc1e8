"""`PYTHON -I contrib/launcher.py FILE [--bundle BUNDLE] [FOLDER...]`: write FILE, a command that runs pipework.

It does so with this PYTHON, and with the packages of FOLDER... and of PYTHON.  It is shell, for scripts call pipework
as `sh pipework` and `bash pipework` too; and it names the folders itself instead of letting Python search for them
(-I -S), which starts in half the time of the script that pip makes.  With --bundle all code of the package is in one
file, which starts in four fifths of that again; where the package has changed since, its own files are taken.
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

BUNDLED = Path(__file__).with_name("bundled.py")
# The collector would look through what the imports make, which all stays.
START = """import gc, sys
gc.disable()
sys.path += sys.argv[2:{end}]
bundle, sys.argv[:{end}] = sys.argv[1], ["pipework"]
{find}from pipework.cli import main
sys.exit(main())"""
# Another Python than that which has written it cannot read it, and finds the modules where they are.
FIND = """try:
    with open(bundle, "rb") as file:
        bundle = file.read()
except OSError:
    bundle = b""
from _frozen_importlib_external import MAGIC_NUMBER
if bundle.startswith(MAGIC_NUMBER):
    import marshal
    code, *where = marshal.loads(memoryview(bundle)[len(MAGIC_NUMBER):])
    names = {}
    exec(code, names)
    names["install"](bundle, *where)
"""


def main() -> None:
    """Write the command, and the bundle."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--bundle", type=Path)
    parser.add_argument("folders", nargs="*")
    wanted = parser.parse_args()
    folders = [*wanted.folders, sysconfig.get_path("purelib")]
    if wanted.bundle:
        write(wanted.bundle, bundle(Path(folders[0], "pipework")), 0o644)
    start = START.format(end=len(folders) + 2, find=FIND if wanted.bundle else "")
    words = [sys.executable, "-I", "-S", "-c", start, str(wanted.bundle or ""), *folders]
    write(wanted.file, f'#!/bin/sh\nexec {" ".join(map(quote, words))} "$@"\n'.encode(), 0o755)


def bundle(package: Path) -> bytes:
    """The code of all modules of a package, and in front what finds it there."""
    codes, modules = b"", {}
    for file in sorted(package.rglob("*.py"), reverse=True):
        parts = file.relative_to(package.parent).with_suffix("").parts
        is_package = parts[-1] == "__init__"
        code = marshal.dumps(compiled(file))
        codes = code + codes
        modules[".".join(parts[:-1] if is_package else parts)] = str(file), is_package, len(codes), len(code)
    head = compiled(BUNDLED), str(package), package.stat().st_mtime_ns, modules
    return MAGIC_NUMBER + marshal.dumps(head) + codes


def compiled(file: Path) -> object:
    return compile(file.read_text(encoding="utf-8"), str(file), "exec", dont_inherit=True)


def write(path: Path, content: bytes, mode: int) -> None:
    """Write a file, all of it or nothing."""
    new = path.with_name(f"{path.name}.new")
    new.write_bytes(content)
    new.chmod(mode)
    os.replace(new, path)


if __name__ == "__main__":
    main()

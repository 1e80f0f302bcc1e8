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
import subprocess
import sys
import sysconfig
from collections.abc import Sequence
from hashlib import sha256
from importlib.util import MAGIC_NUMBER
from pathlib import Path
from shlex import quote
from types import CodeType

BUNDLED = Path(__file__).with_name("bundled.py")
START = (
    "import gc, sys; gc.disable(); sys.path += sys.argv[1:{end}]; del sys.argv[:{end}]; "
    "from pipework.cli import main; main()"
)
# Those that are built into the interpreter, or have been loaded when it begins, are no matter.
LOADED = """
import sys
before = set(sys.modules)
sys.path += sys.argv[1:]
import pipework.cli, pipework.commands.attach, pipework.links.bridge, pipework.addressing.static, pipework.guests.docker
import pipework.commands.hook, pipework.commands.hook_start
import ctypes  # as pipework.kernel.libc does at its first call
for name in sys.modules.keys() - before:
    spec = sys.modules[name].__spec__
    if type(spec.loader).__name__ == "SourceFileLoader":
        print(spec.origin)
"""
MARK = sha256().digest_size  # bytes
UNCHECKED = bytes(12)  # of a .pyc file: no source is looked for, PEP 552


def main() -> None:
    """Write the command, and the bundle."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--bundle", type=Path)
    parser.add_argument("folders", nargs="*")
    wanted = parser.parse_intermixed_args()
    folders = (*wanted.folders, sysconfig.get_path("purelib"))
    lines = ["#!/bin/sh"]
    python = os.path.realpath(sys.executable)
    if wanted.bundle and python.endswith(f"{sys.version_info[0]}.{sys.version_info[1]}"):
        file = wanted.bundle.with_suffix(".pyc")
        write(file, MAGIC_NUMBER + UNCHECKED + bundle(folders), 0o644)
        lines.append(f'[ -x {quote(python)} ] && exec {quote(python)} -I -S {quote(str(file))} "$0" "$@"')
    words = [sys.executable, "-I", "-S", "-c", START.format(end=len(folders) + 1), *folders]
    lines.append(f'exec {" ".join(map(quote, words))} "$0" "$@"')
    write(wanted.file, "\n".join([*lines, ""]).encode(), 0o755)


def bundle(path: Sequence[str]) -> bytes:
    """What starts the command, and behind it the code of the package and of the standard library's modules it takes."""
    package, library = Path(path[0], "pipework"), Path(sysconfig.get_path("stdlib"))
    standard = standard_modules(path, library)  # first: it may make a __pycache__ in the package
    bundles, codes = dict[str, tuple[int, dict[str, tuple[str, bool, int, int]]]](), bytearray(MARK)
    for root, files in ((package.parent, package.rglob("*.py")), (library, standard)):
        for file in sorted(files):
            parts = file.relative_to(root).with_suffix("").parts
            is_package = parts[-1] == "__init__"
            name = ".".join(parts[:-1] if is_package else parts)
            code = marshal.dumps(compiled(file.read_text(encoding="utf-8"), str(file)))
            _, modules = bundles.setdefault(str(file.parent), (file.parent.stat().st_mtime_ns, {}))
            modules[name] = str(file), is_package, len(codes), len(codes) + len(code)
            codes += code
    mark = sha256(codes).digest()
    codes[:MARK] = mark
    call = f"start({tuple(path)!r}, {bundles!r}, {mark!r}, {len(codes)})"
    return marshal.dumps(compiled(f"{BUNDLED.read_text(encoding='utf-8')}\n\n{call}\n", str(BUNDLED))) + codes


def standard_modules(path: Sequence[str], library: Path) -> list[Path]:
    """The files of the standard library that an attach to a bridge loads."""
    told = subprocess.run(
        [sys.executable, "-I", "-S", "-c", LOADED, *path], stdout=subprocess.PIPE, text=True, check=True
    ).stdout
    return [Path(file) for file in told.splitlines() if Path(file).is_relative_to(library)]


def compiled(text: str, file: str) -> CodeType:
    """Without docstrings, which nobody reads there."""
    return compile(text, file, "exec", dont_inherit=True, optimize=2)


def write(path: Path, content: bytes, mode: int) -> None:
    """Write a file, all of it or nothing."""
    new = path.with_name(f"{path.name}.new")
    new.write_bytes(content)
    new.chmod(mode)
    os.replace(new, path)


if __name__ == "__main__":
    main()

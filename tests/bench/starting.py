"""What the start of the command would cost with the standard library's own in the place of each stand-in.

For each a copy of the package is made in which that one is exchanged; an attach is rehearsed with each, in turn.
"""

from __future__ import annotations

import compileall
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Sequence
from pathlib import Path
from statistics import median

from contrib.launcher import START
from tests.bench.measuring import Contender, Cost, in_turn
from tests.lab.command import CHECKOUT
from tests.lab.netns import named_namespace

ROUNDS = 25
AS_IT_IS = "as it is"

TYPING = """
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Callable, ClassVar, NoReturn, Optional, Protocol, TypeVar, Union, cast

def dataclass_transform(**_):
    return lambda cls: cls
"""
# Code is compiled for each class, as the standard library does it; what the rest of the package relies on stays.
VALUE = """
        own = () if cls.__annotations__ is Value.__annotations__ else cls.__annotations__
"""
NAMED_TUPLE = f"""
        from typing import Any, NamedTuple
{VALUE}        NamedTuple(cls.__name__, [(name, Any) for name in dict.fromkeys((*cls.fields, *own))])
"""
DATACLASS = f"""
        from dataclasses import dataclass
{VALUE}        named = dict.fromkeys((*cls.fields, *own), "object")
        dataclass(frozen=True)(type(cls.__name__, (), {{"__annotations__": named}}))
"""
SUBCLASS = "    def __init_subclass__(cls) -> None:\n"

# name -> the file, what is exchanged in it ("": all of it), and for what
STAND_INS = {
    "typed: typing": ("typed.py", "", TYPING),
    "value: typing.NamedTuple": ("value.py", SUBCLASS, SUBCLASS + NAMED_TUPLE),
    "value: dataclasses": ("value.py", SUBCLASS, SUBCLASS + DATACLASS),
    "programs: subprocess": ("kernel/programs.py", "import os\n", "import os\nimport subprocess\n"),
    "iptables: shlex": ("firewall/iptables.py", "import os\n", "import os\nimport shlex\n"),
    "bare: socket": ("kernel/bare.py", "import _socket as socket", "import socket"),
    "bare: signal": ("kernel/bare.py", "import _signal as signal", "import signal"),
    "bare: json": ("kernel/bare.py", "import _signal as signal", "import _signal as signal\n    import json"),
}


def print_starting() -> None:
    """What each stand-in saves."""
    with tempfile.TemporaryDirectory(prefix="pipework-bench-") as folder, named_namespace("pwbs") as guest:
        places = {AS_IT_IS: copied(Path(folder, "0"))}
        for number, (name, row) in enumerate(STAND_INS.items(), 1):
            places[name] = copied(Path(folder, str(number)), *row)
        words = ["--dry-run", "brpwbench", guest.spec, "10.215.0.2/24@10.215.0.1"]
        there = [Contender(name, command(place, words), bool) for name, place in places.items()]
        there.append(Contender("with the bundle", [bundled(places[AS_IT_IS]), *words], bool))
        results = in_turn(there, ROUNDS)
    print(f"\nAn attach rehearsed, with the standard library's own for a stand-in; {ROUNDS} rounds in turn, ms")
    print(f"{'':28}{'median':>9}{'more':>9}{'cpu':>9}{'more':>9}")
    for result in results:
        wall, cpu = more(result.costs, results[0].costs)
        print(f"{result.name:28}{result.wall:9.1f}{wall:9.1f}{result.cpu:9.1f}{cpu:9.1f}")


def more(costs: Sequence[Cost], plain: Sequence[Cost]) -> Cost:
    """The medians of what each round took more than the plain one in the same round."""
    pairs = list(zip(costs, plain))
    return Cost(
        median(one.wall - other.wall for one, other in pairs), median(one.cpu - other.cpu for one, other in pairs)
    )


def copied(folder: Path, file: str = "", old: str = "", new: str = "") -> Path:
    """A copy of the package, compiled, with something exchanged in a file.  Raises ValueError if it is not there."""
    shutil.copytree(CHECKOUT / "pipework", folder / "pipework", ignore=shutil.ignore_patterns("__pycache__"))
    if file:
        path = folder / "pipework" / file
        text = path.read_text()
        if old not in text:
            raise ValueError(f"{file} has no {old!r} any more")
        path.write_text(text.replace(old, new, 1) if old else new)
    compileall.compile_dir(folder, quiet=1)
    return folder


def command(folder: Path, words: Sequence[str]) -> list[str]:
    """The line that starts a copy as the launcher does."""
    packages = sysconfig.get_path("purelib")
    return [sys.executable, "-I", "-S", "-c", START.format(end=3), str(folder), packages, "pipework", *words]


def bundled(folder: Path) -> str:
    """A launcher for a copy, as `make install` writes it."""
    file = str(folder / "command")
    writer = [sys.executable, "-I", str(CHECKOUT / "contrib" / "launcher.py")]
    subprocess.run([*writer, file, str(folder), "--bundle", f"{file}.start"], check=True)
    return file


if __name__ == "__main__":
    print_starting()

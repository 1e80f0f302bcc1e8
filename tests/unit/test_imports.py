"""What a command may load before it has done its work, seen in a fresh interpreter."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]
HEAVY = {
    "pyroute2",
    "docker",
    "psutil",
    "requests",
    "asyncio",
    "http",
    "dataclasses",
    "logging",
    "argparse",
    "subprocess",
    "typing",
    "typing_extensions",
}

# Runs pipework's command line and tells on the last line of stderr which modules it has loaded by then. The
# verbs end in exec: they tell just before it.
WATCHED = """
import os, sys
sys.path[:0] = {path!r}
loaded = set()
sys.addaudithook(lambda event, told: event == "import" and loaded.add(told[0]))
def tell(*rest):
    print("LOADED", *sorted({{name.split(".")[0] for name in loaded}}), file=sys.stderr, flush=True)
real_exit, real_exec = os._exit, os.execvp
def told_exit(code):
    tell()
    real_exit(code)
def told_exec(file, arguments):
    tell()
    real_exec(file, arguments)
os._exit, os.execvp = told_exit, told_exec
{before}
from pipework.cli import main
main({argv!r})
"""


def run(argv: list[str], *flags: str, before: str = "") -> tuple[int, set[str], str, str]:
    path = [str(CHECKOUT)] if "-S" in flags else []
    done = subprocess.run(
        [sys.executable, *flags, "-c", WATCHED.format(path=path, before=before, argv=argv)],
        cwd=CHECKOUT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    told = [line for line in done.stderr.splitlines() if line.startswith("LOADED")]
    assert told, done.stderr
    said = done.stderr.replace(told[-1], "").strip()
    return done.returncode, set(told[-1].split()[1:]), done.stdout, said


@pytest.mark.parametrize(
    "argv",
    [
        [],
        ["br0"],
        ["br0", "web", "10.0.0.2"],
        ["br0", "web", "10.0.0.2/24@10.0.0.1/24"],
        ["eth0:3", "web", "10.0.0.2/24"],
        ["--wait", "eth1"],
    ],
)
def test_a_usage_error_loads_no_library(argv: list[str]) -> None:
    """Who types a wrong line does not wait for libraries."""
    code, loaded, out, err = run(argv)
    assert (code, bool(out) or bool(err)) == (1, True)
    assert "pipework" in loaded
    assert not loaded & HEAVY


@pytest.mark.parametrize("verb", ["route", "rule", "tc"])
def test_an_unknown_guest_of_a_verb_loads_no_library(verb: str) -> None:
    """Finding the guest of a verb costs no library, whether it is there or not."""
    code, loaded, _, err = run([verb, "netns:no-such-namespace", "show"])
    assert code == 1 and "no-such-namespace" in err
    assert not loaded & HEAVY


def test_wait_loads_no_library() -> None:
    """--wait returns for lo, which always is there, and has loaded nothing but the standard library."""
    code, loaded, out, err = run(["--wait", "-i", "lo"])
    assert (code, out, err) == (0, "", "")
    assert not loaded & HEAVY


def standard_library() -> set[str]:
    """The names of its modules, which Python 3.9 does not tell."""
    if sys.version_info >= (3, 10):
        return set(sys.stdlib_module_names)
    folder = Path(sysconfig.get_path("stdlib"))
    files = [*folder.iterdir(), *(folder / "lib-dynload").iterdir()]
    return {*sys.builtin_module_names, *(file.name.split(".")[0] for file in files)}


def test_wait_needs_only_the_checkout() -> None:
    """--wait runs on a Python that has no site-packages at all."""
    code, loaded, out, err = run(["--wait", "-i", "lo"], "-I", "-S")
    assert (code, out, err) == (0, "", "")
    assert loaded <= {*standard_library(), "pipework"}


def test_the_checks_see_a_library() -> None:
    """The watching works: a library that is loaded is told."""
    _, loaded, _, _ = run(["br0", "netns:pwnothere", "10.0.0.2/24"], before="import psutil")
    assert "psutil" in loaded

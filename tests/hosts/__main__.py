"""`python -m tests.hosts RELEASE [-- COMMAND...]`: what a newcomer does and what tests do, on another Debian.

It has that Debian's engines, firewalls, programs and Python, and this machine's kernel or, in a virtual machine,
its own. What it runs is a copy of this checkout. Without COMMAND: `make demo`, the commands of the pages, and
the tests of what differs from host to host.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.hosts.root import COPY, HERE, prepare
from tests.lab.command import CHECKOUT

SANDBOX = CHECKOUT / "tests" / "lab" / "sandbox"
TESTS = ("readme", "firewall", "engines", "bridge", "hostif", "dhcp_lan", "packages")
SUITE = "PIPEWORK_INSTALLED=$PWD/.cache/installed .venv/bin/python -m tests.suite -m 'not vm and not soak' tests/hosts"
DEMO = ("make", "--no-print-directory", "demo")
PARTS = (".venv/bin/python", "-m", "tests.hosts.parts")
# What wants a kernel with one cgroup hierarchy and all modules: its podman, and every kind of link.
IN_THE_MACHINE = "tests/vm/test_guests.py tests/vm/test_kinds.py"


def run(root: Path, *command: str) -> int:
    """Run a command there, in a sandbox; return its exit status."""
    there = ("sh", "-c", f'cd /{COPY} && exec "$@"', "sh", *command)
    return subprocess.run([SANDBOX, HERE / "enter", root, *there], check=False).returncode


def in_the_machine(root: Path) -> int:
    """Run there, in a virtual machine, what wants one; return an exit status."""
    script = f"{' '.join(PARTS)} && .venv/bin/python -m pytest -q -p no:cacheprovider -m vm {IN_THE_MACHINE}"
    words = [sys.executable, "-m", "tests.vm.machine", "--root", root, "--", "sh", "-c", script]
    return subprocess.run(words, cwd=CHECKOUT, check=False).returncode


def leg(root: Path) -> int:
    """Run all of it; return an exit status."""
    files = " ".join(f"tests/integration/test_{name}.py" for name in TESTS)
    commands: Sequence[Sequence[str]] = (PARTS, DEMO, ("sh", "-c", f"{SUITE} {files}"))
    statuses = [*(run(root, *command) for command in commands), in_the_machine(root)]
    return next(filter(None, statuses), 0)


def do(wanted: argparse.Namespace) -> int:
    """Prepare that Debian, and run what is to be run there; return an exit status."""
    try:
        root = prepare(wanted.release)
    except subprocess.CalledProcessError as error:
        print(f"Debian {wanted.release} cannot be made: {error}", file=sys.stderr)
        return 1
    if wanted.prepare:
        return 0
    return run(root, *wanted.command) if wanted.command else leg(root)


def main() -> int:
    """Do what the words ask for."""
    parser = argparse.ArgumentParser(prog="python -m tests.hosts", description=__doc__)
    parser.add_argument("--prepare", action="store_true", help="set it up, and run nothing")
    parser.add_argument("--tell", action="store_true", help="what fails is told, and is no failure")
    parser.add_argument("release", help="as debootstrap has it: trixie, sid")
    parser.add_argument("command", nargs="*", help="a command to run there, after --")
    wanted = parser.parse_args()
    status = do(wanted)
    if status and wanted.tell:
        print(f"Debian {wanted.release} has failed with {status}, which is only told.")
        return 0
    return status


if __name__ == "__main__":
    sys.exit(main())

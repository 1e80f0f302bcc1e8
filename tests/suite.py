"""`python -m tests.suite [--machines N | --user-mode N] [PYTEST'S WORDS...]`: run tests in several places at once.

Each of pytest-xdist's workers lives in a sandbox (tests/lab/sandbox), or with --machines in a virtual machine
(tests/vm/machine.py), with --user-mode under a user-mode kernel (tests/vm/user_mode.py), and has an engine and a switch
of its own as soon as a test asks for them. So no test meets what another has left, all ends with the suite however that
ends, and any number of suites can run side by side.
"""

from __future__ import annotations

import argparse
import os
import shlex
import signal
import subprocess
import sys
import tempfile
from typing import TYPE_CHECKING

import pytest

from tests.lab.command import CHECKOUT
from tests.vm.kernel import prepare
from tests.vm.machine import FOLDER

if TYPE_CHECKING:
    from xdist.scheduler import Scheduling  # a plugin's modules are pytest's to import

SANDBOX = str(CHECKOUT / "tests" / "lab" / "sandbox")
FED = ("setpriv", "--pdeathsig", "KILL", sys.executable, "-m", "tests.vm.{}", "--fed", "--")
# A test waits most of its time: for the kernel to remove namespaces, for links to settle, for programs to end.
SANDBOXES = int(os.environ.get("PIPEWORK_SANDBOXES", "0")) or min(5 * (os.cpu_count() or 1), 16)
# One test after the other to whoever is free: some take a minute, most a moment.
WORDS = ("--dist=load", "--maxschedchunk=1", "--durations=20", "--override-ini=console_output_style=count")


class Rerunning:
    """Has a test run again, once, whose virtual machine broke down under it: an emulated kernel now and then does."""

    def __init__(self) -> None:
        self.rerun: set[str] = set()

    def pytest_handlecrashitem(self, crashitem: str, report: pytest.TestReport, sched: Scheduling) -> None:
        """Give it to another machine."""
        if crashitem not in self.rerun:
            self.rerun.add(crashitem)
            sched.mark_test_pending(crashitem)
            report.outcome = "rerun"  # type: ignore[assignment]  # as the hook's description has it

    def pytest_report_teststatus(self, report: pytest.TestReport) -> tuple[str, str, str] | None:
        """Have those counted and told on their own."""
        return ("rerun", "R", "RERUN") if str(report.outcome) == "rerun" else None


def main() -> int:
    """Run pytest; return its exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.suite", description=__doc__)
    parser.add_argument("--machines", type=int, default=0, help="virtual machines, in place of sandboxes")
    parser.add_argument("--user-mode", type=int, default=0, help="user-mode kernels, in place of sandboxes")
    wanted, words = parser.parse_known_args()
    if wanted.machines:
        prepare()  # once, before any of them starts
    kernels = wanted.machines or wanted.user_mode
    kind = "machine" if wanted.machines else "user_mode"
    place = [word.format(kind) for word in FED] if kernels else [SANDBOX]
    workers = f"{kernels or SANDBOXES}*popen//python={shlex.join([*place, sys.executable])}"
    # Also where a shell's background ignores it; nohup means what it says.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, signal.default_int_handler)
    with tempfile.TemporaryDirectory(prefix="machines-", dir=CHECKOUT / ".cache") as os.environ[FOLDER]:
        try:
            return int(pytest.main([*WORDS, f"--tx={workers}", *words], [Rerunning()] if kernels else []))
        finally:
            subprocess.run([SANDBOX, "--sweep"], check=False)


if __name__ == "__main__":
    sys.exit(main())

"""Breaks a run of pipework at a chosen step, to see what it leaves behind.

A step is the start of an action, a request to the kernel, a program, or a change among the files that outlive the run.
A driver process on the host has the
package loaded and forks once for each run, so that all steps of all kinds of links can be tried:
``python -m tests.lab.faults`` reads one JSON object a line and answers with one.
"""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from errno import EIO, ENOBUFS
from importlib import import_module
from pkgutil import iter_modules
from typing import Any, Callable, NamedTuple

from pipework import cli
from pipework.errors import KernelRefused
from pipework.executor import UndoLog
from pipework.kernel import ovsdb
from pipework.kernel.netlink import Netlink
from pipework.kernel.programs import Running
from tests.lab.guest import SLOW

# What can go wrong at any step, and the exit status then: the kernel says no, to any request or to those that change
# something, something nobody thought of, a signal.
FAULTS = {"refuse": 2, "refuse-change": 2, "break": 1, "INT": 130, "TERM": 143, "KILL": -9}
NONE = ""
# What can go wrong with a program, as the shell's line that takes its place: it fails, is ended by a signal or never
# answers, before it has done anything or after it has done all. It ends with the shell, as it would without one: else a
# slow one would do its work after pipework has lost its patience.
PROGRAM_FAULTS = {
    "fail": "echo this is a test >&2; exit 1",
    "die": "kill -9 $$",
    "hang": "exec sleep 60",
    "do-and-fail": 'setpriv --pdeathsig KILL "$@"; exit 1',
    "do-and-die": 'setpriv --pdeathsig KILL "$@"; kill -9 $$',
    "do-and-hang": 'setpriv --pdeathsig KILL "$@"; exec sleep 60',
}
HANGING = 1 * SLOW  # seconds of patience with a program that hangs: as long as the tests need to see what becomes of it
# What runs need is loaded once for all, but for what only one of them needs and takes long to load.
PRELOADED = (
    *("actions", "addressing", "firewall", "kernel", "links", "wires"),  # with all that is in them
    *("commands.attach", "commands.delete", "commands.gc", "commands.replace", "guests.namespace"),
)
SLOW_TO_LOAD = "dhcp_container"
FILED = ("unlink", "rename", "replace", "symlink", "link")  # what changes the names of files, as os has it
CHANGES = ("os.remove", "os.rename", "os.mkdir", "os.rmdir", "os.link", "os.symlink", "os.truncate", "shutil.rmtree")
ASKING = ("iptables-save", "ip6tables-save")  # programs that change nothing
PLACES = ("/run/", "/var/run/", "/var/lib/pipework/")  # where notes, names of namespaces, lines and the like are kept
GET = 2  # of four message types each, linux/rtnetlink.h
NETFILTER = 1 << 8  # from there on they are of its subsystems, of which only questions are asked
# Links, addresses and routes are asked after time and again while something is waited for.
WAITING = (
    "SettleAddress",
    "AwaitAuto",
    "AwaitForwarding",
    "Announce",
    "AwaitLease",
    "AwaitLeaseInContainer",
    "StopClient",
    "AwaitGateways",
    "AwaitConsent",
)


class Broken(NamedTuple):
    """What came back from a run; step tells where it was broken, "" if it ended before it got there."""

    code: int
    out: str
    err: str
    step: str


class Breaker:
    """Counts the steps of this process and does the damage at one of them, once: by its number, or its label.

    Killed, it leaves the same at each step between two changes: the first of them stands for all.
    """

    def __init__(self, fault: str, number: int | str, report: int) -> None:
        self.fault, self.report = fault, report
        self.label, self.left = ("", number) if isinstance(number, int) else (number, 0)
        self.waiting = False
        self.has_changed = True

    def heed(self, event: str, words: tuple[Any, ...]) -> None:
        """See the changes that are no steps: what is opened to be written to, made or removed (an audit hook)."""
        if event in CHANGES or (event == "open" and words[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)):
            self.has_changed = True

    def is_hit(self, label: str) -> bool:
        """Take a step, which may be the one."""
        if self.label:
            if label != self.label:
                return False
            self.label = "it has been"
        else:
            if self.fault == "KILL" and not self.has_changed:
                return False
            self.has_changed = False
            self.left -= 1
            if self.left:
                return False
        os.write(self.report, label.encode())
        return True

    def step(self, label: str) -> None:
        """Take a step, which may be the last."""
        if self.fault in PROGRAM_FAULTS or not self.is_hit(label):
            return
        if self.fault.startswith("refuse"):
            raise KernelRefused(ENOBUFS, "this is a test")
        if self.fault == "break":
            raise OSError(EIO, "this is a test")
        os.kill(os.getpid(), getattr(signal, f"SIG{self.fault}"))

    def install(self) -> None:
        """Have every step of the package counted."""
        request, start, carry_out, outcome = Netlink.request, Running.__init__, UndoLog.carry_out, Running.outcome

        def counted_request(netlink: Netlink, kind: int, *rest: Any) -> Any:
            is_question = kind % 4 == GET or kind >= NETFILTER
            if not self.waiting and (not is_question or self.fault == "refuse"):
                self.step(f"request {kind}")
            self.has_changed = self.has_changed or not is_question
            return request(netlink, kind, *rest)

        def counted_start(running: Running, arguments: Sequence[str], *rest: Any) -> None:
            line = " ".join(arguments)
            self.step(line)
            if self.fault in PROGRAM_FAULTS and self.is_hit(line):
                start(running, ["sh", "-c", PROGRAM_FAULTS[self.fault], "sh", *arguments], *rest)
                running._name = arguments[0]
                running.outcome = lambda timeout: outcome(running, min(timeout, HANGING))  # type: ignore[method-assign]
            else:
                self.has_changed = self.has_changed or not line.startswith(ASKING)
                start(running, arguments, *rest)

        def counted_carry_out(log: UndoLog, plan: Sequence[Any]) -> None:
            for action in plan:
                self.step(f"action {type(action).__name__}")
                self.waiting = type(action).__name__ in WAITING
                carry_out(log, [action])
                self.waiting = False

        def counted(name: str, change: Callable[..., None]) -> Callable[..., None]:
            def counted_change(*paths: Any, **rest: Any) -> None:
                # the kernel has no say in it
                if not self.fault.startswith("refuse") and str(paths[-1]).startswith(PLACES):
                    self.step(f"{name} {paths[-1]}")
                change(*paths, **rest)

            return counted_change

        sys.addaudithook(self.heed)
        for name in FILED:
            setattr(os, name, counted(name, getattr(os, name)))
        Netlink.request = counted_request  # type: ignore[method-assign]
        Running.__init__ = counted_start  # type: ignore[method-assign]
        UndoLog.carry_out = counted_carry_out  # type: ignore[method-assign]


def _run(fault: str, number: int | str, words: list[str], stdin: str) -> Broken:
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err, tempfile.TemporaryFile() as report:
        child = os.fork()
        if child == 0:
            os.dup2(out.fileno(), 1)
            os.dup2(err.fileno(), 2)
            sys.stdin = io.StringIO(stdin)
            Breaker(fault, number, report.fileno()).install()
            cli.main(words)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        texts = []
        for file in (out, err, report):
            file.seek(0)
            texts.append(file.read().decode(errors="replace"))
        return Broken(status, *texts)


def main() -> None:
    """Serve until standard input ends."""
    for name in PRELOADED:
        module = import_module(f"pipework.{name}")
        for inner in iter_modules(getattr(module, "__path__", ())):
            if inner.name != SLOW_TO_LOAD:
                import_module(f"{module.__name__}.{inner.name}")
    ovsdb.PATIENCE = round(ovsdb.PATIENCE * SLOW)
    for line in sys.stdin:
        asked = json.loads(line)
        print(json.dumps(_run(**asked)), flush=True)


@contextmanager
def breaking(argv: Sequence[str]) -> Iterator[Callable[..., Broken]]:
    """Start the driver, by a command line that Python's is appended to; what comes back runs pipework once, unbroken
    where the fault is NONE: given that, the step's number or label, the words, and what stands on standard input.
    """
    checkout = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    command = [*argv, sys.executable, "-m", "tests.lab.faults"]
    with subprocess.Popen(
        command, cwd=checkout, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
    ) as driver:
        assert driver.stdin is not None
        assert driver.stdout is not None
        to, answers = driver.stdin, driver.stdout

        def run(fault: str, number: int | str, words: Sequence[str], stdin: str = "") -> Broken:
            asked = {"fault": fault, "number": number, "words": list(words), "stdin": stdin}
            to.write(json.dumps(asked) + "\n")
            to.flush()
            return Broken(*json.loads(answers.readline()))

        yield run
        to.close()
        driver.wait(60 * SLOW)


@contextmanager
def wired(argv: Sequence[str], words: Sequence[str]) -> Iterator[None]:
    """Run pipework, unbroken; a DHCP client that it leaves behind stays for as long as the block lasts.

    It would end with the mount namespace of ``ip netns exec``, in which it finds its guest.
    """
    with breaking(argv) as run:
        done = run(NONE, 0, words)
        assert done[:3] == (0, "", ""), done
        yield


if __name__ == "__main__":
    main()

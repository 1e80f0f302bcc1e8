"""Other programs, run with argument lists; never through a shell."""

from __future__ import annotations

import os
import select
import time
from collections.abc import Sequence

from pipework.errors import NotInstalled, Refused
from pipework.kernel.bare import signal
from pipework.typed import Optional
from pipework.value import Value

PAUSE = 0.0001  # seconds between two looks whether a program that has closed its output has ended: most have by then
# what the interpreter ignores and a program expects at its default, as in the standard library's subprocess
RESTORED = (signal.SIGPIPE, signal.SIGXFSZ)


class Outcome(Value):
    """What a program that has ended left: exit status (minus the signal's number if one ended it), stdout, stderr."""

    status: int
    out: str
    err: str


class Running:
    """A program that has been started, and what to say if it fails us.

    Without the standard library's subprocess, which would add 6 ms to an attach of 28 (``make bench``).
    """

    def __init__(self, arguments: Sequence[str], package: str) -> None:
        """Start it with nothing to read.  package is where Debian has it.  Raises NotInstalled, Refused."""
        self._name = arguments[0]
        path = find_program(self._name)
        if path is None:
            raise NotInstalled(f"{self._name} is not installed", f"Install it: apt-get install {package}")
        out, err = os.pipe(), os.pipe()
        try:
            self._pid = os.posix_spawn(
                path,
                list(arguments),
                os.environ,
                file_actions=[
                    (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                    (os.POSIX_SPAWN_DUP2, out[1], 1),
                    (os.POSIX_SPAWN_DUP2, err[1], 2),
                ],
                setsigdef=RESTORED,
            )
        except OSError as error:
            for descriptor in (out[0], err[0]):
                os.close(descriptor)
            raise Refused(f"cannot run {self._name}: {error.strerror}") from None
        finally:
            for descriptor in (out[1], err[1]):
                os.close(descriptor)
        self._said = {out[0]: b"", err[0]: b""}

    def outcome(self, timeout: float) -> Outcome:
        """Wait for its end.  Raises Refused if that takes more than timeout seconds; it is killed then."""
        status = None
        try:
            status = self._status(time.monotonic() + timeout)
        finally:
            for descriptor in self._said:
                os.close(descriptor)
            if status is None:
                os.kill(self._pid, signal.SIGKILL)
                os.waitpid(self._pid, 0)
        if status is None:
            raise Refused(f"{self._name} did not answer within {timeout:g} s")
        out, err = (said.decode("utf-8", "replace") for said in self._said.values())
        return Outcome(status, out, err)

    def _status(self, deadline: float) -> Optional[int]:
        """Its exit status, after all that it says; None: the deadline came first."""
        poll = select.poll()
        for descriptor in self._said:
            poll.register(descriptor, select.POLLIN)
        talking = len(self._said)
        while talking:
            ready = poll.poll(max(0.0, deadline - time.monotonic()) * 1000)
            if not ready:
                return None
            for descriptor, _ in ready:
                chunk = os.read(descriptor, 1 << 16)
                self._said[descriptor] += chunk
                if not chunk:
                    poll.unregister(descriptor)
                    talking -= 1
        while time.monotonic() < deadline:
            pid, status = os.waitpid(self._pid, os.WNOHANG)
            if pid:
                return os.waitstatus_to_exitcode(status)
            time.sleep(PAUSE)
        return None


def run(arguments: Sequence[str], timeout: float, package: str) -> Outcome:
    """Run a program to its end and take what it prints.  timeout in seconds; see Running for the rest."""
    return Running(arguments, package).outcome(timeout)


def find_program(name: str) -> Optional[str]:
    """The path of a program, or None."""
    paths = (os.path.join(folder, name) for folder in search_path().split(os.pathsep))
    return next((path for path in paths if os.access(path, os.X_OK)), None)


def search_path() -> str:
    """Where programs are looked for: PATH, and then where an administrator's are, which cron's PATH leaves out."""
    return os.pathsep.join([*filter(None, [os.environ.get("PATH")]), "/usr/sbin", "/sbin", "/usr/bin", "/bin"])

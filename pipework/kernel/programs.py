"""Other programs, run with argument lists; never through a shell."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence

from pipework.errors import NotInstalled, Refused
from pipework.value import Value


class Outcome(Value):
    """What a program that has ended left: exit status, stdout, stderr."""

    status: int
    out: str
    err: str


class Running:
    """A program that has been started, and what to say if it fails us."""

    def __init__(self, arguments: Sequence[str], package: str) -> None:
        """Start it.  package is where Debian has it.  Raises NotInstalled, Refused."""
        self._name = arguments[0]
        try:
            self._process = subprocess.Popen(
                arguments,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                encoding="utf-8",
                errors="replace",
            )
        except FileNotFoundError:
            raise NotInstalled(f"{self._name} is not installed", f"Install it: apt-get install {package}") from None
        except OSError as error:
            raise Refused(f"cannot run {self._name}: {error.strerror}") from None

    def outcome(self, timeout: float) -> Outcome:
        """Wait for its end.  Raises Refused if that takes more than timeout seconds; it is killed then."""
        try:
            out, err = self._process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.communicate()
            raise Refused(f"{self._name} did not answer within {timeout:g} s") from None
        return Outcome(self._process.returncode, out, err)


def run(arguments: Sequence[str], timeout: float, package: str) -> Outcome:
    """Run a program to its end and take what it prints.  timeout in seconds; see Running for the rest."""
    return Running(arguments, package).outcome(timeout)


def search_path() -> str:
    """Where programs are looked for: PATH, and then where an administrator's are, which cron's PATH leaves out."""
    return os.pathsep.join([*filter(None, [os.environ.get("PATH")]), "/usr/sbin", "/sbin", "/usr/bin", "/bin"])

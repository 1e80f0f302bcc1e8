"""Other programs, run with argument lists; never through a shell."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence

from pipework.errors import NotInstalled, Refused
from pipework.value import Value


class Outcome(Value):
    """What a program that has ended left: exit status, stdout, stderr."""

    status: int
    out: str
    err: str


def run(arguments: Sequence[str], timeout: float, package: str) -> Outcome:
    """Run a program to its end and take what it prints.

    timeout in seconds; package is where Debian has the program.  Raises NotInstalled where the program is
    missing, Refused where it does not end in time (it is killed then).
    """
    name = arguments[0]
    try:
        done = subprocess.run(
            arguments,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=timeout,
            encoding="utf-8",
            errors="replace",
            check=False,
        )
    except FileNotFoundError:
        raise NotInstalled(f"{name} is not installed", f"Install it: apt-get install {package}") from None
    except OSError as error:
        raise Refused(f"cannot run {name}: {error.strerror}") from None
    except subprocess.TimeoutExpired:
        raise Refused(f"{name} did not answer within {timeout:g} s") from None
    return Outcome(done.returncode, done.stdout, done.stderr)

"""argv in, exit code out; the only place that prints an error and ends the process."""

from __future__ import annotations

import gc
import os
import sys
from importlib import import_module

from pipework.errors import AlreadyWired, PipeworkError, Refused, UsageError, one_line
from pipework.grammar import parse, verb_of
from pipework.kernel import sysfs
from pipework.requests import Request
from pipework.typed import Callable, NoReturn, Optional, Sequence, cast

CAPABILITIES = 1 << 12 | 1 << 21  # CAP_NET_ADMIN, CAP_SYS_ADMIN: linux/capability.h


def run(argv: Sequence[str]) -> int:
    """Do what a command line asks and return the exit code."""
    try:
        _dispatch(list(argv))
    except UsageError as error:
        from pipework.usage import usage  # this once

        print(usage(), end="")
        print(f"pipework: {error}", file=sys.stderr)
        return error.exit_code
    except AlreadyWired as error:
        print(error)
        return error.exit_code
    except PipeworkError as error:
        print(f"pipework: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        return 130
    except Exception as error:
        if os.environ.get("PIPEWORK_DEBUG"):
            raise
        print(
            f"pipework: a fault of pipework itself, please report it: {type(error).__name__}: {one_line(str(error))}\n"
            "Run it again with PIPEWORK_DEBUG=1 to see where.",
            file=sys.stderr,
        )
        return 1
    return 0


def _dispatch(argv: list[str]) -> None:
    request = parse(argv, sysfs.exists)
    verb, runs = verb_of(request)
    if verb.privileged:
        _need_capabilities(argv)
    _function(runs)(request)


def _function(runs: str) -> Callable[[Request], None]:
    """The function that the table names; its file is loaded only now: --wait must run where only Python is."""
    file, _, function = runs.partition(":")
    return cast(Callable[[Request], None], getattr(import_module(f"pipework.commands.{file}"), function))


def _need_capabilities(argv: list[str]) -> None:
    with open("/proc/self/status", encoding="utf-8", errors="replace") as file:
        effective = next((line.split()[1] for line in file if line.startswith("CapEff:")), "0")
    if int(effective, 16) & CAPABILITIES != CAPABILITIES:
        from shlex import join  # for this line only

        line = one_line(join(["sudo", "pipework", *argv]))
        raise Refused(f"needs root, or CAP_NET_ADMIN and CAP_SYS_ADMIN; type: {line}")


def main(argv: Optional[Sequence[str]] = None) -> NoReturn:
    """The command ``pipework``.  Leaves without the interpreter's clean-up, which takes longer than the work."""
    gc.disable()
    code = 0
    try:
        code = run(sys.argv[1:] if argv is None else argv)
        for stream in filter(None, (sys.stdout, sys.stderr)):  # None: it was closed when we started
            stream.flush()
    except OSError:  # whoever read our output has gone
        if os.environ.get("PIPEWORK_DEBUG"):
            raise
        code = code or 1
    os._exit(code)

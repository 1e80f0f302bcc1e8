"""argv in, exit code out; the only place that prints an error and ends the process."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Sequence

from pipework.errors import AlreadyWired, PipeworkError, Refused, UsageError, one_line
from pipework.grammar import USAGE, parse
from pipework.kernel import sysfs
from pipework.model import Collect, Delete, List, Passthrough, Tell, Wait
from pipework.typed import NoReturn, Optional

CAPABILITIES = 1 << 12 | 1 << 21  # CAP_NET_ADMIN, CAP_SYS_ADMIN: linux/capability.h


def run(argv: Sequence[str]) -> int:
    """Do what a command line asks and return the exit code."""
    try:
        _dispatch(list(argv))
    except UsageError as error:
        print(USAGE, end="")
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
    # each story is imported only when it is told: --wait must run where only Python is
    request = parse(argv, sysfs.exists)
    if isinstance(request, Tell):
        print(request.text, end="")
        return
    if isinstance(request, Wait):
        from pipework.commands.wait import wait

        wait(request)
        return
    _need_capabilities(argv)
    if isinstance(request, Passthrough):
        from pipework.commands.passthrough import pass_through

        pass_through(request)
    elif isinstance(request, List):
        from pipework.commands.ls import list_wires

        list_wires(request)
    elif isinstance(request, Delete):
        from pipework.commands.delete import detach

        detach(request)
    elif isinstance(request, Collect):
        from pipework.commands.gc import collect

        collect(request)
    elif request.replace_wire:
        from pipework.commands.replace import replace

        replace(request)
    else:
        from pipework.commands.attach import attach

        attach(request)


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

"""``route``, ``rule`` and ``tc``: the tool itself, run in the guest's network namespace in our place."""

from __future__ import annotations

import os

from pipework import guests
from pipework.errors import NotInstalled, Refused
from pipework.kernel.namespaces import enter
from pipework.kernel.programs import find_program
from pipework.requests import Passthrough
from pipework.typed import NoReturn

PACKAGE = "iproute2"
TOOLS = {"route": ("ip", "route"), "rule": ("ip", "rule"), "tc": ("tc",)}


def pass_through(request: Passthrough) -> NoReturn:
    """Become the tool: its output, its errors and its exit status are what the caller gets.

    Raises PipeworkError if the guest cannot be found or the tool is not installed.
    """
    command = [*TOOLS[request.verb], *request.arguments]
    path = find_program(command[0])
    if path is None:
        raise NotInstalled(f"{command[0]} is not installed", f"Install it: apt-get install {PACKAGE}")
    enter(guests.find(request.guest).namespace.fd)
    try:
        os.execv(path, command)
    except OSError as error:
        raise Refused(f"cannot run {path}: {error.strerror}", f"Look at it: ls -l {path}") from None

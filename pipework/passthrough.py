"""``route``, ``rule`` and ``tc``: the tool itself, run in the guest's network namespace in our place."""

from __future__ import annotations

import os

from pipework import guests
from pipework.errors import Refused
from pipework.kernel.namespaces import enter
from pipework.request import Passthrough
from pipework.typed import NoReturn

TOOLS = {"route": ("ip", "route"), "rule": ("ip", "rule"), "tc": ("tc",)}


def pass_through(request: Passthrough) -> NoReturn:
    """Become the tool: its output, its errors and its exit status are what the caller gets.

    Raises PipeworkError if the guest cannot be found or the tool is not installed.
    """
    command = [*TOOLS[request.verb], *request.arguments]
    enter(guests.find(request.guest).namespace.fd)
    try:
        os.execvp(command[0], command)
    except OSError as error:
        raise Refused(
            f"cannot run {command[0]}: {error.strerror}", "It comes with iproute2: apt-get install iproute2"
        ) from None

"""``pipework hook``: have podman and Docker run pipework at a container's start and end, and do what they run it for.

What an engine waits for loads no more than it needs.
"""

from __future__ import annotations

import sys

from pipework.oci import STOPPED, read_state
from pipework.requests import Hook


def hook(request: Hook) -> None:
    """Do what ACTION says.  Raises PipeworkError."""
    if request.action == "run":
        run(request)
        return
    from pipework.commands.hook_setup import install, status, uninstall

    {"install": install, "uninstall": uninstall, "status": status}[request.action](request)


def run(request: Hook) -> None:
    """Do what the state on standard input calls for.  Raises PipeworkError."""
    state = read_state(sys.stdin.read())
    if state.status == STOPPED:
        from pipework.commands.clearing import clear_up

        for _ in clear_up((state.id,), takes_back=True):
            pass  # nobody reads what a hook says
    else:
        from pipework.commands.hook_start import start

        start(state, request)

"""``pid:N``: the network namespace that a process lives in."""

from __future__ import annotations

from pipework.errors import BadArgument
from pipework.guests.base import Guest, open_process_namespace
from pipework.kernel.processes import identity
from pipework.typed import Optional


def find(name: str) -> Optional[Guest]:
    """The process of that number; None if there is none.  Raises BadArgument, GuestUnusable."""
    if not (name.isascii() and name.isdecimal()) or len(name) > 7 or not int(name):
        raise BadArgument(f"pid:{name} is not the number of a process", "See them: ps -e")
    pid = int(name)
    if identity(pid) is None:
        return None
    return Guest(name, "pid", open_process_namespace(pid, f"process {pid}"), name, pid)

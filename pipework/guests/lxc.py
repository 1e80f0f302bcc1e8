"""LXC containers, asked of LXC itself, which knows them whatever the kernel's cgroups look like."""

from __future__ import annotations

import shlex

from pipework.errors import GuestStopped, GuestUnusable, Refused
from pipework.guests.base import Guest, open_process_namespace
from pipework.kernel.programs import run
from pipework.typed import Optional

LIMIT = 10.0  # seconds that lxc-info may take to answer
ON_THE_WAY = frozenset(("STOPPED", "STARTING", "STOPPING", "ABORTING"))  # lxc/state.h; a frozen one can be wired


def find(name: str) -> Optional[Guest]:
    """The running container of that name in LXC's default path; None if LXC knows none.

    Raises NotInstalled, GuestStopped, GuestUnusable, Refused if lxc-info fails.
    """
    if name in ("", ".", "..") or "/" in name:
        return None  # a path, not a name
    container = _ask(name)
    if container is None:
        return None
    state, pid = container
    start = f"Start it: lxc-start -n {shlex.quote(name)}"
    if state in ON_THE_WAY or not pid:
        raise GuestStopped(f"container {name} is not running ({state.lower()})", start)
    namespace = open_process_namespace(pid, f"container {name}")
    # LXC names its cgroups as its configuration says, so LXC is asked again, now that the namespace is held
    again = _ask(name)
    if again is None or again[1] != pid:
        namespace.close()
        raise GuestUnusable(f"container {name} has ended while pipework looked at it", start)
    return Guest(name, "lxc", namespace, str(pid), pid)


def _ask(name: str) -> Optional[tuple[str, int]]:
    """State and first process, 0 for none; None: no such container."""
    told = run(["lxc-info", f"--name={name}", "--state", "--pid", "--no-humanize"], LIMIT, "lxc")
    if told.status != 0:
        if "doesn't exist" in told.err:
            return None
        raise Refused(f"LXC says of {name}: {told.err.strip()}", "See the containers: lxc-ls --fancy")
    lines = (line.partition(":") for line in told.out.splitlines())
    fields = {key: value.strip() for key, _, value in lines}
    pid = fields.get("PID", "")
    return fields.get("State", ""), int(pid) if pid.isdecimal() else 0

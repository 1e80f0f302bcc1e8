"""Docker containers, asked of the engine's own socket, for a process's number means something on this host alone."""

from __future__ import annotations

import os

from pipework.errors import Refused
from pipework.guests.base import Guest
from pipework.guests.engine_api import Engine, guest_of, inspect, is_name
from pipework.typed import Optional

SOCKET = "/var/run/docker.sock"


def find(name: str) -> Optional[Guest]:
    """The running container of that name, id or id prefix; None if Docker knows none.

    Raises NotInstalled where no engine runs, GuestStopped, GuestUnusable, Refused if the engine fails.
    """
    asked = engine()
    container = inspect(asked, name) if is_name(name) else None
    return guest_of(asked, container) if container is not None else None


def engine() -> Engine:
    """The engine of this host, where DOCKER_HOST says if it names a unix socket.  Raises Refused."""
    host = os.environ.get("DOCKER_HOST", "")
    if host and not host.startswith("unix://"):
        raise Refused(
            f"DOCKER_HOST={host} is another machine, whose containers cannot be wired from here",
            "Run pipework on that machine, or unset DOCKER_HOST.",
        )
    return Engine("Docker", "docker", host[len("unix://") :] or SOCKET)

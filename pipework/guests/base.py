"""What a guest is, and what each runtime offers."""

from __future__ import annotations

import os

from pipework.errors import GuestStopped, GuestUnusable
from pipework.kernel.namespaces import Namespace
from pipework.typed import Optional, Protocol
from pipework.value import Value

NO_HOST_NETWORK = "Start the container without --net=host, for example with --net=none."


class Guest(Value):
    """A guest with its network namespace, held open.

    name: as its runtime calls it; runtime: the prefix that chooses that; tag: what tells it apart in a link's name, its
    first process's number where it has one; pid: that number, or None; id: the container's full id, or "";
    host_name: what it calls itself, "" where that is its name.
    """

    name: str
    runtime: str
    namespace: Namespace
    tag: str
    pid: Optional[int] = None
    id: str = ""
    host_name: str = ""


class Runtime(Protocol):
    """What each module of this package offers."""

    def find(self, name: str) -> Optional[Guest]:
        """One look for the guest of that name; None: the runtime knows no such guest.

        Raises GuestStopped if it is known and may yet start, NotInstalled where the runtime is not there,
        GuestUnusable, Refused.
        """


def on_hosts_network(label: str, hint: str) -> GuestUnusable:
    """The refusal of a guest that has no network of its own; hint: how to start one that has."""
    return GuestUnusable(f"{label} shares this host's network, so there is nothing to wire", hint)


def open_process_namespace(pid: int, label: str) -> Namespace:
    """The network namespace of a process, which must be alive.  Raises GuestUnusable."""
    path = f"/proc/{pid}/ns/net"
    try:
        return Namespace(os.open(path, os.O_RDONLY | os.O_CLOEXEC), path)
    except PermissionError:
        raise GuestUnusable(
            f"may not open the namespace of {label}", "Run pipework as root: sudo pipework ..."
        ) from None
    except OSError:
        raise GuestStopped(f"{label} has ended", "Start it again, then run pipework again.") from None

"""Guests: whatever has a network namespace of its own, found by the name that the user gives.

A runtime is a module with one function ``find(name) -> Optional[Guest]``; None: it knows no such guest.
To add one, add a file and a row.
"""

from __future__ import annotations

import os
from importlib import import_module
from typing import Optional, Protocol, cast

from pipework.errors import GuestNotFound, GuestUnusable
from pipework.kernel.namespaces import Namespace
from pipework.value import Value

# prefix -> the module that serves PREFIX:NAME
RUNTIMES = {
    "docker": "pipework.guests.docker",
    "netns": "pipework.guests.namespace",
    "pid": "pipework.guests.process",
}
# where a name without prefix is looked for, in this order
UNPREFIXED = ("docker",)


class Guest(Value):
    """A guest with its network namespace, held open.

    name: as its runtime calls it; runtime: a prefix of RUNTIMES; tag: what tells it apart in a link's name, its first
    process's number where it has one; pid: that number, or None; id: the container's full id, or "".
    """

    name: str
    runtime: str
    namespace: Namespace
    tag: str
    pid: Optional[int] = None
    id: str = ""


class Runtime(Protocol):
    """What each module of this package offers."""

    def find(self, name: str) -> Optional[Guest]:
        """The guest of that name, or None.  Raises GuestUnusable, GuestNotFound."""


def find(text: str) -> Guest:
    """The guest that the user means, its namespace open.

    Raises GuestNotFound, or GuestUnusable if it has no namespace of its own: then there is only the host's.
    """
    guest = _look_up(text)
    with Namespace.own() as own:
        if guest.namespace.identity == own.identity:
            guest.namespace.close()
            raise GuestUnusable(
                f"{text} shares this host's network, so there is nothing to wire",
                "Start the container without --net=host, for example with --net=none.",
            )
    return guest


def _look_up(text: str) -> Guest:
    prefix, colon, name = text.partition(":")
    if text.startswith("/"):
        prefix, name = "netns", text
    elif not colon or prefix not in RUNTIMES:
        for runtime in UNPREFIXED:
            guest = _runtime(runtime).find(text)
            if guest:
                return guest
        raise GuestNotFound(
            f"no guest {text}: looked among the containers of {', '.join(UNPREFIXED)}",
            "See what runs: docker ps.  A namespace is netns:NAME or its path, a process is pid:N.",
        )
    guest = _runtime(prefix).find(name)
    if guest is None:
        raise GuestNotFound(f"no guest {text}: {prefix} knows no {name}")
    return guest


def _runtime(prefix: str) -> Runtime:
    return cast(Runtime, import_module(RUNTIMES[prefix]))


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
        raise GuestUnusable(f"{label} has ended", "Start it again, then run pipework again.") from None

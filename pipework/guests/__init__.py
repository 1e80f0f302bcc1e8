"""Guests: whatever has a network namespace of its own, found by the name that the user gives.

A runtime is a module with one function, see Runtime.  To add one, add a file and a row.

A name without prefix belongs to the first runtime of UNPREFIXED that knows it, running or not: which
container is wired must not hang on what else happens to run.  If it is stopped there, the refusal names the
runtime in which one of that name runs.
"""

from __future__ import annotations

import os
import time
from importlib import import_module

from pipework.errors import Elsewhere, GuestNotFound, GuestStopped, NotInstalled, Refused
from pipework.guests.base import NO_HOST_NETWORK, Guest, Runtime, on_hosts_network
from pipework.kernel.census import NAMED
from pipework.kernel.namespaces import Namespace
from pipework.typed import Optional, cast
from pipework.value import Value

STARTING = 3.0  # seconds that a container may take to start, as in the original
PAUSE = 0.05  # seconds between two looks at it


class Row(Value):
    """A runtime.

    module: serves PREFIX:NAME; signs: programs on the PATH or files, one of which is there where the runtime is;
    listing: shows what runs; isolated: how a guest gets a network of its own.
    """

    module: str
    signs: tuple[str, ...] = ()
    listing: str = ""
    isolated: str = "Name one that has a network of its own: ip netns list"


# prefix -> runtime; Docker has no signs, for asking its socket is the quickest way to learn whether it is there
RUNTIMES = {
    "docker": Row("pipework.guests.docker", (), "docker ps", NO_HOST_NETWORK),
    "podman": Row("pipework.guests.podman", ("/run/podman/podman.sock", "podman"), "podman ps", NO_HOST_NETWORK),
    "lxc": Row("pipework.guests.lxc", ("lxc-info",), "lxc-ls --running", "Configure lxc.net.0.type = empty for it."),
    "netns": Row("pipework.guests.namespace", listing="ip netns list"),
    "pid": Row("pipework.guests.process", listing="ps -e"),
}
# where a name without prefix is looked for, in this order
UNPREFIXED = ("docker", "podman", "lxc")


def find(text: str, patience: float = STARTING) -> Guest:
    """The guest that the user means, its namespace open.

    patience: seconds that it gets if it is not running yet.  Raises GuestNotFound, or GuestUnusable if it does not
    run or has no namespace of its own: then there is only the host's.
    """
    guest = _look_up(text, patience)
    with Namespace.own() as own:
        if guest.namespace.identity == own.identity:
            guest.namespace.close()
            raise on_hosts_network(text, RUNTIMES[guest.runtime].isolated)
    return guest


def _look_up(text: str, patience: float) -> Guest:
    prefix, colon, name = text.partition(":")
    if text.startswith("/") and (os.path.lexists(text) or "/" in text[1:]):
        prefix, name = "netns", text
    elif text.startswith("/"):  # as docker inspect has the names of containers
        return _search(text[1:], patience, f"no file {text}, ")
    elif not colon or prefix not in RUNTIMES:
        return _search(text, patience)
    guest = _await_start(prefix, name, patience)
    if guest is None:
        listing = RUNTIMES[prefix].listing
        raise GuestNotFound(f"no guest {text}: {prefix} knows no {name}", f"See what there is: {listing}")
    return guest


def _search(name: str, patience: float, besides: str = "") -> Guest:
    """The guest of that name without a prefix; besides: where else it was looked for, in words."""
    asked, absent, instead = [], [], ""
    for position, prefix in enumerate(UNPREFIXED):
        try:
            guest = _await_start(prefix, name, patience)
        except Elsewhere as refusal:
            besides, instead = f"{besides}{refusal.message}; ", f"{refusal.hint}  "
            continue
        except NotInstalled:
            absent.append(prefix)
            continue
        except GuestStopped as stopped:
            namesake = _running_in(UNPREFIXED[position + 1 :], name)
            if namesake is None:
                raise
            raise GuestStopped(stopped.message, f"{stopped.hint}, or mean the one that runs: {namesake}") from None
        if guest is not None:
            return guest
        asked.append(prefix)
    where = f"looked among the containers of {', '.join(asked)}" if asked else "there is no container runtime here"
    missing = f" (not here: {', '.join(absent)})" if absent else ""
    listings = f"See what runs: {', '.join(RUNTIMES[prefix].listing for prefix in asked)}.  " if asked else ""
    raise GuestNotFound(
        f"no guest {name}: {besides}{where}{missing}",
        f"{instead}{listings}A namespace is netns:NAME or its path, a process is pid:N.",
    )


def _running_in(prefixes: tuple[str, ...], name: str) -> Optional[str]:
    """PREFIX:NAME of a guest of that name that runs in one of these runtimes."""
    for prefix in prefixes:
        try:
            guest = _runtime(prefix).find(name)
        except Refused:
            continue
        if guest is not None:
            guest.namespace.close()
            return f"{prefix}:{name}"
    return None


def _await_start(prefix: str, name: str, patience: float) -> Optional[Guest]:
    runtime, deadline = _runtime(prefix), 0.0
    while True:
        try:
            return runtime.find(name)
        except GuestStopped:
            deadline = deadline or time.monotonic() + patience
            if time.monotonic() >= deadline:
                raise
        time.sleep(PAUSE)


def _runtime(prefix: str) -> Runtime:
    """The module that serves a prefix; not even loaded where its runtime is not there.  Raises NotInstalled."""
    if not is_here(prefix):
        raise NotInstalled(f"{prefix} is not installed here", f"Install it: apt-get install {prefix}")
    return cast(Runtime, import_module(RUNTIMES[prefix].module))


def may_mean(text: str, runtime: str, name: str, identifier: str = "") -> bool:
    """Whether the user may mean by a text the guest that a runtime calls so; which it is in the end, find() finds out.

    identifier: the container's full id, or "".
    """
    prefix, colon, plain = text.partition(":")
    if not colon or prefix not in RUNTIMES:
        prefix, plain = "", text
    if prefix not in ("", runtime):
        return False
    if runtime == "netns":
        return (bool(prefix) or text.startswith("/")) and _path_of(plain) == _path_of(name)
    plain = plain.removeprefix("/")
    return plain == name or (bool(identifier) and identifier.startswith(plain))


def _path_of(name: str) -> str:
    """The file of a named namespace, under one of its paths."""
    return os.path.join(NAMED, name).replace("/var/run/", "/run/", 1)


def is_here(prefix: str) -> bool:
    """Whether a runtime is installed here, as far as that shows."""
    signs = RUNTIMES[prefix].signs
    return not signs or any(map(_is_there, signs))


def _is_there(sign: str) -> bool:
    folders = [""] if sign.startswith("/") else os.get_exec_path()
    return any(os.access(os.path.join(folder, sign), os.F_OK) for folder in folders)

"""Docker containers, asked of the engine's own socket, for a process's number means something on this host alone."""

from __future__ import annotations

import os
from collections.abc import Iterable

from pipework.errors import Elsewhere, Refused
from pipework.guests.base import Guest
from pipework.guests.engine_api import Engine, get, guest_of, inspect, is_name, name_of
from pipework.kernel.bare import read_json, socket
from pipework.typed import Any, Optional

SOCKET = "/var/run/docker.sock"
PORT = 2375  # of an address without one
# what users call this machine besides 127.0.0.0/8, and its address; docker takes an address without a name for it, too
LOOPBACK = {"": "127.0.0.1", "localhost": "127.0.0.1", "[::1]": "::1"}


def find(name: str) -> Optional[Guest]:
    """The running container of that name, id or id prefix; None if Docker knows none.

    Raises NotInstalled where no engine runs, GuestStopped, GuestUnusable, Refused if the engine fails.
    """
    asked = engine()
    container = inspect(asked, name) if is_name(name) else None
    return guest_of(asked, container) if container is not None else None


def names(ids: Iterable[str]) -> dict[str, str]:
    """The names of containers, by their full ids, as far as Docker knows them.  Raises PipeworkError."""
    asked = engine()
    told = {identifier: inspect(asked, identifier) for identifier in ids}
    return {identifier: name_of(container) for identifier, container in told.items() if container}


def device_folders() -> tuple[str, list[str]]:
    """The engine's version, and the folders in which it looks for devices of the Container Device Interface.

    Raises NotInstalled where no engine runs, Refused if it fails.
    """
    told = get(engine(), "/info")
    return str(told.get("ServerVersion") or "0"), list(told.get("CDISpecDirs") or [])


def engine() -> Engine:
    """The engine that ``docker`` asks: DOCKER_HOST's, else the context's, at a unix socket or a port of the loopback.

    Raises Elsewhere for another machine's, Refused for one that wants TLS, or for a context that cannot be read.
    """
    host, tls = os.environ.get("DOCKER_HOST", ""), any(map(os.environ.get, ("DOCKER_TLS", "DOCKER_TLS_VERIFY")))
    said, instead = f"DOCKER_HOST={host}", "unset DOCKER_HOST"
    if not host:
        context = os.environ.get("DOCKER_CONTEXT") or _current_context()
        if context == "default":
            return Engine("Docker", "docker", SOCKET)
        host, tls = _endpoint(context)
        said, instead = f"context {context} of Docker ({host})", "docker context use default"
    scheme, found, place = host.strip().partition("://")
    if not found:  # docker takes it for an address
        scheme, place = "tcp", scheme
    if scheme == "unix":
        return Engine("Docker", "docker", place or SOCKET)
    address = _loopback(place) if scheme == "tcp" else None
    if address is None:
        raise Elsewhere(
            f"{said} is another machine, whose containers cannot be wired from here",
            f"Run pipework on that machine, or {instead}.",
        )
    if tls:
        raise Refused(
            f"{said} wants TLS, which pipework does not speak",
            f"Name this host's socket: DOCKER_HOST=unix://{SOCKET}",
        )
    name, port = address
    if port > 65535:
        raise Refused(f"{said} names no port: the last is 65535", f"Mend it, or {instead}.")
    return Engine("Docker", "docker", f"[{name}]:{port}" if ":" in name else f"{name}:{port}", name, port)


def _loopback(place: str) -> Optional[tuple[str, int]]:
    """Address and port of ``HOST[:PORT]``; None: that is not the loopback."""
    name, colon, port = place.rstrip("/").rpartition(":")
    if not colon:
        name, port = port, str(PORT)
    address = LOOPBACK.get(name.lower(), name)
    if not (port.isascii() and port.isdecimal()) or not (address == "::1" or _is_in_127(address)):
        return None
    return address, int(port)


def _is_in_127(address: str) -> bool:
    try:
        return socket.inet_pton(socket.AF_INET, address)[0] == 127
    except (OSError, ValueError):  # the latter for what is no text
        return False


def _folder() -> str:
    return os.environ.get("DOCKER_CONFIG") or os.path.expanduser("~/.docker")  # services have no HOME


def _current_context() -> str:
    """The context that is in use; "default" where none is named.  Raises Refused."""
    path = f"{_folder()}/config.json"
    context = _read(path).get("currentContext") or "default"
    if not isinstance(context, str):
        raise Refused(f"{path} cannot be read: currentContext is no name", "See to it: docker context ls")
    return context


def _endpoint(context: str) -> tuple[str, bool]:
    """Where a context's engine is, and whether it wants TLS.  Raises Refused."""
    from hashlib import sha256  # few users have contexts

    place = sha256(context.encode("utf-8", "surrogateescape")).hexdigest()
    told = _read(f"{_folder()}/contexts/meta/{place}/meta.json")
    try:
        host = str(told["Endpoints"]["docker"]["Host"])
    except (KeyError, TypeError):
        raise Refused(
            f"there is no context {context} of Docker",
            "See what there is: docker context ls; or leave it: docker context use default, unset DOCKER_CONTEXT",
        ) from None
    return host, os.path.isdir(f"{_folder()}/contexts/tls/{place}/docker")


def _read(path: str) -> dict[str, Any]:
    """What stands in one of the files of ``docker``; nothing where there is none.  Raises Refused."""
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as file:
            told = read_json(file.read())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise Refused(f"{path} cannot be read: {error}", "See to it: docker context ls") from None
    return told if isinstance(told, dict) else {}

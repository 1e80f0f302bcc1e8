"""Docker containers, asked of the engine's own socket, for a process's number means something on this host alone."""

from __future__ import annotations

import os

from pipework.errors import Elsewhere, Refused
from pipework.guests.base import Guest
from pipework.guests.engine_api import Engine, guest_of, inspect, is_name
from pipework.kernel.bare import read_json
from pipework.typed import Any, Optional

SOCKET = "/var/run/docker.sock"
# what users call this machine, and its address
LOOPBACK = {"127.0.0.1": "127.0.0.1", "localhost": "127.0.0.1", "[::1]": "::1"}


def find(name: str) -> Optional[Guest]:
    """The running container of that name, id or id prefix; None if Docker knows none.

    Raises NotInstalled where no engine runs, GuestStopped, GuestUnusable, Refused if the engine fails.
    """
    asked = engine()
    container = inspect(asked, name) if is_name(name) else None
    return guest_of(asked, container) if container is not None else None


def engine() -> Engine:
    """The engine that ``docker`` asks: DOCKER_HOST's, else the context's, at a unix socket or a port of the loopback.

    Raises Elsewhere for another machine's, Refused for one that wants TLS, or for a context that cannot be read.
    """
    host, tls = os.environ.get("DOCKER_HOST", ""), bool(os.environ.get("DOCKER_TLS_VERIFY"))
    said, instead = f"DOCKER_HOST={host}", "unset DOCKER_HOST"
    if not host:
        context = os.environ.get("DOCKER_CONTEXT") or _read(f"{_folder()}/config.json").get("currentContext", "default")
        if context == "default":
            return Engine("Docker", "docker", SOCKET)
        host, tls = _endpoint(context)
        said, instead = f"context {context} of Docker ({host})", "docker context use default"
    scheme, _, place = host.partition("://")
    if scheme == "unix":
        return Engine("Docker", "docker", place)
    name, _, port = place.rstrip("/").rpartition(":")
    if scheme != "tcp" or name not in LOOPBACK or not port.isdecimal():
        raise Elsewhere(
            f"{said} is another machine, whose containers cannot be wired from here",
            f"Run pipework on that machine, or {instead}.",
        )
    if tls:
        raise Refused(
            f"{said} wants TLS, which pipework does not speak",
            f"Name this host's socket: DOCKER_HOST=unix://{SOCKET}",
        )
    return Engine("Docker", "docker", place, LOOPBACK[name], int(port))


def _folder() -> str:
    return os.environ.get("DOCKER_CONFIG") or f"{os.environ.get('HOME', '')}/.docker"


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

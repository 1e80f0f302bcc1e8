"""Docker containers, asked of the engine's own socket: one GET tells name, id and first process."""

from __future__ import annotations

import json
import os
import socket
import time
from typing import Any, Optional

from pipework.errors import GuestUnusable, Refused
from pipework.guests import Guest, open_process_namespace
from pipework.kernel.processes import in_cgroup_of

DEFAULT_SOCKET = "/var/run/docker.sock"
STARTING = 3.0  # seconds that a container may take to start, as in the original
ENGINE_LIMIT = 10.0  # seconds that the engine may take to answer
NAME_CHARACTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-")


def find(name: str) -> Optional[Guest]:
    """The running container of that name, id or id prefix; None if Docker knows none, or is not here.

    A container that is not running yet gets STARTING seconds.  Raises GuestUnusable if it does not run,
    Refused if the engine fails.
    """
    deadline = time.monotonic() + STARTING
    while True:
        container = _inspect(name)
        if container is None:
            return None
        guest = _guest(container)
        if guest is not None:
            return guest
        if time.monotonic() > deadline:
            label = container["Name"].lstrip("/")
            raise GuestUnusable(
                f"container {label} is not running ({container['State']['Status']})",
                f"Start it: docker start {label}",
            )
        time.sleep(0.05)


def _guest(container: dict[str, Any]) -> Optional[Guest]:
    """The guest, or None while it has no process."""
    pid, identifier = int(container["State"]["Pid"]), str(container["Id"])
    name = str(container["Name"]).lstrip("/")
    if not pid:
        return None
    namespace = open_process_namespace(pid, f"container {name}")
    # asked only once the namespace is held: a number that another process has got meanwhile shows here
    if not in_cgroup_of(pid, identifier):
        namespace.close()
        raise GuestUnusable(f"container {name} has ended while pipework looked at it", f"Start it: docker start {name}")
    return Guest(name, "docker", namespace, str(pid), pid, identifier)


def _inspect(name: str) -> Optional[dict[str, Any]]:
    if not name or not NAME_CHARACTERS.issuperset(name):
        return None  # the engine would not have let anyone name a container so
    status, body = _get(f"/containers/{name}/json")
    if status == 200:
        answer: dict[str, Any] = json.loads(body)
        return answer
    if status in (0, 404) and b"multiple" not in body.lower():
        return None
    try:
        said = json.loads(body)["message"]
    except (ValueError, KeyError, TypeError):
        said = f"HTTP status {status}"
    raise Refused(f"Docker says of {name}: {said}", "See the containers: docker ps --no-trunc")


def _get(path: str) -> tuple[int, bytes]:
    """Status and body of a GET; status 0 where no engine is installed or running."""
    host = os.environ.get("DOCKER_HOST", "")
    if host and not host.startswith("unix://"):
        raise Refused(
            f"DOCKER_HOST={host} is another machine, whose containers cannot be wired from here",
            "Run pipework on that machine, or unset DOCKER_HOST.",
        )
    place = host[len("unix://") :] or DEFAULT_SOCKET
    answer = b""
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as engine:
            engine.settimeout(ENGINE_LIMIT)
            engine.connect(place)
            # HTTP/1.0: the answer comes in one piece and ends with the connection
            engine.sendall(f"GET {path} HTTP/1.0\r\nHost: docker\r\n\r\n".encode("ascii"))
            while chunk := engine.recv(1 << 16):
                answer += chunk
    except (FileNotFoundError, ConnectionRefusedError):
        return 0, b""
    except PermissionError:
        raise Refused(f"may not ask Docker at {place}", "Run pipework as root: sudo pipework ...") from None
    except OSError as error:
        raise Refused(f"Docker at {place} does not answer: {error}", "Look at the engine: docker info") from None
    head, _, body = answer.partition(b"\r\n\r\n")
    words = head.split(None, 2)
    if len(words) < 2 or not words[1].isdigit():
        raise Refused(f"{place} does not speak HTTP", "Check DOCKER_HOST.")
    return int(words[1]), body

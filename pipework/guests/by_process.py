"""Which guest a process belongs to, read off its cgroup: for what is found, and was not asked for by name."""

from __future__ import annotations

import re

from pipework.errors import PipeworkError
from pipework.guests import docker
from pipework.guests.engine_api import inspect, is_name, name_of

CONTAINER_ID = re.compile(r"[0-9a-f]{64}")
LXC_NAME = re.compile(r"/lxc(?:\.payload)?[./]([^/\n]+)")


def guest_of_process(pid: int) -> tuple[str, str]:
    """Runtime and name of the guest that a process belongs to; ("pid", its number) if it is in no container."""
    cgroup = _cgroup(pid)
    found = CONTAINER_ID.search(cgroup)
    if found and "libpod" in cgroup:
        return "podman", found[0][:12]
    if found:
        return "docker", _docker_name(found[0])
    lxc = LXC_NAME.search(cgroup)
    return ("lxc", lxc[1]) if lxc else ("pid", str(pid))


def _docker_name(identifier: str) -> str:
    try:
        container = inspect(docker.engine(), identifier)
        name = name_of(container) if container else ""
        return name if is_name(name) else identifier[:12]
    except PipeworkError:
        return identifier[:12]


def _cgroup(pid: int) -> str:
    try:
        with open(f"/proc/{pid}/cgroup", encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return ""


def is_the_runtimes_own(container: str, mac: str) -> bool:
    """Whether Docker itself has given a container the link with that MAC, as its macvlan networks do."""
    try:
        told = inspect(docker.engine(), container)
    except PipeworkError:
        return True  # who cannot be asked may have
    networks = told["NetworkSettings"]["Networks"] if told else {}
    return any(network["MacAddress"] == mac for network in networks.values())

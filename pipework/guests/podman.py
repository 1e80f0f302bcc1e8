"""podman containers, asked of podman's API socket where something listens on it, else of the program."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pipework.errors import NotInstalled, Refused
from pipework.guests.base import Guest
from pipework.guests.engine_api import LIMIT, Engine, get, guest_of, inspect, is_name
from pipework.kernel.bare import read_json
from pipework.kernel.programs import run
from pipework.typed import Any, Optional

ALL = "See the containers: podman ps --all --no-trunc"
ENGINE = Engine("podman", "podman", "/run/podman/podman.sock")


def find(name: str) -> Optional[Guest]:
    """The running container of that name, id or id prefix among root's; None if podman knows none.

    Raises NotInstalled, GuestStopped, GuestUnusable, Refused if podman fails.
    """
    if not is_name(name):
        return None
    container = told_of(name)
    return guest_of(ENGINE, container) if container is not None else None


def told_of(name: str) -> Optional[Any]:
    """What podman tells of the container of that name, id or id prefix; None if it knows none.

    Raises NotInstalled, Refused if it fails.
    """
    try:
        return inspect(ENGINE, name)
    except NotInstalled:  # podman does its work without a server; the socket is an extra
        return _inspect_by_program(name)


def ask(path: str, words: Sequence[str]) -> Any:
    """What podman's API tells there, or, where nobody listens, its program asked with these words.

    Raises NotInstalled, Refused.
    """
    try:
        return get(ENGINE, path)
    except NotInstalled:
        told = run(["podman", *words], LIMIT, "podman")
    if told.status != 0:
        raise Refused(f"podman says of {words[-1]}: {told.err.strip()}", ALL)
    return read_json(told.out)


def names(ids: Iterable[str]) -> dict[str, str]:
    """The names of containers, by their full ids, as far as podman knows them.  Raises PipeworkError."""
    told = run(["podman", "ps", "--all", "--no-trunc", "--format", "{{.ID}} {{.Names}}"], LIMIT, "podman").out
    known = dict(line.split(" ", 1) for line in told.splitlines() if " " in line)
    return {identifier: known[identifier] for identifier in ids if identifier in known}


def hook_folders() -> list[str]:
    """Where podman looks for hooks, as its help tells; nothing where it does not.  Raises NotInstalled, Refused."""
    told = run(["podman", "--help"], LIMIT, "podman").out
    option = next((line for line in told.splitlines() if line.strip().startswith("--hooks-dir ")), "")
    return option.partition("(default [")[2].partition("]")[0].replace(",", " ").split()


def _inspect_by_program(name: str) -> Optional[Any]:
    told = run(["podman", "inspect", "--type", "container", "--", name], LIMIT, "podman")
    if told.status == 0:
        return read_json(told.out)[0]
    if "no such container" in told.err:
        return None
    raise Refused(f"podman says of {name}: {told.err.strip()}", ALL)

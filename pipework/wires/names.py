"""Names for guests that are only known by a container's id, as those are that an engine had wired by its hooks."""

from __future__ import annotations

from collections.abc import Sequence

from pipework.errors import PipeworkError
from pipework.guests import docker, podman
from pipework.guests.engine_api import is_full_id
from pipework.links.base import Wired

NAMES = {"docker": docker.names, "podman": podman.names}


def named(wires: Sequence[Wired]) -> list[Wired]:
    """The same wires, each guest by its name now, as far as its engine tells it."""
    names = dict[str, str]()
    for runtime, ask in NAMES.items():
        ids = {wired.guest for wired in wires if wired.runtime == runtime and is_full_id(wired.guest)}
        try:
            names.update(ask(ids) if ids else {})
        except PipeworkError:  # the id is no lie
            continue
    return [wired.replace(guest=names[wired.guest]) if wired.guest in names else wired for wired in wires]

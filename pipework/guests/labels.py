"""Labels of containers that hold lines: those that whoever started the container has given, and those of its image.

Asked of the engine's API, or of podman's program where podman has no server.
"""

from __future__ import annotations

from collections.abc import Sequence

from pipework.guests import docker, podman
from pipework.guests.engine_api import get, name_of
from pipework.oci import lines_among
from pipework.typed import Any, Callable
from pipework.value import Value

# each takes the path of a question to the API, and the words that put it to podman's program
ENGINES: dict[str, Callable[[str, Sequence[str]], Any]] = {
    "docker": lambda path, _: get(docker.engine(), path),
    "podman": podman.ask,
}


class Labelled(Value):
    """A container, and its labels that hold lines, in their order.  of_image: those that its image has, too."""

    name: str
    given: tuple[tuple[str, str], ...]
    of_image: tuple[tuple[str, str], ...]


def labelled(runtime: str, identifier: str) -> Labelled:
    """What labels of a container ask for.  Raises Refused, NotInstalled."""
    ask = ENGINES[runtime]
    container = _first(ask(f"/containers/{identifier}/json", ["inspect", "--type", "container", "--", identifier]))
    lines = lines_among(_labels(container))
    image = str(container.get("Image", ""))
    there = _labels(_first(ask(f"/images/{image}/json", ["image", "inspect", "--", image]))) if lines else {}
    of_image = [line for line in lines if there.get(line[0]) == line[1]]
    return Labelled(name_of(container), tuple(line for line in lines if line not in of_image), tuple(of_image))


def all_labelled(runtime: str) -> Sequence[str]:
    """The ids of the containers that run and have labels that hold lines.  Raises Refused, NotInstalled."""
    told = ENGINES[runtime]("/containers/json", ["ps", "--format", "json"])
    return [str(one["Id"]) for one in told if lines_among(one.get("Labels") or {})]


def _first(told: Any) -> dict[str, Any]:
    found = told[0] if isinstance(told, list) else told
    return dict(found)


def _labels(told: dict[str, Any]) -> dict[str, str]:
    return (told.get("Config") or {}).get("Labels") or {}

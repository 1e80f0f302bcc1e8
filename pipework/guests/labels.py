"""Lines that containers bring along, in labels, or in variables pipework_cmd: those that whoever started the container
has given, and those of its image.

Asked of the engine's API, or of podman's program where podman has no server.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pipework.guests import docker, podman
from pipework.guests.engine_api import get, inspect, name_of
from pipework.oci import lines_among
from pipework.pipework_cmd import Itself, commands_among
from pipework.typed import Any, Callable, Optional
from pipework.value import Value

LABEL, VARIABLE = "label", "variable"
PROJECT = "com.docker.compose.project"  # podman-compose writes it, too


class Engine(Value):
    """How an engine is asked.

    told_of: what it tells of a container by its id, None if that is gone; ask: takes the path of a question to the API,
    and the words that put it to podman's program.
    """

    told_of: Callable[[str], Optional[Any]]
    ask: Callable[[str, Sequence[str]], Any]


ENGINES = {
    "docker": Engine(
        lambda identifier: inspect(docker.engine(), identifier), lambda path, _: get(docker.engine(), path)
    ),
    "podman": Engine(podman.told_of, podman.ask),
}


class Brought(Value):
    """A line that a container brings along.  sort: LABEL or VARIABLE; name: of that."""

    sort: str
    name: str
    text: str


class Labelled(Value):
    """A container, and the lines that it brings along, labels first, each sort in its order.

    of_image: those that its image has, too; image: the name of that; variables: all of its environment, where that was
    asked for.
    """

    itself: Itself
    given: tuple[Brought, ...]
    of_image: tuple[Brought, ...]
    image: str
    variables: dict[str, str]


def labelled(runtime: str, identifier: str, takes_variables: bool) -> Optional[Labelled]:
    """What labels of a container, and its variables pipework_cmd, ask for; None if it is gone.

    Raises Refused, NotInstalled.
    """
    engine = ENGINES[runtime]
    container = engine.told_of(identifier)
    if container is None:
        return None
    settings = container.get("Config") or {}
    variables = _variables(settings) if takes_variables else {}
    lines = [*_brought(LABEL, lines_among(_labels(settings))), *_brought(VARIABLE, commands_among(variables))]
    of_image = _settings_of_image(engine, str(container.get("Image", ""))) if lines else {}
    theirs = {*_brought(LABEL, _labels(of_image).items()), *_brought(VARIABLE, _variables(of_image).items())}
    project = _labels(settings).get(PROJECT, "")
    itself = Itself(
        runtime,
        name_of(container),
        str(container.get("Id", "")),
        str(settings.get("Hostname") or ""),
        project if _labels(of_image).get(PROJECT) != project else "",
    )
    return Labelled(
        itself,
        tuple(line for line in lines if line not in theirs),
        tuple(line for line in lines if line in theirs),
        str(settings.get("Image") or ""),
        variables,
    )


def all_labelled(runtime: str, takes_variables: bool) -> Sequence[str]:
    """The ids of the containers that run and may bring lines along.  Raises Refused, NotInstalled.

    Those with labels that hold lines; all where variables count, which engines do not list.
    """
    told = ENGINES[runtime].ask("/containers/json", ["ps", "--format", "json"])
    return [str(one["Id"]) for one in told if takes_variables or lines_among(one.get("Labels") or {})]


def _settings_of_image(engine: Engine, image: str) -> dict[str, Any]:
    told = engine.ask(f"/images/{image}/json", ["image", "inspect", "--", image])
    found = told[0] if isinstance(told, list) else told
    return dict(found.get("Config") or {})


def _brought(sort: str, lines: Iterable[tuple[str, str]]) -> list[Brought]:
    return [Brought(sort, name, text) for name, text in lines]


def _labels(settings: dict[str, Any]) -> dict[str, str]:
    return settings.get("Labels") or {}


def _variables(settings: dict[str, Any]) -> dict[str, str]:
    return dict(str(one).partition("=")[::2] for one in settings.get("Env") or ())

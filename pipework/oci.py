"""What a container's runtime tells its hooks: the state on their standard input, and the bundle that this names.

As runtime.md and config.md of the OCI runtime specification 1.0 have them.  What stands there is data from strangers.
"""

from __future__ import annotations

import os
from itertools import groupby

from pipework.errors import Refused
from pipework.kernel.bare import read_json
from pipework.typed import Any
from pipework.value import Value

ANNOTATION = "pipework"  # the name of one that holds a line; or that, a dot and anything
STOPPED = "stopped"


class State(Value):
    """A container as its runtime tells of it.

    id: its full id; status: creating or created, before its first process, stopped after its last; pid: of what will be
    that first process, 0 once it is gone; bundle: the folder with its configuration; annotations: names and values.
    """

    id: str
    status: str
    pid: int
    bundle: str
    annotations: tuple[tuple[str, str], ...]

    @property
    def lines(self) -> list[tuple[str, str]]:
        """The annotations that hold lines, pipework.2 before pipework.10."""
        return lines_among(dict(self.annotations))

    def configuration(self) -> dict[str, Any]:
        """The container's configuration.  Raises Refused."""
        path = f"{self.bundle}/config.json"
        try:
            with open(path, encoding="utf-8", errors="surrogateescape") as file:
                told = read_json(file.read())
        except (OSError, ValueError) as error:
            raise Refused(f"{path} cannot be read: {error}", f"Look at it: ls -l {path}") from None
        return told if isinstance(told, dict) else {}


def is_lines_name(name: str) -> bool:
    """Whether an annotation, or a label, of that name holds a line."""
    return name == ANNOTATION or name.startswith(f"{ANNOTATION}.")


def lines_among(told: dict[str, str]) -> list[tuple[str, str]]:
    """Names and lines of those that hold one, name.2 before name.10."""
    return sorted((one for one in told.items() if is_lines_name(one[0])), key=lambda one: _in_order(one[0]))


def _in_order(name: str) -> list[str]:
    """What sorts names with numbers in them by those numbers."""
    return ["".join(part).zfill(20 if is_number else 0) for is_number, part in groupby(name, str.isdigit)]


def read_state(text: str) -> State:
    """What a runtime has written to a hook.  Raises Refused."""
    try:
        told = read_json(text)
        state = State(
            str(told["id"]),
            str(told["status"]),
            int(told.get("pid", 0)),
            str(told["bundle"]),
            tuple((str(name), str(value)) for name, value in (told.get("annotations") or {}).items()),
        )
    except (ValueError, KeyError, TypeError, AttributeError):
        raise Refused(
            "standard input holds no state of a container",
            "A container's runtime runs this, as one of its hooks; for engines type: pipework hook install",
        ) from None
    return state


def gets_network_later(state: State) -> bool:
    """Whether Docker will give the container a network, with a default route, once its hooks have run.

    Docker does so from 28.0 on; its own file of how the container was started says which network that is.
    """
    mounts = state.configuration().get("mounts") or []
    hosts = next((one.get("source", "") for one in mounts if one.get("destination") == "/etc/hosts"), "")
    try:
        with open(f"{os.path.dirname(hosts)}/hostconfig.json", encoding="utf-8", errors="surrogateescape") as file:
            mode = read_json(file.read()).get("NetworkMode", "")
    except (OSError, ValueError, AttributeError):
        return False
    return mode not in ("none", "host") and not mode.startswith("container:")

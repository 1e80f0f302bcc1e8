"""The variables of the wrapper image dreamcat4/pipework that its users give to their containers.  Pure.

``pipework_cmd``, with anything in front of it or behind, holds a pipework line with GUEST, in which macros stand for
what the engine knows of the container.  That image has a shell evaluate the line; here it is split into words, then
the macros of each word are replaced, once: no value becomes a second word, or another macro.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import groupby

from pipework.errors import BadArgument, PipeworkError
from pipework.grammar import parse
from pipework.lines import reaches_out, read_own, split
from pipework.model import Attach
from pipework.quoting import quote
from pipework.requests import Connect, Passthrough
from pipework.typed import Callable
from pipework.value import Value

COMMAND, HOST_ROUTE, KEY = "pipework_cmd", "pipework_host_route", "pipework_key"
IMAGE = "pipework"  # the last part of the image's name, also of its forks
MODES = frozenset(["manual", "batch", "daemon", "both", "all"])  # of its variable run_mode
SHORT_ID = 12  # characters of what Docker shows of an id
CAPITALS = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZ_")  # of a macro's name
# macro -> what to do where it stands for nothing
MACROS = {
    "CONTAINER_NAME": "",
    "CONTAINER_ID": "",
    "HOSTNAME": "Start the container with --hostname, or write the name.",
    "INSTANCE": "Give the container a name with a number in it, such as web-1, or write the number.",
    "COMPOSE_PROJECT_NAME": "Start it by docker compose, or write the project's name.",
}
WRITE = "Write HOSTIF @CONTAINER_NAME@ ADDRESS [MAC][@VLAN]."
UNREACHED = "give the bridge an address, or for a NIC type: ip link add link NIC name host0 type macvlan mode bridge"
UNLOCKED = "no key is asked for, and what lines may use of this host --allow says"


class Itself(Value):
    """What a container is called.

    runtime: the prefix that chooses its engine; id: its full id; host_name: what it calls itself; project: of docker
    compose; the latter two "" where there is none.
    """

    runtime: str
    name: str
    id: str
    host_name: str
    project: str

    @property
    def guest(self) -> str:
        """What GUEST is it, beyond doubt."""
        return f"{self.runtime}:{self.name}"

    def is_meant(self, guest: str) -> bool:
        """Whether GUEST of a line is this container."""
        name = guest[len(self.runtime) + 1 :] if guest.startswith(f"{self.runtime}:") else guest
        name = name.lstrip("/")  # as docker inspect has it
        return name == self.name or (len(name) >= SHORT_ID and self.id.startswith(name))

    @property
    def macros(self) -> dict[str, str]:
        """What each macro stands for, "" for nothing."""
        numbers = ["".join(part) for is_number, part in groupby(self.name, str.isdecimal) if is_number]
        values = (self.name, self.id[:SHORT_ID], self.host_name, numbers[-1] if numbers else "", self.project)
        return dict(zip(MACROS, values))


def commands_among(variables: Mapping[str, str]) -> list[tuple[str, str]]:
    """Names and lines of those that hold one, in that image's order, by the alphabet."""
    return sorted(one for one in variables.items() if COMMAND in one[0])


def is_wrapper(image: str, variables: Mapping[str, str]) -> bool:
    """Whether a container is that of the wrapper image itself, which wires others; image: the name of its image."""
    modes = variables.get("run_mode") or variables.get("pipework_run_mode") or ""
    name = image.rpartition("/")[2].partition("@")[0].partition(":")[0]
    return name == IMAGE and bool(modes) and MODES.issuperset(modes.split(","))


def left_out(variables: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """The names of variables that do something beside that image and nothing here, and what does it here."""
    for name, value in sorted(variables.items()):
        if value.strip() and HOST_ROUTE in name:
            yield name, UNREACHED
        elif value and name == KEY:
            yield name, UNLOCKED


def read_command(text: str, itself: Itself, is_interface: Callable[[str], bool]) -> tuple[list[str], Attach]:
    """The words of such a variable, macros replaced, and what they ask for: a wire for the container itself.

    Raises BadArgument, UsageError.
    """
    words = split(text)
    if "\n" in text.strip() or any(word in ("&&", "||", "|") or word.endswith(";") for word in words):
        raise BadArgument("the variable holds more than one command", f"Write one into each: {COMMAND}_1, {COMMAND}_2")
    if not words:
        raise BadArgument("the variable is empty", WRITE)
    macros = itself.macros
    words = [_fill(word, macros) for word in words]
    guest = itself.guest
    try:
        request = parse(words, is_interface)
    except PipeworkError:
        if _names_no_guest(words, guest, is_interface):
            raise BadArgument(f"{' '.join(words)} names no guest", "Write @CONTAINER_NAME@ before ADDRESS.") from None
        raise
    if isinstance(request, Passthrough):
        raise BadArgument(
            f"{request.verb} makes no wire", f"Type it once the container runs: pipework {request.verb} {guest} ..."
        )
    if isinstance(request, Connect):
        raise reaches_out(words)
    if not isinstance(request, Attach):
        raise BadArgument(f"{words[0]} makes no wire", WRITE)
    if request.dry_run or request.keep:
        raise BadArgument(f"{words[0]} in a variable", WRITE)
    if not itself.is_meant(request.guest):
        raise BadArgument(
            f"GUEST {request.guest} is another than {guest}, which the variable belongs to",
            "Write @CONTAINER_NAME@ in its place; others are wired by a file: pipework watch FILE",
        )
    return words, request.replace(guest=guest)


def _names_no_guest(words: list[str], guest: str, is_interface: Callable[[str], bool]) -> bool:
    """Whether it is a line as labels have it."""
    try:
        return bool(words) and bool(read_own(" ".join(map(quote, words)), guest, is_interface))
    except PipeworkError:
        return False


def _fill(word: str, macros: Mapping[str, str]) -> str:
    """The word with what its macros stand for.  Raises BadArgument."""
    filled, parts = "", word.split("@")
    while len(parts) > 2:  # what stands between two @
        before, name = parts[:2]
        if not name or not CAPITALS.issuperset(name):
            filled, parts = f"{filled}{before}@", parts[1:]
            continue
        if name not in macros:
            raise BadArgument(f"there is no macro @{name}@", f"There are: {', '.join(f'@{one}@' for one in MACROS)}")
        if not macros[name]:
            raise BadArgument(f"macro @{name}@ stands for nothing here", MACROS[name])
        filled, parts = f"{filled}{before}{macros[name]}", parts[2:]
    return filled + "@".join(parts)

"""What ``watch`` does for containers that bring lines along, in labels or variables; these are words of strangers."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence

from pipework import guests
from pipework.commands.apply import keep
from pipework.commands.own_lines import check_own
from pipework.errors import Interrupted, NotInstalled, PipeworkError, one_line, warn
from pipework.guests.labels import ENGINES, LABEL, VARIABLE, Brought, Labelled, all_labelled, labelled
from pipework.kernel import sysfs
from pipework.kernel.namespaces import Namespace
from pipework.lines import Line, read_own, split
from pipework.model import Attach
from pipework.pipework_cmd import Itself, is_wrapper, left_out, read_command
from pipework.requests import Watch

COMMAND = "pipework watch"


def wire(runtime: str, identifier: str, request: Watch) -> None:
    """Make the wires that a container's lines ask for; what cannot be is told, and does not stop the rest.

    Raises PipeworkError where the engine does not tell the lines, or the container has no network of its own.
    """
    container = labelled(runtime, identifier, request.takes_variables)
    if container is None:  # it has ended
        return
    brought = list(_taken(container, request))
    if brought:
        keep(list(_read(brought, container.itself, request)), guests.STARTING)


def wire_all(request: Watch) -> None:
    """The same for all that run."""
    for runtime in ENGINES:
        try:
            identifiers: Sequence[str] = all_labelled(runtime, request.takes_variables)
        except NotInstalled:
            continue
        for identifier in identifiers:
            try:
                wire(runtime, identifier, request)
            except Interrupted:
                raise
            except PipeworkError as error:
                print(f"pipework: {error}", file=sys.stderr)


def _taken(container: Labelled, request: Watch) -> Iterator[Brought]:
    """Of the lines that a container brings along those that count; of the others it is told."""
    guest = container.itself.guest
    wraps = is_wrapper(container.image, container.variables)
    if wraps:
        stop = f"{container.itself.runtime} stop {container.itself.name}"
        warn(f"{guest} wires containers by pipework_cmd, too; let one of the two do it: {stop}")
    given = list(container.given)
    if request.trusts_images:
        given += container.of_image
    elif container.of_image:
        names = ", ".join(one_line(one.name) for one in container.of_image)
        warn(f"{guest} has {names} from its image, which is left out; --trust-image-labels takes it")
    taken = [one for one in given if one.sort == LABEL or not wraps]
    if any(one.sort == VARIABLE for one in taken):
        for name, instead in left_out(container.variables):
            warn(f"{guest} has {name}, which does nothing here: {instead}")
    yield from taken


def _read(brought: Iterable[Brought], itself: Itself, request: Watch) -> Iterator[Line]:
    """The lines, each with its place, that may be."""
    guest, taken = itself.guest, set[str]()
    found = guests.find(guest)
    with Namespace.own() as host, found.namespace:
        for one in brought:
            place = f"{one.sort} {one_line(one.name)} of {guest}"
            try:
                words, attach = _line(one, itself)
                taken.add(check_own(attach, host, found, request.allow, COMMAND, taken))
                yield Line(place, (f"{guest}:", *words), attach)
            except PipeworkError as error:
                print(f"pipework: {place}: {error}", file=sys.stderr)


def _line(one: Brought, itself: Itself) -> tuple[Sequence[str], Attach]:
    """The words of a line, and what it asks for.  Raises BadArgument, UsageError."""
    if one.sort == VARIABLE:
        return read_command(one.text, itself, sysfs.exists)
    return split(one.text), read_own(one.text, itself.guest, sysfs.exists)

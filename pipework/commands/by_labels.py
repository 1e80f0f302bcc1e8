"""What ``watch`` does for containers whose labels hold lines; these are words of strangers."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence

from pipework import guests
from pipework.commands.apply import keep
from pipework.commands.own_lines import check_own
from pipework.errors import NotInstalled, PipeworkError, one_line, warn
from pipework.guests.labels import ENGINES, Labelled, all_labelled, labelled
from pipework.kernel import sysfs
from pipework.kernel.namespaces import Namespace
from pipework.lines import Line, read_own, split
from pipework.model import Watch

COMMAND = "pipework watch"


def wire(runtime: str, identifier: str, request: Watch) -> None:
    """Make the wires that a container's labels ask for; what cannot be is told, and does not stop the rest.

    Raises PipeworkError where the engine does not tell the labels.
    """
    container = labelled(runtime, identifier)
    guest = f"{runtime}:{container.name}"
    keep(list(_read(container, guest, request)), guests.STARTING)


def wire_all(request: Watch) -> None:
    """The same for all that run."""
    for runtime in ENGINES:
        try:
            identifiers: Sequence[str] = all_labelled(runtime)
        except NotInstalled:
            continue
        for identifier in identifiers:
            wire(runtime, identifier, request)


def _read(container: Labelled, guest: str, request: Watch) -> Iterator[Line]:
    """The lines, each with its place, that may be."""
    given = list(container.given)
    if request.trusts_images:
        given += container.of_image
    elif container.of_image:
        names = ", ".join(one_line(name) for name, _ in container.of_image)
        warn(f"{guest} has {names} from its image, which is left out; --trust-image-labels takes it")
    taken = set[str]()
    found = guests.find(guest)
    with Namespace.own() as host, found.namespace:
        for name, text in given:
            place = f"label {one_line(name)} of {guest}"
            try:
                attach = read_own(text, guest, sysfs.exists)
                taken.add(check_own(attach, host, found, request.allow, COMMAND, taken))
                yield Line(place, (f"{guest}:", *split(text)), attach)
            except PipeworkError as error:
                print(f"pipework: {place}: {error}", file=sys.stderr)

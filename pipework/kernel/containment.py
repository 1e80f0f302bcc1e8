"""Whether this command runs in a container beside the guests (docker run --net=host --pid=host), not on their host.

What it leaves in files, and the processes that it starts, end with that container.
"""

from __future__ import annotations

import os
from functools import cache

from pipework.errors import Refused

MARKERS = ("/.dockerenv", "/run/.containerenv")  # Docker and podman put one into each container
FIRST = "/proc/1/root/"  # the root of the first process: the same in mount namespaces of one container, or one host


@cache
def is_contained() -> bool:
    """Whether it does.  An engine's guests within its own container are on their host: there the first process is."""
    return any(map(os.path.exists, MARKERS)) and _is_layered("/") and not _shares_files_with_the_first()


def check_of_the_host(folder: str, otherwise: str) -> None:
    """See that what is written to that folder, or where it would be made, outlasts this command.

    Raises Refused; otherwise: what would come of it.
    """
    if not is_contained():
        return
    there = folder
    while not os.path.exists(there):
        there = os.path.dirname(there)
    if os.stat(there).st_dev == os.stat("/").st_dev:
        raise Refused(
            f"{folder} is this container's own: {otherwise}",
            f"Let it be the host's: docker run -v {folder}:{folder} ...",
        )


def _is_layered(place: str) -> bool:
    """Whether no disk has that file system as it is: an engine puts a container's together, of overlays mostly.

    A machine that was made from an image of a container may have kept the marker.
    """
    return os.major(os.stat(place).st_dev) == 0


def _shares_files_with_the_first() -> bool:
    try:
        return os.path.samestat(os.stat(FIRST), os.stat("/"))
    except OSError:  # it has capabilities that we have not
        return False

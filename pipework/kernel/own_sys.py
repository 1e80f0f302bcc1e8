"""/sys of the network namespace that this command runs in, also where it has been left another's: ``nsenter --net``."""

from __future__ import annotations

import os
from errno import EBUSY

from pipework.errors import Refused
from pipework.kernel import sysfs
from pipework.kernel.bare import socket
from pipework.kernel.namespaces import Namespace
from pipework.kernel.sysfs import NET

FIRST = "/proc/1/ns/net"
COMPARED = 8  # links by their ifindex: to read it of each of 300 takes longer than to wire a guest
MORE = {"bonding_masters"}  # what /sys has there that is no link

_told_of = list[tuple[int, int]]()  # the namespace that /sys tells of: for a thousand wires one look is enough


def see_own_sys(host: Namespace) -> None:
    """Have /sys tell of the links of this namespace, for this command and for the programs that it starts.

    As ``ip netns exec`` does.  Raises Refused.
    """
    if _told_of != [host.identity]:
        _make_sure(host)
        _told_of[:] = [host.identity]


def _make_sure(host: Namespace) -> None:
    if os.path.isdir(NET) and (
        _is_the_first(host) or _tells_of({name: index for index, name in socket.if_nameindex()})
    ):
        return
    from pipework.kernel.sandbox import show_own_sys  # few commands run so

    try:
        show_own_sys()
    except OSError as error:
        if error.errno == EBUSY:  # it is this one's: links have come or gone between the two looks
            return
        raise Refused(
            f"/sys tells of another network namespace than this one, and cannot be exchanged: {error.strerror}",
            "Run pipework with ip netns exec NAME, or mount sysfs on /sys first.",
        ) from None


def _is_the_first(host: Namespace) -> bool:
    """Whether the first process is in it, too, as on a machine that nobody has divided."""
    try:
        return os.path.samestat(os.stat(FIRST), os.fstat(host.fd))
    except OSError:
        return False


def _tells_of(links: dict[str, int]) -> bool:
    """Whether /sys tells of these links, by name and ifindex; of many the latest are compared, which differ first."""
    latest = sorted(links, key=links.__getitem__)[-COMPARED:]
    there = set(sysfs.names()) - MORE
    return there == links.keys() and all(sysfs.read(f"{NET}/{name}/ifindex") == str(links[name]) for name in latest)

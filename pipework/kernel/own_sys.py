"""/sys of the network namespace that this command runs in, also where it has been left another's: ``nsenter --net``."""

from __future__ import annotations

import os
from errno import EBUSY

from pipework.errors import Refused
from pipework.kernel.namespaces import Namespace
from pipework.kernel.sysfs import NET

FIRST = "/proc/1/ns/net"


def see_own_sys(host: Namespace) -> None:
    """Have /sys tell of the links of this namespace, for this command and for the programs that it starts.

    As ``ip netns exec`` does.  Raises Refused.
    """
    if os.path.isdir(NET) and (
        _is_the_first(host) or _shown() == {one.name: one.ifindex for one in host.netlink.links()}
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


def _shown() -> dict[str, int]:
    """The ifindexes of the links that /sys tells of, by name."""
    found = {}
    for name in os.listdir(NET):
        try:
            with open(f"{NET}/{name}/ifindex", encoding="ascii") as file:
                found[name] = int(file.read())
        except OSError:  # no link, such as bonding_masters, or gone meanwhile
            continue
    return found

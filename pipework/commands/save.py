"""``pipework save``: print what is wired as lines, of which ``apply`` changes nothing."""

from __future__ import annotations

from collections.abc import Sequence

from pipework import guests, links
from pipework.errors import Refused, warn
from pipework.kernel.namespaces import Namespace
from pipework.kernel.own_sys import see_own_sys
from pipework.links.base import Host, Wired
from pipework.quoting import quote
from pipework.requests import Save
from pipework.wires.inventory import find_all, find_of
from pipework.wires.names import named
from pipework.wires.pairs import each_once
from pipework.wires.saved import save

UNFINISHED = "it is being made, or was half made by a command that was killed"


def save_wires(request: Save) -> None:
    """Print the wires of this host, or of one guest, as lines.

    Raises Refused, in the end, if one cannot be told, for apply of the others would not leave all as it is.
    """
    with Namespace.own() as own:
        see_own_sys(own)
        host = Host(own)
        if request.guest is None:
            wires = named(find_all(host))
        else:
            guest = guests.find(request.guest)
            with guest.namespace:
                wires = named(find_of(host, guest))
        once = each_once(wires)
        untold = [wired for wired in once if not _print(host, wired, wires)]
    if untold:
        raise Refused(f"not told as they are: {len(untold)} of {len(once)} wires", "See to what is told above.")


def _print(host: Host, wired: Wired, among: Sequence[Wired]) -> bool:
    """Print a line; tell whether it makes the wire as it is.  among: all wires."""
    what = f"{wired.ifname} of {wired.guest}"
    try:
        guest = Namespace.open(wired.path)
    except OSError:
        warn(f"{what} is left out, for the guest is gone; type: pipework gc")
        return True
    with guest:
        reason = UNFINISHED if wired.state == "unfinished" else links.kind(wired.kind).untold(host, wired)
        if reason:
            warn(f"{what} is left out: {reason}")
            return False
        words = save(host, guest, wired, among)
    if not words:
        warn(f"{what} is left out: its other end is in no guest of this host")
        return False
    print("pipework", *map(quote, words))
    return True

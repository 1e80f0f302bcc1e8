"""``pipework save``: print what is wired as lines, of which ``apply`` changes nothing."""

from __future__ import annotations

from pipework import guests
from pipework.errors import warn
from pipework.kernel.namespaces import Namespace
from pipework.kernel.own_sys import see_own_sys
from pipework.links.base import Host, Wired
from pipework.model import Save
from pipework.quoting import quote
from pipework.wires.inventory import find_all, find_of
from pipework.wires.saved import save


def save_wires(request: Save) -> None:
    """Print the wires of this host, or of one guest, as lines.  Raises PipeworkError."""
    with Namespace.own() as own:
        see_own_sys(own)
        host = Host(own)
        if request.guest is None:
            wires = find_all(host)
        else:
            guest = guests.find(request.guest)
            with guest.namespace:
                wires = find_of(host, guest)
    for wired in wires:
        _print(wired)


def _print(wired: Wired) -> None:
    what = f"{wired.ifname} of {wired.guest}"
    if wired.state == "unfinished":
        warn(f"{what} is left out, for it is being made, or was half made by a command that was killed")
        return
    try:
        guest = Namespace.open(wired.path)
    except OSError:
        warn(f"{what} is left out, for the guest is gone; type: pipework gc")
        return
    with guest:
        saved = save(guest, wired)
    print("pipework", *map(quote, saved.words))
    if saved.left_out:
        warn(f"{what} has more addresses than a line gives: {', '.join(saved.left_out)}; the line has the first")

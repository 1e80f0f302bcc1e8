"""``gc``: look for what guests that are gone, and runs that were killed, have left behind; remove it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from itertools import chain

from pipework import links, notes
from pipework.commands.session import Log, session
from pipework.errors import Refused, one_line
from pipework.kernel.census import Residence, inhabited
from pipework.kernel.namespaces import Namespace
from pipework.links.base import Ground, Host, Inhabitant, Remnant
from pipework.notes import Uplink
from pipework.requests import Collect
from pipework.wires.remnants import find_remnants


def collect(request: Collect) -> None:
    """Remove every remnant and say so, or say with ``--dry-run`` how it would be removed.  Raises PipeworkError."""
    notes.check_kept()
    with ExitStack() as opened, session(request.dry_run) as (own, log), log.alone():
        gone = remove_remnants(own, log, opened) if request.host is None else _remove_of(request.host, log)
        for what in gone:
            if not request.dry_run:
                print(one_line(f"removed {what}"))


def remove_remnants(own: Namespace, log: Log, opened: ExitStack) -> Iterator[str]:
    """Remove one remnant after the other, and say what each was; opened: keeps namespaces open for the undo.

    Raises PipeworkError.
    """
    return _remove(chain(_of_uplinks(own), find_remnants(_survey(Host(own), opened))), log)


def _remove_of(host: str, log: Log) -> Iterator[str]:
    """The same of what another host has left.  Raises PipeworkError, if there is nothing too."""
    found = [remnant for kind in links.every() for remnant in kind.remnants_of(host)]
    if not found:
        raise Refused(f"--host {host}: no guest of a host of that name is on any switch", "See: ovn-nbctl show")
    return _remove(found, log)


def _remove(remnants: Iterable[Remnant], log: Log) -> Iterator[str]:
    for remnant in remnants:
        log.carry_out(remnant.removal)
        log.keep()
        yield remnant.what


def _of_uplinks(own: Namespace) -> Iterable[Remnant]:
    if not notes.names(Uplink, own.cookie):
        return ()
    from pipework import uplinks  # few hosts have one

    return uplinks.remnants(own)


def _survey(host: Host, opened: ExitStack) -> Ground:
    """Read who lives on this host, and open again whom something is to be removed from."""
    host.read_all()
    there: dict[Residence, Namespace] = {}

    def enter(residence: Residence) -> Namespace:
        if residence not in there:
            there[residence] = opened.enter_context(Namespace.open(residence.path))
        return there[residence]

    return Ground(host, tuple(_inhabitants()), enter)


def _inhabitants() -> Iterator[Inhabitant]:
    for residence, guest in inhabited():
        yield Inhabitant(residence, guest.cookie, tuple(guest.netlink.links(loopback=False)))

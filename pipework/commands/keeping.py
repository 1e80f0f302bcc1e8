"""What is kept for ``watch`` with a wire, and forgotten with it."""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence

from pipework import guests, kept, links
from pipework.actions.base import Action
from pipework.actions.files import MakeFolder, missing_folders
from pipework.actions.kept import ChangeKept
from pipework.actions.notice import Notice
from pipework.errors import BadArgument, GuestNotFound, GuestStopped, NotInstalled, Refused
from pipework.guests.base import Guest
from pipework.kernel.locks import is_watched
from pipework.lines import COMMAND, words_of
from pipework.model import Attach
from pipework.quoting import quote
from pipework.requests import Delete
from pipework.typed import Optional

Lines = Sequence[tuple[str, Optional[str]]]  # each with what it says behind -i
SHORT_ID = 12  # characters of an id that engines show
DEFAULTS = frozenset(kind.ifname for kind in links.NAMED.values())  # of -i
UNWATCHED = "the line is kept, but nobody watches who would do it again; type: pipework watch, or have its service run"


def keep(request: Attach, guest: Guest) -> list[Action]:
    """Keep the line, in the place of one for the same link of that guest.  Raises Refused if it cannot come again."""
    from pipework.addressing.dhcp import check_lasts  # del needs none of it

    kept.check_outlasts()
    check_lasts(request.addresses)
    if guest.runtime == "pid" or guest.name.startswith("/proc/"):
        raise BadArgument(
            f"GUEST {request.guest} is another at its next start, so the line cannot be kept",
            "Name the container, or its namespace: ip netns list",
        )
    line = request.replace(guest=f"{guest.runtime}:{guest.name}")
    text = f"{' '.join(map(quote, [COMMAND, *words_of(line)]))}\n"
    drop = tuple(former for former, ifname in lines_of(guest) if (ifname or DEFAULTS) == (request.ifname or DEFAULTS))
    steps = [*map(MakeFolder, missing_folders(kept.FILE)), ChangeKept(drop, (text,))] if drop != (text,) else []
    return steps if is_watched() else [*steps, Notice(UNWATCHED)]


def lines_of(guest: Guest) -> Lines:
    """Those that are kept for a guest.  Raises Refused."""
    if not os.path.exists(kept.FILE):
        return []
    # a prefix of an id may be another guest's name
    names = [name for name in (guest.name, guest.id, guest.id[:SHORT_ID]) if name]
    return [
        (text, asked.ifname)
        for text, asked in kept.lines(*map(os.path.basename, names))
        if any(guests.may_mean(asked.guest, guest.runtime, name) for name in names)
    ]


def forget(lines: Lines, ifname: Optional[str], left: Collection[str] = ()) -> list[Action]:
    """Keep the line of a link no longer, or, without ifname, any of that guest.

    lines: that are kept for it; left: links whose line stays.
    """
    there = ((text, asked) for text, asked in lines if _is_meant(ifname, asked))
    drop = tuple(text for text, asked in there if not any(_is_meant(name, asked) for name in left))
    return [ChangeKept(drop)] if drop else []


def forget_gone(request: Delete) -> list[Action]:
    """Keep lines no longer of a guest that is not there.  Raises Refused if several guests may be meant."""
    if not os.path.exists(kept.FILE):
        return []
    there = kept.lines(os.path.basename(request.guest).rpartition(":")[2])
    drop = {text: asked.guest for text, asked in there if _is_meant(request.ifname, asked.ifname)}
    drop = {text: guest for text, guest in drop.items() if _means(request.guest, guest) and _is_gone(guest)}
    meant = sorted(set(drop.values()))
    if len(meant) > 1:
        raise Refused(f"{request.guest} may be each of {', '.join(meant)}", f"Say which: pipework del {meant[0]}")
    return [ChangeKept(tuple(drop))] if drop else []


def _means(text: str, guest: str) -> bool:
    """Whether the user may mean by a text whom a line names."""
    prefix, colon, name = guest.partition(":")
    return guest == text or (bool(colon) and guests.may_mean(text, prefix, name))


def _is_gone(guest: str) -> bool:
    try:
        guests.find(guest, patience=0).namespace.close()
    except (GuestNotFound, GuestStopped, NotInstalled):
        return True
    return False


def _is_meant(ifname: Optional[str], asked: Optional[str]) -> bool:
    return ifname is None or ifname == asked or (asked is None and ifname in DEFAULTS)

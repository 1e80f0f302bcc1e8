"""What lines ask for, beside what is there: which wires are missing, which differ, and which nobody asks for."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack

from pipework import addressing, links, notes
from pipework.addressing.dhcp import check_lasts
from pipework.errors import BadArgument, GuestNotFound, GuestStopped, Interrupted, NotInstalled, PipeworkError
from pipework.guests.base import Guest
from pipework.kernel.locks import host_lock
from pipework.kernel.namespaces import Namespace
from pipework.lines import Line
from pipework.links import peer
from pipework.links.base import Host, LinkKind, Wire, Wired
from pipework.model import Attach
from pipework.notes import Loan
from pipework.requests import Connect
from pipework.typed import Optional
from pipework.value import Value
from pipework.wires.diff import is_as_asked
from pipework.wires.inventory import find_all, find_of
from pipework.wires.lent import find_lent
from pipework.wires.pairs import are_as_asked, find_guests, wires_of
from pipework.wires.troubles import with_troubles

AS_ASKED, MISSING, DIFFERENT, ABSENT, WRONG = "=", "+", "~", "?", "!"
FEW = 10  # guests whose ends on the host are read one by one
Way = tuple[object, ...]  # in which a HOSTIF is asked for
End = tuple[int, int, str]  # of a wire: device and inode of the guest's namespace, and the link's name there


class Finding(Value):
    """A line, and how it stands: AS_ASKED, MISSING or DIFFERENT, ABSENT where its guest is not there, or WRONG.

    error: why it is one of the last two; ends: of its wire in guests, where these are there; wired: that wire, if it is
    there.
    """

    line: Line
    state: str
    error: Optional[PipeworkError] = None
    ends: tuple[End, ...] = ()
    wired: Optional[Wired] = None


def survey(host: Host, lines: Sequence[Line], patience: float = 0) -> list[Finding]:
    """How each of the lines stands, in their order; nothing is touched.

    patience: seconds that a guest gets if it is not running yet.
    """
    by_guest, look = dict[str, list[Line]](), _Look(host, patience)
    for line in lines:
        by_guest.setdefault(" ".join(end.guest for end in line.ends), []).append(line)
    if len(by_guest) > FEW:
        host.read_all()
    found = {one.line.place: one for asked in by_guest.values() for one in look.at_guests(asked)}
    return _each_once(_with_troubles(host, [found[line.place] for line in lines]))


def surplus(host: Host, findings: Sequence[Finding]) -> list[Wired]:
    """The wires that are surely pipework's and that no line asks for."""
    asked = {end for one in findings for end in one.ends}
    ended = [(wired, _end_of(wired)) for wired in find_all(host) if is_prunable(wired)]
    return [wired for wired, end in ended if end and end not in asked]


class _Look:
    """A look at this host and at one guest after the other."""

    def __init__(self, host: Host, patience: float = 0) -> None:
        self._host = host
        self._patience = patience
        self._resolved = dict[Way, tuple[LinkKind, Wire]]()
        self._planned = set[Way]()

    def at_guests(self, lines: Sequence[Line]) -> Iterator[Finding]:
        """How lines stand that name the same guest, or the same two."""
        with ExitStack() as opened:
            try:
                found = find_guests(lines[0].ends, opened, self._patience)
            except PipeworkError as error:
                state = ABSENT if isinstance(error, (GuestStopped, GuestNotFound, NotInstalled)) else WRONG
                yield from (Finding(line, state, error) for line in lines)
                return
            there = [self.wires_of(guest) for guest in found]
            for line in lines:
                try:
                    yield self.look(line, found, there)
                except PipeworkError:
                    yield _look_again(self._host.namespace, line, found)

    def wires_of(self, guest: Guest) -> dict[str, Wired]:
        """What a guest has, by the names of its ends."""
        return {wired.ifname: wired for wired in find_of(self._host, guest)}

    def look(self, line: Line, found: Sequence[Guest], there: Sequence[dict[str, Wired]]) -> Finding:
        """How a line stands.  Raises PipeworkError if it cannot be."""
        if isinstance(line.request, Connect):
            return _look_at_pair(line, wires_of(line.request, found), there)
        ifname, state = self._compare(line.request, found[0], there[0])
        return Finding(line, state, ends=((*found[0].namespace.identity, ifname),), wired=there[0].get(ifname))

    def _compare(self, request: Attach, guest: Guest, there: dict[str, Wired]) -> tuple[str, str]:
        """The name of the guest's end, and how it stands.  Raises PipeworkError."""
        check_lasts(request.addresses)
        host, name = self._host.namespace, request.ifname or "eth1"
        lent = find_lent(request, host, guest, there.get(name))
        if lent:
            return name, AS_ASKED if is_as_asked(lent.wire, lent.there) else DIFFERENT
        if request.direct_phys and _is_lent_elsewhere(host, request.hostif):
            return name, MISSING  # it comes home first, or the line fails
        kind, wire = self._resolve(request, guest)
        found = there.get(wire.ifname)
        if found and is_as_asked(wire, found):
            return wire.ifname, AS_ASKED
        self._plan(kind, wire.replace(vacated=found is not None))
        return wire.ifname, DIFFERENT if found else MISSING

    def _resolve(self, request: Attach, guest: Guest) -> tuple[LinkKind, Wire]:
        """As links.resolve, which asks once for the same HOSTIF."""
        only = (getattr(request, field) for field in links.ONLY)
        way = (request.hostif, request.direct_phys, request.tag is None, *only)
        if way not in self._resolved:
            self._resolved[way] = links.resolve(request, self._host.namespace, guest)
        kind, wire = self._resolved[way]
        ifname = request.ifname or links.NAMED[wire.kind].ifname
        return kind, wire.replace(request=request, near=guest, ifname=ifname)

    def _plan(self, kind: LinkKind, wire: Wire) -> None:
        """Let the kind say what cannot be: once for the same HOSTIF, asked for in the same way."""
        request = wire.request
        ways = request.addresses if request.routed else tuple(map(type, request.addresses))
        asked = (request.options, request.doubts, request.mac)
        way = (request.hostif, request.direct_phys, request.tag, ways, wire.vacated, *asked)
        if way not in self._planned:
            kind.plan(wire)
            addressing.plan(wire)
            self._planned.add(way)


def _look_at_pair(line: Line, wires: tuple[Wire, Wire], there: Sequence[dict[str, Wired]]) -> Finding:
    """How a line stands that joins two guests.  Raises PipeworkError if it cannot be."""
    one, other = (wired.get(wire.ifname) for wire, wired in zip(wires, there))
    ends = tuple((*wire.near.namespace.identity, wire.ifname) for wire in wires)
    if are_as_asked(wires, (one, other)):
        return Finding(line, AS_ASKED, ends=ends, wired=one)
    peer.plan(*(wire.replace(vacated=wired is not None) for wire, wired in zip(wires, (one, other))))
    return Finding(line, DIFFERENT if one or other else MISSING, ends=ends, wired=one or other)


def _look_again(host: Namespace, line: Line, found: Sequence[Guest]) -> Finding:
    """How a line stands that cannot be, or whose wire another run was just making.  Raises Interrupted."""
    try:
        with host_lock():
            alone = _Look(Host(host))
            return alone.look(line, found, [*map(alone.wires_of, found)])
    except Interrupted:
        raise
    except PipeworkError as error:
        return Finding(line, WRONG, error)


def _with_troubles(host: Host, findings: Sequence[Finding]) -> list[Finding]:
    """The same, a line DIFFERENT whose wire is as asked, and yet no frames pass."""
    standing = [(one.line.place, one.wired) for one in findings if one.state == AS_ASKED and one.wired]
    looked = with_troubles(host.namespace, [wired for _, wired in standing])
    troubled = {place for (place, before), wired in zip(standing, looked) if wired is not before}
    return [one.replace(state=DIFFERENT) if one.line.place in troubled else one for one in findings]


def _is_lent_elsewhere(host: Namespace, hostif: str) -> bool:
    return host.netlink.link(hostif) is None and any(loan.home.link.name == hostif for loan in notes.every(Loan))


def _each_once(findings: Sequence[Finding]) -> list[Finding]:
    """The same, a line WRONG whose wire is another's already."""
    first, told = dict[End, Finding](), list[Finding]()
    for one in findings:
        taken = [end for end in one.ends if first.setdefault(end, one) is not one]
        told.append(one.replace(state=WRONG, error=_is_taken(taken[0], first[taken[0]])) if taken else one)
    return told


def _is_taken(end: End, before: Finding) -> BadArgument:
    guest = before.line.ends[before.ends.index(end)].guest
    place = before.line.place
    return BadArgument(f"{end[2]} of {guest} is what {place} asks for", "Leave one of them out, or name it with -i.")


def is_prunable(wired: Wired) -> bool:
    """Whether a wire is surely pipework's, and no other run works on it."""
    return bool(wired.path) and not wired.guessed and wired.state != "unfinished"


def _end_of(wired: Wired) -> Optional[End]:
    """None: the guest has just ended."""
    try:
        status = os.stat(wired.path)
    except OSError:
        return None
    return status.st_dev, status.st_ino, wired.ifname

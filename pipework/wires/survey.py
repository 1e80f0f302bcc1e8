"""What lines ask for, beside what is there: which wires are missing, which differ, and which nobody asks for."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence

from pipework import addressing, guests, links, notes
from pipework.addressing.dhcp import check_lasts
from pipework.errors import BadArgument, GuestNotFound, GuestStopped, Interrupted, NotInstalled, PipeworkError
from pipework.guests.base import Guest
from pipework.kernel.locks import host_lock
from pipework.kernel.namespaces import Namespace
from pipework.lines import Line
from pipework.links.base import Host, LinkKind, Wire, Wired
from pipework.model import Attach
from pipework.notes import Loan
from pipework.typed import Optional
from pipework.value import Value
from pipework.wires.diff import is_as_asked
from pipework.wires.inventory import find_all, find_of
from pipework.wires.lent import find_lent
from pipework.wires.troubles import with_troubles

AS_ASKED, MISSING, DIFFERENT, ABSENT, WRONG = "=", "+", "~", "?", "!"
FEW = 10  # guests whose ends on the host are read one by one
Way = tuple[object, ...]  # in which a HOSTIF is asked for
End = tuple[int, int, str]  # of a wire: device and inode of the guest's namespace, and the link's name there


class Finding(Value):
    """A line, and how it stands: AS_ASKED, MISSING or DIFFERENT, ABSENT where its guest is not there, or WRONG.

    error: why it is one of the last two; end: of its wire, where there is a guest; wired: that wire, if it is there.
    """

    line: Line
    state: str
    error: Optional[PipeworkError] = None
    end: Optional[End] = None
    wired: Optional[Wired] = None


def survey(host: Host, lines: Sequence[Line], patience: float = 0) -> list[Finding]:
    """How each of the lines stands, in their order; nothing is touched.

    patience: seconds that a guest gets if it is not running yet.
    """
    by_guest, look = dict[str, list[Line]](), _Look(host, patience)
    for line in lines:
        by_guest.setdefault(line.request.guest, []).append(line)
    if len(by_guest) > FEW:
        host.read_all()
    found = {one.line.place: one for name, asked in by_guest.items() for one in look.at_guest(name, asked)}
    return _each_once(_with_troubles(host, [found[line.place] for line in lines]))


def surplus(host: Host, findings: Sequence[Finding]) -> list[Wired]:
    """The wires that are surely pipework's and that no line asks for."""
    asked = {one.end for one in findings}
    ended = [(wired, _end_of(wired)) for wired in find_all(host) if is_prunable(wired)]
    return [wired for wired, end in ended if end and end not in asked]


class _Look:
    """A look at this host and at one guest after the other."""

    def __init__(self, host: Host, patience: float = 0) -> None:
        self._host = host
        self._patience = patience
        self._resolved = dict[Way, tuple[LinkKind, Wire]]()
        self._planned = set[Way]()

    def at_guest(self, name: str, lines: Sequence[Line]) -> Iterator[Finding]:
        """How the lines of one guest stand."""
        try:
            guest = guests.find(name, self._patience)
        except PipeworkError as error:
            state = ABSENT if isinstance(error, (GuestStopped, GuestNotFound, NotInstalled)) else WRONG
            yield from (Finding(line, state, error) for line in lines)
            return
        with guest.namespace:
            there = self.wires_of(guest)
            for line in lines:
                try:
                    yield self.look(line, guest, there)
                except PipeworkError:
                    yield _look_again(self._host.namespace, line, guest)

    def wires_of(self, guest: Guest) -> dict[str, Wired]:
        """What a guest has, by the names of its ends."""
        return {wired.ifname: wired for wired in find_of(self._host, guest)}

    def look(self, line: Line, guest: Guest, there: dict[str, Wired]) -> Finding:
        """How a line stands.  Raises PipeworkError if it cannot be."""
        ifname, state = self._compare(line.request, guest, there)
        return Finding(line, state, end=(*guest.namespace.identity, ifname), wired=there.get(ifname))

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
        way = (request.hostif, request.direct_phys, request.routed, request.tag is None)
        if way not in self._resolved:
            self._resolved[way] = links.resolve(request, self._host.namespace, guest)
        kind, wire = self._resolved[way]
        ifname = request.ifname or links.NAMED[wire.kind].ifname
        return kind, wire.replace(request=request, near=guest, ifname=ifname)

    def _plan(self, kind: LinkKind, wire: Wire) -> None:
        """Let the kind say what cannot be: once for the same HOSTIF, asked for in the same way."""
        request = wire.request
        ways = request.addresses if request.routed else tuple(map(type, request.addresses))
        way = (request.hostif, request.direct_phys, request.tag, request.mtu, ways, wire.vacated)
        if way not in self._planned:
            kind.plan(wire)
            addressing.plan(wire)
            self._planned.add(way)


def _look_again(host: Namespace, line: Line, guest: Guest) -> Finding:
    """How a line stands that cannot be, or whose wire another run was just making.  Raises Interrupted."""
    try:
        with host_lock():
            alone = _Look(Host(host))
            return alone.look(line, guest, alone.wires_of(guest))
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
        before = first.setdefault(one.end, one) if one.end else one
        told.append(one if before is one else one.replace(state=WRONG, error=_is_taken(before)))
    return told


def _is_taken(before: Finding) -> BadArgument:
    guest, ifname = before.line.request.guest, before.end[2] if before.end else ""
    place = before.line.place
    return BadArgument(f"{ifname} of {guest} is what {place} asks for", "Leave one of them out, or name it with -i.")


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

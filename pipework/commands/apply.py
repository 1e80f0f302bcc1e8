"""``pipework apply FILE``: read the lines, see how they stand, take back what none asks for, do what is left to do."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext
from functools import partial
from itertools import groupby

from pipework import notes
from pipework.commands.delete import take_back
from pipework.commands.keeping import forget, lines_of
from pipework.commands.progress import Progress, progress
from pipework.commands.replace import see_to
from pipework.commands.session import Log, Plan
from pipework.errors import GuestStopped, Interrupted, PipeworkError, Refused, warn
from pipework.executor import Rehearsal, undoing
from pipework.guests.base import Guest
from pipework.kernel import signals, sysfs
from pipework.kernel.namespaces import Namespace
from pipework.kernel.own_sys import see_own_sys
from pipework.lines import Line, read
from pipework.links.base import Host, Wired
from pipework.model import Attach
from pipework.quoting import quote
from pipework.requests import Apply, Connect
from pipework.typed import Optional, Union
from pipework.wires.inventory import find_of
from pipework.wires.names import named
from pipework.wires.pairs import each_once, find_guests
from pipework.wires.saved import save
from pipework.wires.survey import ABSENT, AS_ASKED, DIFFERENT, MISSING, WRONG, Finding, is_prunable, surplus, survey

MARGIN = "    "  # of the commands that --dry-run prints, each below what it is for
# what is counted, and how --dry-run says it
ASKED, MADE, REPLACED, REMOVED, SKIPPED, FAILED = "as asked", "made", "replaced", "removed", "skipped", "failed"
WOULD = {MADE: "to make", REPLACED: "to replace", REMOVED: "to remove"}
DONE = {MISSING: MADE, DIFFERENT: REPLACED, AS_ASKED: ASKED}


def apply(request: Apply) -> None:
    """See to it that all wires are there that the lines ask for, each wholly or not at all.

    Raises Refused before anything is touched if a line is wrong, and in the end if one has failed; Interrupted.
    """
    notes.check_kept()
    if not request.dry_run:
        notes.sweep()
    lines, wrong = read_lines(request.file)
    if request.prune and not (lines or wrong):
        raise Refused(
            f"{request.file} asks for no wire, and --prune would take back every one",
            "If that is meant, say of which guest: pipework del GUEST --all",
        )
    with signals.held(), Namespace.own() as own:
        see_own_sys(own)
        host = Host(own)
        findings = [] if wrong else survey(host, lines)
        _refuse(request.file, [*wrong, *(f"{one.line.place}: {one.error}" for one in findings if one.state == WRONG)])
        going = _going(host, findings) if request.prune else []
        with progress(0 if request.dry_run else len(findings) + len(going)) as shown:
            run = _Run(own, shown, Rehearsal(MARGIN, once=True) if request.dry_run else None)
            try:
                run.remove(going)
                run.see_to(findings)
            except Interrupted as error:
                if run.has_changed:
                    error.come_after(run.summary(lines))
                raise
    print(run.summary(lines))
    if run.count[FAILED]:
        raise Refused(f"not all is as asked: {run.count[FAILED]} failed", "Mend what is told above, and type it again.")


def keep(lines: Sequence[Line], patience: float) -> None:
    """See to it that the wires of guests that run are as these lines ask; each change and each failure is told.

    patience: seconds that a guest gets if it is not running yet.  Raises Interrupted.
    """
    with signals.held(), Namespace.own() as own:
        see_own_sys(own)
        findings = survey(Host(own), lines, patience)
        run = _Run(own, Progress(), None)
        for one in findings:
            if one.state == WRONG and one.error:
                run.fail(one.line.place, one.error)
        run.see_to([one for one in findings if one.state in (MISSING, DIFFERENT)])


def check(name: str) -> list[Line]:
    """The lines of a file.  Raises Refused, if one is wrong."""
    lines, wrong = read_lines(name)
    _refuse(name, wrong)
    return lines


def read_lines(name: str) -> tuple[list[Line], list[str]]:
    """The lines of a file, and what is wrong with others.  Raises Refused."""
    try:
        with open(0 if name == "-" else name, encoding="utf-8", errors="surrogateescape", closefd=name != "-") as file:
            return read(name, file, sysfs.exists)
    except OSError as error:
        raise Refused(
            f"cannot read {name}: {error.strerror}", "Name a file of lines, or - for standard input."
        ) from None


def _refuse(name: str, wrong: Sequence[str]) -> None:
    """Tell all that is wrong with the lines of a file.  Raises Refused, if anything is."""
    for text in wrong:
        print(f"pipework: {text}", file=sys.stderr)
    if wrong:
        raise Refused(f"lines of {name} that are wrong: {len(wrong)}; nothing was changed", "Mend them first.")


def _going(host: Host, findings: Sequence[Finding]) -> list[Wired]:
    """What is to be taken back because no line asks for it."""
    if any(one.state == ABSENT and not isinstance(one.error, GuestStopped) for one in findings):
        warn("nothing is taken back while a line names a guest that is not there: it may be one that is meant")
        return []
    return each_once(named(surplus(host, findings)))


def _see_to(request: Union[Attach, Connect], found: Sequence[Guest], own: Namespace, log: Log) -> Optional[Plan]:
    """What was carried out for a line; found: the guests that it names.  Raises PipeworkError."""
    if isinstance(request, Attach):
        return see_to(request, found[0], own, log)
    from pipework.commands import wire  # few lines join two guests

    return wire.see_to(request, found, own, log)


class _Run:
    """Carries out what is left to do, wire by wire, and counts; what fails is told, and does not stop the rest.

    own: this host; rehearsal: where nothing is to be touched.
    """

    def __init__(self, own: Namespace, shown: Progress, rehearsal: Optional[Rehearsal]) -> None:
        self.count = Counter[str]()
        self._own = own
        self._shown = shown
        self._rehearsal = rehearsal

    @property
    def has_changed(self) -> bool:
        """Whether anything was done."""
        return self._rehearsal is None and any(self.count[what] for what in WOULD)

    def summary(self, lines: Sequence[Line]) -> str:
        """What became of the lines, and of the wires that none asks for."""
        kinds = (ASKED, MADE, REPLACED, REMOVED, SKIPPED, FAILED)
        words = WOULD if self._rehearsal else {}
        return f"{len(lines)} line{'s' * (len(lines) != 1)}: " + ", ".join(
            f"{self.count[kind]} {words.get(kind, kind)}" for kind in kinds
        )

    def remove(self, wires: Sequence[Wired]) -> None:
        """Take wires back."""
        for _, of_guest in groupby(wires, lambda wired: wired.path):
            signals.check()
            self._remove(list(of_guest))

    def _log(self) -> AbstractContextManager[Log]:
        """What is done within is whole or undone; a signal ends the run between two wires."""
        return nullcontext(self._rehearsal) if self._rehearsal else undoing(is_last=False)

    def _remove(self, wires: Sequence[Wired]) -> None:
        """Take wires of one guest back, as far as they are there by now."""
        first, names = wires[0], {wired.ifname for wired in wires}
        try:
            namespace = Namespace.open(first.path)
        except OSError:  # the guest has just ended
            return
        guest = Guest(first.guest, first.runtime, namespace, "", first.pid or None)
        try:
            with namespace, self._log() as log, log.alone():
                host = Host(self._own)
                there = [wired for wired in find_of(host, guest) if wired.ifname in names and is_prunable(wired)]
                for wired in there:
                    self._tell("-", save(host, namespace, wired) or (wired.hostif, wired.guest))
                take_back(host, namespace, there, log, partial(forget, lines_of(guest)))
            self.count[REMOVED] += len(there)
        except Interrupted:
            raise
        except PipeworkError as error:
            self.fail(f"{', '.join(sorted(names))} of {first.guest}", error)
        self._shown.advance(len(wires))

    def see_to(self, findings: Sequence[Finding]) -> None:
        """Make and replace what is not as its line asks."""
        for one in findings:
            signals.check()
            if one.state == AS_ASKED:
                self.count[ASKED] += 1
            else:
                self._see_to(one)
            self._shown.advance(1)

    def _see_to(self, one: Finding) -> None:
        request = one.line.request
        try:
            with ExitStack() as opened:
                found = find_guests(one.line.ends, opened, patience=0)
                state = MISSING if one.state == ABSENT else one.state
                self._tell(state, one.line.words)
                with self._log() as log:
                    plan = _see_to(request, found, self._own, log)
            self.count[DONE[state if plan else AS_ASKED]] += 1
        except GuestStopped as error:
            self.count[SKIPPED] += 1
            self._shown.tell(f"pipework: {one.line.place}: {error.message}; skipped", sys.stderr)
        except Interrupted:
            raise
        except PipeworkError as error:
            self.fail(one.line.place, error)

    def _tell(self, state: str, words: Sequence[str]) -> None:
        self._shown.tell(" ".join([state, *map(quote, words)]), sys.stdout)

    def fail(self, place: str, error: PipeworkError) -> None:
        """Tell what could not be done."""
        self.count[FAILED] += 1
        self._shown.tell(f"pipework: {place}: {error}", sys.stderr)

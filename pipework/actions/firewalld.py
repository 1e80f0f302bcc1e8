"""A bridge in a zone of firewalld, until firewalld reloads or the last wire of the bridge goes."""

from __future__ import annotations

from contextlib import suppress

from pipework.actions.base import Action
from pipework.actions.iptables import relies
from pipework.errors import Refused
from pipework.kernel.locks import host_lock
from pipework.notes import Zone
from pipework.quoting import quote

PROGRAM = "firewall-cmd"  # which people type


class EnterZone(Action):
    """Put a bridge that is in no zone into one.

    note: kept while it is there; known: the ports that did without it.  Undone only while no other run has come to rely
    on it.
    """

    keeps_note = True

    note: Zone
    known: tuple[str, ...] = ()

    def do(self) -> None:
        self.note.write()
        try:
            _enter(self.note)
        except Refused:
            with suppress(Refused):  # it may have done its work and failed to say so
                _leave(self.note)
            raise

    def undo(self) -> None:
        with host_lock(patient=True):
            if not relies(self.note.ifname, self.known):
                _leave(self.note)

    def say(self) -> str:
        return " ".join(map(quote, _words("add", self.note)))


class LeaveZone(Action):
    """Take it out again; where it is in that zone no more, nothing but the note goes."""

    note: Zone
    port = ""

    @property
    def bridge(self) -> str:
        """Whose it is."""
        return self.note.ifname

    @property
    def what(self) -> str:
        """How people are told of it."""
        return f"firewalld's zone {self.note.zone} of {self.bridge}"

    def do(self) -> None:
        _leave(self.note)

    def undo(self) -> None:
        self.note.write()
        _enter(self.note)

    def say(self) -> str:
        return " ".join(map(quote, _words("remove", self.note)))


def _words(verb: str, note: Zone) -> list[str]:
    return [PROGRAM, f"--zone={note.zone}", f"--{verb}-interface={note.ifname}"]


def _enter(note: Zone) -> None:
    from pipework.kernel.firewalld import Unwilling, add_interface  # few hosts have firewalld

    try:
        add_interface(note.zone, note.ifname)
    except Unwilling as error:
        raise _refused(note, error) from None


def _leave(note: Zone) -> None:
    from pipework.kernel.firewalld import Unwilling, remove_interface

    try:
        remove_interface(note.zone, note.ifname)
    except Unwilling as error:
        if not error.is_gone:
            raise _refused(note, error) from None
    note.erase()


def _refused(note: Zone, error: Exception) -> Refused:
    return Refused(
        f"firewalld refuses zone {note.zone} for {note.ifname}: {error}",
        "See to the rules yourself and run pipework with PIPEWORK_FIREWALL=off.",
    )

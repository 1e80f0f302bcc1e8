"""Notes for whoever takes a wire back: kept before the change that they tell of, dropped once all is put back."""

from __future__ import annotations

from pipework.actions.base import Action
from pipework.kernel.namespaces import Namespace
from pipework.kernel.records import Route
from pipework.notes import Asked, Loan, Note, Replaced


class Keep(Action):
    """Keep a note, which there was not."""

    keeps_note = True

    note: Note

    def do(self) -> None:
        self.note.write()

    def undo(self) -> None:
        self.note.erase()


class Forget(Action):
    """Drop a note."""

    note: Note

    def do(self) -> None:
        self.note.erase()

    def undo(self) -> None:
        self.note.write()


class Rewrite(Action):
    """Let a note say something else."""

    note: Note
    new: Note

    def do(self) -> None:
        self.new.write()

    def undo(self) -> None:
        self.note.write()


class KeepOnceThere(Action):
    """Keep a note of a link, which there was not; what it says is not known before the link is there."""

    keeps_note = True

    def note(self) -> Note:
        """What it says."""
        raise NotImplementedError

    def do(self) -> None:
        self.note().write()

    def undo(self) -> None:
        self.note().erase()


class NoteRoutes(KeepOnceThere):
    """Keep the default routes that a link's own takes the place of, and the tables that it has besides."""

    guest: Namespace
    link: str
    routes: tuple[Route, ...]
    tables: tuple[int, ...] = ()

    def note(self) -> Replaced:
        netlink = self.guest.netlink
        link = netlink.link(self.link)
        mac, ifindex = (link.mac, link.ifindex) if link else ("", netlink.index(self.link))
        return Replaced(self.guest.cookie, self.link, ifindex, "", mac, self.routes, self.tables)


class NoteAsked(KeepOnceThere):
    """Keep how a link was asked for, for who prints it as a line; a command that cannot keep it does without."""

    keeps_note = False

    guest: Namespace
    link: str
    address: str
    options: tuple[str, ...]

    def note(self) -> Asked:
        index = self.guest.netlink.index(self.link)
        return Asked(self.guest.cookie, self.link, index, "", self.address, self.options)


class NoteArrival(Action):
    """Note what a NIC on loan is in the guest, where it may get another name."""

    guest: Namespace
    loan: Loan

    def do(self) -> None:
        self.loan.replace(ifindex=self.guest.netlink.index(self.loan.ifname)).write()

    def undo(self) -> None:
        self.loan.write()

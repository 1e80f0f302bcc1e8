"""Notes for ``del`` and ``gc``: what must be put back when the wire goes."""

from __future__ import annotations

from pipework import notes
from pipework.actions.base import Action
from pipework.kernel.namespaces import Namespace
from pipework.kernel.records import Route
from pipework.notes import Page
from pipework.typed import Any


class NoteRoutes(Action):
    """Keep the routes that a link's default route has replaced; its MAC tells the link from later ones."""

    namespace: Namespace
    link: str
    routes: tuple[Route, ...]

    @property
    def page(self) -> Page:
        """Where they stand."""
        return Page("routes", self.namespace.cookie, self.link)

    def do(self) -> None:
        link = self.namespace.netlink.link(self.link)
        notes.write(self.page, {"mac": link.mac if link else "", "routes": [route.note for route in self.routes]})

    def undo(self) -> None:
        notes.erase(self.page)


class Forget(Action):
    """Drop a note."""

    page: Page
    note: dict[str, Any]

    def do(self) -> None:
        notes.erase(self.page)

    def undo(self) -> None:
        notes.write(self.page, self.note)


class Rewrite(Action):
    """Let a note say something else."""

    page: Page
    note: dict[str, Any]
    new: dict[str, Any]

    def do(self) -> None:
        notes.write(self.page, self.new)

    def undo(self) -> None:
        notes.write(self.page, self.note)

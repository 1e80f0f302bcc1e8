"""What each kind of firewall offers."""

from __future__ import annotations

from collections.abc import Sequence

from pipework.actions.base import Action
from pipework.errors import Refused
from pipework.firewall.ruleset import Stop, Table
from pipework.kernel.namespaces import Namespace
from pipework.kernel.nf_tables import Chain
from pipework.kernel.programs import Running
from pipework.typed import Callable, Optional, Protocol
from pipework.value import Value

TIMEOUT = 10.0  # seconds that a program may take to list its rules


class Source(Protocol):
    """Where a firewall's tables are to be had from."""

    def tables(self) -> list[Table]:
        """All of them.  Raises Refused."""


class Known(Value):
    """Tables that are known already."""

    known: Sequence[Table]

    def tables(self) -> list[Table]:
        return list(self.known)


class Listing:
    """Rules that are being listed; a program takes some milliseconds for it, in which there is other work to do."""

    def __init__(
        self, arguments: Sequence[str], package: str, read: Callable[[str], list[Table]], generation: int
    ) -> None:
        """Start it.  read: the tables of what it prints; generation: see listing.  Raises NotInstalled, Refused."""
        self._arguments, self._program, self._generation = tuple(arguments), arguments[0], generation
        self._running = Running(arguments, package)
        self._read = read

    def tables(self) -> list[Table]:
        """What it has listed.  Raises Refused."""
        told = self._running.outcome(TIMEOUT)
        if told.status != 0:
            raise Refused(
                f"{self._program} does not tell whether frames pass: {told.err.strip()}",
                "See to the rules yourself and run pipework with PIPEWORK_FIREWALL=off.",
            )
        tables = self._read(told.out)
        _listed[self._arguments] = self._generation, tables
        return tables


_listed: dict[tuple[str, ...], tuple[int, list[Table]]] = {}


def listing(arguments: Sequence[str], package: str, read: Callable[[str], list[Table]], generation: int) -> Source:
    """The tables that a program lists, and read makes of what it prints; those of nf_tables once while none changes.

    generation: of nf_tables' rules, as it was before, 0 for others.  Raises NotInstalled, Refused.
    """
    before, tables = _listed.get(tuple(arguments), (0, []))
    if generation and generation == before:
        return Known(tables)
    return Listing(arguments, package, read, generation)


def sides(stop: Stop, coming: str, going: str) -> list[str]:
    """What a rule can ask for where the frame is stopped: where it comes from, and where it goes to."""
    hook = stop.table.chains[stop.base].hook
    return [*([] if hook == "postrouting" else [coming]), *([] if hook == "prerouting" else [going])]


class Firewall(Protocol):
    """One kind of firewall."""

    def ask(self, chains: Sequence[Chain], meet: Sequence[int], generation: int) -> list[Source]:
        """Have listed what may stop bridged frames.

        chains: those of nf_tables that it may have to do with; meet: the families whose bridged frames are handed to it
        now; generation: of nf_tables' rules, before the chains were read.
        """

    def way_past(self, host: Namespace, stop: Stop, port: Optional[str]) -> list[Action]:
        """What lets such frames pass, as narrow as what was asked for; nothing where that is not ours to open.

        port: only its frames, for on the bridge are others that are not ours to let through; None: all of the bridge.
        Raises Refused.
        """

    def advice(self, stop: Stop) -> str:
        """What an administrator may type."""

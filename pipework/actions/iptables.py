"""The rule that lets bridged frames pass a Docker host's firewall.

Docker sets FORWARD to DROP, and with net.bridge.bridge-nf-call-iptables at 1 frames that only cross a bridge
die there.  DOCKER-USER is the chain that Docker leaves to the administrator and never flushes.
"""

from __future__ import annotations

from contextlib import suppress

from pipework.actions.base import Action
from pipework.errors import Refused
from pipework.kernel import processes, sysfs
from pipework.kernel.locks import host_lock
from pipework.kernel.programs import Outcome, run
from pipework.marks import rule_comment
from pipework.quoting import quote
from pipework.typed import Optional, Union

CHAIN = "DOCKER-USER"
TIMEOUT = 10.0  # seconds, of which iptables may wait five for its lock


class AllowBridged(Action):
    """Accept frames that stay in one bridge, or of them those of one port.

    iptables is the program; place: of the rule in its chain, counted from 1, or 0 for the end; port: whose frames, ""
    for all; side: in for those that come from it, out for those that go to it.  A rule for all is undone only while no
    other run has come to rely on it; known: the ports that did without it.
    """

    iptables: str
    bridge: str
    place: int = 0
    port: str = ""
    side: str = ""
    known: tuple[str, ...] = ()

    def do(self) -> None:
        try:
            _change(self, self.place)
        except Refused:
            with suppress(Refused):  # it may have done its work and failed to say so
                _change(self)
            raise

    def undo(self) -> None:
        with host_lock(patient=True):
            if self.port or not relies(self.bridge, self.known):
                _change(self)

    def say(self) -> str:
        return " ".join(map(quote, [self.iptables, "-w", "5", *_insertion(self.place), *_rule(self)]))


class WithdrawBridged(Action):
    """Take that rule back; its fields are those of AllowBridged."""

    iptables: str
    bridge: str
    place: int = 0
    port: str = ""
    side: str = ""

    @property
    def what(self) -> str:
        """How people are told of it."""
        return f"{self.iptables} rule of {self.port or self.bridge}"

    def do(self) -> None:
        try:
            _change(self)
        except Refused:
            if not _stands(self):  # as above
                with suppress(Refused):
                    self.undo()
            raise

    def undo(self) -> None:
        _change(self, self.place)

    def say(self) -> str:
        return " ".join(map(quote, [self.iptables, "-w", "5", "-D", CHAIN, *_rule(self)]))


Bridged = Union[AllowBridged, WithdrawBridged]


def relies(bridge: str, known: tuple[str, ...]) -> bool:
    """Whether a port that is up, and new, bears pipework's mark, and not that of this very run.

    known: the ports that did without what this run has added.
    """
    new = [port for port in sysfs.ports(bridge) if port not in known and sysfs.is_up(port)]
    aliases = [sysfs.alias(port) for port in new]
    return any(alias.startswith("pipework ") and not alias.endswith(processes.own_identity()) for alias in aliases)


def _rule(of: Bridged) -> list[str]:
    port = ["-m", "physdev", f"--physdev-{of.side}", of.port] if of.port else []
    comment = ["-m", "comment", "--comment", rule_comment(of.bridge, of.port)]
    return ["-i", of.bridge, "-o", of.bridge, *port, *comment, "-j", "ACCEPT"]


def _insertion(place: int) -> list[str]:
    return ["-I", CHAIN, *([str(place)] if place > 1 else [])] if place else ["-A", CHAIN]


def _stands(of: Bridged) -> bool:
    try:
        return _run(of, ["-C", CHAIN]).status == 0
    except Refused:
        return True


def _change(of: Bridged, place: Optional[int] = None) -> None:
    """Add the rule at that place, or with None delete it."""
    outcome = _run(of, ["-D", CHAIN] if place is None else _insertion(place))
    if outcome.status != 0:
        raise Refused(
            f"{of.iptables} cannot let frames through {of.bridge}: {outcome.err.strip()}",
            "See to the rules yourself and run pipework with PIPEWORK_FIREWALL=off.",
        )


def _run(of: Bridged, words: list[str]) -> Outcome:
    return run([of.iptables, "-w", "5", *words, *_rule(of)], TIMEOUT, "iptables")

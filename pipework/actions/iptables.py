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
from pipework.marks import routed_comment, rule_comment
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
        _allow(self)

    def undo(self) -> None:
        with host_lock(patient=True):
            if self.port or not relies(self.bridge, self.known):
                _change(self)

    def say(self) -> str:
        return _said(self, _insertion(self.place))


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
        _withdraw(self)

    def undo(self) -> None:
        _change(self, self.place)

    def say(self) -> str:
        return _said(self, ["-D", CHAIN])


class AllowRouted(Action):
    """Accept frames between a NIC and the host's end of a wire that come from an address of the guest, or go to it.

    place: as of AllowBridged; side: in for those that come from the guest, out for those that go to it.
    """

    iptables: str
    nic: str
    end: str
    address: str
    side: str
    place: int = 0

    def do(self) -> None:
        _allow(self)

    def undo(self) -> None:
        _change(self)

    def say(self) -> str:
        return _said(self, _insertion(self.place))


class WithdrawRouted(Action):
    """Take that rule back; its fields are those of AllowRouted."""

    iptables: str
    nic: str
    end: str
    address: str
    side: str
    place: int = 0

    @property
    def what(self) -> str:
        """How people are told of it."""
        return f"{self.iptables} rule of {self.end}"

    def do(self) -> None:
        _withdraw(self)

    def undo(self) -> None:
        _change(self, self.place)

    def say(self) -> str:
        return _said(self, ["-D", CHAIN])


Ours = Union[AllowBridged, WithdrawBridged, AllowRouted, WithdrawRouted]


def relies(bridge: str, known: tuple[str, ...]) -> bool:
    """Whether a port that is up, and new, bears pipework's mark, and not that of this very run.

    known: the ports that did without what this run has added.
    """
    new = [port for port in sysfs.ports(bridge) if port not in known and sysfs.is_up(port)]
    aliases = [sysfs.alias(port) for port in new]
    return any(alias.startswith("pipework ") and not alias.endswith(processes.own_identity()) for alias in aliases)


def _allow(of: Union[AllowBridged, AllowRouted]) -> None:
    try:
        _change(of, of.place)
    except Refused:
        with suppress(Refused):  # it may have done its work and failed to say so
            _change(of)
        raise


def _withdraw(of: Union[WithdrawBridged, WithdrawRouted]) -> None:
    try:
        _change(of)
    except Refused:
        if not _stands(of):  # as above
            with suppress(Refused):
                of.undo()
        raise


def _said(of: Ours, words: list[str]) -> str:
    return " ".join(map(quote, [of.iptables, "-w", "5", *words, *_rule(of)]))


def _rule(of: Ours) -> list[str]:
    if isinstance(of, (AllowRouted, WithdrawRouted)):
        links = ["-s", of.address, "-i", of.end, "-o", of.nic]
        if of.side == "out":
            links = ["-d", of.address, "-i", of.nic, "-o", of.end]
        return [*links, "-m", "comment", "--comment", routed_comment(of.nic, of.end), "-j", "ACCEPT"]
    port = ["-m", "physdev", f"--physdev-{of.side}", of.port] if of.port else []
    comment = ["-m", "comment", "--comment", rule_comment(of.bridge, of.port)]
    return ["-i", of.bridge, "-o", of.bridge, *port, *comment, "-j", "ACCEPT"]


def _insertion(place: int) -> list[str]:
    return ["-I", CHAIN, *([str(place)] if place > 1 else [])] if place else ["-A", CHAIN]


def _stands(of: Ours) -> bool:
    try:
        return _run(of, ["-C", CHAIN]).status == 0
    except Refused:
        return True


def _change(of: Ours, place: Optional[int] = None) -> None:
    """Add the rule at that place, or with None delete it."""
    outcome = _run(of, ["-D", CHAIN] if place is None else _insertion(place))
    if outcome.status != 0:
        raise Refused(
            f"{of.iptables} cannot let frames through {_through(of)}: {outcome.err.strip()}",
            "See to the rules yourself and run pipework with PIPEWORK_FIREWALL=off.",
        )


def _through(of: Ours) -> str:
    return of.end if isinstance(of, (AllowRouted, WithdrawRouted)) else of.bridge


def _run(of: Ours, words: list[str]) -> Outcome:
    return run([of.iptables, "-w", "5", *words, *_rule(of)], TIMEOUT, "iptables")

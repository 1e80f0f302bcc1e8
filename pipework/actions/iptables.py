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

CHAIN = "DOCKER-USER"
TIMEOUT = 10.0  # seconds, of which iptables may wait five for its lock


class AllowBridged(Action):
    """Accept frames that stay in one bridge; undone only while no other run has come to rely on it.

    iptables is ``iptables`` or ``ip6tables``, known the ports that did without the rule.
    """

    iptables: str
    bridge: str
    known: tuple[str, ...] = ()

    def do(self) -> None:
        try:
            _change(self.iptables, "-I", self.bridge)
        except Refused:
            with suppress(Refused):  # it may have done its work and failed to say so
                _change(self.iptables, "-D", self.bridge)
            raise

    def undo(self) -> None:
        with host_lock(patient=True):
            if not _relies(self.bridge, self.known):
                _change(self.iptables, "-D", self.bridge)

    def say(self) -> str:
        rule = " ".join(map(quote, _rule(self.bridge)))
        return f"{self.iptables} -w 5 -I {CHAIN} {rule}"


class WithdrawBridged(Action):
    """Take that rule back."""

    iptables: str
    bridge: str

    def do(self) -> None:
        try:
            _change(self.iptables, "-D", self.bridge)
        except Refused:
            if not _stands(self.iptables, self.bridge):  # as above
                with suppress(Refused):
                    self.undo()
            raise

    def undo(self) -> None:
        AllowBridged(self.iptables, self.bridge).do()

    def say(self) -> str:
        return AllowBridged(self.iptables, self.bridge).say().replace(f" -I {CHAIN}", f" -D {CHAIN}")


def _relies(bridge: str, known: tuple[str, ...]) -> bool:
    """Whether a port that is up, and new, bears pipework's mark, and not that of this very run."""
    new = [port for port in sysfs.ports(bridge) if port not in known and sysfs.is_up(port)]
    aliases = [sysfs.alias(port) for port in new]
    return any(alias.startswith("pipework ") and not alias.endswith(processes.own_identity()) for alias in aliases)


def _rule(bridge: str) -> list[str]:
    return ["-i", bridge, "-o", bridge, "-m", "comment", "--comment", rule_comment(bridge), "-j", "ACCEPT"]


def _stands(iptables: str, bridge: str) -> bool:
    try:
        return _run(iptables, "-C", bridge).status == 0
    except Refused:
        return True


def _change(iptables: str, verb: str, bridge: str) -> None:
    outcome = _run(iptables, verb, bridge)
    if outcome.status != 0:
        raise Refused(
            f"{iptables} cannot let frames through {bridge}: {outcome.err.strip()}",
            "See to the rules yourself and run pipework with PIPEWORK_FIREWALL=off.",
        )


def _run(iptables: str, verb: str, bridge: str) -> Outcome:
    return run([iptables, "-w", "5", verb, CHAIN, *_rule(bridge)], TIMEOUT, "iptables")

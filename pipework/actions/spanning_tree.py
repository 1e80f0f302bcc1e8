"""The time that a Linux bridge with STP takes before it lets the frames of a new port pass."""

from __future__ import annotations

import time

from pipework.actions.base import Action
from pipework.errors import Refused
from pipework.kernel import signals, sysfs
from pipework.quoting import quote

LATE = 5.0  # seconds more than the bridge says, for its timers begin when the port is up on both sides


class AwaitForwarding(Action):
    """Wait until the bridge lets them pass; delay: the seconds that it says that takes."""

    port: str
    delay: float

    def do(self) -> None:
        deadline = time.monotonic() + self.delay + LATE
        while not self.passes():
            if time.monotonic() > deadline:
                raise self.refusal(self.delay + LATE)
            signals.sleep(self.pause())

    def passes(self) -> bool:
        """Whether it lets them pass now."""
        return sysfs.forwards(self.port)

    def pause(self) -> float:
        """How many seconds to wait between two looks."""
        return 0.1

    def refusal(self, late: float) -> Refused:
        """What to say after so many seconds."""
        return Refused(
            f"STP does not let frames of {self.port} pass after {late:g} s",
            f"See why: bridge -d link show dev {quote(self.port)}",
        )

    def say(self) -> str:
        return f"until [ $(cat /sys/class/net/{quote(self.port)}/brport/state) = 3 ]; do sleep 1; done"

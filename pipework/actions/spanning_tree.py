"""The time that a Linux bridge with STP takes before it lets the frames of a new port pass."""

from __future__ import annotations

import time

from pipework.actions.base import Action
from pipework.errors import Refused
from pipework.kernel import signals, sysfs
from pipework.quoting import quote

PAUSE = 0.1  # seconds between two looks
LATE = 5.0  # seconds more than the bridge says, for its timers begin when the port is up on both sides


class AwaitForwarding(Action):
    """Wait until the bridge lets them pass; delay: the seconds that it says that takes."""

    port: str
    delay: float

    def do(self) -> None:
        deadline = time.monotonic() + self.delay + LATE
        while not sysfs.forwards(self.port):
            if time.monotonic() > deadline:
                raise Refused(
                    f"STP does not let frames of {self.port} pass after {self.delay + LATE:g} s",
                    f"See why: bridge -d link show dev {self.port}",
                )
            signals.sleep(PAUSE)

    def say(self) -> str:
        return f"until [ $(cat /sys/class/net/{quote(self.port)}/brport/state) = 3 ]; do sleep 1; done"

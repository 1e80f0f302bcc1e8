"""``--wait``: return as soon as a link is there and has carrier.  Runs inside the guest, with Python alone."""

from __future__ import annotations

import time

from pipework.kernel import sysfs
from pipework.requests import Wait

PAUSE = 0.1  # seconds between two looks


def wait(request: Wait) -> None:
    """Look until the link has carrier, for ever if need be."""
    while not sysfs.has_carrier(request.ifname):
        time.sleep(PAUSE)

"""kill -9 at any moment: the same command again completes what was begun, or says that it is complete."""

from __future__ import annotations

import os
import random
import time
from pathlib import Path
from subprocess import Popen
from typing import Callable

import pytest

from tests.lab.crowd import LOCK, end, lock_is_free, start, unfinished
from tests.lab.scenes import Scene, scene, shape
from tests.lab.snapshot import diff, snapshot

KILLS = int(os.environ.get("PIPEWORK_LAB_KILLS", "20"))
SCENES = (
    ("new-bridge", "v4-off-link"),
    ("macvlan", "v4-gateway"),
    ("direct", "v4-gateway"),
    ("bridge", "v6-gateway"),
    ("namesake", "none"),
)


def at_work(running: Popen[str]) -> bool:
    """Tell whether a command has come to where it changes things: it wants the lock, or has it."""
    descriptors = Path("/proc", str(running.pid), "fd")
    try:
        return any(os.readlink(entry) == str(LOCK) for entry in descriptors.iterdir())
    except OSError:
        return False


def wait_until_at_work(running: Popen[str]) -> float:
    """Wait for that, or for the command's end; return the moment, in seconds."""
    while running.poll() is None and not at_work(running):
        time.sleep(0.0005)
    return time.monotonic()


def undisturbed(kind: str, address: str) -> tuple[str, float]:
    """Return what a command leaves behind that nobody disturbs, and for how many seconds it was at work."""
    with scene(kind, address) as taken:
        running = start(taken.host, *taken.words)
        began = wait_until_at_work(running)
        assert end(running) == (0, "", "")
        return shape(taken), time.monotonic() - began


def kill(taken: Scene, delay: float) -> bool:
    """Start the command and kill it that many seconds after it has gone to work; tell whether it had not ended."""
    running = start(taken.host, *taken.words)
    wait_until_at_work(running)
    time.sleep(delay)
    running.kill()
    return end(running).code == -9


@pytest.mark.parametrize(("kind", "address"), SCENES, ids=[kind for kind, _ in SCENES])
def test_killed_at_random(kind: str, address: str, record_property: Callable[[str, object], None]) -> None:
    """Killed at random moments, with gc run in between or not, every command is healed by the same command."""
    expected, latest = undisturbed(kind, address)
    earliest = 0.0
    seed = random.randrange(1 << 32)
    chance = random.Random(seed)
    wanted = -(-KILLS // len(SCENES))
    kills = traces = attempts = 0
    while kills < wanted:
        with scene(kind, address) as taken:
            before = snapshot(taken.host), snapshot(taken.guest)
            delay = chance.uniform(earliest, latest)
            where = f"seed {seed}, kill {kills} after {delay * 1000:.1f} ms"
            if not kill(taken, delay):  # how long it takes depends on what else the machine does
                attempts += 1
                assert attempts < 10 * wanted, "it ends before it can be killed"
                earliest, latest = earliest * 0.7, (earliest + 2 * latest) / 3
                continue
            assert lock_is_free(), where
            left = any(map(diff, before, (snapshot(taken.host), snapshot(taken.guest))))
            if not left:
                earliest, latest = (2 * earliest + delay) / 3, latest * 1.1
            kills, traces = kills + 1, traces + left
            if kills % 2:
                collected = taken.host.pipework("gc")
                assert (collected.code, collected.err) == (0, ""), where
            again = taken.host.pipework(*taken.words)
            complete = "exists and is up" in again.out or "RTNETLINK answers: File exists" in again.err
            assert again == (0, "", "") or complete, f"{where}: {again}"
            assert shape(taken) == expected, where
            assert unfinished(taken.host, taken.guest) == [], where
    record_property("kills", kills)
    record_property("of which left traces", traces)
    print(f"\n{kind}: {kills} kills at work, {traces} of them left traces; all healed")

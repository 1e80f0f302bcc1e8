"""As if it had never run: whatever fails, at whatever step, host and guest are as before."""

from __future__ import annotations

import itertools

import pytest

from tests.lab.faults import breaking
from tests.lab.guest import Guest
from tests.lab.host import settle
from tests.lab.scenes import ADDRESSES, links, scene, shape
from tests.lab.snapshot import diff, snapshot

KINDS = ("new-bridge", "bridge", "replaced-port", "macvlan", "direct")
ENDS = {"refuse": 2, "break": 1, "INT": 130, "TERM": 143, "KILL": -9}


def difference(guest: Guest, before: dict[str, list[str]]) -> str:
    """Return what changed, once what needs a moment has settled."""
    changed = diff(before, snapshot(guest))
    if changed:
        settle(guest)
        changed = diff(before, snapshot(guest))
    return changed


def undone_at_every_step(kind: str, address: str, fault: str) -> int:
    """Break the command at one step after the other; return how many there were."""
    with scene(kind, address) as (host, guest, words), breaking(host.argv()) as run:
        before, inside = snapshot(host), snapshot(guest)
        for number in itertools.count(1):
            broken = run(fault, number, words)
            if not broken.step:
                assert (broken.code, broken.out, broken.err) == (0, "", "")
                print(f"\n{kind} {address}: {fault} at each of {number - 1} steps, all undone")
                return number - 1
            where = f"step {number}: {broken.step}: {broken.err}"
            if kind == "replaced-port" and fault in ("INT", "TERM") and broken.code == 0:
                # the old link was on its way out, from where there is no way back: the run went on to its end
                assert "request 17" in broken.step
                assert not [name for name in links(host) + links(guest) if name.startswith("vpo")]
                return number
            assert broken.code == ENDS[fault], where
            assert broken.out == "", where
            assert "could not undo" not in broken.err, where
            assert "Traceback" not in broken.err, where
            changed = difference(host, before) + difference(guest, inside)
            assert not changed, f"{where}\n{changed}"
    raise AssertionError("no step was the last")


@pytest.mark.parametrize("address", ADDRESSES)
@pytest.mark.parametrize("kind", KINDS)
def test_refused_at_any_step(kind: str, address: str) -> None:
    """Whichever request the kernel refuses, host and guest are as before; exit 2."""
    assert undone_at_every_step(kind, address, "refuse") > 5


@pytest.mark.parametrize("fault", ["break", "INT", "TERM"])
@pytest.mark.parametrize(
    ("kind", "address"),
    [
        ("new-bridge", "v4-off-link"),
        ("replaced-port", "none"),
        ("macvlan", "v6-off-link"),
        ("direct", "v4-off-link"),
        ("bridge", "v6-gateway"),
    ],
)
def test_broken_at_any_step(kind: str, address: str, fault: str) -> None:
    """Whenever a fault of pipework itself or a signal strikes, host and guest are as before; exit 1, 130 or 143."""
    assert undone_at_every_step(kind, address, fault) > 5


@pytest.mark.parametrize(
    ("kind", "address"),
    [
        ("new-bridge", "v4-off-link"),
        ("replaced-port", "v4-gateway"),
        ("macvlan", "v4-gateway"),
        ("bridge", "v6-gateway"),
        ("namesake", "none"),
        ("direct", "v4-off-link"),
    ],
)
def test_killed_at_any_step(kind: str, address: str) -> None:
    """After a kill -9 at whatever step the same command succeeds, and leaves what an undisturbed one leaves."""
    with scene(kind, address) as undisturbed:
        assert undisturbed.host.pipework(*undisturbed.words) == (0, "", "")
        expected = shape(undisturbed)
    for number in itertools.count(1):
        with scene(kind, address) as taken:
            with breaking(taken.host.argv()) as run:
                broken = run("KILL", number, taken.words)
            if not broken.step:
                assert number > 5
                print(f"\n{kind} {address}: KILL at each of {number - 1} steps, all healed")
                return
            assert broken.code == ENDS["KILL"]
            again = taken.host.pipework(*taken.words)
            where = f"step {number}: {broken.step}"
            if kind == "replaced-port" and "exists and is up" in again.out:
                # all was done but for the removal of the old link
                taken.host.run("ip", "link", "del", *[name for name in links(taken.host) if name.startswith("vpo")])
            else:
                assert again == (0, "", ""), where
            assert shape(taken) == expected, where

"""A note under /run/pipework that cannot be understood: what would need it is refused, and nothing is guessed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Callable

import pytest

from tests.integration.test_ls import listed
from tests.lab import faults
from tests.lab.kept import cookie, notes
from tests.lab.refusal import clear_refusal
from tests.lab.scenes import MAC, Scene, scene


def newer(path: Path) -> None:
    """What a later version may have written."""
    path.write_text(json.dumps({"version": 99, "all": "is different"}))


def folder(path: Path) -> None:
    """Something that cannot be read at all."""
    path.unlink()
    path.mkdir()


SPOILT: dict[str, Callable[[Path], object]] = {
    "garbage": lambda path: path.write_bytes(b"\x00\xff\xfe{]"),
    "truncated": lambda path: path.write_text(path.read_text()[:-20]),
    "empty": lambda path: path.write_text(""),
    "other JSON": lambda path: path.write_text('["mac", 5]'),
    "nothing in it": lambda path: path.write_text("{}"),
    "folder": folder,
    "newer": newer,
}
WIRES = [("bridge", "v4-gateway"), ("direct", "v4"), ("lan", "udhcpc-f")]


@contextmanager
def wired(kind: str, address: str) -> Iterator[tuple[Scene, list[Path]]]:
    """A wire, and its notes; what is left of others is gone."""
    with ExitStack() as stack:
        taken = stack.enter_context(scene(kind, address))
        assert taken.host.pipework("gc").code == 0
        stack.enter_context(faults.wired(taken.host.argv(), taken.words))
        taken.settle()
        kept = notes(cookie(taken.guest))
        assert kept
        yield taken, kept
        assert taken.host.pipework("del", taken.guest.spec) == (0, "", "")


@contextmanager
def spoilt(note: Path, how: str) -> Iterator[None]:
    """A note that is spoilt meanwhile."""
    whole = note.read_bytes()
    SPOILT[how](note)
    try:
        yield
    finally:
        if note.is_dir():
            note.rmdir()
        note.write_bytes(whole)


def assert_refused(taken: Scene, note: Path, *words: str) -> None:
    """Fail unless a command is refused for that note, and changes nothing."""
    before = taken.state()
    done = taken.host.pipework(*words)
    assert clear_refusal(done), done
    assert done.code == 1, done
    assert str(note) in done.err
    assert len(done.err.splitlines()) == 2, "what is wrong, and what to do"
    changed = taken.difference(before)
    assert not changed, changed


def replacing(taken: Scene) -> list[str]:
    """The line that asks for another address in place of the one there."""
    until_guest = taken.words[: taken.words.index(taken.guest.spec) + 1]
    return ["--replace", *until_guest, "10.7.0.9/24@10.7.0.1", MAC]


@pytest.mark.parametrize("how", SPOILT)
@pytest.mark.parametrize(("kind", "address"), WIRES)
def test_refused(kind: str, address: str, how: str) -> None:
    """del, del --all and --replace of its wire are refused, naming the note and what to do, and ls lists the wire."""
    with wired(kind, address) as (taken, kept):
        for note in kept:
            with spoilt(note, how):
                for words in (["del", taken.guest.spec], ["del", taken.guest.spec, "--all"], replacing(taken)):
                    assert_refused(taken, note, *words)
                [wire] = listed(taken.host, taken.guest.spec)
                assert wire["ifname"] == "eth1"


@pytest.mark.parametrize("how", SPOILT)
@pytest.mark.parametrize(("kind", "address"), WIRES[:2])
def test_gc_refused(kind: str, address: str, how: str) -> None:
    """gc does not guess either: it names the note and what to do, exit 1, and changes nothing of its wire."""
    with wired(kind, address) as (taken, kept):
        for note in kept:
            with spoilt(note, how):
                assert_refused(taken, note, "gc")


def test_note_of_somebody_else() -> None:
    """A file there that is none of our notes is no obstacle, and stays."""
    with scene("bridge", "v4-gateway") as taken:
        before = taken.state()
        assert taken.host.pipework(*taken.words) == (0, "", "")
        foreign = [Path("/run/pipework", name) for name in ("README", "routes.x.eth1.json", "a.b")]
        for path in foreign:
            path.write_text("not ours")
        assert taken.host.pipework("del", taken.guest.spec) == (0, "", "")
        assert taken.host.pipework("gc").code == 0
        assert [path.read_text() for path in foreign] == ["not ours"] * 3
        for path in foreign:
            path.unlink()
        assert not taken.difference(before)


def test_wire_of_another_guest() -> None:
    """A note that cannot be understood stands in the way of its own wire only."""
    with (
        wired("bridge", "v4-gateway") as (taken, [note]),
        spoilt(note, "empty"),
        scene("macvlan", "v4-gateway") as other,
    ):
        assert other.host.pipework(*other.words) == (0, "", "")
        assert other.host.pipework("del", other.guest.spec) == (0, "", "")
        assert taken.guest.link("eth1") is not None

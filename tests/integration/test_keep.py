"""--keep: the line is kept with the wire, watch does it again at every start, and del forgets it."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Callable

import pytest

from pipework import kept
from pipework.commands.keeping import UNWATCHED
from tests.lab.command import COMMAND, run_pipework
from tests.lab.crowd import unfinished
from tests.lab.engine import Container, docker
from tests.lab.faults import NONE, breaking
from tests.lab.guest import HOST, SLOW, eventually, fresh_name
from tests.lab.host import Host, settle
from tests.lab.netns import NamedNamespace
from tests.lab.podman import PodmanContainer
from tests.lab.snapshot import Unchanged
from tests.lab.watched import watching

Namespaces = Callable[[], NamedNamespace]
FILE = Path(kept.FILE)
TOLD = f"pipework: {UNWATCHED}\n"


@pytest.fixture(autouse=True)
def no_lines() -> Iterator[None]:
    """No line is kept when a test begins."""
    yield
    if FILE.is_dir():
        FILE.rmdir()
    FILE.unlink(missing_ok=True)


def lines() -> list[str]:
    """The lines that are kept, without the comment above them."""
    return FILE.read_text().splitlines()[1:] if FILE.exists() else []


def test_kept_and_forgotten(host: Host, guest_ns: Namespaces) -> None:
    """One line for each link of a guest; with another address it is another; del forgets that of its link, or all."""
    one, two = guest_ns(), guest_ns()
    assert host.pipework("--keep", "br1", f"/run/netns/{one.name}", "10.1.1.1/24", "U:one") == (0, "", TOLD)
    first = f"pipework br1 netns:/run/netns/{one.name} 10.1.1.1/24 02:"
    assert lines()[0].startswith(first)
    assert (FILE.stat().st_mode & 0o777, FILE.read_text().splitlines()[0]) == (0o644, kept.HEAD.strip())
    assert host.pipework("--keep", "br1", "-i", "eth2", one.spec, "10.1.2.1/24").code == 0
    assert host.pipework("br1", two.spec, "10.1.1.2/24").code == 0
    assert len(lines()) == 2
    there = host.pipework("--keep", "br1", two.spec, "10.1.1.3/24")
    assert there.code == 1 and "To have its line kept, type it with --replace." in there.out
    assert host.pipework("--keep", "--replace", "br1", two.spec, "10.1.1.2/24").code == 0
    assert host.pipework("--keep", "--replace", "br1", one.spec, "10.1.1.9/24@10.1.1.254").code == 0
    assert lines() == [
        f"pipework br1 -i eth2 {one.spec} 10.1.2.1/24",
        f"pipework br1 {two.spec} 10.1.1.2/24",
        f"pipework br1 {one.spec} 10.1.1.9/24@10.1.1.254",
    ]
    FILE.write_text(f"# mine\n{FILE.read_text()}nonsense\n")
    assert host.pipework("del", one.spec) == (0, "", "")
    assert host.pipework("del", two.spec, "--all") == (0, "", "")
    assert FILE.read_text() == f"# mine\n{kept.HEAD}pipework br1 -i eth2 {one.spec} 10.1.2.1/24\nnonsense\n"
    one.run("ip", "link", "del", "eth2")
    assert host.pipework("del", one.spec, "-i", "eth2") == (0, "", "")
    assert FILE.read_text() == f"# mine\n{kept.HEAD}nonsense\n"
    assert "has nothing that pipework made" in host.pipework("del", one.spec, "--all").err


def test_apply_takes_the_file(host: Host, guest_ns: Namespaces) -> None:
    """What is kept is as asked; a file that does not name a wire has it forgotten, with --prune."""
    one, two = guest_ns(), guest_ns()
    for number, guest in enumerate((one, two), 1):
        assert host.pipework("--keep", "br1", guest.spec, f"10.1.1.{number}/24").code == 0
    assert host.pipework("apply", kept.FILE).out.startswith("2 lines: 2 as asked")
    argv = host.argv(*COMMAND, "apply", "--prune", "-")
    subprocess.run(argv, input=f"br1 {one.spec} 10.1.1.1/24", text=True, capture_output=True, check=True)
    assert lines() == [f"pipework br1 {one.spec} 10.1.1.1/24"]


@pytest.mark.docker
def test_wired_again(
    container: Callable[..., Container],
    podman: Callable[..., PodmanContainer],
    guest_ns: Namespaces,
    bridge: Callable[..., str],
) -> None:
    """watch does kept lines again, those of its beginning and later ones, in the place of names that were typed."""
    name, web, db, neighbour = bridge(), container(), podman(), guest_ns()
    assert run_pipework("--keep", name, web.id[:12], "10.1.1.1/24@10.1.1.254", "U:web") == (0, "", TOLD)
    with watching(words=("--allow", "eno1")) as watch:
        assert f"{kept.FILE}: 1 line\n" in watch.told()
        assert run_pipework("--keep", name, db.name, "10.1.1.2/24") == (0, "", "")
        assert watch.says(f"{kept.FILE}: 2 lines")
        docker("restart", "-t", "0", web.name)
        subprocess.run(["podman", "restart", "-t", "0", db.name], check=True, capture_output=True)
        assert watch.says(f"+ {name} docker:{web.name} 10.1.1.1/24@10.1.1.254 02:"), watch.told()
        assert watch.says(f"+ {name} podman:{db.name} 10.1.1.2/24"), watch.told()
        assert run_pipework("--keep", name, neighbour.spec, "10.1.1.3/24") == (0, "", "")
        assert watch.says(f"{kept.FILE}: 3 lines")
        assert eventually(lambda: neighbour.ping("10.1.1.1") and neighbour.ping("10.1.1.2")), watch.told()
        assert run_pipework("del", web.name).code == 0
        assert watch.says(f"{kept.FILE}: 2 lines", 2), watch.told()
        docker("restart", "-t", "0", web.name)
        assert run_pipework("--keep", name, guest_ns().spec, "10.1.1.4/24") == (0, "", "")
        assert watch.says(f"{kept.FILE}: 3 lines", 2)
        assert watch.told().count(f"docker:{web.name}") == 1, watch.told()
        assert "pipework: " not in watch.told(), watch.told()
        assert watch.end() == 0


def test_what_was_missed(guest_ns: Namespaces, bridge: Callable[..., str]) -> None:
    """A guest that is anew when watch begins, as after a reboot, is wired; a wrong line is told, with its place."""
    name, guest = bridge(), fresh_name("pwns")
    HOST.run("ip", "netns", "add", guest)
    try:
        assert run_pipework("--keep", name, f"netns:{guest}", "10.1.1.1/24") == (0, "", TOLD)
        HOST.run("ip", "netns", "del", guest)
        HOST.run("ip", "netns", "add", guest)
        line = f"{name} netns:{guest} 10.1.1.1/24"
        with watching(words=("--allow", "eno1")) as watch:
            assert watch.says(f"+ {line}"), watch.told()
            FILE.write_text(f"{FILE.read_text()}{name} {guest} 10.1.1.2\n")
            assert watch.says(f"pipework: {kept.FILE}:3: ADDRESS 10.1.1.2 has no netmask"), watch.told()
            assert watch.says("the lines stay as they were")
            assert run_pipework("del", f"netns:{guest}").code == 0
            assert lines() == [f"{name} {guest} 10.1.1.2"]
    finally:
        HOST.run("ip", "netns", "del", guest)


@pytest.mark.docker
def test_guest_that_is_gone(container: Callable[..., Container], bridge: Callable[..., str]) -> None:
    """del forgets the line of one that has stopped, or is not there any more, under each of its names; no other."""
    name, web, db = bridge(), container(), container()
    for number, guest in enumerate((web, db), 1):
        assert run_pipework("--keep", name, guest.name, f"10.1.1.{number}/24").code == 0
    docker("stop", "-t", "0", web.name, db.name)
    assert "is not running" in run_pipework("del", web.name, "-i", "eth7").err
    planned = run_pipework("--dry-run", "del", web.name)
    assert planned.code == 0 and "grep -vxF" in planned.out
    assert len(lines()) == 2
    assert run_pipework("del", web.name) == (0, "", "")
    assert lines() == [f"pipework {name} docker:{db.name} 10.1.1.2/24"]
    docker("rm", "-f", db.name)
    FILE.write_text(FILE.read_text() + f"{name} podman:{db.name} 10.1.1.3/24\n")
    unclear = run_pipework("del", db.name, "--all")
    assert f"{db.name} may be each of docker:{db.name}, podman:{db.name}" in unclear.err
    assert run_pipework("del", f"docker:{db.name}", "--if-exists") == (0, "", "")
    assert lines() == [f"{name} podman:{db.name} 10.1.1.3/24"]
    assert "no guest" in run_pipework("del", f"{db.name}x").err


@pytest.mark.docker
def test_name_that_begins_an_id(container: Callable[..., Container], bridge: Callable[..., str]) -> None:
    """A container of a name with which the id of another begins keeps its line when the other's goes."""
    name, web = bridge(), container()
    other = container(name=web.id[:6])
    for number, guest in enumerate((web, other), 1):
        assert run_pipework("--keep", name, guest.name, f"10.1.1.{number}/24").code == 0
    assert run_pipework("del", web.name) == (0, "", "")
    assert lines() == [f"pipework {name} docker:{other.name} 10.1.1.2/24"]


WRONG = [
    ("pid:{pid}", "10.1.1.1/24", "GUEST pid:{pid} is another at its next start, so the line cannot be kept"),
    ("/proc/{pid}/ns/net", "10.1.1.1/24", "GUEST /proc/{pid}/ns/net is another at its next start"),
    ("{spec}", "udhcpc-f:-f", "ADDRESS udhcpc-f:-f holds the terminal"),
]


@pytest.mark.parametrize(("name", "address", "told"), WRONG)
def test_what_cannot_be_kept(host: Host, guest_ns: Namespaces, name: str, address: str, told: str) -> None:
    """It is refused, and nothing is wired."""
    guest = guest_ns()
    with subprocess.Popen(["ip", "netns", "exec", guest.name, "sleep", "100"]) as process:
        assert eventually(lambda: os.stat(f"/proc/{process.pid}/ns/net").st_ino == os.stat(guest.namespace).st_ino)
        watched = Unchanged(host), Unchanged(guest)
        words = {"pid": process.pid, "spec": guest.spec}
        refused = host.pipework("--keep", "br1", name.format(**words), address)
        process.kill()
        assert (refused.code, refused.out) == (1, "")
        assert told.format(**words) in refused.err
        for each in watched:
            each.check()
    assert not FILE.exists()


def test_file_that_cannot_be_changed(host: Host, guest_ns: Namespaces) -> None:
    """What is wired is taken back when the line cannot be kept, and a wire stays whose line cannot be forgotten."""
    guest = guest_ns()
    FILE.mkdir()
    watched = Unchanged(host), Unchanged(guest)
    refused = host.pipework("--keep", "br1", guest.spec, "10.1.1.1/24")
    assert (refused.code, refused.out) == (1, "")
    assert f"cannot read {kept.FILE}: Is a directory" in refused.err
    for each in watched:
        each.check()
    FILE.rmdir()
    assert host.pipework("--keep", "br1", guest.spec, "10.1.1.1/24").code == 0
    settle(host, guest)
    watched = Unchanged(host), Unchanged(guest)
    before = FILE.read_text()
    draft = FILE.with_suffix(".new")
    FILE.write_text(f"{before}# more\n")
    draft.mkdir()
    try:
        refused = host.pipework("del", guest.spec)
    finally:
        draft.rmdir()
    assert (refused.code, f"cannot write {kept.FILE}: Is a directory" in refused.err) == (1, True), refused
    assert FILE.read_text() == f"{before}# more\n"
    for each in watched:
        each.check()


def test_many_at_once(host: Host, guest_ns: Namespaces) -> None:
    """No line is lost where several are kept, and forgotten, at the same time."""
    guests = [guest_ns() for _ in range(8)]
    for words in (["--keep", "br1"], ["del"]):
        tail = [["10.1.1.1/24"] if "br1" in words else [] for _ in guests]
        argv = [host.argv(*COMMAND, *words, guest.spec, *more) for guest, more in zip(guests, tail)]
        running = [subprocess.Popen(one, stderr=subprocess.DEVNULL) for one in argv]
        assert [process.wait(60 * SLOW) for process in running] == [0] * 8
        asked = sorted(f"pipework br1 {guest.spec} 10.1.1.1/24" for guest in guests) if "br1" in words else []
        assert sorted(lines()) == asked


def test_dry_run_can_be_typed(host: Host, guest_ns: Namespaces) -> None:
    """What --dry-run prints keeps the same lines, and forgets them."""
    guest = guest_ns()
    host.run("ip", "link", "add", "br1", "up", "type", "bridge")
    assert host.pipework("--keep", "br1", "-i", "eth2", guest.spec, "10.1.2.1/24").code == 0
    made = host.pipework("--dry-run", "--keep", "br1", guest.spec, "10.1.1.1/24").out
    host.run("sh", "-ec", made)
    assert lines()[1:] == [f"pipework br1 {guest.spec} 10.1.1.1/24"]
    assert guest.link("eth1")
    host.run("sh", "-ec", host.pipework("--dry-run", "del", guest.spec, "--all").out)
    assert lines() == [] and not guest.link("eth1") and not guest.link("eth2")


@pytest.mark.parametrize("fault", ["refuse-change", "break", "INT", "KILL"])
def test_broken_at_any_step(host: Host, guest_ns: Namespaces, fault: str) -> None:
    """Line and wire are both there, or neither, and the same command again does what was left to do."""
    guest = guest_ns()
    host.run("ip", "link", "add", "br1", "up", "type", "bridge")
    words = ["br1", guest.spec, "10.1.1.1/24"]
    line = [f"pipework {' '.join(words)}"]
    with breaking(host.argv()) as run:
        for asked, before, again in (
            (["--keep", *words], ["del", "--if-exists", guest.spec], ["--keep", "--replace", *words]),
            (["del", guest.spec], ["--keep", "--replace", *words], ["del", "--if-exists", guest.spec]),
        ):
            number, is_wired = 0, asked[0] == "--keep"
            while True:
                number += 1
                assert run(NONE, 0, before).code == 0
                broken = run(fault, number, asked)
                if not broken.step:
                    assert (bool(guest.link("eth1")), lines()) == (is_wired, line if is_wired else [])
                    break
                if fault != "KILL":
                    became = is_wired != bool(broken.code)  # a signal that comes late ends what cannot be undone
                    assert (bool(guest.link("eth1")), lines()) == (became, line if became else []), broken
                    assert broken.code or fault == "INT", broken
                    assert unfinished(host, guest) == [], broken
                done = run(NONE, 0, again)
                assert done.code == 0, (broken, done)
                assert (bool(guest.link("eth1")), lines()) == (is_wired, line if is_wired else []), broken

"""Notes follow the link that they are of, whatever the guest calls it, and one that cannot be read loses nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Callable

import pytest

from tests.integration.test_del import assert_as_before, bring_online, on_bridge
from tests.integration.test_gc import cookie, notes
from tests.lab.guest import Guest
from tests.lab.host import Host, settle
from tests.lab.netns import NamedNamespace, Nic
from tests.lab.snapshot import snapshot

Namespaces = Callable[[], NamedNamespace]
Nics = Callable[..., Nic]
NOTES = Path("/run/pipework")
WORDS = {"bridge": ["br0"], "macvlan": ["NIC"], "nic": ["--direct-phys", "NIC"]}


def rename(guest: Guest, old: str, new: str) -> None:
    """Let the guest call a link something else, which costs the link its routes."""
    for line in (f"link set {old} down", f"link set {old} name {new}", f"link set {new} up"):
        guest.run("ip", *line.split())


@pytest.mark.parametrize("words", [["-i", "lan0"], ["--all"]], ids=["by-name", "all"])
@pytest.mark.parametrize("kind", WORDS)
def test_renamed(kind: str, words: list[str], host: Host, host_nic: Nics, guest_ns: Namespaces) -> None:
    """An interface that the guest has renamed is listed under its new name, and taken back with what it replaced."""
    guest, nic = guest_ns(), host_nic()
    on_bridge(host)
    bring_online(guest)
    host.run("ip", "addr", "add", "192.168.77.2/24", "dev", nic.name)
    settle(host, guest)
    before, inside = snapshot(host), snapshot(guest)
    line = [nic.name if word == "NIC" else word for word in WORDS[kind]]
    assert host.pipework(*line, guest.spec, "192.168.77.9/24@192.168.77.1") == (0, "", "")
    rename(guest, "eth1", "lan0")
    listed = [row.split()[:3] for row in host.pipework("ls", guest.spec).out.splitlines()[1:]]
    assert listed == [[f"netns:{guest.name}", "lan0", kind]]
    assert "no eth1 that pipework made" in host.pipework("del", guest.spec, "-i", "eth1").err
    assert host.pipework("del", guest.spec, *words) == (0, "", "")
    assert notes(cookie(guest)) == []
    assert_as_before(host, before)
    assert_as_before(guest, inside)


@pytest.mark.parametrize(
    ("contents", "told"),
    [
        ("", "cannot be read"),
        ('{"mac"', "cannot be read"),
        ("[]", "cannot be read"),
        ('{"version": 2}', "cannot be read"),
        ('{"version": 99, "mac": ""}', "of version 99"),
    ],
)
def test_note_that_cannot_be_read(contents: str, told: str, host: Host, guest_ns: Namespaces) -> None:
    """A note that nobody can read is refused with its path and what to do, nothing is changed; ls goes on working."""
    guest = guest_ns()
    on_bridge(host)
    bring_online(guest)
    assert host.pipework("br0", guest.spec, "192.168.77.9/24@192.168.77.1") == (0, "", "")
    [name] = notes(cookie(guest))
    (NOTES / name).write_text(contents)
    settle(host, guest)
    before, inside = snapshot(host), snapshot(guest)
    try:
        for words in (["del", guest.spec], ["gc"], ["--replace", "br0", guest.spec, "192.168.77.8/24"]):
            done = host.pipework(*words)
            assert (done.code, done.out) == (1, "")
            assert f"{NOTES / name} " in done.err
            assert told in done.err
            assert "rm " in done.err
        assert "eth1" in host.pipework("ls", guest.spec).out
        assert_as_before(host, before)
        assert_as_before(guest, inside)
    finally:
        (NOTES / name).unlink()

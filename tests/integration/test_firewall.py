"""Frames pass where that is pipework's to see to; else it says who drops them and what to type; it opens no more."""

from __future__ import annotations

import pytest

from tests.lab.filtered import ADDRESSES, ADDRESSES6, Namespaces, advice, flows, plugged, rules, run_on, states, wired
from tests.lab.firewalls import BRIDGE, CLOSED, DOCKER, SHAPES, Shape, both
from tests.lab.host import Host, settle
from tests.lab.kept import collected
from tests.lab.snapshot import wait_for_the_ended
from tests.lab.tcp import reaches


@pytest.mark.parametrize("addresses", [ADDRESSES, ADDRESSES6], ids=["IPv4", "IPv6"])
@pytest.mark.parametrize("shape", SHAPES, ids=[shape.name for shape in SHAPES])
def test_success_means_that_frames_pass(
    bare: Host, guest_ns: Namespaces, shape: Shape, addresses: tuple[str, ...]
) -> None:
    """Two guests reach each other at once and nothing is said; or what is said lets them, once it is typed."""
    run_on(bare, shape.make)
    bare.hidden = shape.hidden
    before, guests = rules(bare), [guest_ns(), guest_ns()]
    done = wired(bare, guests, addresses)
    if shape.later:
        run_on(bare, shape.later)
    settle(*guests)
    if shape.flows:
        assert [result[:] for result in done] == [(0, "", ""), (0, "", "")]
    else:
        typed = {advice(result) for result in done}
        assert not flows(guests, addresses, wait=1), typed
        assert states(bare) == ["filtered", "filtered"]
        again = bare.pipework("--replace", BRIDGE, guests[0].spec, addresses[0])
        assert advice(again) in typed
        if shape.name.startswith(("ufw", "firewalld")):
            return  # whose commands are not here
        if any(line.startswith("apt-get install ") for line in typed):
            return  # which says what to type then
        for line in typed:
            run_on(bare, line)
    assert flows(guests, addresses)
    assert states(bare) == ["up", "up"]
    assert bare.pipework("--replace", BRIDGE, guests[0].spec, addresses[0]) == (0, "", "")
    if shape.flows:
        for guest in guests:
            assert bare.pipework("del", guest.spec).code == 0
        assert rules(bare) == before


@pytest.mark.parametrize("shape", CLOSED, ids=[shape.name for shape in CLOSED])
def test_what_is_closed_stays_closed(bare: Host, guest_ns: Namespaces, shape: Shape) -> None:
    """What somebody has decided for a bridge or a guest stays decided, and the guest that it is about is told."""
    run_on(bare, shape.make)
    before, guests = rules(bare), [guest_ns(), guest_ns()]
    told, _ = wired(bare, guests, ADDRESSES)
    assert advice(told)
    settle(*guests)
    assert not flows(guests, ADDRESSES, wait=1)
    assert "filtered" in states(bare)
    for guest in guests:
        assert bare.pipework("del", guest.spec).code == 0
    assert rules(bare) == before


def test_others_on_the_bridge_stay_apart(bare: Host, guest_ns: Namespaces) -> None:
    """Only the guest's own port gets a way where others are on the bridge that could not reach each other."""
    run_on(bare, DOCKER)
    bare.run("ip", "link", "add", BRIDGE, "type", "bridge")
    bare.run("ip", "link", "set", BRIDGE, "up")
    others, ours = [guest_ns(), guest_ns()], [guest_ns(), guest_ns()]
    theirs = ("10.1.1.11/24", "10.1.1.12/24")
    for number, (guest, address) in enumerate(zip(others, theirs)):
        plugged(bare, guest, f"vm{number}", address)
    before = rules(bare)
    assert [done[:] for done in wired(bare, ours, ADDRESSES)] == [(0, "", "")] * 2
    settle(*others, *ours)
    assert flows(ours, ADDRESSES)
    assert flows([ours[0], others[0]], (ADDRESSES[0], theirs[0]))
    assert not reaches(others[0], others[1], "10.1.1.12", wait=1)
    for words in ([], ["-l", "another"], []):  # the way of a port that is replaced is the next one's, whatever its name
        for address in ("10.1.1.3/24", ADDRESSES[0]):
            assert bare.pipework("--replace", BRIDGE, *words, ours[0].spec, address) == (0, "", "")
            settle(*ours)
            assert states(bare) == ["up", "up"]
            assert flows(ours, (address, ADDRESSES[1]))
            assert bare.run("iptables", "-S", "DOCKER-USER").count("--physdev") == 4
    assert bare.pipework("del", ours[0].spec).code == 0
    assert bare.run("iptables", "-S", "DOCKER-USER").count("--physdev") == 2
    assert bare.pipework("del", ours[1].spec).code == 0
    assert rules(bare) == before


def test_replace_heals_what_came_later(bare: Host, guest_ns: Namespaces) -> None:
    """A wire that was there before the engine is seen to be filtered, and --replace lets its frames pass."""
    guests = [guest_ns(), guest_ns()]
    assert [done[:] for done in wired(bare, guests, ADDRESSES)] == [(0, "", "")] * 2
    run_on(bare, DOCKER)
    settle(*guests)
    assert states(bare) == ["filtered", "filtered"]
    assert not flows(guests, ADDRESSES, wait=1)
    assert [done[:] for done in wired(bare, guests, ADDRESSES, "--replace")] == [(0, "", "")] * 2
    assert flows(guests, ADDRESSES)
    assert states(bare) == ["up", "up"]


def test_gc_collects_the_rules_of_a_port(bare: Host, guest_ns: Namespaces) -> None:
    """The rules of a port whose guest has gone go, while the bridge has other guests."""
    run_on(bare, DOCKER)
    bare.run("ip", "link", "add", BRIDGE, "type", "bridge")
    for name in ("vm0", "vm1"):
        bare.run("ip", "link", "add", name, "master", BRIDGE, "type", "veth")
    gone, stays = guest_ns(), guest_ns()
    wired(bare, [gone, stays], ADDRESSES)
    bare.run("ip", "netns", "del", gone.name)
    wait_for_the_ended()
    kept = [line for line in bare.run("iptables", "-S", "DOCKER-USER").splitlines() if "physdev" in line][:2]
    done = bare.pipework("gc")
    assert done.code == 0
    assert "which is no port of" in done.out
    left = [line for line in bare.run("iptables", "-S", "DOCKER-USER").splitlines() if "physdev" in line]
    assert len(left) == 2
    assert left != kept
    assert collected(bare.pipework) == []


def test_rehearsal_tells_it_as_a_comment(bare: Host, guest_ns: Namespaces) -> None:
    """What --dry-run prints can be run: that frames will be dropped stands in it as a comment."""
    run_on(bare, both("$t -P FORWARD DROP"))
    done = bare.pipework("--dry-run", BRIDGE, guest_ns().spec, ADDRESSES[0])
    assert (done.code, done.err) == (0, "")
    comments = [line for line in done.out.splitlines() if line.startswith("# ")]
    let = "-I FORWARD -i br1 -o br1 -j ACCEPT"
    assert [line.rpartition("; type: ")[2] for line in comments] == [f"iptables {let}; ip6tables {let}"]


def test_opting_out_is_silent(bare: Host, guest_ns: Namespaces) -> None:
    """PIPEWORK_FIREWALL=off says nothing and asks nothing."""
    run_on(bare, both("$t -P FORWARD DROP"))
    done = bare.pipework(BRIDGE, guest_ns().spec, ADDRESSES[0], env={"PIPEWORK_FIREWALL": "off"})
    assert done == (0, "", "")

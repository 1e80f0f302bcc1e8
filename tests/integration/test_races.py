"""Many commands at once: none is lost, none lands in a wrong place, the one that may win wins alone."""

from __future__ import annotations

import json
import os
import random
import subprocess
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Callable

import pytest

from tests.lab.crowd import at_once, end, links_among_names, lock_is_free, ports, start, unfinished
from tests.lab.engine import Container, docker
from tests.lab.guest import HOST, eventually
from tests.lab.host import Host
from tests.lab.lxc import LxcContainer
from tests.lab.netns import NamedNamespace, Nic, named_namespace
from tests.lab.one_engine import engine_telling
from tests.lab.refusal import clear_refusal, refused_untouched
from tests.lab.snapshot import Unchanged
from tests.lab.switch_host import switch_host

Namespaces = Callable[[], NamedNamespace]
Nics = Callable[..., Nic]

CROWD = int(os.environ.get("PIPEWORK_LAB_CROWD", "30"))  # commands at once


@pytest.fixture(autouse=True)
def nothing_leaked() -> Iterator[None]:
    """After each of these tests the lock can be had, and no name of a namespace is left."""
    before = links_among_names()
    yield
    assert lock_is_free()
    assert links_among_names() <= before


@contextmanager
def namespaces(count: int) -> Iterator[list[NamedNamespace]]:
    """That many guests."""
    with ExitStack() as made:
        yield [made.enter_context(named_namespace()) for _ in range(count)]


def test_new_bridge(host: Host) -> None:
    """Of many commands that find no bridge one makes it, and all plug into it: each guest has its own address."""
    with namespaces(CROWD) as guests:
        lines = [["br0", guest.spec, f"10.9.0.{number}/24"] for number, guest in enumerate(guests, 1)]
        assert at_once(host, lines) == [(0, "", "")] * CROWD
        assert [guest.addresses("eth1") for guest in guests] == [[line[2]] for line in lines]
        assert len(ports(host, "br0")) == CROWD
        assert host.run("iptables", "-S").count("pipework: br0") == 1
        assert unfinished(host, *guests) == []
        assert guests[0].ping(f"10.9.0.{CROWD}")


def test_switch() -> None:
    """Many commands at once on one Open vSwitch bridge: every port is there, with its own tag."""
    with switch_host() as switched, namespaces(8) as guests:
        bridge = switched.add_bridge()
        words = [[bridge, guest.spec, "0/0", f"@{100 + number}"] for number, guest in enumerate(guests)]
        assert at_once(switched.host, words) == [(0, "", "")] * len(words)
        names = switched.vsctl("list-ports", bridge).split()
        tags = [int(switched.vsctl("get", "port", name, "tag")) for name in names]
        assert sorted(tags) == [*range(100, 100 + len(words))]
        assert all(guest.link("eth1") for guest in guests)


def test_many_names(host: Host, guest_ns: Namespaces) -> None:
    """Many commands at once give one guest as many interfaces, each with its own address and host's end."""
    guest = guest_ns()
    names = [f"net{number}" for number in range(CROWD)]
    lines = [["br0", "-i", name, guest.spec, f"10.9.{number}.1/24"] for number, name in enumerate(names)]
    assert at_once(host, lines) == [(0, "", "")] * CROWD
    assert [guest.addresses(name) for name in names] == [[line[4]] for line in lines]
    assert len(ports(host, "br0")) == CROWD
    assert unfinished(host, guest) == []


@pytest.mark.parametrize("kind", ["bridge", "macvlan", "direct"])
def test_one_name(host: Host, host_nic: Nics, guest_ns: Namespaces, kind: str) -> None:
    """Of many commands for one interface exactly one wins, which keeps what it asked for; the others say why not."""
    guest, nic = guest_ns(), host_nic()
    hostif = {"bridge": ["br0"], "macvlan": [nic.name], "direct": ["--direct-phys", nic.name]}[kind]
    addresses = [f"10.9.0.{number}/24" for number in range(1, CROWD + 1)]
    done = at_once(host, [[*hostif, guest.spec, address] for address in addresses])
    won = [address for address, result in zip(addresses, done) if result == (0, "", "")]
    lost = [result for result in done if result.code]
    assert (len(won), len(lost)) == (1, CROWD - 1)
    why = {
        "bridge": ["exists and is up"],
        "macvlan": ["RTNETLINK answers: File exists"],
        "direct": [nic.name, "exists and is up"],
    }[kind]
    assert [result for result in lost if not clear_refusal(result)] == []
    assert [said for said in (result.out + result.err for result in lost) if not any(w in said for w in why)] == []
    assert guest.addresses("eth1") == won
    assert unfinished(host, guest) == []
    if kind == "bridge":
        assert len(ports(host, "br0")) == 1


def test_nic_on_its_way(host: Host, host_nic: Nics, guest_ns: Namespaces) -> None:
    """A NIC that one command has handed over but not finished with is left alone by the same command and by gc."""
    guest, nic = guest_ns(), host_nic()
    before = Unchanged(host)
    guest.run("sysctl", "-qw", "net.ipv6.conf.default.dad_transmits=60")
    running = start(host, "--direct-phys", nic.name, guest.spec, "fd00:1::8/64")
    assert eventually(lambda: guest.run("ip", "-6", "addr", "show", "dev", "eth1", "tentative", check=False))
    again = host.pipework("--direct-phys", nic.name, guest.spec, "fd00:1::8/64")
    assert clear_refusal(again)
    assert nic.name in again.err
    assert host.pipework("gc").code == 0
    assert guest.link("eth1") is not None
    running.terminate()
    assert end(running).code in (143, 1)  # its patience with the network may have ended before
    before.check()


def test_guests_die_meanwhile(host: Host) -> None:
    """Guests that go while they are wired take their wire along; those that stay are wired as asked, and no others."""
    chance = random.Random(7)
    with namespaces(CROWD) as guests:
        dying = guests[::2]
        running = []
        for number, guest in enumerate(guests, 1):
            running.append(start(host, "br0", guest.spec, f"10.9.0.{number}/24"))
            if guest in dying:
                wait = chance.uniform(0, 1.5)
                killer = threading.Timer(wait, HOST.run, ("ip", "netns", "del", guest.name))
                killer.start()
        done = [end(command) for command in running]
        assert eventually(lambda: not any(os.path.exists(str(guest.namespace)) for guest in dying))
        for number, (guest, result) in enumerate(zip(guests, done), 1):
            if guest in dying:
                assert result == (0, "", "") or clear_refusal(result), result
            else:
                assert result == (0, "", "")
                assert guest.addresses("eth1") == [f"10.9.0.{number}/24"]
        assert eventually(lambda: len(ports(host, "br0")) == CROWD - len(dying)), ports(host, "br0")
        living = [guest for guest in guests if guest not in dying]
        assert eventually(lambda: unfinished(host, *living) == []), unfinished(host, *living)


@pytest.mark.docker
def test_containers_die_meanwhile(host: Host, container: Callable[..., Container]) -> None:
    """A container that is killed while it is wired leaves no port, or is refused by name; the others are wired."""
    guests = [container() for _ in range(8)]
    lines = [["br0", guest.name, f"10.9.0.{number}/24"] for number, guest in enumerate(guests, 1)]
    with ExitStack() as killers:
        running = []
        for guest, words in zip(guests, lines):
            running.append(start(host, *words))
            if guest in guests[::2]:
                killers.enter_context(subprocess.Popen(["docker", "kill", guest.name], stdout=subprocess.DEVNULL))
        done = [end(command) for command in running]
    for guest, words, result in zip(guests, lines, done):
        if guest in guests[::2]:
            assert result == (0, "", "") or (clear_refusal(result) and guest.name in result.err), result
        else:
            assert result == (0, "", "")
            assert guest.addresses("eth1") == [words[2]]
    living = sorted(f"veth1pl{guest.pid}" for guest in guests[1::2])
    assert eventually(lambda: ports(host, "br0") == living), ports(host, "br0")


def test_coming_and_going(host: Host) -> None:
    """While some guests are wired and others taken back, the rule that lets a bridge's frames pass never gets lost."""
    with namespaces(12) as guests:
        coming, going = guests[:6], guests[6:]
        for guest in going:
            assert host.pipework("br0", guest.spec, "0/0") == (0, "", "")
        lines = []
        for number, (one, other) in enumerate(zip(coming, going), 1):
            lines += [["del", other.spec], ["br0", one.spec, f"10.9.0.{number}/24"]]
        assert at_once(host, lines) == [(0, "", "")] * len(lines)
        assert len(ports(host, "br0")) == len(coming)
        assert [guest.link("eth1") for guest in going] == [None] * len(going)
        assert host.run("iptables", "-S").count("pipework: br0") == 1
        assert coming[0].ping("10.9.0.6")
        assert at_once(host, [["del", guest.spec] for guest in coming]) == [(0, "", "")] * len(coming)
        assert host.run("iptables", "-S").count("pipework: br0") == 0


@pytest.mark.docker
def test_number_of_another_container(host: Host, container: Callable[..., Container], tmp_path: Path) -> None:
    """A number that has become another container's between question and use is noticed, and that one left alone."""
    ended, other = container(), container()
    told = json.loads(docker("inspect", ended.name))[0]
    told["State"]["Pid"] = other.pid
    with engine_telling(tmp_path, told) as env:
        said = refused_untouched(host, other, ["br0", ended.name, "10.9.0.1/24"], env)
        assert f"container {ended.name} has ended while pipework looked at it" in said
        told["State"]["Pid"] = ended.pid
        assert host.pipework("br0", ended.name, "10.9.0.1/24", env=env) == (0, "", "")
    assert ended.addresses("eth1") == ["10.9.0.1/24"]


def test_number_of_another_lxc_container(lxc: Callable[..., LxcContainer], host: Host, tmp_path: Path) -> None:
    """LXC is asked again once the namespace is held: a container that has got another process meanwhile is refused."""
    first, second = lxc(), lxc()
    program = tmp_path / "lxc-info"
    program.write_text(
        f"#!/bin/sh\necho State: RUNNING\n"
        f"if mkdir {tmp_path}/asked 2>/dev/null; then echo PID: {first.pid}; else echo PID: {second.pid}; fi\n"
    )
    program.chmod(0o755)
    env = {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    said = refused_untouched(host, first, ["br0", f"lxc:{first.name}", "10.9.0.1/24"], env)
    assert "has ended while pipework looked at it" in said

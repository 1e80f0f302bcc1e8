"""OVN over several hosts: who is faster, what becomes of it when a part ends, and who reaches whom."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import product
from select import select
from signal import SIGCONT, SIGSTOP
from threading import Thread
from time import monotonic
from typing import Any, NamedTuple

import pytest

from tests.lab.command import Result
from tests.lab.guest import HOST, SLOW, Guest, eventually, fresh_name
from tests.lab.lost_answer import losing_answer
from tests.lab.netns import NamedNamespace, named_namespace
from tests.lab.ovn import Centre, OvnHost, centre, ovn_host
from tests.lab.tcp import reaches

SOON = 10 * SLOW  # seconds for a refusal of a command that has waited for the database
DATABASE = "OVN's northbound database"
ROUNDS = 50  # of a race


class Network(NamedTuple):
    """Hosts, a guest for each, and their centre."""

    hosts: list[OvnHost]
    guests: list[NamedNamespace]
    centre: Centre


@contextmanager
def network(hosts: int = 2, members: int = 1) -> Iterator[Network]:
    """A network of hosts that is this test's own."""
    with ExitStack() as stack:
        of = stack.enter_context(centre(members))
        there = [stack.enter_context(ovn_host(of, number + 1)) for number in range(hosts)]
        yield Network(there, [stack.enter_context(named_namespace()) for _ in there], of)


@pytest.fixture(scope="module")
def shared() -> Iterator[Network]:
    """Two hosts, for tests that break nothing and take back what they wire."""
    with network() as made:
        yield made


@pytest.fixture
def pair() -> Iterator[Network]:
    """Two hosts of this test's own."""
    with network() as made:
        yield made


def links(host: OvnHost, guest: Guest) -> Any:
    """The links of a host and its guest with their addresses, and the notes."""
    seen = [
        {(one["ifname"], *(info["local"] for info in one["addr_info"] if info["scope"] != "link"))}
        for there in (host.host, guest)
        for one in there.ip("-j", "addr")
        if not one["ifname"].startswith("genev")  # of the switch's tunnels, which come with the first
    ]
    return seen, sorted(file.name for file in host.run_folder.rglob("*") if file.name != "lock")


def state(host: OvnHost, guest: Guest) -> Any:
    """What a command may have changed, ports here and at the centre included."""
    return links(host, guest), host.rows()


def at_once(there: Network, *lines: tuple[str, ...]) -> list[Result]:
    """Run a command on each host, started at the same time."""
    running = [host.start_pipework(*words) for host, words in zip(there.hosts, lines)]
    said = [one.communicate(timeout=180 * SLOW) for one in running]
    return [Result(one.returncode, *told) for one, told in zip(running, said)]


def race(there: Network, addresses: tuple[str, str]) -> list[int]:
    """Have both hosts attach their guest to a new switch at once; who has won, once it has left again."""
    switch = fresh_name("sw")
    before = [links(host, guest) for host, guest in zip(there.hosts, there.guests)]
    done = at_once(there, *((f"ovn:{switch}", guest.spec, ip) for guest, ip in zip(there.guests, addresses)))
    rows = json.loads(there.centre.nbctl("--format=json", "find", "Logical_Switch", f"name={switch}"))["data"]
    assert len(rows) == 1, (done, rows)
    won = [number for number, one in enumerate(done) if one.code == 0]
    shared = addresses[0].rpartition(",")[2].partition("/")[0]
    for number, (host, guest) in enumerate(zip(there.hosts, there.guests)):
        other = there.guests[1 - number].spec.partition(":")[2]
        if number in won:
            assert done[number] == (0, "", "")
            assert host.pipework("del", guest.spec) == (0, "", "")
        else:
            assert (done[number].code, done[number].out) == (1, "")
            assert f"{shared} is on ovn:{switch} already: {other} on host{2 - number}\n" in done[number].err, done
        assert links(host, guest) == before[number]
        assert not any(port.startswith("v") for port in host.vsctl("list-ports", "br-int").split())
    assert there.centre.ports() == []
    there.centre.nbctl("ls-del", switch)
    return won


def test_race_for_an_address(shared: Network) -> None:
    """Of two hosts that ask for one address of a new switch at once exactly one gets it, and there is one switch."""
    won = [race(shared, ("10.7.1.9/24", "10.7.1.9/24")) for _ in range(ROUNDS)]
    assert all(len(one) == 1 for one in won), won


def test_race_for_a_second_address(shared: Network) -> None:
    """Nor have two guests one address where each asks for another one besides."""
    won = [race(shared, ("10.7.1.1/24,10.7.1.9/24", "10.7.1.2/24,10.7.1.9/24")) for _ in range(ROUNDS // 5)]
    assert all(len(one) < 2 for one in won), won


def assert_refused(done: Result, *told: str) -> None:
    """It must have said no in two lines: what, and what to type."""
    assert (done.code, done.out) == (1, ""), done
    assert len(done.err.splitlines()) == 2, done
    assert "Traceback" not in done.err
    for words in told:
        assert words in done.err, done


def put(host: OvnHost, guest: NamedNamespace, *words: str, env: dict[str, str] | None = None) -> None:
    """Attach a guest, which must work."""
    assert host.pipework(words[0], guest.spec, *words[1:], env=env) == (0, "", "")


ASKED = {
    "question": ("*find*Logical_Switch*", "before"),
    "before-switch": ("*create*Logical_Switch*", "before"),
    "after-switch": ("*create*Logical_Switch*", "after"),
    "before-port": ("*lsp-add*", "before"),
    "after-port": ("*lsp-add*", "after"),
}


@pytest.mark.parametrize("step", ASKED)
def test_database_restarts(shared: Network, step: str) -> None:
    """Where the database is killed under a command and comes back, that works or is as if it had never run."""
    (host, _), (guest, _), of = shared
    pattern, when = ASKED[step]
    before = state(host, guest)
    pid = of.running["nb"].pid
    killing = f"[ -e {of.place}/{step} ] || {{ touch {of.place}/{step}; kill -9 {pid}; }}"
    reviving = Thread(target=of.restart, args=("nb",))
    reviving.start()
    done = host.pipework(f"ovn:{step}", guest.spec, "10.7.1.1/24", env=host.meddling(pattern, **{when: killing}))
    reviving.join()
    if done.code == 0:
        assert len(of.ports()) == 1
        assert host.pipework("del", guest.spec) == (0, "", "")
    else:
        assert_refused(done, DATABASE)
    assert state(host, guest) == before


def test_answer_is_lost(shared: Network) -> None:
    """Where a database has made a port and its answer does not arrive, the attach goes on with the next server of the
    cluster, where it finds its own port; where there is no other it is refused, and the port goes.
    """
    (host, _), (guest, _), of = shared
    before = state(host, guest)
    change = b'"method":"transact".*"op":"insert".*"table":"Logical_Switch_Port"'
    for number, way in enumerate((of.place / "one", of.place / "two")):
        with losing_answer(of.place / "nb.sock", way, change) as lost:
            env = {"OVN_NB_DB": ",".join([f"unix:{way}"] * (number + 1))}
            done = host.pipework("ovn:blue", guest.spec, "10.7.1.1/24", env=env)
            assert lost
        if number:
            assert done == (0, "", "")
            assert host.pipework("del", guest.spec) == (0, "", "")
        else:
            assert_refused(done, DATABASE)
        assert state(host, guest) == before


def test_database_stays_away(pair: Network) -> None:
    """Where the database does not come back a command is refused within seconds, and nothing has changed."""
    (host, _), (guest, _), of = pair
    before = state(host, guest)
    of.stop("nb", kill=True)
    began = monotonic()
    done = host.pipework("ovn:blue", guest.spec, "10.7.1.1/24")
    assert monotonic() - began < SOON
    assert_refused(done, DATABASE)
    of.start("nb")
    assert state(host, guest) == before
    put(host, guest, "ovn:blue", "10.7.1.1/24")


def test_leader_is_killed() -> None:
    """Of a cluster of three databases the leader may be killed just before an attach."""
    with network(1, members=3) as there:
        (host,), (guest,), of = there
        assert eventually(of.leader)
        of.stop(of.leader(), kill=True)
        put(host, guest, "ovn:blue", "10.7.1.1/24")
        assert len(of.ports()) == 1
        assert host.pipework("del", guest.spec) == (0, "", "")
        assert of.ports() == []


@pytest.mark.parametrize("kill", [False, True])
def test_controller_is_gone(pair: Network, kill: bool) -> None:
    """Without its controller a host wires nobody, and says what to look at."""
    (host, _), (guest, _), _ = pair
    before = state(host, guest)
    host.stop_controller(kill)
    assert_refused(host.pipework("ovn:blue", guest.spec, "10.7.1.1/24"), "systemctl status ovn-controller")
    assert state(host, guest) == before
    host.start_controller()
    put(host, guest, "ovn:blue", "10.7.1.1/24")


def test_controller_stops_meanwhile(pair: Network) -> None:
    """A controller that stops once a command has begun lets that fail within a minute or so, and leaves nothing."""
    (host, _), (guest, _), _ = pair
    before = state(host, guest)
    began = monotonic()
    env = host.meddling("*lsp-add*", before=f"kill -STOP {host.controller.pid}")
    done = host.pipework("ovn:blue", guest.spec, "10.7.1.1/24", env=env)
    assert monotonic() - began < 9 * SOON
    host.controller.send_signal(SIGCONT)
    assert_refused(done, "ovn-appctl -t ovn-controller connection-status")
    assert state(host, guest) == before


def test_controller_is_busy(pair: Network) -> None:
    """A controller that answers nobody for a while, as among thousands of ports, is waited for."""
    (host, _), (guest, _), of = pair
    host.controller.send_signal(SIGSTOP)
    running = host.start_pipework("ovn:blue", guest.spec, "10.7.1.1/24")
    assert eventually(of.ports)
    host.controller.send_signal(SIGCONT)
    assert running.communicate(timeout=180 * SLOW) == ("", "") and running.returncode == 0


def test_host_is_killed(pair: Network) -> None:
    """The addresses of a host that has died stay taken until somebody says that it will not come back."""
    (dead, host), (lost, guest), of = pair
    put(dead, lost, "ovn:blue", "10.7.1.1/24")
    ports = of.ports()
    name = lost.spec.partition(":")[2]
    dead.kill()
    for gone in (lost, dead.host):
        HOST.run("ip", "netns", "del", gone.name)
    assert_refused(
        host.pipework("ovn:blue", guest.spec, "10.7.1.1/24"), f"10.7.1.1 is on ovn:blue already: {name} on host1"
    )
    assert host.pipework("gc") == (0, "", "")
    assert of.ports() == ports
    assert_refused(host.pipework("gc", "--host", "host2"), "host2 is this host")
    assert_refused(host.pipework("gc", "--host", "host7"), "host7")
    assert of.ports() == ports
    rehearsed = host.pipework("gc", "--host", "host1", "--dry-run")
    assert rehearsed.code == 0
    assert "lsp-del" in rehearsed.out
    assert of.ports() == ports
    done = host.pipework("gc", "--host", "host1")
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith("removed port pipework:blue:10.7.1.1 of OVN")
    assert of.ports() == []
    put(host, guest, "ovn:blue", "10.7.1.1/24")
    with named_namespace() as other:
        put(host, other, "ovn:blue", "10.7.1.2/24")
        assert other.ping("10.7.1.1")


def test_guest_restarts(shared: Network) -> None:
    """A guest that comes back has the port that it had: its MAC, and what is hung on it, an ACL for example."""
    (host, far), (_, asking), of = shared
    put(far, asking, "ovn:blue", "10.7.1.2/24")

    def port(guest: NamedNamespace) -> tuple[str, str]:
        put(host, guest, "ovn:blue", "10.7.1.1/24")
        link = guest.link("eth1")
        assert link
        wanted = json.loads(of.nbctl("--format=json", "--columns=name,_uuid", "list", "Logical_Switch_Port"))["data"]
        return dict((name, uuid) for name, (_, uuid) in wanted)["pipework:blue:10.7.1.1"], link["address"]

    with named_namespace() as guest:
        before = port(guest)
        assert asking.ping("10.7.1.1")
        of.nbctl("pg-add", "closed", before[0])
        of.nbctl("acl-add", "closed", "to-lport", "1000", "outport == @closed && icmp4.type == 8", "drop")
        assert eventually(lambda: not asking.ping("10.7.1.1", wait=1))
        for command in ("del", "add"):
            HOST.run("ip", "netns", command, guest.name)
        assert port(guest) == before
        assert reaches(asking, guest, "10.7.1.1")
        assert not asking.ping("10.7.1.1", wait=1)
        assert len(of.ports()) == 2
        assert host.pipework("del", guest.spec) == (0, "", "")
    assert far.pipework("del", asking.spec) == (0, "", "")
    of.nbctl("pg-del", "closed")


def test_centre_is_down(pair: Network) -> None:
    """Without the centre guests go on talking and can be looked at; what must ask it is refused and changes nothing."""
    (host, far), (guest, other), of = pair
    put(host, guest, "ovn:blue", "10.7.1.1/24")
    put(far, other, "ovn:blue", "10.7.1.2/24")
    assert guest.ping("10.7.1.2")
    with named_namespace() as gone:
        put(host, gone, "ovn:blue", "10.7.1.3/24")
        [wire] = json.loads(host.pipework("ls", "--json", gone.spec).out)
    for name in ("northd", "nb", "sb"):
        of.stop(name, kill=True)
    assert eventually(lambda: not host.host.link(wire["link"]))
    before = links(host, guest), host.vsctl("list-ports", "br-int")
    assert guest.ping("10.7.1.2")
    assert reaches(other, guest, "10.7.1.1")
    listed = host.pipework("ls", guest.spec)
    assert (listed.code, listed.err) == (0, "")
    assert "10.7.1.1/24" in listed.out
    assert_refused(host.pipework("del", guest.spec), DATABASE)
    assert (links(host, guest), host.vsctl("list-ports", "br-int")) == before
    assert guest.ping("10.7.1.2")
    left = host.pipework("gc")
    assert left.code == 0
    assert left.out == f"removed port {wire['link']} of ovn:blue, whose guest is gone\n"
    assert DATABASE in left.err
    assert len(left.err.splitlines()) == 1
    for name in ("nb", "sb", "northd"):
        of.start(name)
    assert host.pipework("gc").out == "removed port pipework:blue:10.7.1.3 of OVN, whose guest is gone\n"
    assert host.pipework("del", guest.spec) == (0, "", "")
    assert len(of.ports()) == 1


RECEIVE = """
import socket
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
    one.bind(("", 7008))
    print("ready", flush=True)
    print(*one.recvfrom(99)[1][:1], flush=True)
"""
SEND = """
import socket
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
    one.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
    one.sendto(b"x", ("10.7.1.255", 7008))
"""


def hears(receiver: Guest, sender: Guest) -> str:
    """Whose broadcast a guest hears that another sends, "" for nobody's."""
    python = (sys.executable, "-I", "-S", "-c")
    with subprocess.Popen([*receiver.enter(*python, RECEIVE)], stdout=subprocess.PIPE, text=True) as listening:
        assert listening.stdout
        assert listening.stdout.readline() == "ready\n"
        sent = eventually(lambda: sender.run(*python, SEND) or select([listening.stdout], [], [], 1)[0], 5 * SLOW)
        if not sent:
            listening.kill()
        return listening.stdout.readline().strip()


def test_three_hosts() -> None:
    """Guests on three hosts reach each other in every way, and nobody on another switch with the same addresses."""
    with network(3) as there, ExitStack() as stack:
        for number, (host, guest) in enumerate(zip(there.hosts, there.guests), 1):
            put(host, guest, "ovn:blue", f"10.7.1.{number}/24,fd00:7::{number}/64")
        for one, number in product(there.guests, (1, 2, 3)):
            assert one.ping(f"10.7.1.{number}")
            assert one.ping(f"fd00:7::{number}")
            assert one.run("ping", "-M", "do", "-s", "1372", "-c", "1", "-w", "20", f"10.7.1.{number}")
        first, second, third = there.guests
        assert reaches(first, third, "10.7.1.3")
        assert reaches(second, first, "fd00:7::1")
        assert hears(third, first) == "10.7.1.1"
        red = [stack.enter_context(named_namespace()) for _ in range(2)]
        for number, (host, guest) in enumerate(zip(there.hosts, red), 1):
            put(host, guest, "ovn:red", f"10.7.1.{number}/24,fd00:7::{number}/64")
        assert red[0].ping("10.7.1.2")
        assert not red[0].ping("10.7.1.3", wait=1)
        assert hears(third, red[0]) == ""
        assert there.hosts[1].pipework("del", second.spec) == (0, "", "")
        assert red[0].ping("10.7.1.2")
        assert not first.ping("10.7.1.2", wait=1)

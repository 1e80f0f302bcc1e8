"""``wire``: two guests joined by a wire of their own."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Callable

import pytest

from tests.lab.command import COMMAND, run_pipework
from tests.lab.engine import Container, docker
from tests.lab.guest import HOST, Guest, eventually, fresh_name
from tests.lab.host import Host, settle
from tests.lab.kept import collected, cookie, notes
from tests.lab.lxc import LxcContainer
from tests.lab.netns import NamedNamespace
from tests.lab.podman import PodmanContainer
from tests.lab.refusal import assert_each_refused
from tests.lab.saving import ALL_AS_ASKED, ALL_MADE
from tests.lab.scenes import bridge_on, bring_online
from tests.lab.snapshot import Unchanged, wait_for_the_ended
from tests.lab.tcp import reaches
from tests.lab.watched import watching

Namespaces = Callable[[], NamedNamespace]
Containers = Callable[..., Container]
PAIRS = {
    "one network": ("10.0.0.1/30", "10.0.0.2/30"),
    "point to point": ("10.0.0.1/31", "10.0.0.0/31"),
    "single addresses": ("10.0.0.1/32", "10.0.0.2/32"),
    "networks of their own": ("10.0.0.1/24", "10.0.1.1/24"),
    "IPv6": ("fd00:1::1/64", "fd00:1::2/64"),
    "single addresses of IPv6": ("fd00:1::1/128", "fd00:2::1/128"),
    "both families": ("10.0.0.1/32,fd00:1::1/128", "10.0.0.2/32,fd00:2::1/128"),
    "several": ("10.0.0.1/30,10.9.9.1/32", "10.0.0.2/30,10.9.9.2/32,fd00:1::2/64"),
}


def ips(word: str) -> list[str]:
    """The addresses of ADDRESS, without their lengths."""
    return [one.partition("/")[0] for one in word.split(",")]


def assert_reach(one: Guest, other: Guest, words: tuple[str, str]) -> None:
    """Fail unless each end reaches all addresses of the other that are of a family of its own, by ping and TCP."""
    for near, far, own, theirs in ((one, other, *words), (other, one, *reversed(words))):
        families = {":" in ip for ip in ips(own)}
        for ip in ips(theirs):
            if (":" in ip) in families:
                assert near.ping(ip), f"{near.name} does not reach {ip}"
                assert reaches(near, far, ip), f"{near.name} does not reach {ip} by TCP"


@pytest.mark.parametrize("words", PAIRS.values(), ids=PAIRS)
def test_reach(words: tuple[str, str], host: Host, guest_ns: Namespaces) -> None:
    """Both reach each other, and nothing is on the host; del of either end leaves nothing of both."""
    one, other = guest_ns(), guest_ns()
    settle(host, one, other)
    before = [Unchanged(each) for each in (host, one, other)]
    for gone in (one, other):
        assert host.pipework("wire", one.spec, words[0], other.spec, words[1]) == (0, "", "")
        assert_reach(one, other, words)
        before[0].check()
        assert host.pipework("del", gone.spec) == (0, "", "")
        for each in before:
            each.check()


def test_container_and_namespace(container: Containers, guest_ns: Namespaces) -> None:
    """Guests of different runtimes, with names and an MTU that are asked for, and IPv6 where Docker has it off."""
    web, other = container(), guest_ns()
    words = ("10.0.0.1/30,fd00:1::1/64", "10.0.0.2/30,fd00:1::2/64")
    line = ("--mtu", "9000", "wire", "-i", "lan0", web.name, words[0], "-i", "lan7", other.spec, words[1])
    assert run_pipework(*line) == (0, "", "")
    assert_reach(web, other, words)
    (row,) = json.loads(run_pipework("ls", "--json", web.name).out)
    told = [row[key] for key in ("guest", "runtime", "ifname", "kind", "hostif", "link", "mtu", "state", "guessed")]
    assert told == [web.name, "docker", "lan0", "peer", other.spec, "", 9000, "up", False]
    listed = run_pipework("ls", other.spec).out.splitlines()[1].split()
    assert listed[:4] == [other.spec, "lan7", "peer", f"docker:{web.name}"]
    saved = f"pipework --mtu 9000 wire -i lan0 docker:{web.name} {words[0]} -i lan7 {other.spec} {words[1]}\n"
    assert run_pipework("save", web.name) == (0, saved, "")
    assert run_pipework("--replace", *line) == (0, "", "")
    assert run_pipework("del", other.spec, "-i", "lan7") == (0, "", "")
    assert web.link("lan0") is None


def test_two_containers(container: Containers) -> None:
    """Two containers without a network have one between them, and a wire on a bridge besides."""
    web, db = container(), container()
    assert run_pipework("wire", web.name, "10.0.0.1/32", db.name, "10.0.0.2/32") == (0, "", "")
    assert_reach(web, db, ("10.0.0.1/32", "10.0.0.2/32"))
    assert run_pipework("del", "--all", db.name) == (0, "", "")
    assert web.link("eth1") is None


def test_every_runtime(
    container: Containers, podman: Callable[..., PodmanContainer], lxc: Callable[..., LxcContainer]
) -> None:
    """A Docker, a podman and an LXC container have a wire between each two."""
    guests = [container(), podman(), lxc()]
    pairs = [(0, 1), (1, 2), (2, 0)]
    for number, (one, other) in enumerate(pairs):
        ends = [f"-i eth{number} {guests[end].name} {ip}" for end, ip in zip((one, other), _ends(number))]
        assert run_pipework("wire", *" ".join(ends).split()) == (0, "", "")
    for number, (one, other) in enumerate(pairs):
        assert_reach(guests[one], guests[other], _ends(number))
    listed = [line.split() for line in run_pipework("ls").out.splitlines()[1:]]
    assert sorted(row[3] for row in listed if row[0] == f"docker:{guests[0].name}") == [
        f"lxc:{guests[2].name}",
        f"podman:{guests[1].name}",
    ]
    assert run_pipework("save").out.count(" wire ") == 3
    assert run_pipework("del", guests[1].name, "--all") == (0, "", "")
    assert [guest.link(f"eth{number}") for number, guest in ((0, guests[0]), (1, guests[2]))] == [None, None]
    assert run_pipework("del", guests[2].name, "-i", "eth2") == (0, "", "")


def _ends(number: int) -> tuple[str, str]:
    return f"10.0.{number}.1/32,fd00:{number}::1/128", f"10.0.{number}.2/32,fd00:{number}::2/128"


def test_host_that_is_a_guest(host: Host, guest_ns: Namespaces) -> None:
    """Where one of the guests is itself a host of others, it sees no wire of its own, and leaves that one alone."""
    guest = guest_ns()
    ends = (f"netns:{host.name}", "10.0.0.1/30", guest.spec, "10.0.0.2/30")
    assert run_pipework("wire", *ends) == (0, "", "")
    assert guest.name not in host.pipework("ls").out
    before = [notes(cookie(each)) for each in (host, guest)]
    assert collected(host.pipework) == []
    assert [notes(cookie(each)) for each in (host, guest)] == before
    assert host.pipework("save").out == ""
    assert "has nothing that pipework made" in host.pipework("del", "--all", guest.spec).err
    assert "already has a link eth1" in host.pipework("br0", guest.spec, "10.1.1.1/24").err
    assert guest.ping("10.0.0.1")
    assert run_pipework("del", guest.spec) == (0, "", "")


@pytest.mark.parametrize(
    ("words", "far"),
    [
        (("10.0.0.1/30@10.0.0.2", "10.0.0.2/30"), "10.99.0.1"),
        (("10.0.0.1/32@10.0.0.2", "10.0.0.2/32"), "10.99.0.1"),
        (("fd00:1::1/64@fd00:1::2", "fd00:1::2/64"), "fd00:99::1"),
    ],
)
def test_gateway(words: tuple[str, str], far: str, host: Host, guest_ns: Namespaces) -> None:
    """The other end can be the gateway; del of that end brings back the default route, and so does gc if it ends."""
    one, other = guest_ns(), guest_ns()
    bring_online(one)
    settle(host, one, other)
    before = Unchanged(one)
    other.run("ip", "addr", "add", far, "dev", "lo")
    other.run("sysctl", "-qw", "net.ipv4.ip_forward=0")
    line = ("wire", one.spec, words[0], other.spec, words[1])
    done = host.pipework(*line)
    family = 6 if ":" in far else 4
    assert (done.code, done.out) == (0, "")
    assert done.err.startswith(f"pipework: {other.spec} does not forward IPv{family}, so the default route of ")
    assert one.ping(far)  # which is an address of its own
    assert host.pipework("del", other.spec) == (0, "", "")
    before.check()
    other.run(*done.err.partition("do so: ")[2].split()[2:])
    assert host.pipework(*line) == (0, "", "")
    HOST.run("ip", "netns", "del", other.name)
    wait_for_the_ended()
    assert eventually(lambda: one.link("eth1") is None)
    assert one.name not in host.pipework("ls").out
    assert "removed note of eth1, which had replaced a default route" in host.pipework("gc").out
    before.check()


def test_gateways_of_both(host: Host, guest_ns: Namespaces) -> None:
    """Each may be the other's gateway; del --all of one brings back what both have replaced, and forgets both notes."""
    one, other = guest_ns(), guest_ns()
    for each in (one, other):
        bring_online(each)
        each.run("sysctl", "-qw", "net.ipv4.ip_forward=1")
    settle(host, one, other)
    before = [Unchanged(each) for each in (one, other)]
    words = ("wire", one.spec, "10.0.0.1/30@10.0.0.2", other.spec, "10.0.0.2/30@10.0.0.1")
    assert host.pipework(*words) == (0, "", "")
    assert [len(notes(cookie(each))) for each in (one, other)] == [1, 1]
    assert host.pipework("del", "--all", one.spec) == (0, "", "")
    assert [len(notes(cookie(each))) for each in (one, other)] == [0, 0]
    for each in before:
        each.check()


def test_wire_that_another_has_replaced(host: Host, guest_ns: Namespaces) -> None:
    """What an end had replaced is left to the wire that has replaced its own default route since."""
    one, other = guest_ns(), guest_ns()
    bring_online(other)
    one.run("sysctl", "-qw", "net.ipv4.ip_forward=1")
    bridge_on(host)
    settle(host, one, other)
    before = Unchanged(other)
    assert host.pipework("wire", one.spec, "10.0.0.1/30", other.spec, "10.0.0.2/30@10.0.0.1") == (0, "", "")
    assert host.pipework("br0", "-i", "eth2", other.spec, "10.1.1.2/24@10.1.1.1") == (0, "", "")
    assert host.pipework("del", one.spec) == (0, "", "")
    assert other.run("ip", "route", "show", "default") == "default via 10.1.1.1 dev eth2 \n"
    assert host.pipework("del", other.spec, "-i", "eth2") == (0, "", "")
    before.check()


WRONG = {
    "wire GUEST 10.0.0.1/30 netns:x dhcp": "ADDRESS dhcp wants others on the network, and there is netns:x alone",
    "wire GUEST auto netns:x 10.0.0.2/30": "ADDRESS auto wants others on the network",
    "wire GUEST 10.0.0.1-9/30 netns:x 10.0.0.2/30": "ADDRESS 10.0.0.1-9/30 does not go from one address",
    "wire GUEST 10.0.0.1-2/30 netns:x 10.0.0.2/30": "ADDRESS 10.0.0.1-2/30 wants others on the network",
    "wire GUEST 10.0.0.1 netns:x 10.0.0.2/30": "ADDRESS 10.0.0.1 has no netmask",
    "wire GUEST 10.0.0.1/30@10.0.0.9 netns:x 10.0.0.2/30": "gateway 10.0.0.9 is no address of netns:x",
    "wire GUEST 10.0.0.1/30@10.0.0.9 netns:x 0/0": "gateway 10.0.0.9 is no address of netns:x",
    "wire GUEST 10.0.0.1/30 netns:x 10.0.0.1/30": "ADDRESS 10.0.0.1/30 is given to both ends",
    "wire GUEST 10.0.0.1/30 netns:x fd00::2/64": "ADDRESS 10.0.0.1/30 and fd00::2/64 are of different families",
    "wire GUEST 10.0.0.1/30 GUEST 10.0.0.2/30": "is named for both ends",
    "wire GUEST 10.0.0.1/30 netns:pw-none 10.0.0.2/30": "no guest netns:pw-none",
    "wire GUEST 10.0.0.1/30 02:00:00:00:00:01 netns:x 10.0.0.2/30": "wire does not take '10.0.0.2/30'",
    "wire GUEST 10.0.0.1/30 netns:x 10.0.0.2/30 @100": "wire does not take '@100'",
    "wire GUEST 10.0.0.1/30 -l x netns:x 10.0.0.2/30": "wire does not take -l",
    "wire -l x GUEST 10.0.0.1/30 netns:x 10.0.0.2/30": "wire does not take -l",
    "wire GUEST --mtu 10.0.0.1/30 netns:x 10.0.0.2/30": "wire does not take --mtu",
    "wire GUEST 10.0.0.1/30 -i eth1 -i eth2 netns:x 10.0.0.2/30": "-i is given twice",
    "wire -i eth1 -i eth2 GUEST 10.0.0.1/30 netns:x 10.0.0.2/30": "-i is given twice",
    "wire -i a/b GUEST 10.0.0.1/30 netns:x 10.0.0.2/30": "-i 'a/b' is not a valid ifname",
    "wire GUEST 10.0.0.1/30 -i a/b netns:x 10.0.0.2/30": "-i 'a/b' is not a valid ifname",
    "wire --replace GUEST 10.0.0.1/30 netns:x 10.0.0.2/30": "--replace stands behind wire",
    "--keep wire GUEST 10.0.0.1/30 netns:x 10.0.0.2/30": "wire does not take --keep",
    "--check wire GUEST 10.0.0.1/30 netns:x 10.0.0.2/30": "wire does not take --check",
    "--mtu 40 wire GUEST 10.0.0.1/30 netns:x 10.0.0.2/30": "--mtu 40 is out of range",
    "--mtu 1000 wire GUEST fd00::1/64 netns:x fd00::2/64": "--mtu 1000 is too little for IPv6",
    "--mtu x wire GUEST fd00::1/64 netns:x fd00::2/64": "--mtu 'x' is not a number",
}


def test_wrong_words(host: Host, guest_ns: Namespaces) -> None:
    """Each is one message with its fix, and nothing is changed."""
    assert_each_refused(host, guest_ns(), WRONG)


@pytest.mark.parametrize("words", [(), ("GUEST",), ("GUEST", "10.0.0.1/30"), ("GUEST", "10.0.0.1/30", "netns:x")])
def test_too_few_words(words: tuple[str, ...], host: Host, guest_ns: Namespaces) -> None:
    """The usage comes first, then what is missing."""
    guest = guest_ns()
    done = host.pipework("wire", *(guest.spec if word == "GUEST" else word for word in words))
    assert done.code == 1
    assert "wire [-i IFNAME] GUEST ADDRESS" in " ".join(done.out.split())
    assert " is missing\n" in done.err


def test_taken_names(host: Host, guest_ns: Namespaces) -> None:
    """A name that either guest has already is refused, as of the kernel, and nothing is changed."""
    one, other = guest_ns(), guest_ns()
    other.run("ip", "link", "add", "eth1", "type", "veth", "peer", "name", "far1")
    settle(host)
    before = [Unchanged(each) for each in (host, one, other)]
    for ends in (
        (one.spec, "10.0.0.1/30", other.spec, "10.0.0.2/30"),
        (other.spec, "10.0.0.1/30", one.spec, "10.0.0.2/30"),
    ):
        done = host.pipework("wire", *ends)
        assert (done.code, done.out) == (2, "")
        told = f"{other.name} already has a link eth1; choose another name with -i IFNAME\n"
        assert done.err == f"pipework: RTNETLINK answers: File exists\n{told}"
        assert host.pipework("--dry-run", "wire", *ends) == done
    for each in before:
        each.check()
    ends = (one.spec, "10.0.0.1/30", "-i", "eth2", other.spec, "10.0.0.2/30")
    assert host.pipework("wire", *ends) == (0, "", "")
    assert host.pipework("wire", *ends).code == 2


def test_guests_that_cannot_be(container: Containers, guest_ns: Namespaces) -> None:
    """A container with the host's network is refused, and two that share one."""
    hosted, web, guest = container(net="host"), container(), guest_ns()
    sharing = container(net=f"container:{web.name}")
    before = Unchanged(HOST), Unchanged(web), Unchanged(guest)
    for ends in ((hosted, guest), (guest, hosted)):
        specs = [end.spec if isinstance(end, NamedNamespace) else end.name for end in ends]
        done = run_pipework("wire", specs[0], "10.0.0.1/30", specs[1], "10.0.0.2/30")
        assert (done.code, done.out) == (1, "")
        assert f"{hosted.name} shares this host's network, so there is nothing to wire" in done.err
    done = run_pipework("wire", web.name, "10.0.0.1/30", sharing.name, "10.0.0.2/30")
    assert (done.code, done.out) == (1, "")
    assert f"{web.name} and {sharing.name} share one network, so there is nothing to join" in done.err
    for each in before:
        each.check()


def test_link_of_that_name(host: Host, guest_ns: Namespaces) -> None:
    """Where the host has an interface called wire, that is meant, as ever."""
    guest = guest_ns()
    bridge_on(host, "wire")
    assert host.pipework("wire", guest.spec, "10.0.0.1/30") == (0, "", "")
    assert "wire" in host.pipework("ls", guest.spec).out


def test_replace(host: Host, guest_ns: Namespaces) -> None:
    """What is as asked stays as it is; other addresses, another guest or another kind of wire take its place."""
    one, other, third = guest_ns(), guest_ns(), guest_ns()
    bring_online(one)
    bring_online(third)
    other.run("sysctl", "-qw", "net.ipv4.ip_forward=1")
    bridge_on(host)
    settle(host, one, other, third)
    before = [Unchanged(each) for each in (one, other, third)]

    def line(address: str, far: NamedNamespace, *options: str) -> tuple[str, ...]:
        return (*options, "--replace", "wire", one.spec, address, far.spec, "10.0.0.2/24")

    def index() -> int:
        link = one.link("eth1")
        assert link
        return int(link["ifindex"])

    assert host.pipework(*line("10.0.0.1/24@10.0.0.2", other)) == (0, "", "")
    there = index()
    assert host.pipework(*line("10.0.0.1/24@10.0.0.2", other)) == (0, "", "")
    turned = (other.spec, "10.0.0.2/24", one.spec, "10.0.0.1/24@10.0.0.2")
    assert host.pipework("--replace", "wire", *turned) == (0, "", "")
    assert index() == there
    assert host.pipework(*line("10.0.0.1/24@10.0.0.2", other, "--mtu", "1400")) == (0, "", "")
    assert index() != there
    assert host.pipework(*line("10.0.0.3/24", other)) == (0, "", "")
    assert one.ping("10.0.0.2")
    assert host.pipework(*line("10.0.0.3/24", third)) == (0, "", "")
    before[1].check()
    assert one.ping("10.0.0.2")
    assert host.pipework("--replace", "br0", one.spec, "10.1.1.1/24") == (0, "", "")
    before[2].check()
    assert host.pipework(*line("10.0.0.3/24", third)) == (0, "", "")
    assert host.pipework("del", third.spec) == (0, "", "")
    for each in before:
        each.check()


def test_save_and_apply(host: Host, guest_ns: Namespaces, tmp_path: Path) -> None:
    """One line tells of both ends; apply of it changes nothing, makes it, replaces it and, without it, prunes it."""
    one, other, file = guest_ns(), guest_ns(), tmp_path / "lines"
    for each in (one, other):
        bring_online(each)
        each.run("sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1")
    settle(host, one, other)
    before = [Unchanged(each) for each in (one, other)]
    words = ("10.0.0.1/32@10.0.0.2,fd00:1::1/128", "10.0.0.2/32,fd00:2::1/128@fd00:1::1")
    first, second = sorted(zip((one.spec, other.spec), words))
    line = f"wire {' '.join(first)} {' '.join(second)}"
    assert host.pipework(*line.split()) == (0, "", "")
    assert host.pipework("save") == (0, f"pipework {line}\n", "")
    file.write_text(f"pipework {line}\n")
    assert host.pipework("apply", "--prune", str(file)) == (0, ALL_AS_ASKED, "")
    assert host.pipework("del", other.spec) == (0, "", "")
    assert host.pipework("--dry-run", "apply", str(file)).out.startswith(f"+ {line}\n    nsenter ")
    assert host.pipework("apply", str(file)) == (0, f"+ {line}\n{ALL_MADE}", "")
    assert_reach(one, other, ("10.0.0.1/32,fd00:1::1/128", "10.0.0.2/32,fd00:2::1/128"))
    file.write_text(f"{line.replace('wire', '--mtu 1400 wire')}\n")
    done = host.pipework("apply", str(file))
    assert (done.code, done.out.splitlines()[-1]) == (0, ALL_MADE.strip().replace("1 made, 0 rep", "0 made, 1 rep"))
    file.write_text(f"br7 {one.spec} -i eth7 0/0\n")
    assert host.pipework("apply", "--prune", str(file)).code == 1  # a wrong line
    file.write_text(f"br7 -i eth7 {one.spec} 0/0\n")
    done = host.pipework("apply", "--prune", str(file))
    assert done.code == 0
    assert done.out.startswith(f"- --mtu 1400 {line}\n+ br7 ")
    assert done.out.endswith("1 line: 0 as asked, 1 made, 0 replaced, 1 removed, 0 skipped, 0 failed\n")
    assert host.pipework("del", one.spec, "-i", "eth7") == (0, "", "")
    for each in before:
        each.check()


def test_lines_that_clash(host: Host, guest_ns: Namespaces, tmp_path: Path) -> None:
    """A line that asks for an end which another asks for is wrong, and nothing of the file is done."""
    one, other, file = guest_ns(), guest_ns(), tmp_path / "lines"
    file.write_text(f"wire {one.spec} 10.0.0.1/30 {other.spec} 10.0.0.2/30\nbr7 {other.spec} 10.1.1.1/24\n")
    done = host.pipework("apply", str(file))
    assert (done.code, done.out) == (1, "")
    assert f"{file}:2: eth1 of {other.spec} is what {file}:1 asks for" in done.err
    file.write_text(f"wire {one.spec} 10.0.0.1/30 netns:pw-none 10.0.0.2/30\n")
    done = host.pipework("apply", str(file))
    assert done.code == 1
    assert "no guest netns:pw-none" in done.err
    assert one.link("eth1") is None


def test_guest_that_does_not_run(container: Containers, guest_ns: Namespaces, tmp_path: Path) -> None:
    """A line with a container that is stopped is told and skipped, whichever of the two it is."""
    web, other, file = container(), guest_ns(), tmp_path / "lines"
    docker("stop", "-t", "0", web.name)
    ends = f"{web.name} 10.0.0.1/30", f"{other.spec} 10.0.0.2/30"
    for line in (f"wire {ends[0]} {ends[1]}", f"wire {ends[1]} {ends[0]}"):
        file.write_text(f"{line}\n")
        done = run_pipework("apply", str(file))
        assert (done.code, done.out) == (0, ALL_MADE.replace("1 made", "0 made").replace("0 skipped", "1 skipped"))
        assert f"{file}:1: container {web.name} is not running" in done.err
    assert other.link("eth1") is None


def test_names_that_a_mark_cannot_tell(host: Host, guest_ns: Namespaces) -> None:
    """A guest whose name has a blank, or is too long together with the other's, is refused; nothing is changed."""
    guest = guest_ns()
    before = Unchanged(host), Unchanged(guest)
    for name, told in (("pw a", "has a blank in its name"), ("pw" + "a" * 230, "these names are too long")):
        HOST.run("ip", "netns", "add", name)
        try:
            done = host.pipework("wire", guest.spec, "10.0.0.1/30", f"netns:{name}", "10.0.0.2/30")
            assert (done.code, done.out) == (1, "")
            assert told in done.err, done
        finally:
            HOST.run("ip", "netns", "del", name)
    for each in before:
        each.check()


def test_two_at_once(host: Host, guest_ns: Namespaces) -> None:
    """Of two commands that join the same guests one does; with --replace both succeed, and there is one wire."""
    one, other = guest_ns(), guest_ns()
    for front, codes in (((), [0, 2]), (("--replace",), [0, 0])):
        ends = (one.spec, "10.0.0.1/30,fd00::1/64"), (other.spec, "10.0.0.2/30,fd00::2/64")
        lines = [(*ends[0], *ends[1]), (*ends[1], *ends[0])]
        running = [
            subprocess.Popen(host.argv(*COMMAND, *front, "wire", *line), stderr=subprocess.PIPE) for line in lines
        ]
        for command in running:
            command.communicate()
        assert sorted(command.returncode for command in running) == codes
        assert len(json.loads(host.pipework("ls", "--json").out)) == 2
        assert one.ping("10.0.0.2")
        assert host.pipework("del", one.spec) == (0, "", "")


def test_watch(container: Containers, guest_ns: Namespaces) -> None:
    """The wire is made whenever either guest starts, and a guest that has lost the other is as it was."""
    web, db, other = container(), fresh_name("pwc"), guest_ns()
    bring_online(other)
    settle(other)
    before = Unchanged(other)
    lines = (
        f"wire {other.spec} 10.0.0.1/30@10.0.0.2 -i eth7 {db} 10.0.0.2/30",
        f"wire {web.name} 10.0.1.1/30 {db} 10.0.1.2/30",
    )

    def joined() -> bool:
        own = docker("exec", web.name, "ping", "-c", "1", "-W", "1", "10.0.1.2", check=False)
        return " 0% packet loss" in own and other.ping("10.0.0.2")

    with watching(*lines) as watch:
        container("--sysctl=net.ipv4.ip_forward=1", name=db)
        assert eventually(joined), watch.told()
        for name in (db, web.name):
            docker("restart", "-t", "0", name)
            assert eventually(joined), watch.told()
        assert other.run("ip", "route", "show", "default").startswith("default via 10.0.0.2 dev eth1")
        docker("rm", "-f", db)
        assert eventually(lambda: "removed note of eth1" in watch.told()), watch.told()
        before.check()
        # a guest that ends while its wire is seen to is told of, and skipped
        said = [line for line in watch.told().splitlines() if "pipework: " in line]
        assert all(line.endswith(" has ended; skipped") for line in said), watch.told()
        assert watch.end() == 0


def test_own_lines(container: Containers) -> None:
    """A label that would join its container with another guest is refused, with what to type."""
    with watching(words=("--allow", "nothing0")) as watch:
        web = container("--label=pipework=wire 10.0.0.1/30 other 10.0.0.2/30")
        whole = container("--label=pipework=wire web 10.0.0.1/30 other 10.0.0.2/30")
        for guest in (web, whole):
            told = f"label pipework of docker:{guest.name}: wire "
            assert eventually(lambda told=told: told in watch.told()), watch.told()
        assert watch.told().count("would reach into another guest") == 2, watch.told()
        assert web.link("eth1") is None
        assert watch.end() == 0

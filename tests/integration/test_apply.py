"""apply: what is as asked stays, what differs is replaced, what is missing is made, what is wrong is refused."""

from __future__ import annotations

import json
import shlex
import signal
import subprocess
from pathlib import Path
from typing import Callable

import pytest

from tests.lab.command import COMMAND, Result
from tests.lab.crowd import unfinished
from tests.lab.engine import Container, docker
from tests.lab.faults import NONE, breaking
from tests.lab.guest import SLOW, eventually
from tests.lab.host import Host, nic_of, settle
from tests.lab.netns import NamedNamespace
from tests.lab.snapshot import Unchanged, diff, snapshot

Namespaces = Callable[[], NamedNamespace]
MAC = "02:00:00:00:00:0{}"


def summary(
    asked: int = 0, made: int = 0, replaced: int = 0, removed: int = 0, skipped: int = 0, failed: int = 0
) -> str:
    """The last line, of so many lines of the file."""
    lines = asked + made + replaced + skipped + failed
    counts = (
        f"{asked} as asked, {made} made, {replaced} replaced, {removed} removed, {skipped} skipped, {failed} failed"
    )
    return f"{lines} line{'' if lines == 1 else 's'}: {counts}\n"


class Field:
    """A host with a file, to which lines are written."""

    def __init__(self, host: Host, path: Path) -> None:
        self.host, self.path = host, path

    def write(self, *lines: str) -> None:
        """Let the file have these lines."""
        self.path.write_text("".join(f"{line}\n" for line in lines))

    def apply(self, *options: str) -> Result:
        """Apply it."""
        return self.host.pipework("apply", *options, str(self.path))


@pytest.fixture
def field(host: Host, tmp_path: Path) -> Field:
    """A host, and a file that is not there yet."""
    return Field(host, tmp_path / "wiring")


def test_only_what_differs(field: Field, guest_ns: Namespaces) -> None:
    """Missing wires are made, a second run leaves them alone, one that differs is replaced, others stay."""
    one, two = guest_ns(), guest_ns()
    first, second = f"br1 {one.spec} 10.1.1.1/24@10.1.1.254", f"pipework br1 -i lan0 {two.spec} 10.1.1.2/24 U:two"
    field.write("# the guests", first, "", f"  {second}  # the guest's second")
    made = field.apply()
    assert made == (0, f"+ {first}\n+ {second.removeprefix('pipework ')}\n{summary(made=2)}", "")
    assert one.ping("10.1.1.2")
    settle(field.host, one, two)
    before = snapshot(field.host), snapshot(one), snapshot(two)
    assert field.apply() == (0, summary(asked=2), "")
    assert not any(map(diff, before, (snapshot(field.host), snapshot(one), snapshot(two))))
    other = second.replace("10.1.1.2", "10.1.1.22").removeprefix("pipework ")
    field.write(first, other)
    assert field.apply() == (0, f"~ {other}\n{summary(asked=1, replaced=1)}", "")
    assert not diff(before[1], snapshot(one))
    assert one.ping("10.1.1.22")
    assert not one.ping("10.1.1.2", wait=5)


def test_prune(field: Field, guest_ns: Namespaces) -> None:
    """--prune takes back what no line names and pipework made, nothing else; with --dry-run it stays."""
    one, two, others = guest_ns(), guest_ns(), guest_ns()
    field.host.pipework("br1", one.spec, "10.1.1.1/24", MAC.format(1))
    field.host.pipework("br1", "-i", "eth2", one.spec, "10.1.2.1/24", MAC.format(2))
    field.host.pipework("br1", two.spec, "10.1.1.2/24", MAC.format(3))
    field.host.run("ip", "link", "add", "veth9", "type", "veth", "peer", "eth1", "netns", others.name)
    untouched = Unchanged(others)
    field.write(f"br1 {one.spec} 10.1.1.1/24")
    assert field.apply() == (0, summary(asked=1), "")
    watched = Unchanged(field.host), Unchanged(one), Unchanged(two)
    gone = [f"- br1 -i eth2 {one.spec} 10.1.2.1/24 {MAC.format(2)}", f"- br1 {two.spec} 10.1.1.2/24 {MAC.format(3)}"]
    planned = field.apply("--prune", "--dry-run")
    told = [line for line in planned.out.splitlines() if not line.startswith(" ")]
    assert sorted(told[:-1]) == sorted(gone)
    assert told[-1] == "1 line: 1 as asked, 0 to make, 0 to replace, 2 to remove, 0 skipped, 0 failed"
    assert any("ip link delete" in line for line in planned.out.splitlines())
    for one_watched in watched:
        one_watched.check()
    done = field.apply("--prune")
    assert (done.code, done.err) == (0, "")
    assert sorted(done.out.splitlines()[:-1]) == sorted(gone)
    assert done.out.endswith(summary(asked=1, removed=2))
    assert one.link("eth1") and not one.link("eth2") and not two.link("eth1")
    untouched.check()
    assert field.apply("--prune") == (0, summary(asked=1), "")


def test_prune_by_an_empty_file(field: Field, guest_ns: Namespaces) -> None:
    """A file without lines, cut off or forgotten, does not take back every wire."""
    guest = guest_ns()
    field.host.pipework("br1", guest.spec, "10.1.1.1/24")
    field.write("# nothing")
    refused = field.apply("--prune")
    assert (refused.code, refused.out) == (1, "")
    assert f"{field.path} asks for no wire, and --prune would take back every one" in refused.err
    assert guest.link("eth1")
    assert field.apply() == (0, summary(), "")


def test_bar_on_a_terminal(field: Field, guest_ns: Namespaces) -> None:
    """On a terminal a bar says how far it is; the lines are the same."""
    one, two = guest_ns(), guest_ns()
    field.write(f"br1 {one.spec} 10.1.1.1/24", f"br1 {two.spec} 10.1.1.2/24")
    argv = field.host.argv("script", "-qec", shlex.join([*COMMAND, "apply", str(field.path)]), "/dev/null")
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=True)
    assert f"+ br1 {two.spec} 10.1.1.2/24" in done.stdout
    assert "2/2" in done.stdout
    assert summary(made=2).strip() in done.stdout


def test_nic_goes_to_another_guest(field: Field, guest_ns: Namespaces) -> None:
    """A NIC that a file hands to another guest comes home first, with --prune; without, the line fails and says why."""
    one, two = guest_ns(), guest_ns()
    with nic_of(field.host, "nic7"):
        field.write(f"--direct-phys nic7 {one.spec} 10.1.1.1/24")
        assert field.apply().code == 0
        line = f"--direct-phys nic7 {two.spec} 10.1.1.1/24"
        field.write(line)
        refused = field.apply()
        assert refused.code == 1
        assert f"{field.path}:1: this host has no interface nic7" in refused.err
        assert one.link("eth1") and not two.link("eth1")
        assert field.apply("--prune").out.endswith(f"+ {line}\n{summary(made=1, removed=1)}")
        assert two.link("eth1") and not one.link("eth1")
        assert field.host.pipework("del", two.spec).code == 0


def test_dry_run_can_be_typed(field: Field, guest_ns: Namespaces) -> None:
    """What --dry-run prints makes the same wires when it is typed, a new bridge once; itself it touches nothing."""
    one, two = guest_ns(), guest_ns()
    field.write(f"br1 {one.spec} 10.1.1.1/24 {MAC.format(1)}", f"br1 {two.spec} 10.1.1.2/24 {MAC.format(2)}")
    watched = Unchanged(field.host), Unchanged(one), Unchanged(two)
    planned = field.apply("--dry-run")
    for each in watched:
        each.check()
    assert planned.out.endswith("2 lines: 0 as asked, 2 to make, 0 to replace, 0 to remove, 0 skipped, 0 failed\n")
    commands = [line.strip() for line in planned.out.splitlines() if line.startswith("    ")]
    assert len(commands) == len(set(commands))
    field.host.run("sh", "-ec", "\n".join(commands))
    assert one.ping("10.1.1.2")
    assert field.apply() == (0, summary(asked=2), "")


WRONG = [
    ("br1 {one} 10.1.1.1", "ADDRESS 10.1.1.1 has no netmask\nMaybe you meant 10.1.1.1/24 ?"),
    ("br1 {one}", "ADDRESS is missing"),
    ("br1 '{one} 10.1.1.1/24", "a quotation mark is not closed"),
    ("br1 {one} 10.1.1.1/24 @5000", "VLAN @5000 is not a VLAN id"),
    ("br1 {one} 10.1.1.1/24@10.1.1.254 zz", "MAC 'zz' is not a MAC address"),
    ("ls", "ls makes no wire\nA file has lines that attach: HOSTIF GUEST ADDRESS [MAC][@VLAN]"),
    ("route {one} show", "route makes no wire"),
    ("--dry-run br1 {one} 10.1.1.1/24", "--dry-run in a line"),
    ("nic9 {one} 10.1.1.1/24", "this host has no interface nic9"),
    ("br0 {one} 10.1.1.1/24 @7", "VLAN @7: bridge br0 does not filter VLANs"),
    ("br1 {one} udhcpc-f:-f", "ADDRESS udhcpc-f:-f holds the terminal"),
    ("br2 {two} 10.1.1.3/24", "eth1 of {two} is what {file}:1 asks for"),
    ("br1 {one} 10.1.1.1/24; reboot", "MAC 'reboot' is not a MAC address"),
    ("br1 {one} $ADDRESS", "ADDRESS '$ADDRESS' is neither an address with a netmask nor a DHCP client"),
]


@pytest.mark.parametrize(("line", "told"), WRONG, ids=[line for line, _ in WRONG])
def test_wrong_line(field: Field, guest_ns: Namespaces, line: str, told: str) -> None:
    """It is answered with its place and the fix, and no line of the file is wired."""
    one, two = guest_ns(), guest_ns()
    field.host.run("ip", "link", "add", "br0", "type", "bridge")
    field.write(f"br2 {two.spec} 10.1.1.2/24", "", line.format(one=one.spec, two=two.spec))
    watched = Unchanged(field.host), Unchanged(one), Unchanged(two)
    refused = field.apply("--prune")
    names = {"one": one.spec, "two": two.spec, "file": field.path}
    assert f"pipework: {field.path}:3: {told.format(**names)}" in refused.err
    assert refused.err.endswith(f"lines of {field.path} that are wrong: 1; nothing was changed\nMend them first.\n")
    assert (refused.code, refused.out) == (1, "")
    for each in watched:
        each.check()


def test_every_wrong_line_is_told(field: Field) -> None:
    """All of them at once, each in its place; - is standard input; a file that cannot be read is named."""
    text = "br1 a 1\n\nbr1 b 2\nbr1 c 10.0.0.1/24 x\n"
    argv = field.host.argv(*COMMAND, "apply", "-")
    done = subprocess.run(argv, input=text, capture_output=True, text=True, check=False)
    assert [line[:14] for line in done.stderr.splitlines() if line.startswith("pipework: -:")] == [
        "pipework: -:1:",
        "pipework: -:3:",
        "pipework: -:4:",
    ]
    assert done.returncode == 1
    assert field.apply() == (
        1,
        "",
        f"pipework: cannot read {field.path}: No such file or directory\n"
        "Name a file of lines, or - for standard input.\n",
    )
    assert "FILE is missing" in field.host.pipework("apply").err


def test_guests_that_are_not_there(field: Field, guest_ns: Namespaces) -> None:
    """One that nobody knows fails, the others are wired, and nothing is pruned, for it may be a name typed wrong."""
    one, two = guest_ns(), guest_ns()
    field.host.pipework("br1", two.spec, "10.1.1.2/24")
    field.write("br1 netns:nobody 10.1.1.9/24", f"br1 {one.spec} 10.1.1.1/24")
    done = field.apply("--prune")
    assert (done.code, done.out) == (1, f"+ br1 {one.spec} 10.1.1.1/24\n{summary(made=1, failed=1)}")
    assert f"pipework: {field.path}:1: no guest netns:nobody" in done.err
    assert "nothing is taken back while a line names a guest that is not there" in done.err
    assert "not all is as asked: 1 failed" in done.err
    assert two.link("eth1")


@pytest.mark.docker
def test_container_that_is_stopped(field: Field, container: Callable[..., Container]) -> None:
    """It is told and skipped at once, and wired once it runs."""
    guest = container()
    docker("stop", "--time=0", guest.name)
    field.write(f"br1 {guest.name} 10.1.1.1/24")
    done = field.apply()
    said = f"pipework: {field.path}:1: container {guest.name} is not running (exited); skipped\n"
    assert done == (0, summary(skipped=1), said)
    docker("start", guest.name)
    assert field.apply().out.endswith(summary(made=1))
    assert json.loads(field.host.pipework("ls", "--json").out)[0]["guest"] == guest.name


def test_one_that_fails(field: Field, guest_ns: Namespaces) -> None:
    """A line that cannot be done is told with its place and leaves nothing; the others are done."""
    one, two = guest_ns(), guest_ns()
    one.run("ip", "link", "add", "eth1", "type", "veth")
    field.write(f"br1 {two.spec} 10.1.1.2/24", f"br1 {one.spec} 10.1.1.1/24")
    watched = Unchanged(one)
    done = field.apply()
    assert done.code == 1
    assert f"{field.path}:2: RTNETLINK answers: File exists" in done.err
    watched.check()
    assert bool(two.link("eth1")) == ("made" in done.out and summary(made=1, failed=1) in done.out)


def test_filtered_is_healed(field: Field, guest_ns: Namespaces) -> None:
    """A wire whose frames came to be dropped is not as asked; apply adds what lets them pass."""
    one, two = guest_ns(), guest_ns()
    field.write(f"br1 {one.spec} 10.1.1.1/24", f"br1 {two.spec} 10.1.1.2/24")
    assert field.apply().code == 0
    field.host.run("ip", "link", "set", "br1", "down")
    healed = field.apply()
    assert (healed.code, healed.err) == (0, "")
    assert healed.out.startswith("~ ")
    assert one.ping("10.1.1.2")
    assert field.apply() == (0, summary(asked=2), "")


def test_two_at_once(field: Field, guest_ns: Namespaces) -> None:
    """Both end well, each wire is there once, and nothing is left."""
    guests = [guest_ns() for _ in range(8)]
    field.write(*(f"br1 {guest.spec} 10.1.1.{number}/24" for number, guest in enumerate(guests, 1)))
    argv = field.host.argv(*COMMAND, "apply", "--prune", str(field.path))
    running = [subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(3)]
    told = [(*process.communicate(timeout=60 * SLOW), process.returncode) for process in running]
    assert [(err, code) for _, err, code in told] == [("", 0)] * 3
    assert field.apply("--prune") == (0, summary(asked=8), "")
    assert all(guests[0].ping(f"10.1.1.{number}") for number in range(2, 9))
    assert len(json.loads(field.host.pipework("ls", "--json").out)) == 8


def test_interrupted(field: Field, guest_ns: Namespaces) -> None:
    """A signal ends it between two wires: what was made stays whole, no other is begun; it says how far it got."""
    one, two = guest_ns(), guest_ns()
    two.run("sysctl", "-qw", "net.ipv6.conf.default.dad_transmits=60")  # the second takes long
    field.write(f"br1 {one.spec} 10.1.1.1/24", f"br1 {two.spec} fd00:1::2/64")
    argv = field.host.argv(*COMMAND, "apply", str(field.path))
    running = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert eventually(lambda: two.run("ip", "-6", "addr", "show", "dev", "eth1", "tentative", check=False))
    running.send_signal(signal.SIGTERM)
    _, said = running.communicate(timeout=60 * SLOW)
    assert running.returncode == 128 + signal.SIGTERM
    assert said == f"pipework: interrupted by signal 15\n2 lines: {summary(made=1).partition(': ')[2]}"
    assert one.link("eth1") and not two.link("eth1")


FAULTED = [("KILL", (0, 2)), ("KILL", (1, 2)), ("INT", (0, 2)), ("INT", (1, 2)), ("refuse-change", (0, 1))]


@pytest.mark.parametrize(("fault", "part"), FAULTED)
def test_broken_at_any_step(field: Field, guest_ns: Namespaces, fault: str, part: tuple[int, int]) -> None:
    """Wires are whole or not there, and the same command again leaves all as asked, and nothing else."""
    guests = [guest_ns() for _ in range(3)]
    changed, made, pruned = guests
    lines = [
        f"br1 {changed.spec} 10.1.1.1/24@10.1.1.254 {MAC.format(1)}",
        f"br1 {made.spec} 10.1.1.2/24 {MAC.format(2)}",
    ]
    words = ["apply", "--prune", str(field.path)]
    field.write(*lines)
    expected = "".join(f"pipework {line}\n" for line in sorted(lines, key=lambda line: line.split()[1]))
    with breaking(field.host.argv()) as run:
        number = part[0] + 1 - part[1]
        while True:
            number += part[1]
            assert run(NONE, 0, ["del", "--if-exists", made.spec]).code == 0
            before = f"br1 {changed.spec} 10.1.1.9/24 {MAC.format(1)}", f"br1 {pruned.spec} 10.1.1.3/24 {MAC.format(3)}"
            for line in before:
                assert run(NONE, 0, ["--replace", *line.split()])[:3] == (0, "", "")
            broken = run(fault, number, words)
            if not broken.step:
                break
            assert "fault of pipework" not in broken.err, broken
            # what fails on the first look is looked at again, and a refusal is of one time
            assert broken.code or (fault, run(NONE, 0, ["save"]).out) == ("refuse-change", expected), broken
            if fault != "KILL":
                assert unfinished(field.host, *guests) == [], broken
            again = run(NONE, 0, words)
            assert (again.code, again.err) == (0, ""), (broken, again)
            collected = run(NONE, 0, ["gc"])  # of a link that was put aside
            assert (collected.code, collected.err) == (0, ""), broken
            assert unfinished(field.host, *guests) == [], broken
            assert run(NONE, 0, ["save"]).out == expected, broken
    assert number > 20
    print(f"\napply: {fault} at each of {number - 1} steps, or one of {part[1]}")

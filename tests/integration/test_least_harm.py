"""Least harm: no link of others is followed, no file of ours is open to others, no secret handed on."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Callable

import pytest

from tests.lab.command import COMMAND, ENTRY, PACKAGE, Result, run_pipework
from tests.lab.engine import Container, docker
from tests.lab.guest import HOST, eventually, fresh_name
from tests.lab.host import Host, settle
from tests.lab.netns import DhcpServer, NamedNamespace, Nic, named_namespace
from tests.lab.one_engine import engine_telling
from tests.lab.refusal import clear_refusal, refused_untouched
from tests.lab.snapshot import Unchanged

Namespaces = Callable[[], NamedNamespace]

NAMED = Path("/run/netns")
ASKED = "10.9.0.1/24"
UNPRIVILEGED = {
    "setpriv": ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups", "--"],
    "runuser": ["runuser", "-u", "nobody", "--"],
}


class Inhabited(NamedNamespace):
    """A namespace with a process in it, whose number is known to pipework whatever is in /run."""

    pid: int


@pytest.fixture
def inhabited() -> Iterator[Inhabited]:
    """A guest that is found by a process of it."""
    with named_namespace() as made:
        guest = Inhabited(made.name)
        with subprocess.Popen(guest.enter("sleep", "1000")) as process:
            try:
                inode = os.stat(str(guest.namespace)).st_ino
                assert eventually(lambda: os.stat(f"/proc/{process.pid}/ns/net").st_ino == inode)
                guest.pid, guest.spec = process.pid, f"pid:{process.pid}"
                yield guest
            finally:
                process.kill()


@pytest.fixture
def own_run() -> Iterator[Path]:
    """A folder that shall take the place of /run."""
    with tempfile.TemporaryDirectory(prefix="pipework-run-") as folder:
        yield Path(folder)


def with_own_run(host: Host, folder: Path, *words: str) -> Result:
    """Run pipework where that folder is /run, and where new files are everybody's unless said otherwise."""
    script = 'mount --bind "$0" /run; umask 0; exec "$@"'
    done = subprocess.run(
        host.argv("unshare", "--mount", "sh", "-ec", script, str(folder), *COMMAND, *words),
        capture_output=True,
        text=True,
        check=False,
    )
    return Result(done.returncode, done.stdout, done.stderr)


def mode(path: Path) -> tuple[int, int]:
    """Return the permissions and the owner of a file, which must not be a link."""
    status = path.lstat()
    assert not stat.S_ISLNK(status.st_mode), path
    return stat.S_IMODE(status.st_mode), status.st_uid


def test_files_are_roots_alone(host: Host, inhabited: Inhabited, own_run: Path) -> None:
    """What pipework keeps is in one folder of root's alone, whatever the umask."""
    route_of_its_own(inhabited)
    assert with_own_run(host, own_run, "br0", inhabited.spec, f"{ASKED}@10.9.0.254") == (0, "", "")
    assert mode(own_run / "pipework") == (0o700, 0)
    kept = {path.name: mode(path) for path in (own_run / "pipework").iterdir()}
    assert len(kept) > 1
    assert {*kept.values()} == {(0o600, 0)}
    assert {path.name for path in own_run.iterdir()} <= {"pipework", "xtables.lock"}


@pytest.mark.parametrize("what", ["link", "file", "open", "another's"])
def test_folder_of_others(host: Host, inhabited: Inhabited, own_run: Path, what: str) -> None:
    """A /run/pipework that others have made, or may write to, is refused and not used."""
    place, elsewhere = own_run / "pipework", own_run / "elsewhere"
    elsewhere.mkdir(0o700)
    if what == "link":
        place.symlink_to(elsewhere)
    elif what == "file":
        place.touch(0o600)
    else:
        place.mkdir(0o700)
        place.chmod(0o777 if what == "open" else 0o700)
        os.chown(place, 65534 if what == "another's" else 0, 0)
    watched = Unchanged(host), Unchanged(inhabited)
    done = with_own_run(host, own_run, "br0", inhabited.spec, ASKED)
    assert done.code == 1
    assert clear_refusal(done)
    assert "is not a directory of ours alone" in done.err
    assert [*elsewhere.iterdir()] == []
    assert not place.is_dir() or [*place.iterdir()] == []
    for one in watched:
        one.check()


def test_lock_that_is_a_link(host: Host, inhabited: Inhabited, own_run: Path) -> None:
    """A link in the place of the lock is refused, and what it leads to is not touched."""
    (own_run / "pipework").mkdir(0o700)
    (own_run / "pipework" / "lock").symlink_to(own_run / "victim")
    watched = Unchanged(host), Unchanged(inhabited)
    done = with_own_run(host, own_run, "br0", inhabited.spec, ASKED)
    assert done.code == 1
    assert clear_refusal(done)
    assert "/run/pipework/lock" in done.err
    assert not (own_run / "victim").exists()
    for one in watched:
        one.check()


def route_of_its_own(guest: NamedNamespace) -> None:
    """Give the guest a default route, which the next one replaces and a note is made of."""
    guest.run("ip", "link", "add", "eth0", "type", "veth", "peer", "name", "far0")
    guest.run("ip", "link", "set", "eth0", "up")
    guest.run("ip", "route", "add", "default", "dev", "eth0")


@pytest.mark.parametrize("suffix", ["", ".1.1.new"])
def test_note_that_is_a_link(host: Host, inhabited: Inhabited, own_run: Path, suffix: str) -> None:
    """A link in the place of a note is replaced by the note; what it leads to is not written to."""
    route_of_its_own(inhabited)
    words = ["br0", inhabited.spec, f"{ASKED}@10.9.0.254"]
    assert with_own_run(host, own_run, *words) == (0, "", "")
    (note,) = (own_run / "pipework").glob("*.json")
    assert with_own_run(host, own_run, "del", inhabited.spec) == (0, "", "")
    assert not note.exists()
    ifindex = note.stem[-8:]
    note = note.with_name(note.name.replace(ifindex, f"{int(ifindex) + 1:08}"))  # of the guest's next link
    victim = own_run / "victim"
    victim.write_text("mine")
    Path(f"{note}{suffix}").symlink_to(victim)
    assert with_own_run(host, own_run, *words) == (0, "", "")
    assert victim.read_text() == "mine"
    assert mode(note) == (0o600, 0)
    assert json.loads(note.read_text())["routes"]
    assert not Path(f"{note}.1.1.new").is_symlink()


def test_note_elsewhere_is_not_read(host: Host, inhabited: Inhabited, own_run: Path) -> None:
    """What a link in the place of a note leads to is no note: del refuses, and does not do what it says."""
    route_of_its_own(inhabited)
    assert with_own_run(host, own_run, "br0", inhabited.spec, f"{ASKED}@10.9.0.254") == (0, "", "")
    (note,) = (own_run / "pipework").glob("*.json")
    note.rename(own_run / "elsewhere")
    note.symlink_to(own_run / "elsewhere")
    done = with_own_run(host, own_run, "del", inhabited.spec)
    assert (done.code, done.out) == (1, "")
    assert "cannot be read" in done.err
    assert inhabited.link("eth1") is not None
    assert "10.9.0.254" in inhabited.run("ip", "route", "show", "default")


@pytest.mark.parametrize("leads", ["to a guest", "nowhere"])
def test_link_among_the_names(host: Host, inhabited: Inhabited, leads: str) -> None:
    """A symbolic link in /var/run/netns is not followed, by name or by path: it is refused and named, and stays."""
    name = fresh_name("pwlink")
    target = f"/proc/{inhabited.pid if leads == 'to a guest' else 4194303}/ns/net"
    (NAMED / name).symlink_to(target)
    try:
        for spec in (f"netns:{name}", f"/run/netns/{name}", f"/var/run/netns/{name}", f"/run/../run/netns/{name}"):
            for words in (["br0", spec, ASKED], ["route", spec, "add", "blackhole", "192.0.2.0/24"], ["del", spec]):
                said = refused_untouched(host, inhabited, words)
                assert f"{name} is a symbolic link" in said
                assert target in said
        assert os.readlink(NAMED / name) == target
    finally:
        (NAMED / name).unlink()


@pytest.fixture
def readable_checkout() -> Iterator[Path]:
    """A copy of the command that everybody may read."""
    with tempfile.TemporaryDirectory(prefix="pipework-copy-") as folder:
        os.chmod(folder, 0o755)
        shutil.copy(ENTRY, folder)
        shutil.copytree(PACKAGE, f"{folder}/pipework", ignore=shutil.ignore_patterns("__pycache__"))
        subprocess.run(["chmod", "-R", "a+rX", folder], check=True)
        yield Path(folder)


@pytest.mark.parametrize("way", UNPRIVILEGED)
@pytest.mark.parametrize(
    "words",
    [
        ["br0", "GUEST", ASKED],
        ["br0", "a name; reboot\n'", ASKED],
        ["route", "GUEST", "show"],
        ["del", "GUEST"],
        ["gc"],
        ["ls"],
    ],
    ids=" ".join,
)
def test_nobody(host: Host, inhabited: Inhabited, readable_checkout: Path, way: str, words: list[str]) -> None:
    """A user who is not root gets one line: what is needed, and what to type, which a shell reads as it was meant."""
    words = [inhabited.spec if word == "GUEST" else word for word in words]
    watched = Unchanged(host), Unchanged(inhabited)
    argv = [*UNPRIVILEGED[way], "/usr/bin/python3", str(readable_checkout / "pipework.py"), *words]
    done = subprocess.run(host.argv(*argv), capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    start = "pipework: needs root, or CAP_NET_ADMIN and CAP_SYS_ADMIN; type: "
    assert done.stderr.startswith(start)
    assert done.stderr.count("\n") == 1
    typed = shlex.split(done.stderr[len(start) :])
    assert typed == ["sudo", "pipework", *(word.replace("\n", "\\n") for word in words)]
    for one in watched:
        one.check()


@pytest.mark.parametrize(
    "changed",
    [
        {"Id": ""},
        {"Id": "0"},
        {"Id": ["x"]},
        {"Name": "/x\n\x1b[31my"},
        {"State": {"Pid": -1, "Status": "running"}},
        {"State": {"Pid": "1; reboot", "Status": "running"}},
        {"State": {"Pid": 1 << 70, "Status": "running"}},
        {"State": None},
    ],
    ids=str,
)
def test_engine_that_lies(host: Host, inhabited: Inhabited, tmp_path: Path, changed: dict[str, Any]) -> None:
    """Whatever an engine tells of a process that is not the container's, that process is left alone."""
    told = {"Id": "f" * 64, "Name": "/web", "State": {"Pid": inhabited.pid, "Status": "running"}, **changed}
    with engine_telling(tmp_path, told) as env:
        said = refused_untouched(host, inhabited, ["br0", "web", ASKED], env)
    assert "\x1b" not in said
    assert len(said.splitlines()) <= 2


@pytest.mark.docker
@pytest.mark.parametrize("name", ["--help", "$(reboot)", "x\n\x1b[31m", "a b", "../x", ""])
def test_name_that_is_no_name(host: Host, container: Callable[..., Container], tmp_path: Path, name: str) -> None:
    """What cannot be a container's name is not taken for one, and not shown as one."""
    guest = container()
    told = json.loads(docker("inspect", guest.name))[0]
    told["Name"] = f"/{name}"
    assert host.pipework("br0", guest.name, ASKED) == (0, "", "")
    settle(host, guest)
    with engine_telling(tmp_path, told) as env:
        said = refused_untouched(host, guest, ["br0", "-i", "eth2", "web", ASKED], env)
        assert "what answers as Docker is something else" in said
        host.run("ip", "link", "set", f"veth1pl{guest.pid}", "alias", "pipework unfinished 1.1")
        shown = host.pipework("ls", env=env)
    assert (shown.code, shown.err) == (0, "")
    assert f"docker:{guest.id[:12]}" in shown.out


@pytest.mark.parametrize("name", ["$(id)", "a;b&c|d", "a'b\"c", "`id`", "#", "*", "~", "é€", "a\\b", "a,b=c", "!"])
def test_names_are_names(host: Host, inhabited: Inhabited, name: str) -> None:
    """Whatever the kernel takes as the name of a link is one: nothing in it is read by a shell or as an option."""
    done = host.pipework("br0", "-i", name, "-l", f"v{name}", inhabited.spec, ASKED)
    assert done == (0, "", "")
    assert inhabited.addresses(name) == [ASKED]
    assert host.link(f"v{name}") is not None
    assert host.pipework("del", "-i", name, inhabited.spec) == (0, "", "")
    assert inhabited.link(name) is None


@pytest.mark.parametrize("name", ["$(id)", "a;b&c|d", "a'b\"c", "`id`", "é€", "a\\b", "\x1b[31m'"])
def test_names_are_names_when_pasted(host: Host, inhabited: Inhabited, name: str) -> None:
    """A rehearsal's lines do their work in a shell and nothing else, whatever a guest has called its links."""
    guest = inhabited
    guest.run("ip", "link", "add", "eth0", "type", "veth", "peer", "name", "far0")
    guest.run("ip", "link", "add", name, "link", "eth0", "type", "macvlan")
    guest.run("ip", "link", "set", name, "alias", "pipework unfinished 1.1")
    said = host.pipework("gc", "--dry-run")
    assert (said.code, said.err) == (0, "")
    assert "\x1b" not in said.out
    # gc looks at every namespace of the machine
    places = f"/proc/{guest.pid}/", str(guest.namespace)
    (line,) = [line for line in said.out.splitlines() if any(place in line for place in places)]
    assert host.run("sh", "-ec", line) == ""
    assert guest.link(name) is None
    if name.isprintable():  # others are refused
        said = host.pipework("--dry-run", "br0", "-i", name, "-l", f"v{name}", guest.spec, ASKED)
        assert (said.code, said.err) == (0, "")
        host.run("sh", "-ec", said.out)
        assert guest.addresses(name) == [ASKED]


def test_guest_that_paints(host: Host, inhabited: Inhabited) -> None:
    """What a guest has called its links is shown by ls and gc, never sent to the terminal as it is."""
    assert host.pipework("br0", inhabited.spec, ASKED) == (0, "", "")
    inhabited.run("ip", "link", "set", "eth1", "down")
    inhabited.run("ip", "link", "set", "eth1", "name", "\x1b[31mred")
    shown = host.pipework("ls", inhabited.spec)
    assert (shown.code, shown.err) == (0, "")
    assert "\\x1b[31mred" in shown.out
    assert "\x1b" not in shown.out
    inhabited.run("ip", "link", "add", "\x1b[32m", "link", "\x1b[31mred", "type", "macvlan")
    inhabited.run("ip", "link", "set", "\x1b[32m", "alias", "pipework unfinished 1.1")
    removed = host.pipework("gc")
    assert "link \\x1b[32m in " in removed.out
    assert "\x1b" not in removed.out


@pytest.mark.parametrize("name", ["br+", 'br"x', "br'x", "br\\"])
def test_bridge_that_a_rule_cannot_name(host: Host, inhabited: Inhabited, name: str) -> None:
    """A bridge whose name iptables would take for many bridges, or for another, is refused where it needs a rule."""
    assert "cannot be named in a firewall rule" in refused_untouched(host, inhabited, [name, inhabited.spec, ASKED])
    assert host.pipework(name, inhabited.spec, ASKED, env={"PIPEWORK_FIREWALL": "off"}) == (0, "", "")
    assert "br" not in host.run("iptables", "-S", "DOCKER-USER")


def test_bridge_with_an_odd_name(host: Host, inhabited: Inhabited) -> None:
    """A bridge whose name has a shell's special characters gets its one rule, and loses it with its last guest."""
    assert host.pipework("br$(id);#&*", inhabited.spec, ASKED) == (0, "", "")
    assert host.pipework("br$(id);#&*", "-i", "eth2", inhabited.spec, "10.9.0.2/24") == (0, "", "")
    assert host.run("iptables", "-S").count("ACCEPT") == 3
    assert host.pipework("del", "--all", inhabited.spec) == (0, "", "")
    assert host.run("iptables", "-S").count("ACCEPT") == 2


def test_secrets_stay(guest_ns: Namespaces, nic: Nic, dhcp_server: DhcpServer) -> None:
    """A DHCP client that stays has nothing of the environment that its caller may have secrets in."""
    guest, secret = guest_ns(), f"secret-{os.getpid()}-{os.urandom(8).hex()}"
    assert run_pipework(nic.name, guest.spec, "udhcpc-f", env={"DATABASE_PASSWORD": secret}) == (0, "", "")
    there = [Path("/proc", number) for number in HOST.run("ip", "netns", "pids", guest.name).split()]
    (client,) = [process for process in there if (process / "cmdline").read_bytes().startswith(b"udhcpc")]
    environment = (client / "environ").read_bytes()
    assert b"PATH=" in environment
    assert secret.encode() not in environment

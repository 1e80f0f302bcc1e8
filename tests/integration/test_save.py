"""save prints the line of each kind of wire, of which apply changes nothing, and makes it anew."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Callable

import pytest

from tests.lab.guest import at_rest, eventually
from tests.lab.host import Host
from tests.lab.kept import cookie, notes
from tests.lab.netns import NamedNamespace
from tests.lab.saving import ALL_AS_ASKED, save_and_apply
from tests.lab.scenes import scene
from tests.lab.switch_host import SwitchHost

Namespaces = Callable[[], NamedNamespace]
KINDS = (
    "bridge",
    "switch",
    "fake-switch",
    "fake-switch-vlan",
    "macvlan",
    "namesake",
    "direct",
    "direct-furnished",
    "ovn",
)
MAC = "02:00:00:00:00:01"


@pytest.mark.parametrize("kind", KINDS)
def test_save_and_apply(kind: str, tmp_path: Path) -> None:
    """For every kind: the line changes nothing, and makes the wire as it was."""
    save_and_apply(kind, "v4-gateway", tmp_path)


@pytest.mark.parametrize(
    ("kind", "address"),
    [
        ("options", "several"),
        ("beside", "several"),
        ("private", "v4"),
        ("host-access", "both"),
        ("direct-options", "several"),
        ("announced", "auto:::9"),
    ],
)
def test_save_and_apply_options(kind: str, address: str, tmp_path: Path) -> None:
    """The same with routes, a metric, an MTU, and with an address of the router's."""
    save_and_apply(kind, address, tmp_path)


@pytest.mark.parametrize("address", ["v4-off-link", "v6-gateway", "v6-off-link", "several", "none"])
def test_save_and_apply_address(address: str, tmp_path: Path) -> None:
    """The same for every form of ADDRESS."""
    save_and_apply("bridge", address, tmp_path)


@pytest.mark.parametrize("client", ["udhcpc", "udhcpc-f", "dhclient", "dhclient-f", "dhcpcd"])
def test_save_and_apply_lease(client: str, tmp_path: Path) -> None:
    """The same for a lease, which says the client that was asked for."""
    save_and_apply("lan", client, tmp_path)


@pytest.mark.parametrize("client", ["udhcpc-f", "dhcpcd"])
def test_client_that_has_been_killed(client: str, tmp_path: Path) -> None:
    """A wire whose client is to stay, and does not run any more, is not as asked; neither is one of another client."""
    with scene("lan", client) as taken:
        host, file = taken.host, tmp_path / "wiring"
        assert host.pipework(*taken.words).code == 0
        file.write_text(host.pipework("save").out)
        there = len(at_rest(lambda: taken.kept()["processes"]))
        assert host.pipework("apply", str(file)).out == ALL_AS_ASKED
        (note,) = (json.loads(path.read_text()) for path in notes(cookie(taken.guest)) if path.name.startswith("dhcp."))
        supervisor = int(note["supervisor"].partition(".")[0])
        os.kill(supervisor, signal.SIGKILL)
        assert eventually(lambda: has_ended(supervisor))  # which it has once all that it looked after has
        assert host.pipework("apply", str(file)).out.startswith("~ ")
        assert len(at_rest(lambda: taken.kept()["processes"])) == there
        assert host.pipework("apply", str(file)).out == ALL_AS_ASKED
        file.write_text(file.read_text().replace(client, "udhcpc"))
        assert host.pipework("apply", str(file)).out.startswith("~ ")
        assert eventually(lambda: len(taken.kept()["processes"]) < there)  # it ends with its link
        assert host.pipework("apply", str(file)).out == ALL_AS_ASKED


def has_ended(pid: int) -> bool:
    """Whether a process is no more, but for who has to reap it."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in "ZX"
    except OSError:
        return True


def test_words(host: Host, guest_ns: Namespaces) -> None:
    """Names that are not the default ones are in the line, and all addresses."""
    guest = guest_ns()
    host.pipework("br1", "-i", "lan0", "-l", "mine", guest.spec, "10.1.1.1/24@10.1.1.254", MAC)
    assert host.pipework("save") == (0, f"pipework br1 -i lan0 -l mine {guest.spec} 10.1.1.1/24@10.1.1.254 {MAC}\n", "")
    guest.run("ip", "addr", "add", "10.2.2.2/24", "dev", "lan0")
    line = f"pipework br1 -i lan0 -l mine {guest.spec} 10.1.1.1/24@10.1.1.254,10.2.2.2/24 {MAC}\n"
    assert host.pipework("save", guest.spec) == (0, line, "")
    assert host.pipework("save", guest_ns().spec) == (0, "", "")


def test_switch_that_does_not_answer(switched: SwitchHost, guest_ns: Namespaces) -> None:
    """Without its switch nobody knows a wire's VLAN, so its line is left out, and told."""
    guest = guest_ns()
    bridge = switched.add_bridge()
    switched.pipework(bridge, guest.spec, "10.1.1.1/24", f"{MAC}@7")
    line = f"pipework {bridge} {guest.spec} 10.1.1.1/24 {MAC}@7\n"
    assert switched.pipework("save") == (0, line, "")
    switched.stop()
    told = switched.pipework("save")
    assert (told.code, told.out) == (1, "")
    assert f"eth1 of {guest.name} is left out: its switch does not answer" in told.err


def test_one_of_a_guest_that_is_gone(host: Host, guest_ns: Namespaces) -> None:
    """A wire of the original's makes a line as well; one of a dead guest goes with it."""
    guest = guest_ns()
    host.run("ip", "link", "add", "br1", "up", "type", "bridge")
    host.run(
        "ip", "link", "add", "veth1pl77", "up", "master", "br1", "type", "veth", "peer", "eth1", "netns", guest.name
    )
    guest.run("ip", "link", "set", "eth1", "address", MAC, "up")
    guest.run("ip", "addr", "add", "10.1.1.1/24", "dev", "eth1")
    assert eventually(lambda: host.pipework("save") == (0, f"pipework br1 {guest.spec} 10.1.1.1/24 {MAC}\n", ""))

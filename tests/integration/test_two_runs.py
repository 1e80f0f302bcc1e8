"""Two runs at once: what one has made and the other has come to use stays, although the first one fails."""

from __future__ import annotations

import signal
import subprocess
from typing import Callable

from tests.lab.command import COMMAND
from tests.lab.guest import SLOW, eventually
from tests.lab.host import Host
from tests.lab.netns import NamedNamespace
from tests.lab.snapshot import Unchanged

Namespaces = Callable[[], NamedNamespace]


def settling(host: Host, guest: NamedNamespace) -> subprocess.Popen[str]:
    """Start a run that makes br0 and then waits for the kernel to check its IPv6 address, which here takes long."""
    guest.run("sysctl", "-qw", "net.ipv6.conf.default.dad_transmits=60")
    argv = host.argv(*COMMAND, "br0", guest.spec, "fd00:1::8/64")
    running = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert eventually(lambda: guest.run("ip", "-6", "addr", "show", "dev", "eth1", "tentative", check=False))
    return running


def interrupt(running: subprocess.Popen[str]) -> None:
    """Stop a run; it must say so, and undo what it has done."""
    running.send_signal(signal.SIGTERM)
    _, said = running.communicate(timeout=60 * SLOW)
    assert running.returncode == 128 + signal.SIGTERM, said


def test_bridge_and_rule_stay(host: Host, guest_ns: Namespaces) -> None:
    """The bridge and its firewall rule stay for the guests of another run, which reach each other."""
    failing, one, two = guest_ns(), guest_ns(), guest_ns()
    running = settling(host, failing)
    assert host.pipework("br0", one.spec, "0/0") == (0, "", "")
    interrupt(running)
    assert failing.link("eth1") is None
    bridge = host.link("br0")
    assert bridge is not None
    assert "UP" in bridge["flags"]
    assert host.run("ip6tables", "-S").count("pipework: br0") == 1
    one.run("ip", "addr", "add", "fd00:1::1/64", "dev", "eth1", "nodad")
    assert host.pipework("br0", two.spec, "fd00:1::2/64") == (0, "", "")
    assert one.ping("fd00:1::2")


def test_nothing_stays_for_nobody(host: Host, guest_ns: Namespaces) -> None:
    """Where no other run has come, a run that is interrupted leaves neither bridge nor rule."""
    guest = guest_ns()
    watched = Unchanged(host), Unchanged(guest)
    interrupt(settling(host, guest))
    for one in watched:
        one.check()

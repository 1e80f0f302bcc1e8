"""What the tests in the virtual machine have in common: pipework run on the machine itself."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Callable

from tests.lab.command import run_pipework
from tests.lab.guest import HOST, Guest
from tests.lab.netns import NamedNamespace
from tests.lab.snapshot import Unchanged

Namespaces = Callable[[], NamedNamespace]
NO_ROUTER = "192.168.77.255"  # a gateway that the kernel refuses, after everything else has been done


def succeed(*words: str) -> None:
    """Run pipework; it must print nothing and exit 0."""
    done = run_pipework(*words)
    assert done == (0, "", ""), done


def fail(*words: str, code: int = 1) -> str:
    """Run pipework; it must say on stderr why not, which comes back."""
    done = run_pipework(*words)
    assert (done.code, done.out) == (code, ""), done
    assert done.err.startswith("pipework: ")
    assert "fault of pipework" not in done.err
    return done.err


@contextmanager
def untouched(guest: Guest) -> Iterator[None]:
    """Hold that the machine is the same after the block as before it, and that the guest has nothing but a loopback."""
    before = Unchanged()
    yield
    assert [link["ifname"] for link in guest.ip("-j", "link", "show")] == ["lo"]
    before.check()


def kind(guest: Guest, name: str) -> str | None:
    """Return the kind of a link that is there and up."""
    link = guest.link(name)
    assert link is not None, f"{guest.name} has no {name}"
    assert "UP" in link["flags"]
    info = link.get("linkinfo", {})
    return str(info["info_kind"]) if "info_kind" in info else None


def vlan_on(guest: Guest, parent: str, vlan: int, address: str) -> None:
    """Put the far end of a cable into a VLAN, with an address there."""
    name = f"{parent}.{vlan}"
    guest.run("ip", "link", "add", "link", parent, "name", name, "type", "vlan", "id", str(vlan))
    guest.run("ip", "addr", "add", address, "dev", name)
    guest.run("ip", "link", "set", name, "up")


def delete(*names: str) -> None:
    """Remove links of the machine that a test has left on purpose."""
    for name in names:
        HOST.run("ip", "link", "del", name, check=False)

"""A throwaway host: a namespace of its own with the firewall of a Docker host, in which pipework runs as on a machine.

Containers are found all the same, since the engine's socket is a file; what a test does to this host harms nobody.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any, Callable

import pytest

from tests.lab.command import Result, run_pipework
from tests.lab.guest import SLOW, Guest, eventually, fresh_name, run
from tests.lab.netns import NamedNamespace, Nic, named_namespace


class Host(NamedNamespace):
    """A namespace that plays the host; `argv` runs a program as if that were its machine, /sys included.

    `env` is what its programs have in their environment on top of ours: where its own switch is, for example;
    `hidden` are files of programs that pipework does not find there.
    """

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.env: dict[str, str] = {}
        self.hidden: tuple[str, ...] = ()

    def argv(self, *words: str) -> list[str]:
        """Return the command line that runs a program on this host."""
        env = ["env", *(f"{key}={value}" for key, value in self.env.items())] if self.env else []
        return ["ip", "netns", "exec", self.name, *env, *words]

    def pipework(self, *words: str, env: Mapping[str, str] | None = None, timeout: float = 180 * SLOW) -> Result:
        """Run pipework on this host as a user does."""
        hide = " && ".join(f'mount --bind /dev/null "$(command -v {name})"' for name in self.hidden)
        hiding = ["unshare", "--mount", "sh", "-c", f'{hide} && exec "$@"', "sh"] if hide else []
        return run_pipework(*words, env=env, timeout=timeout, on=self.argv(*hiding))


def _never_knows(entry: dict[str, Any]) -> bool:
    """Tell whether a link is a dummy, an ipvlan, or that of a bridge which switches in userspace."""
    return "NOARP" in entry["flags"] or entry.get("linkinfo", {}).get("info_kind") in ("tun", "ipvlan")


def settle(*guests: Guest) -> None:
    """Wait until links know their carrier and IPv6 addresses are checked: a baseline needs that."""

    def settled(guest: Guest) -> bool:
        entries = [entry for entry in guest.ip("-j", "-d", "addr", "show") if entry and entry["ifname"] != "lo"]
        # without carrier nobody is asked
        addresses = [info for entry in entries if "LOWER_UP" in entry["flags"] for info in entry["addr_info"]]
        up = [entry for entry in entries if "UP" in entry["flags"]]
        unknown = any(
            # the one flag follows the cable at once, the other up to a second later
            (entry["operstate"] == "UNKNOWN" and not _never_knows(entry))
            or ("NO-CARRIER" in entry["flags"]) == ("LOWER_UP" in entry["flags"])
            for entry in up
        )
        return not unknown and not any(info.get("tentative") for info in addresses)

    for guest in guests:
        assert eventually(lambda guest=guest: settled(guest)), f"{guest.name} does not settle"


def without_dad(guest: Guest) -> None:
    """Let the IPv6 addresses of links that are made from now on be ready at once: a test that waits for the check of
    each link-local one takes three times as long.
    """
    guest.run("sysctl", "-qw", "net.ipv6.conf.default.dad_transmits=0")


DROPPING = """\
*filter
:INPUT ACCEPT
:FORWARD DROP
:OUTPUT ACCEPT
:DOCKER-USER -
-A FORWARD -j DOCKER-USER
-A DOCKER-USER -j RETURN
COMMIT
"""


def drop_like_docker(host: Guest) -> None:
    """Set up the firewall as the engine does: FORWARD drops, DOCKER-USER is for the administrator."""
    for program in ("iptables-restore", "ip6tables-restore"):
        run(*host.enter(program, "--noflush"), stdin=DROPPING.encode())


@contextmanager
def throwaway_host() -> Iterator[Host]:
    """A fresh host without links of its own, deleted at the end with all that is on it."""
    with named_namespace("pwhost") as made:
        host = Host(made.name)
        without_dad(host)
        drop_like_docker(host)
        yield host


@contextmanager
def nic_of(host: Host, name: str = "") -> Iterator[Nic]:
    """A NIC of that host, up, cabled to a LAN that has an IPv4 and an IPv6 address."""
    with named_namespace("pwlan") as lan:
        without_dad(lan)
        nic = Nic(name or fresh_name("pwnic"), lan)
        host.run("ip", "link", "add", nic.name, "type", "veth", "peer", "name", nic.far, "netns", lan.name)
        lan.batch(
            f"addr add {nic.address}/24 dev {nic.far}",
            f"addr add {nic.address6}/64 dev {nic.far} nodad",
            f"link set {nic.far} up",
        )
        host.run("ip", "link", "set", nic.name, "up")
        settle(host)
        yield nic


@pytest.fixture
def host() -> Iterator[Host]:
    """A throwaway host."""
    with throwaway_host() as made:
        yield made


@pytest.fixture
def host_nic(host: Host) -> Iterator[Callable[..., Nic]]:
    """A factory of NICs of the throwaway host, cabled to a LAN each."""
    with ExitStack() as made:
        yield lambda name="": made.enter_context(nic_of(host, name))

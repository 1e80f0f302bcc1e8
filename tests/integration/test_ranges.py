"""A range in place of an address: the first that nobody has, and for the same guest the same again."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from typing import Callable

import pytest

from tests.integration.conftest import KEPT_ADDRESSES
from tests.lab.command import COMMAND
from tests.lab.guest import Guest
from tests.lab.host import Host, settle
from tests.lab.netns import NamedNamespace, Nic
from tests.lab.scenes import bridge_on, bring_online
from tests.lab.snapshot import Unchanged

Namespaces = Callable[[], NamedNamespace]
Nics = Callable[..., Nic]


def addresses(guests: Sequence[Guest]) -> list[str]:
    """The address of each guest's eth1."""
    return [guest.addresses("eth1")[0] for guest in guests]


def test_each_its_own_and_the_same_again(host: Host, guest_ns: Namespaces) -> None:
    """Commands at once choose different ones; after an end of all, in whatever order, each guest gets its own again."""
    guests = [guest_ns() for _ in range(4)]
    bridge_on(host)
    lines = [("br0", guest.spec, "10.1.1.100-110/24") for guest in guests]
    running = [subprocess.Popen(host.argv(*COMMAND, *line), stderr=subprocess.PIPE, text=True) for line in lines]
    assert [(command.communicate()[1], command.returncode) for command in running] == [("", 0)] * 4
    had = addresses(guests)
    assert len(set(had)) == 4
    assert all(100 <= int(one.split("/")[0].rpartition(".")[2]) <= 110 for one in had)
    told = KEPT_ADDRESSES.read_text().splitlines()
    for guest, one in zip(guests, had):
        assert f"br0 {guest.spec} eth1 {one.removesuffix('/24')}" in told
    assert host.pipework("--replace", *lines[0]) == (0, "", "")
    for guest in guests:
        assert host.pipework("del", guest.spec) == (0, "", "")
    for line in reversed(lines[1:]):
        assert host.pipework(*line) == (0, "", "")
    assert addresses(guests[1:]) == had[1:]


def test_strangers_and_gateway_are_left_out(host: Host, host_nic: Nics, guest_ns: Namespaces) -> None:
    """Who has an address already keeps it; where all are taken that is said, and nothing has changed."""
    nic, guest, other = host_nic(), guest_ns(), guest_ns()
    bring_online(guest)
    for taken in ("192.168.77.2", "192.168.77.4"):
        nic.lan.run("ip", "addr", "add", f"{taken}/24", "dev", nic.far)
    line = ("--check", nic.name, guest.spec, "192.168.77.0-4/24@192.168.77.1")
    assert host.pipework(*line) == (0, "", "")
    assert addresses([guest]) == ["192.168.77.3/24"]
    (saved,) = host.pipework("save", guest.spec).out.splitlines()
    assert " 192.168.77.0-4/24@192.168.77.1 " in saved
    assert host.pipework("--replace", *line) == (0, "", "")
    settle(host, guest, other)
    kept, before = KEPT_ADDRESSES.read_text(), (Unchanged(host), Unchanged(other))
    code, out, err = host.pipework(nic.name, other.spec, "192.168.77.0-4/24")
    assert (code, out) == (1, "")
    assert err.splitlines()[0] == "pipework: no address of 192.168.77.0-4/24 is free"
    assert KEPT_ADDRESSES.read_text() == kept
    for each in before:
        each.check()
    assert host.pipework("del", guest.spec) == (0, "", "")
    assert host.pipework(nic.name, other.spec, "192.168.77.0-4/24") == (0, "", "")
    assert addresses([other]) == ["192.168.77.3/24"]
    assert host.pipework("--replace", nic.name, other.spec, "192.168.77.9/24") == (0, "", "")
    assert addresses([other]) == ["192.168.77.9/24"]


WRONG = {
    "10.1.1.5-4/24": "does not go from one address of 10.1.1.0/24 to a greater one",
    "10.1.1.5-10.2.0.4/24": "does not go from one address of 10.1.1.0/24 to a greater one",
    "fd00::1-fd00::5/64": "is a range of IPv6",
    "10.1.1.1-/24": "is no range",
    "10.1.1.1-x/24": "is no range",
    "10.1.1.x-4/24": "is not an address with a netmask",
    "10.0.0.1-10.9.0.1/8": "has more than 4096 addresses",
    "10.1.1.1-5": "Maybe you meant 10.1.1.1-5/24 ?",
    "10.1.1.1-5/24,10.1.1.9/24": "is the one IPv4 address",
    "10.1.1.1-5/24,udhcpc": "are of one family",
    "10.1.1.1-5/24@fd00::1": "gateway fd00::1 is IPv6",
}


@pytest.mark.parametrize("word", WRONG)
def test_wrong_words(word: str, host: Host, guest_ns: Namespaces) -> None:
    """Each says what is wrong, with the fix."""
    guest = guest_ns()
    code, out, err = host.pipework("br0", guest.spec, word)
    assert (code, out, WRONG[word] in err) == (1, "", True), err
    assert host.link("br0") is None


def test_other_family(host: Host, guest_ns: Namespaces) -> None:
    """-a is held against a range as against an address."""
    code, _, err = host.pipework("br0", "-a", "6", guest_ns().spec, "10.1.1.1-5/24")
    assert (code, "-a 6 does not go with the IPv4 address 10.1.1.1-5/24" in err) == (1, True)

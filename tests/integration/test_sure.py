"""--probe and --check: an address that nobody has, and a wire that leads where it is to lead."""

from __future__ import annotations

import subprocess
import time
from typing import Callable

import pytest

from tests.lab.command import COMMAND
from tests.lab.guest import Guest, eventually
from tests.lab.host import Host, settle
from tests.lab.netns import NamedNamespace, Nic, announcing, dnsmasq
from tests.lab.refusal import assert_each_refused
from tests.lab.scenes import bridge_on, bring_online
from tests.lab.snapshot import Unchanged

Namespaces = Callable[[], NamedNamespace]
Nics = Callable[..., Nic]
WORDS = "192.168.77.9/24@192.168.77.1"


def mac_of(guest: Guest, name: str) -> str:
    """The MAC of a link."""
    (link,) = guest.ip("-j", "link", "show", name)
    return str(link["address"])


def test_address_that_is_taken(host: Host, host_nic: Nics, guest_ns: Namespaces) -> None:
    """Whoever has it is named by its MAC, and nothing is changed; a free one is taken."""
    nic, guest = host_nic(), guest_ns()
    bring_online(guest)
    nic.lan.run("ip", "addr", "add", "192.168.77.9/24", "dev", nic.far)
    settle(host, guest)
    before = Unchanged(host), Unchanged(guest)
    code, out, err = host.pipework("--probe", nic.name, guest.spec, WORDS)
    assert (code, out) == (1, "")
    mac = mac_of(nic.lan, nic.far)
    assert err.splitlines()[0] == f"pipework: address 192.168.77.9 is in use on that network, by {mac}"
    code, _, err = host.pipework("--probe", nic.name, guest.spec, "192.168.77.10/24,192.168.77.9/24@192.168.77.1")
    assert (code, f"address 192.168.77.9 is in use on that network, by {mac}" in err) == (1, True)
    for each in before:
        each.check()
    line = ("--probe", nic.name, guest.spec, "192.168.77.10/24@192.168.77.1")
    began = time.monotonic()
    assert host.pipework(*line) == (0, "", "")
    looking = time.monotonic() - began  # four seconds and more
    assert guest.ping("192.168.77.1")
    assert guest.addresses("eth1") == ["192.168.77.10/24"]
    began = time.monotonic()
    assert host.pipework("--replace", *line) == (0, "", "")  # which it has itself by now
    assert time.monotonic() - began < looking
    assert host.pipework("--replace", *line[:-1], "192.168.77.10/24") == (0, "", "")
    assert host.pipework("del", guest.spec) == (0, "", "")


def test_two_that_want_the_same(host: Host, guest_ns: Namespaces) -> None:
    """Of two commands at once not both take an address: each sees the other's probes (RFC 5227, 2.1.1)."""
    guests = guest_ns(), guest_ns()
    bridge_on(host)
    running = [
        subprocess.Popen(
            host.argv(*COMMAND, "--probe", "br0", guest.spec, "10.1.1.1/24"), stderr=subprocess.PIPE, text=True
        )
        for guest in guests
    ]
    told = [command.communicate()[1] for command in running]
    refused = [err for command, err in zip(running, told) if command.returncode == 1]
    assert len(refused) >= 1, told
    assert all("address 10.1.1.1 is in use" in err for err in refused), told
    assert sum("10.1.1.1/24" in guest.addresses("eth1") for guest in guests if guest.link("eth1")) <= 1


ANSWERED = {
    "gateway": (["--check"], WORDS),
    "gateways of both families": (["--check"], f"{WORDS},fd00:77::9/64@fd00:77::1"),
    "beside another": (["--beside", "--check"], WORDS),
    "neighbour": (["--check", "192.168.77.1"], "192.168.77.9/24"),
    "neighbour of IPv6": (["--check", "fd00:77::1"], "192.168.77.9/24,fd00:77::9/64"),
    "behind the gateway": (["--check", "10.99.0.1"], WORDS),
    "behind it, beside another": (["--beside", "--check", "10.99.0.1"], WORDS),
    "behind that of IPv6": (["--check", "fd00:99::1"], "fd00:77::9/64@fd00:77::1"),
    "leased": (["--check"], "udhcpc"),
    "announced": (["--check"], "auto"),
    "looked for": (["--probe", "--check", "192.168.77.1"], WORDS),
}


@pytest.mark.parametrize(("options", "address"), ANSWERED.values(), ids=ANSWERED)
def test_answer(options: list[str], address: str, host: Host, host_nic: Nics, guest_ns: Namespaces) -> None:
    """The command succeeds, and once more where the wire is there; not without the one who answers."""
    nic, guest = host_nic("lan0"), guest_ns()
    bring_online(guest)
    for far in ("10.99.0.1/32", "fd00:99::1/128"):
        nic.lan.run("ip", "addr", "add", far, "dev", "lo")
    line = [*options, nic.name, guest.spec, address]
    settle(host, guest)
    unchanged = Unchanged(guest)
    if address == "udhcpc":
        with dnsmasq(nic):
            assert host.pipework(*line) == (0, "", "")
    elif address == "auto":
        with announcing(nic):
            assert host.pipework(*line) == (0, "", "")
    else:
        assert host.pipework(*line) == (0, "", "")
        assert host.pipework("--replace", *line) == (0, "", "")
    settle(guest)
    there = Unchanged(guest)
    nic.lan.run("ip", "link", "set", nic.far, "down")
    nic.lan.run("ip", "addr", "flush", "dev", "lo")
    assert eventually(lambda: "NO-CARRIER" in guest.run("ip", "link", "show", "eth1"))
    if address not in ("udhcpc", "auto"):
        target = options[-1] if options[-1] != "--check" else "192.168.77.1"
        another = address.replace("77.9/", "77.8/").replace("::9/", "::8/")
        code, out, err = host.pipework("--replace", *line[:-1], another)
        assert (code, out) == (1, "")
        assert f"pipework: {target} does not answer over eth1 within 10 s" in err or "fd00:77::1 does not" in err
        nic.lan.run("ip", "link", "set", nic.far, "up")
        there.check()
    assert host.pipework("del", guest.spec) == (0, "", "")
    unchanged.check()


@pytest.mark.parametrize(("probe", "address"), [(["--probe"], "192.168.77.9/24"), ([], "192.168.77.8-9/24")])
def test_route_by_a_router_elsewhere(
    probe: list[str], address: str, host: Host, host_nic: Nics, guest_ns: Namespaces
) -> None:
    """A router that no network of the guest has gets a route to itself, once it is known whose the address is."""
    nic, guest = host_nic(), guest_ns()
    line = (*probe, "--route", "10.99.0.0/24@172.14.2.13", nic.name, guest.spec, address)
    assert host.pipework(*line) == (0, "", "")
    told = guest.run("ip", "route", "show", "dev", "eth1")
    assert "172.14.2.13 scope link" in told
    assert "10.99.0.0/24 via 172.14.2.13" in told
    assert host.pipework("--replace", *line) == (0, "", "")
    assert host.pipework("del", guest.spec) == (0, "", "")


def test_wrong_vlan(host: Host, guest_ns: Namespaces) -> None:
    """A gateway that is not in that network does not answer, and host and guest are as before."""
    guest, other = guest_ns(), guest_ns()
    bridge_on(host)
    host.run("ip", "link", "add", "br1", "type", "bridge")
    assert host.pipework("br1", other.spec, "10.1.1.1/24") == (0, "", "")
    settle(host, guest)
    before = Unchanged(host), Unchanged(guest)
    code, out, err = host.pipework("--check", "br0", guest.spec, "10.1.1.2/24@10.1.1.1")
    assert (code, out) == (1, "")
    assert err == (
        "pipework: 10.1.1.1 does not answer over eth1 within 10 s\n"
        "Is it the right network, VLAN and address?  To have the wire all the same, leave --check out.\n"
    )
    code, out, err = host.pipework("--check", "10.1.1.255", "br1", guest.spec, "10.1.1.2/24")
    assert (code, out, err.splitlines()[:1]) == (1, "", ["pipework: 10.1.1.255 does not answer over eth1 within 10 s"])
    for each in before:
        each.check()
    assert host.pipework("--check", "br1", guest.spec, "10.1.1.2/24@10.1.1.1") == (0, "", "")


WRONG = {
    "--check br0 GUEST 10.0.0.1/24": "--check has no gateway to ask with 10.0.0.1/24",
    "--check br0 GUEST 0/0": "--check has no gateway to ask with 0/0",
    "--check 10.0.0.2 br0 GUEST 0/0": "--check 10.0.0.2 is of another family than 0/0",
    "--check fd00::1 br0 GUEST 10.0.0.1/24": "--check fd00::1 is of another family than 10.0.0.1/24",
    "--check 224.0.0.1 br0 GUEST 10.0.0.1/24": "--check 224.0.0.1 is no host's address",
    "--check 127.0.0.1 br0 GUEST 10.0.0.1/24": "--check 127.0.0.1 is no host's address",
    "--probe br0 GUEST fd00::2/64": "--probe has no IPv4 address to look for in fd00::2/64",
    "--probe br0 GUEST udhcpc": "--probe has no IPv4 address to look for in udhcpc",
    "--probe br0 GUEST 0/0": "--probe has no IPv4 address to look for in 0/0",
    "--check --check br0 GUEST 10.0.0.1/24@10.0.0.2": "--check is given twice",
    "--probe ls": "ls does not take --probe",
}


def test_wrong_words(host: Host, guest_ns: Namespaces) -> None:
    """Each says what is wrong, with the fix, and nothing is changed."""
    assert_each_refused(host, guest_ns(), WRONG)

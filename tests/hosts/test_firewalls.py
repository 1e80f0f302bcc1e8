"""The real firewalld and the real ufw: frames pass, or what is typed as told lets them, and nothing else opens."""

from __future__ import annotations

import subprocess

import pytest

from tests.lab.command import Result
from tests.lab.filtered import ADDRESSES, Namespaces, advice, flows, plugged, rules, run_on, states, wired
from tests.lab.firewalls import BRIDGE, DOCKER
from tests.lab.host import Host, settle
from tests.lab.netns import NamedNamespace
from tests.lab.tcp import reaches

pytestmark = pytest.mark.hosts

HOST_ADDRESS = "10.1.1.254"
SILENT = Result(0, "", "")


def zone(host: Host) -> str:
    """The zone of firewalld that the bridge is in, "" for none."""
    asked = host.argv("firewall-cmd", f"--get-zone-of-interface={BRIDGE}")
    done = subprocess.run(asked, capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else ""


def host_is_open(host: Host, guest: NamedNamespace) -> bool:
    """Whether a guest reaches a port of the host itself."""
    run_on(host, f"ip addr replace {HOST_ADDRESS}/24 dev {BRIDGE}")
    return reaches(guest, host, HOST_ADDRESS, wait=1)


def test_bridge_enters_a_zone_of_its_own(firewalld: Host, guest_ns: Namespaces) -> None:
    """Two guests reach each other, the host stays closed to them, and with the last of them all is as it was."""
    before, guests = firewalld.run("firewall-cmd", "--list-all-zones"), [guest_ns(), guest_ns()]
    assert wired(firewalld, guests, ADDRESSES) == [SILENT, SILENT]
    settle(*guests)
    assert flows(guests, ADDRESSES)
    assert states(firewalld) == ["up", "up"]
    assert zone(firewalld) == "work"
    assert not host_is_open(firewalld, guests[0])
    assert firewalld.pipework("del", guests[0].spec) == SILENT
    assert zone(firewalld) == "work"
    said = firewalld.pipework("--dry-run", "del", guests[1].spec).out
    assert f"firewall-cmd --zone=work --remove-interface={BRIDGE}" in said
    assert firewalld.pipework("del", guests[1].spec) == SILENT
    assert zone(firewalld) == ""
    assert firewalld.run("firewall-cmd", "--list-all-zones") == before


def test_reload_of_firewalld(firewalld: Host, guest_ns: Namespaces) -> None:
    """After a reload, which forgets zones, ls says filtered; the same line with --replace lets frames pass again."""
    guests = [guest_ns(), guest_ns()]
    assert wired(firewalld, guests, ADDRESSES) == [SILENT, SILENT]
    firewalld.run("firewall-cmd", "--reload")
    settle(*guests)
    assert not flows(guests, ADDRESSES, wait=1)
    assert states(firewalld) == ["filtered", "filtered"]
    assert wired(firewalld, guests, ADDRESSES, "--replace") == [SILENT, SILENT]
    assert flows(guests, ADDRESSES)
    assert states(firewalld) == ["up", "up"]


def test_reload_as_its_administrator_has_it(firewalld: Host, guest_ns: Namespaces) -> None:
    """Where a reload keeps interfaces in their zones, frames pass after it as before."""
    run_on(firewalld, "sed -i s/^FlushAllOnReload=.*/FlushAllOnReload=no/ /etc/firewalld/firewalld.conf")
    firewalld.run("firewall-cmd", "--reload")
    guests = [guest_ns(), guest_ns()]
    assert wired(firewalld, guests, ADDRESSES) == [SILENT, SILENT]
    firewalld.run("firewall-cmd", "--reload")
    settle(*guests)
    assert flows(guests, ADDRESSES)
    assert states(firewalld) == ["up", "up"]


def test_guest_that_is_gone(firewalld: Host, guest_ns: Namespaces) -> None:
    """gc takes the bridge of guests that are gone out of its zone."""
    guest = guest_ns()
    assert wired(firewalld, [guest], ADDRESSES) == [SILENT]
    assert zone(firewalld) == "work"
    firewalld.run("ip", "link", "del", firewalld.pipework("ls", "--json").out.split('"link": "')[1].split('"')[0])
    assert f"removed firewalld's zone work of {BRIDGE}, which leads to no guest" in firewalld.pipework("gc").out
    assert zone(firewalld) == ""


@pytest.mark.parametrize(
    "made",
    [
        "firewall-cmd --add-interface=eth7",
        f"ip link add {BRIDGE} up type bridge; ip link add eth8 master {BRIDGE} type veth peer name eth9",
        "firewall-cmd --zone=work --add-service=http; firewall-cmd --zone=work --add-source=192.0.2.1",
        f"firewall-cmd --remove-forward; ip link add {BRIDGE} type bridge; firewall-cmd --add-interface={BRIDGE}",
    ],
    ids=["default zone with interfaces", "a NIC on the bridge", "no zone is free", "a zone that does not forward"],
)
def test_what_is_the_administrators(firewalld: Host, guest_ns: Namespaces, made: str) -> None:
    """Where a zone of its own would change more than the bridge, the line that lets frames pass is told; it does."""
    run_on(firewalld, made)
    before, guests = zone(firewalld), [guest_ns(), guest_ns()]
    told = {advice(done) for done in wired(firewalld, guests, ADDRESSES)}
    assert zone(firewalld) == before
    settle(*guests)
    assert not flows(guests, ADDRESSES, wait=1)
    assert states(firewalld) == ["filtered", "filtered"]
    for line in told:
        run_on(firewalld, line)
    assert flows(guests, ADDRESSES)
    assert not host_is_open(firewalld, guests[0])


def test_beside_docker(firewalld: Host, guest_ns: Namespaces) -> None:
    """Where Docker's rules drop frames as well, both let them pass."""
    run_on(firewalld, DOCKER)
    guests = [guest_ns(), guest_ns()]
    assert wired(firewalld, guests, ADDRESSES) == [SILENT, SILENT]
    settle(*guests)
    assert flows(guests, ADDRESSES)


def test_ufw(ufw: Host, guest_ns: Namespaces) -> None:
    """What is told where ufw drops frames lets them pass, and nobody else's."""
    before, guests, others = rules(ufw), [guest_ns(), guest_ns()], [guest_ns(), guest_ns()]
    told = {advice(done) for done in wired(ufw, guests, ADDRESSES)}
    assert rules(ufw) == before
    settle(*guests)
    assert not flows(guests, ADDRESSES, wait=1)
    for line in told:
        run_on(ufw, line)
    assert flows(guests, ADDRESSES)
    assert states(ufw) == ["up", "up"]
    run_on(ufw, "ip link add br2 up type bridge")
    for number, (guest, address) in enumerate(zip(others, ("10.2.2.1/24", "10.2.2.2/24"))):
        plugged(ufw, guest, f"vm{number}", address, "br2")
    assert not flows(others, ("10.2.2.1/24", "10.2.2.2/24"), wait=1)

"""VLANs on a network card: the link that carries the tag, traffic with a far end that tags, --direct-phys."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator

import pytest

from tests.lab.command import COMMAND, run_pipework
from tests.lab.guest import HOST, SLOW, eventually
from tests.lab.netns import Nic
from tests.lab.snapshot import wait_for_the_ended
from tests.lab.tcp import reaches
from tests.vm.wiring import NO_ROUTER, Namespaces, delete, fail, kind, succeed, untouched, vlan_on

pytestmark = pytest.mark.vm

FAR = "192.168.100.1"


@pytest.fixture
def tagged(cable: Nic) -> Iterator[Nic]:
    """The cable, its far end in VLAN 100 with an address of its own; what is left of VLAN links goes afterwards."""
    vlan_on(cable.lan, cable.far, 100, f"{FAR}/24")
    yield cable
    cable.lan.run("ip", "link", "del", f"{cable.far}.100")
    delete("eth0.100", "uplink100")


def test_link_is_made_used_again_and_kept(tagged: Nic, guest_ns: Namespaces) -> None:
    """NIC.VLAN is made with the NIC's MTU, up; a second guest uses it; it stays when both are gone."""
    one, two = guest_ns(), guest_ns()
    HOST.run("ip", "link", "set", "eth0", "mtu", "1400")
    try:
        succeed("eth0", one.spec, "192.168.100.8/24", "@100")
        vlan = HOST.link("eth0.100")
        assert vlan is not None
        assert (vlan["linkinfo"]["info_kind"], vlan["linkinfo"]["info_data"]["id"]) == ("vlan", 100)
        assert vlan["mtu"] == 1400
        assert "UP" in vlan["flags"]
        link = one.link("eth1")
        assert link is not None
        assert (link["linkinfo"]["info_kind"], link["mtu"], link["link_index"]) == ("macvlan", 1400, vlan["ifindex"])
        succeed("eth0", two.spec, "192.168.100.9/24", "02:00:00:00:64:09@100")
        assert one.ping(FAR)
        assert two.ping(FAR)
        assert one.ping("192.168.100.9")
        assert not one.ping("192.168.77.1", wait=3)
        for guest in (one, two):
            HOST.run("ip", "netns", "del", guest.name)
        wait_for_the_ended()
        kept = HOST.link("eth0.100")
        assert kept is not None
        assert kept["ifindex"] == vlan["ifindex"]
    finally:
        HOST.run("ip", "link", "set", "eth0", "mtu", "1500")


def test_link_of_another_name_is_used(tagged: Nic, guest_ns: Namespaces) -> None:
    """The NIC's VLAN link is used under whatever name it has, and brought up."""
    guest = guest_ns()
    HOST.run("ip", "link", "add", "link", "eth0", "name", "uplink100", "type", "vlan", "id", "100")
    succeed("eth0", guest.spec, "192.168.100.8/24", "@100")
    assert guest.ping(FAR)
    assert HOST.link("eth0.100") is None


def test_refusals(tagged: Nic, guest_ns: Namespaces) -> None:
    """What is no VLAN id is refused; so is a link called NIC.VLAN that is no VLAN link, or of another tag."""
    guest = guest_ns()
    with untouched(guest):
        for wrong in ("0", "4095", "ten"):
            said = fail("eth0", guest.spec, "192.168.100.8/24", f"@{wrong}")
            assert f"VLAN @{wrong} is not a VLAN id" in said
    for option, arguments in (([], "type dummy"), (["--direct-phys"], "link eth0 type vlan id 101")):
        HOST.run("ip", "link", "add", "name", "eth0.100", *arguments.split())
        with untouched(guest):
            said = fail(*option, "eth0", guest.spec, "192.168.100.8/24", "@100")
        assert "eth0.100 exists already but is not a VLAN link for tag 100 of eth0" in said
        assert "ip -d link show eth0.100" in said
        delete("eth0.100")


def test_longest_nic_name(tagged: Nic, guest_ns: Namespaces) -> None:
    """A NIC whose name leaves no room for .VLAN gets a VLAN link under a shorter name, the same each time."""
    one, two, name = guest_ns(), guest_ns(), "enp0s31f6np0abc"
    rename("eth0", name)
    try:
        before = vlans()
        succeed(name, one.spec, "192.168.100.8/24", "@100")
        (made,) = vlans() - before
        succeed(name, two.spec, "192.168.100.9/24", "@100")
        assert vlans() - before == {made}
        assert two.ping(FAR)
        delete(made)
    finally:
        rename(name, "eth0")


def vlans() -> set[str]:
    """Return the names of the machine's VLAN links."""
    return {link["ifname"] for link in HOST.ip("-j", "link", "show", "type", "vlan") if link}


def rename(old: str, new: str) -> None:
    """Give a network card another name."""
    HOST.run("ip", "link", "set", old, "down")
    HOST.run("ip", "link", "set", old, "name", new)
    HOST.run("ip", "link", "set", new, "up")


def test_failure_takes_the_link_back(tagged: Nic, guest_ns: Namespaces) -> None:
    """A run that fails takes back the VLAN link that it made, not one that was there; exit 2."""
    guest = guest_ns()
    words = ("eth0", guest.spec, "192.168.77.8/24@" + NO_ROUTER, "@100")
    with untouched(guest):
        assert "RTNETLINK answers:" in fail(*words, code=2)
    HOST.run("ip", "link", "add", "link", "eth0", "name", "eth0.100", "type", "vlan", "id", "100")
    HOST.run("ip", "link", "set", "eth0.100", "up")
    with untouched(guest):
        fail(*words, code=2)
        fail("--direct-phys", *words, code=2)


def test_failure_leaves_a_link_that_another_run_uses(tagged: Nic, guest_ns: Namespaces) -> None:
    """A run that made the VLAN link and fails leaves it, up, to another run that has come to use it meanwhile."""
    slow, quick = guest_ns(), guest_ns()
    # the kernel checks the address for long, so that the run waits
    slow.run("sysctl", "-qw", "net.ipv6.conf.default.dad_transmits=60")
    argv = [*COMMAND, "eth0", slow.spec, "fd00:100::8/64", "@100"]
    running = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert eventually(lambda: slow.run("ip", "-6", "addr", "show", "dev", "eth1", "tentative", check=False))
    done = run_pipework("eth0", quick.spec, "192.168.100.9/24", "@100")
    running.terminate()
    _, said = running.communicate(timeout=60 * SLOW)
    assert done == (0, "", "")
    assert running.returncode != 0, said
    assert slow.link("eth1") is None
    assert kind(HOST, "eth0.100") == "vlan"
    assert quick.ping(FAR)


def test_direct(tagged: Nic, guest_ns: Namespaces) -> None:
    """With --direct-phys the guest has the VLAN link itself, made for it or taken from the host; the NIC stays."""
    made, taken = guest_ns(), guest_ns()
    succeed("--direct-phys", "eth0", made.spec, "192.168.100.8/24", "@100")
    assert kind(made, "eth1") == "vlan"
    assert made.ping(FAR)
    assert HOST.link("eth0") is not None
    assert HOST.link("eth0.100") is None
    HOST.run("ip", "netns", "del", made.name)
    wait_for_the_ended()
    HOST.run("ip", "link", "add", "link", "eth0", "name", "eth0.100", "type", "vlan", "id", "100")
    succeed("--direct-phys", "eth0", "-i", "lan7", taken.spec, "192.168.100.9/24", "@100")
    assert taken.ping(FAR)
    assert HOST.link("eth0.100") is None
    assert HOST.link("eth0") is not None


def test_host_access(tagged: Nic, guest_ns: Namespaces) -> None:
    """With --host-access this host and a guest of the VLAN reach each other, if the host has an address there."""
    guest = guest_ns()
    words = ("--host-access", "eth0", guest.spec, "192.168.100.8/24", "@100")
    with untouched(guest):
        assert "eth0.100 has no address in the network of 192.168.100.8/24" in fail(*words)
    vlan_on(HOST, "eth0", 100, "192.168.100.2/24")
    succeed(*words)
    for one, other, address in ((HOST, guest, "192.168.100.8"), (guest, HOST, "192.168.100.2")):
        assert one.ping(address)
        assert reaches(one, other, address)
    assert guest.ping(FAR)
    succeed("--replace", *words)
    succeed("del", guest.spec)
    assert HOST.link("pw-eth0.100") is None

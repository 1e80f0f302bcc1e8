"""--routed: the host routes for the guest and answers for it: one MAC outside, and the host reaches its guest."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Callable

import pytest

from tests.lab.host import Host, settle
from tests.lab.kept import collected
from tests.lab.netns import NamedNamespace, Nic, named_namespace
from tests.lab.refusal import assert_each_refused
from tests.lab.scenes import bring_online
from tests.lab.snapshot import Unchanged, wait_for_the_ended
from tests.lab.tcp import reaches

Namespaces = Callable[[], NamedNamespace]
Nics = Callable[..., Nic]
IP, IP6 = "192.168.77.9", "fd00:77::9"
BOTH = f"{IP}/32,{IP6}/128"
TOLD = "pipework: the guest is routed over {nic}: broadcasts and multicast, with it mDNS, do not pass\n"


def furnished(host: Host, nic: Nic) -> None:
    """Give the host addresses on the NIC, and have it forward; its filters of paths are strict."""
    for line in (f"{nic.name}", "all"):
        host.run("sysctl", "-qw", f"net.ipv4.conf.{line}.rp_filter=1", f"net.ipv4.conf.{line}.arp_ignore=1")
    host.run("sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1")
    host.run("ip", "address", "add", "192.168.77.2/24", "dev", nic.name)
    host.run("ip", "address", "add", "fd00:77::2/64", "dev", nic.name, "nodad")
    for table in ("iptables", "ip6tables"):
        host.run(table, "-P", "FORWARD", "ACCEPT")
    settle(host)


def test_reached_from_everywhere(host: Host, host_nic: Nics, guest_ns: Namespaces) -> None:
    """A neighbour and the host reach the guest and it reaches them, by TCP and in both families, under one MAC."""
    nic, guest = host_nic(), guest_ns()
    furnished(host, nic)
    settle(host, guest)
    before = Unchanged(host), Unchanged(guest)
    assert host.pipework("--routed", nic.name, guest.spec, BOTH) == (0, "", TOLD.format(nic=nic.name))
    for ip, there, hosts in ((IP, nic.address, "192.168.77.2"), (IP6, nic.address6, "fd00:77::2")):
        assert nic.lan.ping(ip)
        assert guest.ping(there)
        assert reaches(nic.lan, guest, ip)
        assert reaches(guest, nic.lan, there)
        assert reaches(host, guest, ip)
        assert reaches(guest, host, hosts)
    known = {entry["lladdr"] for entry in nic.lan.ip("-j", "neighbour", "show") if "lladdr" in entry}
    assert len(known) == 1
    assert host.pipework("del", guest.spec) == (0, "", "")
    for each in before:
        each.check()


def answered(host: Host) -> set[str]:
    """The addresses that the host's NICs answer for."""
    return {entry["dst"] for entry in host.ip("-j", "neigh", "show", "proxy")}


def asks_ndp(host: Host, nic: Nic) -> bool:
    """Whether the NIC answers for addresses of IPv6."""
    return host.run("cat", f"/proc/sys/net/ipv6/conf/{nic.name}/proxy_ndp").strip() == "1"


def states(host: Host) -> list[str]:
    """What ls says of the wires."""
    return [wire["state"] for wire in json.loads(host.pipework("ls", "--json").out)]


def test_two_guests(host: Host, host_nic: Nics, guest_ns: Namespaces) -> None:
    """They reach each other and the network past a Docker host's firewall; what one leaves the other keeps."""
    nic, one, two = host_nic(), guest_ns(), guest_ns()
    furnished(host, nic)
    drop_again(host)
    settle(host, one, two)
    before = Unchanged(host)
    assert host.pipework("--routed", nic.name, one.spec, BOTH) == (0, "", TOLD.format(nic=nic.name))
    rules = host.run("iptables", "-S", "DOCKER-USER")
    assert f"-s {IP}/32 -i {end_of(host, one)} -o {nic.name} " in rules
    assert f"-d {IP}/32 -i {nic.name} -o {end_of(host, one)} " in rules
    assert host.pipework("--routed", nic.name, two.spec, "192.168.77.10/32,fd00:77::10/128") == (0, "", "")
    for ip, other, there in ((IP, "192.168.77.10", nic.address), (IP6, "fd00:77::10", nic.address6)):
        assert reaches(one, two, other)
        assert reaches(two, one, ip)
        assert reaches(two, nic.lan, there)
        assert reaches(nic.lan, two, other)
    assert states(host) == ["up", "up"]
    assert answered(host) == {IP, IP6, "192.168.77.10", "fd00:77::10"}
    assert host.pipework("del", one.spec) == (0, "", "")
    assert answered(host) == {"192.168.77.10", "fd00:77::10"}
    assert asks_ndp(host, nic)
    assert reaches(nic.lan, two, "fd00:77::10")
    assert host.run("iptables", "-S", "DOCKER-USER").count("pipework") == 2
    assert host.pipework("del", two.spec) == (0, "", "")
    before.check()
    assert (answered(host), asks_ndp(host, nic)) == (set(), False)


def drop_again(host: Host) -> None:
    """Have the host drop what is not let through, as Docker does."""
    for table in ("iptables", "ip6tables"):
        host.run(table, "-P", "FORWARD", "DROP")


def end_of(host: Host, guest: NamedNamespace) -> str:
    """The host's end of a guest's wire."""
    return next(wire["link"] for wire in json.loads(host.pipework("ls", "--json").out) if wire["guest"] == guest.name)


def test_guest_ends(host: Host, host_nic: Nics) -> None:
    """gc takes back what a guest leaves that has ended, and the same line for the next guest does without gc."""
    nic = host_nic()
    furnished(host, nic)
    drop_again(host)
    before = Unchanged(host)
    for _ in range(2):
        with named_namespace() as guest:
            done = host.pipework("--routed", nic.name, "-l", "mine", guest.spec, BOTH)
            assert (done.code, done.out) == (0, "")
            assert reaches(nic.lan, guest, IP)
            assert reaches(nic.lan, guest, IP6)
        wait_for_the_ended()
        assert answered(host) == {IP, IP6}
    done = host.pipework("gc")
    assert (done.code, done.err) == (0, "")
    assert f"removed answers for {IP}, which is no guest's any more\n" in done.out
    assert "rule of mine, which leads to no guest" in done.out
    before.check()
    assert (answered(host), asks_ndp(host, nic)) == (set(), False)
    assert collected(host.pipework) == []


def test_replace(host: Host, host_nic: Nics, guest_ns: Namespaces) -> None:
    """A wire that is as asked is left alone; another address, NIC or kind takes the place of what was."""
    nic, other, guest = host_nic(), host_nic("nic9"), guest_ns()
    furnished(host, nic)
    host.run("ip", "address", "add", "10.9.9.2/24", "dev", "nic9")
    drop_again(host)
    settle(host, guest)
    before = Unchanged(host), Unchanged(guest)
    line = ("--replace", "--routed", nic.name, guest.spec)
    assert host.pipework(*line, BOTH).code == 0
    there = Unchanged(host), Unchanged(guest)
    assert host.pipework(*line, BOTH) == (0, "", "")
    for each in there:
        each.check()
    assert host.pipework(*line, f"{IP}/32,192.168.77.11/32") == (0, "", "")
    assert answered(host) == {IP, "192.168.77.11"}
    assert not asks_ndp(host, nic)
    assert reaches(nic.lan, guest, "192.168.77.11")
    assert reaches(guest, nic.lan, nic.address)
    assert IP6 not in host.run("ip6tables", "-S", "DOCKER-USER")
    assert host.pipework("--replace", "--routed", "nic9", guest.spec, "10.9.9.9/32").code == 0
    assert (answered(host), host.run("iptables", "-S").count(nic.name)) == ({"10.9.9.9"}, 0)
    assert host.pipework("--replace", nic.name, guest.spec, "192.168.77.9/24") == (0, "", "")
    assert answered(host) == set()
    assert "pipework" not in host.run("iptables", "-S", "DOCKER-USER")
    assert host.pipework(*line, BOTH).code == 0
    assert reaches(nic.lan, guest, IP)
    assert host.pipework("del", guest.spec) == (0, "", "")
    for each in before:
        each.check()
    assert other.name == "nic9"


def test_lost_answers_come_back(host: Host, host_nic: Nics, guest_ns: Namespaces) -> None:
    """Where somebody has taken the NIC down and up, or forwarding away, ls says so; --replace has it answer again."""
    nic, guest = host_nic(), guest_ns()
    furnished(host, nic)
    line = ("--routed", nic.name, guest.spec, BOTH)
    assert host.pipework(*line).code == 0
    host.run("ip", "link", "set", nic.name, "down")
    host.run("ip", "link", "set", nic.name, "up")
    host.run("ip", "address", "replace", "fd00:77::2/64", "dev", nic.name, "nodad")
    settle(host)
    assert states(host) == ["not answered for"]
    assert not nic.lan.ping(IP, wait=1)
    assert host.pipework("--replace", *line) == (0, "", "")
    assert states(host) == ["up"]
    assert reaches(nic.lan, guest, IP)
    assert reaches(nic.lan, guest, IP6)
    host.run("sysctl", "-qw", "net.ipv4.ip_forward=0")
    assert states(host) == ["not forwarded"]


def test_forwarding_is_the_administrators(host: Host, host_nic: Nics, guest_ns: Namespaces) -> None:
    """Where the host does not forward, nothing is opened: it says what to type; nor has it a route it needs."""
    nic, guest = host_nic(), guest_ns()
    host.run("sysctl", "-qw", "net.ipv4.ip_forward=0")
    settle(host, guest)
    before = Unchanged(host), Unchanged(guest)
    for address, family, typed in ((IP + "/32", 4, "ip_forward=1"), (IP6 + "/128", 6, "accept_ra=2")):
        done = host.pipework("--routed", nic.name, guest.spec, address)
        told, hint = done.err.splitlines()
        assert (done.code, done.out) == (1, "")
        assert told.startswith(f"pipework: this host does not forward IPv{family} over {nic.name}")
        assert typed in hint
    host.run("sysctl", "-qw", "net.ipv4.ip_forward=1")
    done = host.pipework("--routed", nic.name, guest.spec, IP + "/32")
    assert (done.code, f"this host has no IPv4 route over {nic.name}" in done.err) == (1, True)
    for each in before:
        each.check()


def test_address_that_is_taken(host: Host, host_nic: Nics, guest_ns: Namespaces) -> None:
    """An address that this host has, routes or answers for already is refused, by name; --probe asks the network."""
    nic, guest, other = host_nic(), guest_ns(), guest_ns()
    furnished(host, nic)
    host.run("ip", "route", "add", "192.168.77.20/32", "dev", nic.name)
    host.run("ip", "neigh", "add", "proxy", "192.168.77.21", "dev", nic.name)
    host.run("ip", "route", "add", "10.20.0.0/16", "via", nic.address)
    for ip in ("192.168.77.3", "192.168.77.4"):
        nic.lan.run("ip", "address", "add", f"{ip}/24", "dev", nic.far)
    assert host.pipework("--routed", nic.name, other.spec, "192.168.77.22/32").code == 0
    done = host.pipework("--routed", nic.name, "-i", "eth2", other.spec, "192.168.77.23/32")
    assert (done.code, f"{other.spec} is routed to by IPv4 already, as eth1" in done.err) == (1, True)
    settle(host, guest)
    assert host.ping("192.168.77.3")
    before = Unchanged(host), Unchanged(guest)
    for ip, told in (
        ("192.168.77.2", f"address 192.168.77.2 is this host's own, on {nic.name}"),
        ("192.168.77.20", f"this host has a route to 192.168.77.20 already, over {nic.name}"),
        ("192.168.77.21", f"{nic.name} answers for 192.168.77.21 already"),
        (nic.address, f"address {nic.address} is a router of this host"),
        ("192.168.77.3", f"address 192.168.77.3 is in use on the network of {nic.name}"),
        ("192.168.77.22", f"address 192.168.77.22 is routed to netns:{other.name} already"),
    ):
        done = host.pipework("--routed", nic.name, guest.spec, f"{ip}/32")
        assert (done.code, done.out, told in done.err) == (1, "", True), done
        assert len(done.err.splitlines()) == 2
    done = host.pipework("--probe", "--routed", nic.name, guest.spec, "192.168.77.4/32")
    assert (done.code, "address 192.168.77.4 is in use on that network" in done.err) == (1, True)
    for each in before:
        each.check()
    line = ("--probe", "--check", nic.address, "--routed", nic.name, guest.spec, f"{IP}/32")
    assert host.pipework(*line) == (0, "", "")
    assert reaches(nic.lan, guest, IP)


def test_options(host: Host, host_nic: Nics, guest_ns: Namespaces) -> None:
    """MAC, MTU, metric, routes and --beside do what they do elsewhere; what is saved is what was typed."""
    nic, guest = host_nic(), guest_ns()
    furnished(host, nic)
    bring_online(guest)
    settle(host, guest)
    before = Unchanged(host), Unchanged(guest)
    options = ["--route", "10.8.0.0/13", "--metric", "7", "--mtu", "1400", "--beside"]
    line = [*options, "--check", "--routed", nic.name, "-l", "mine", guest.spec, BOTH, "02:00:00:00:00:09"]
    assert host.pipework(*line) == (0, "", TOLD.format(nic=nic.name))
    told = guest.run("ip", "route", "show")
    assert "10.8.0.0/13 via 169.254.0.1 dev eth1 metric 7" in told.replace("  ", " ")
    assert "default via 172.30.0.254 dev eth0" in told
    (link,) = guest.ip("-j", "link", "show", "eth1")
    (end,) = host.ip("-j", "link", "show", "mine")
    assert (link["mtu"], end["mtu"], link["address"]) == (1400, 1400, "02:00:00:00:00:09")
    assert reaches(nic.lan, guest, IP)
    assert reaches(nic.lan, guest, IP6)
    saved = host.pipework("save")
    assert (
        saved.out == f"pipework --routed {' '.join(options)} {nic.name} -l mine {guest.spec} {BOTH} 02:00:00:00:00:09\n"
    )
    assert host.pipework("--replace", *saved.out.split()[1:]) == (0, "", "")
    assert host.pipework("--replace", *line) == (0, "", "")
    again = host.pipework(*line)
    assert (again.code, again.out) == (1, "Link mine exists and is up\n")
    assert host.pipework("del", guest.spec) == (0, "", "")
    for each in before:
        each.check()


def test_save_and_apply(host: Host, host_nic: Nics, guest_ns: Namespaces, tmp_path: Path) -> None:
    """Of saved lines apply changes nothing; once the wires are taken back it makes them as they were."""
    nic, one, two, file = host_nic(), guest_ns(), guest_ns(), tmp_path / "wiring"
    furnished(host, nic)
    drop_again(host)
    for guest, address in ((one, BOTH), (two, "fd00:77::10/128")):
        assert host.pipework("--routed", nic.name, guest.spec, address).code == 0
    saved = host.pipework("save")
    assert (saved.code, saved.err, saved.out.count("\n")) == (0, "", 2)
    file.write_text(saved.out)
    before = Unchanged(host), Unchanged(one)
    summary = "2 lines: 2 as asked, 0 made, 0 replaced, 0 removed, 0 skipped, 0 failed\n"
    assert host.pipework("apply", "--prune", str(file)) == (0, summary, "")
    for each in before:
        each.check()
    assert host.pipework("del", one.spec) == (0, "", "")
    assert host.pipework("del", two.spec) == (0, "", "")
    made = host.pipework("apply", str(file))
    assert (made.code, made.err) == (0, TOLD.format(nic=nic.name))
    assert host.pipework("save") == saved
    assert reaches(one, two, "fd00:77::10")
    file.write_text(saved.out.replace("fd00:77::10/128", IP6 + "/128"))
    done = host.pipework("apply", str(file))
    assert (done.code, f"address {IP6} is routed to netns:{one.name} already" in done.err) == (1, True), done


FIREWALLS = {
    "iptables": ("iptables -F; iptables -X; iptables -P FORWARD DROP", "iptables -I FORWARD"),
    "nft": (
        "iptables -F; iptables -X; nft add table inet own; "
        "nft add chain inet own way '{ type filter hook forward priority 0; policy drop; }'",
        "nft insert rule inet own way iifname",
    ),
}


@pytest.mark.parametrize(("made", "typed"), FIREWALLS.values(), ids=FIREWALLS)
def test_firewall_of_the_administrator(made: str, typed: str, host: Host, host_nic: Nics, guest_ns: Namespaces) -> None:
    """What is not pipework's to open stays closed: it says who drops the frames, and what to type, which lets them."""
    nic, guest = host_nic(), guest_ns()
    furnished(host, nic)
    host.run("sh", "-ec", made)
    done = host.pipework("--routed", nic.name, guest.spec, f"{IP}/32")
    assert (done.code, done.out) == (0, "")
    (line,) = [line for line in done.err.splitlines() if "are dropped" in line]
    assert line.startswith(f"pipework: frames between {nic.name} and the guest are dropped, IPv4 by ")
    advice = line.rpartition("; type: ")[2]
    commands = line.partition("; type: ")[2]
    assert typed in advice
    assert states(host) == ["filtered"]
    assert not reaches(nic.lan, guest, IP, wait=1)
    host.run("sh", "-ec", commands)
    assert states(host) == ["up"]
    assert reaches(nic.lan, guest, IP)
    assert reaches(guest, nic.lan, nic.address)
    assert reaches(guest, host, "192.168.77.2")


WRONG = {
    "--routed nic0 GUEST 192.168.77.9/24": "ADDRESS 192.168.77.9/24: a routed guest has no network of its own",
    "--routed nic0 GUEST fd00::9/64": "ADDRESS fd00::9/64: a routed guest has no network of its own",
    "--routed nic0 GUEST 192.168.77.9/32@192.168.77.1": "names a gateway, and with --routed that is this host",
    "--routed nic0 GUEST 0/0": "--routed wants an address that is known beforehand, not 0/0",
    "--routed nic0 GUEST auto": "--routed wants an address that is known beforehand, not auto",
    "--routed nic0 GUEST dhcp": "--routed wants an address that is known beforehand, not dhcp",
    "--routed nic0 GUEST 192.168.77.9-12/24": "--routed wants an address that is known beforehand",
    "--routed nic0 GUEST 192.168.77.9/32 @100": "--routed does not take VLAN @100",
    "--routed nic0 GUEST 192.168.77.9/32,192.168.77.9/32": "ADDRESS names 192.168.77.9 twice",
    "--routed --direct-phys nic0 GUEST 192.168.77.9/32": "--routed and --direct-phys do not go together",
    "--routed --mode vepa nic0 GUEST 192.168.77.9/32": "--mode is for a NIC that guests share with the host",
    "--routed --route 10.0.0.0/8@192.168.77.1 nic0 GUEST 192.168.77.9/32": "only router of a routed guest is this host",
    "--routed --route fd00::/8 nic0 GUEST 192.168.77.9/32": "is of IPv6, of which the guest has no address",
    "--routed --mtu 9000 nic0 GUEST 192.168.77.9/32": "--mtu 9000 is more than nic0 carries",
    "--routed br9 GUEST 192.168.77.9/32": "--routed is for a NIC, and HOSTIF br9 is none here",
    "--routed lo GUEST 192.168.77.9/32": "HOSTIF lo is no NIC",
    "--routed port GUEST 192.168.77.9/32": "HOSTIF port is a port of br0 (bridge)",
    "--routed ls": "ls does not take --routed",
}


def test_wrong_words(host: Host, host_nic: Nics, guest_ns: Namespaces) -> None:
    """Each says what is wrong, with the fix, and nothing is changed."""
    furnished(host, host_nic("nic0"))
    host.run("ip", "link", "add", "br0", "type", "bridge")
    host.run("ip", "link", "add", "port", "master", "br0", "type", "veth", "peer", "name", "far")
    assert_each_refused(host, guest_ns(), WRONG)

"""del: what an attach has made goes, what it had put out of the way comes back, and nothing else is touched."""

from __future__ import annotations

from typing import Callable

import pytest

from tests.lab.engine import Container
from tests.lab.guest import HOST, SLOW, Guest, eventually, fresh_name
from tests.lab.host import Host, settle
from tests.lab.netns import NamedNamespace, Nic
from tests.lab.scenes import bring_online
from tests.lab.snapshot import Snapshot, Unchanged, diff, snapshot
from tests.lab.switch_host import switch_host

Containers = Callable[..., Container]
Namespaces = Callable[[], NamedNamespace]
Nics = Callable[..., Nic]


def on_bridge(host: Host, name: str = "br0") -> str:
    """Make a bridge that is there before and after."""
    host.run("ip", "link", "add", name, "address", "02:00:00:00:0b:00", "type", "bridge")
    host.run("ip", "link", "set", name, "up")
    # with a port of its own, for a bridge takes its carrier from its ports
    host.run("ip", "link", "add", f"{name}p", "master", name, "type", "veth", "peer", "name", f"{name}far")
    for link in (f"{name}p", f"{name}far"):
        host.run("ip", "link", "set", link, "up")
    return name


def assert_as_before(guest: Guest, before: Snapshot) -> None:
    """Fail unless a namespace comes to be as it was, as soon as what takes a moment has settled."""
    if not eventually(lambda: not diff(before, snapshot(guest)), 20 * SLOW):
        raise AssertionError(f"{guest.name} is not as before:\n{diff(before, snapshot(guest))}")


ADDRESSES = (
    "192.168.77.9/24",
    "192.168.77.9/24@192.168.77.1",
    "192.168.77.9/32@192.168.88.1",
    "fd00:77::9/64@fd00:77::1",
    "fd00:77::9/128@fd00:88::1",
    "0/0",
)


@pytest.mark.parametrize("address", ADDRESSES)
@pytest.mark.parametrize("kind", ["bridge", "macvlan", "direct"])
def test_as_if_it_had_never_been(kind: str, address: str, host: Host, host_nic: Nics, guest_ns: Namespaces) -> None:
    """Attach and del: host and guest are as before, default routes that were replaced included."""
    guest, nic = guest_ns(), host_nic()
    host.run("ip", "addr", "add", "192.168.77.2/24", "dev", nic.name)
    host.run("ip", "addr", "add", "fd00:77::2/64", "dev", nic.name, "nodad")
    host.run("ip", "route", "add", "10.20.0.0/16", "via", "192.168.77.1", "dev", nic.name)
    bring_online(guest)
    on_bridge(host)
    settle(host, guest)
    before, inside = snapshot(host), snapshot(guest)
    words = {"bridge": ["br0"], "macvlan": [nic.name], "direct": ["--direct-phys", nic.name]}[kind]
    assert host.pipework(*words, guest.spec, address) == (0, "", "")
    assert diff(inside, snapshot(guest))
    assert host.pipework("del", guest.spec) == (0, "", "")
    assert_as_before(host, before)
    assert_as_before(guest, inside)


@pytest.mark.docker
@pytest.mark.parametrize("kind", ["bridge", "macvlan", "direct"])
def test_container(kind: str, host: Host, host_nic: Nics, container: Containers) -> None:
    """A container, too, is as before; its eth0, which is Docker's, stays as it is."""
    guest, nic = container(net="bridge"), host_nic()
    on_bridge(host)
    settle(host, guest)
    before, inside = snapshot(host), snapshot(guest)
    words = {"bridge": ["br0"], "macvlan": [nic.name], "direct": ["--direct-phys", nic.name]}[kind]
    assert host.pipework(*words, guest.name, "192.168.77.9/24@192.168.77.1") == (0, "", "")
    assert host.pipework("del", guest.name) == (0, "", "")
    assert_as_before(host, before)
    assert_as_before(guest, inside)
    assert guest.link("eth0") is not None


def test_openvswitch(guest_ns: Namespaces) -> None:
    """The port leaves Open vSwitch, and the pair the host."""
    guest = guest_ns()
    with switch_host() as taken:
        bridge = taken.add_bridge()
        settle(taken.host)
        before, rows, inside = snapshot(taken.host), taken.rows(), snapshot(guest)
        assert taken.pipework(bridge, guest.spec, "192.168.77.9/24@192.168.77.1", "@100") == (0, "", "")
        assert taken.rows() != rows
        assert taken.pipework("del", guest.spec) == (0, "", "")
        assert taken.rows() == rows
        assert_as_before(taken.host, before)
        assert_as_before(guest, inside)


def test_openvswitch_does_not_answer(guest_ns: Namespaces) -> None:
    """With the switch's database stopped del refuses, and nothing has changed."""
    guest = guest_ns()
    with switch_host() as taken:
        bridge = taken.add_bridge()
        assert taken.pipework(bridge, guest.spec, "192.168.77.9/24").code == 0
        settle(taken.host, guest)
        before, inside = snapshot(taken.host), snapshot(guest)
        taken.database.terminate()
        taken.database.wait(30 * SLOW)
        done = taken.pipework("del", guest.spec)
        assert (done.code, done.out) == (1, "")
        assert "Open vSwitch" in done.err
        assert_as_before(taken.host, before)
        assert_as_before(guest, inside)


def rules(host: Host) -> list[str]:
    """Return the firewall rules of ours."""
    return [line for line in host.run("iptables", "-S").splitlines() if "pipework" in line]


def test_rule_goes_with_the_last_port(host: Host, guest_ns: Namespaces) -> None:
    """The firewall rule stays as long as the bridge has another guest, and goes with the last."""
    first, second = guest_ns(), guest_ns()
    for number, guest in enumerate((first, second)):
        assert host.pipework("br0", guest.spec, f"192.168.77.{number + 5}/24").code == 0
    assert len(rules(host)) == 1
    assert host.pipework("del", first.spec) == (0, "", "")
    assert len(rules(host)) == 1
    assert host.pipework("del", second.spec) == (0, "", "")
    assert rules(host) == []


def test_all(host: Host, host_nic: Nics, guest_ns: Namespaces) -> None:
    """--all takes back every wire of the guest: two on one bridge, one on a NIC, and a NIC on loan."""
    guest, shared, lent = guest_ns(), host_nic(), host_nic()
    on_bridge(host)
    bring_online(guest)
    settle(host, guest)
    before, inside = snapshot(host), snapshot(guest)
    assert host.pipework("br0", guest.spec, "10.1.0.9/24@10.1.0.1").code == 0
    assert host.pipework("br0", "-i", "eth2", guest.spec, "10.2.0.9/24@10.2.0.1").code == 0
    assert host.pipework(shared.name, "-i", "eth3", guest.spec, "10.3.0.9/24").code == 0
    assert host.pipework("--direct-phys", lent.name, "-i", "eth4", guest.spec, "10.4.0.9/24@10.4.0.1").code == 0
    assert host.pipework("del", guest.spec, "--all") == (0, "", "")
    assert_as_before(host, before)
    assert_as_before(guest, inside)


def test_the_two_last_ports_of_a_bridge_at_once(host: Host, guest_ns: Namespaces) -> None:
    """--all takes the firewall rule as well if the last two ports of the bridge are the guest's."""
    guest = guest_ns()
    for name in ("eth1", "eth2"):
        assert host.pipework("br0", "-i", name, guest.spec, "0/0").code == 0
    assert len(rules(host)) == 1
    assert host.pipework("del", "--all", guest.spec) == (0, "", "")
    assert rules(host) == []


def test_one_of_two(host: Host, guest_ns: Namespaces) -> None:
    """-i names the wire; the other stays as it is."""
    guest = guest_ns()
    on_bridge(host)
    assert host.pipework("br0", guest.spec, "192.168.77.5/24").code == 0
    settle(host, guest)
    before, inside = snapshot(host), snapshot(guest)
    assert host.pipework("br0", "-i", "lan7", guest.spec, "192.168.78.5/24").code == 0
    assert host.pipework("del", guest.spec, "-i", "lan7") == (0, "", "")
    assert_as_before(host, before)
    assert_as_before(guest, inside)


def test_default_routes_that_replaced_each_other(host: Host, guest_ns: Namespaces) -> None:
    """Whichever of two wires goes first, the last default route that remains is the one that the first had found."""
    for order in (["eth1", "eth2"], ["eth2", "eth1"]):
        guest = guest_ns()
        bring_online(guest)
        settle(guest)
        inside = snapshot(guest)
        for number, name in enumerate(("eth1", "eth2")):
            words = ["-i", name, guest.spec, f"10.{number}.0.9/24@10.{number}.0.1"]
            assert host.pipework("br0", *words).code == 0
        assert host.pipework("del", guest.spec, "-i", order[0]) == (0, "", "")
        [default] = guest.ip("-j", "route", "show", "default")
        assert default["dev"] == order[1]
        assert host.pipework("del", guest.spec, "-i", order[1]) == (0, "", "")
        assert_as_before(guest, inside)


def test_default_route_in_between(host: Host, guest_ns: Namespaces) -> None:
    """A default route of the guest's own that has come since is left alone."""
    guest = guest_ns()
    on_bridge(host)
    bring_online(guest)
    assert host.pipework("br0", guest.spec, "192.168.77.5/24@192.168.77.1").code == 0
    guest.run("ip", "route", "add", "default", "via", "172.30.0.77", "metric", "3")
    assert host.pipework("del", guest.spec) == (0, "", "")
    gateways = {route["gateway"] for route in guest.ip("-j", "route", "show", "default")}
    assert gateways == {"172.30.0.77", "172.30.0.1", "172.30.0.254"}


@pytest.mark.parametrize("words", [[], ["-i", "lan7"], ["--all"]])
def test_nothing_there(words: list[str], host: Host, guest_ns: Namespaces) -> None:
    """Deleting what is not there is refused with the next command, exit 1; with --if-exists all is well."""
    guest = guest_ns()
    done = host.pipework("del", guest.spec, *words)
    assert (done.code, done.out) == (1, "")
    assert f"pipework ls {guest.spec}" in done.err
    assert host.pipework("del", guest.spec, *words, "--if-exists") == (0, "", "")


def test_no_such_guest(host: Host) -> None:
    """A guest that nobody knows is refused, exit 1; with --if-exists all is well."""
    done = host.pipework("del", "netns:nobody-here")
    assert (done.code, done.out) == (1, "")
    assert host.pipework("del", "netns:nobody-here", "--if-exists") == (0, "", "")


@pytest.mark.docker
def test_stopped_guest(host: Host, container: Containers) -> None:
    """A container that has stopped has nothing left: refused as such, and fine with --if-exists."""
    guest = container()
    HOST.run("docker", "stop", "-t", "0", guest.name)
    assert host.pipework("del", guest.name).code == 1
    assert host.pipework("del", guest.name, "--if-exists") == (0, "", "")


@pytest.mark.docker
def test_dockers_own_link(host: Host, container: Containers) -> None:
    """Docker's eth0 is none of ours: not deleted by its name, nor by --all."""
    guest = container(net="bridge")
    settle(guest)
    inside = snapshot(guest)
    for words in (["-i", "eth0"], ["--all"]):
        done = host.pipework("del", guest.name, *words)
        assert done.code == 1
        assert "that pipework made" in done.err
    assert_as_before(guest, inside)


def test_users_own_links(host: Host, host_nic: Nics, guest_ns: Namespaces) -> None:
    """What a user has made by hand, pair or macvlan, is not deleted."""
    guest, nic = guest_ns(), host_nic()
    on_bridge(host)
    host.run("ip", "link", "add", "mine", "master", "br0", "type", "veth", "peer", "eth1", "netns", guest.name)
    host.run("ip", "link", "add", "eth2", "link", nic.name, "netns", guest.name, "type", "macvlan", "mode", "bridge")
    guest.run("ip", "link", "add", "eth3", "type", "veth", "peer", "name", "eth4")
    settle(host, guest)
    before, inside = snapshot(host), snapshot(guest)
    for words in ([], ["-i", "eth2"], ["-i", "eth3"], ["--all"]):
        assert host.pipework("del", guest.spec, *words).code == 1
    assert_as_before(host, before)
    assert_as_before(guest, inside)


@pytest.mark.docker
def test_the_originals(host: Host, host_nic: Nics, container: Containers) -> None:
    """What the original has wired goes as well: its pair on a bridge, its macvlan."""
    guest, nic = container(), host_nic()
    on_bridge(host)
    settle(host, guest)
    before, inside = snapshot(host), snapshot(guest)
    local = f"veth1pl{guest.pid}"
    host.run("ip", "link", "add", local, "type", "veth", "peer", "name", "eth1", "netns", str(guest.pid))
    host.run("ip", "link", "set", local, "master", "br0", "up")
    host.run("ip", "link", "add", "link", nic.name, "name", "ph", "type", "macvlan", "mode", "bridge")
    host.run("ip", "link", "set", "ph", "netns", str(guest.pid), "name", "eth2")
    assert host.pipework("del", guest.name, "--all") == (0, "", "")
    assert guest.link("eth1") is None and guest.link("eth2"), (
        "--all takes what bears a name, and leaves what bears none"
    )
    assert host.pipework("del", guest.name, "--all").code == 1
    assert host.pipework("del", guest.name, "-i", "eth2") == (0, "", "")
    assert_as_before(host, before)
    assert_as_before(guest, inside)


def test_local_name(host: Host, guest_ns: Namespaces) -> None:
    """A wire whose host's end has a name of the user's choice is found by its mark."""
    guest, local = guest_ns(), fresh_name("loc")
    assert host.pipework("br0", "-l", local, guest.spec, "0/0").code == 0
    assert host.pipework("del", guest.spec) == (0, "", "")
    assert host.link(local) is None


def test_nic_comes_home_to_its_bridge(host: Host, host_nic: Nics, guest_ns: Namespaces) -> None:
    """A NIC on loan that was a bridge's port, with an MTU and a MAC of its own, is that again."""
    guest, nic = guest_ns(), host_nic()
    on_bridge(host)
    host.run("ip", "link", "set", nic.name, "mtu", "1400", "alias", "the cable to the east")
    host.run("ip", "link", "set", nic.name, "master", "br0")
    settle(host)
    watched = Unchanged(host)
    assert host.pipework("--direct-phys", nic.name, guest.spec, "192.168.77.9/24", "02:0:0:0:7:1").code == 0
    guest.run("ip", "link", "set", "eth1", "mtu", "1300")
    assert host.pipework("del", guest.spec) == (0, "", "")
    watched.check()


def test_nic_whose_home_is_forgotten(host: Host, host_nic: Nics, guest_ns: Namespaces) -> None:
    """A NIC on loan cannot be deleted: where nobody has noted its home, the command that brings it back is told."""
    guest, nic = guest_ns(), host_nic()
    host.run("ip", "link", "set", nic.name, "netns", guest.name, "name", "eth1")
    guest.run("ip", "link", "set", "eth1", "alias", f"pipework {nic.name} netns:{guest.name} eth1")
    done = host.pipework("del", guest.spec)
    assert (done.code, done.out) == (1, "")
    assert "ip link set eth1 netns 1" in done.err
    assert guest.link("eth1") is not None

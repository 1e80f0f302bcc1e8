"""Guests on an Open vSwitch bridge: ports, VLANs, what the database keeps, and a switch that fails."""

from __future__ import annotations

import json
import os
import shutil
import signal
import time
from pathlib import Path
from typing import Callable

import pytest

from pipework.kernel.ethtool import leave_checksums
from pipework.kernel.namespaces import Namespace
from tests.lab.command import capture
from tests.lab.engine import Container
from tests.lab.guest import SLOW, eventually, fresh_name
from tests.lab.host import settle
from tests.lab.netns import NamedNamespace
from tests.lab.snapshot import Unchanged
from tests.lab.switch_host import SwitchHost, switch_host
from tests.lab.tcp import reaches
from tests.lab.trunks import TRUNK, check_told

Namespaces = Callable[[], NamedNamespace]
NETDEV = "datapath_type=netdev"


class Untouched:
    """What host, database and guest were, to compare with what they are."""

    def __init__(self, host: SwitchHost, guest: NamedNamespace) -> None:
        settle(host.host, guest)
        self._host, self._rows = host, host.rows()
        self._watched = Unchanged(host.host), Unchanged(guest)

    def check(self) -> None:
        """Fail unless all three are as they were."""
        assert self._host.rows() == self._rows
        for one in self._watched:
            one.check()


def succeed(host: SwitchHost, *words: str) -> None:
    """Run pipework; it must print nothing and exit 0."""
    assert host.pipework(*words) == (0, "", "")


@pytest.mark.parametrize("tag", ["", "@100"], ids=["untagged", "VLAN"])
@pytest.mark.parametrize("addresses", [("10.4.0.1/24", "10.4.0.2/24"), ("fd00:4::1/64", "fd00:4::2/64")])
def test_tcp_through_a_switch_in_userspace(
    switched: SwitchHost, guest_ns: Namespaces, addresses: tuple[str, str], tag: str
) -> None:
    """Guests reach each other over TCP, not only with a ping: no checksum is left to hardware that is not there."""
    switched.vsctl("add-br", "ovs0", "--", "set", "bridge", "ovs0", NETDEV)
    guests = [guest_ns(), guest_ns()]
    lines = [["ovs0", guest.spec, address, *filter(None, [tag])] for guest, address in zip(guests, addresses)]
    for line in lines:
        succeed(switched, *line)
    one, two = guests
    there = [address.partition("/")[0] for address in addresses]
    assert reaches(one, two, there[1])
    assert reaches(two, one, there[0])
    mac = one.link("eth1")
    succeed(switched, "--replace", *lines[0])
    assert one.link("eth1") == mac
    assert "ethtool -K eth2 tx off" in switched.pipework("--dry-run", "ovs0", "-i", "eth2", one.spec, "10.5.0.1/24").out


def test_replace_mends_a_wire_without_checksums(switched: SwitchHost, guest_ns: Namespaces) -> None:
    """A wire that an earlier version has made, or whose guest has turned it on again, is mended where it stands."""
    switched.vsctl("add-br", "ovs0", "--", "set", "bridge", "ovs0", NETDEV)
    one, two = guest_ns(), guest_ns()
    succeed(switched, "ovs0", one.spec, "10.4.0.1/24")
    succeed(switched, "ovs0", two.spec, "10.4.0.2/24")
    with Namespace.open(str(one.namespace)) as namespace:
        leave_checksums(namespace.netlink.socket, "eth1", True)
    assert one.ping("10.4.0.2")
    assert not reaches(one, two, "10.4.0.2", wait=1)
    succeed(switched, "--replace", "ovs0", one.spec, "10.4.0.1/24")
    assert reaches(one, two, "10.4.0.2")


def refused(host: SwitchHost, *words: str) -> str:
    """Run pipework; it must refuse with one clear error on stderr, which comes back."""
    done = host.pipework(*words)
    assert (done.code, done.out) == (1, ""), done
    assert done.err.startswith("pipework: ")
    assert "fault of pipework" not in done.err
    return done.err


def ports(host: SwitchHost, bridge: str) -> list[str]:
    """Return the names of a bridge's ports."""
    return host.vsctl("list-ports", bridge).split()


def tag(host: SwitchHost, port: str) -> str:
    """Return a port's access VLAN as the database prints it; "[]" is none."""
    return host.vsctl("get", "Port", port, "tag").strip()


def external_ids(host: SwitchHost, port: str) -> dict[str, str]:
    """Return what the database keeps with a port's interface."""
    told = host.vsctl("--format=json", "--columns=external_ids", "find", "Interface", f"name={port}")
    return dict(json.loads(told)["data"][0][0][1])


@pytest.mark.docker
def test_container_on_an_existing_bridge(switched: SwitchHost, container: Callable[..., Container]) -> None:
    """The host's end is v<IFNAME>pl<PID>, up, a port of the bridge, with the container's identity in the database."""
    bridge, guest = switched.add_bridge(), container()
    succeed(switched, bridge, guest.name, "192.168.1.1/24", "@100")
    port = f"veth1pl{guest.pid}"
    assert ports(switched, bridge) == [port]
    assert tag(switched, port) == "100"
    assert external_ids(switched, port) == {
        "pipework.interface": port,
        "pipework.bridge": bridge,
        "pipework.containerid": guest.id,
        "pipework.containername": f"/{guest.name}",
        "pipework.nspid": str(guest.pid),
        "pipework.vlan": "100",
    }
    link = switched.host.link(port)
    assert link is not None
    assert "UP" in link["flags"]
    assert guest.addresses("eth1") == ["192.168.1.1/24"]


def test_namespace_has_no_identity_to_keep(switched: SwitchHost, guest_ns: Namespaces) -> None:
    """A guest that is no container, in no VLAN, leaves only interface and bridge in the database."""
    bridge, guest, port = switched.add_bridge(), guest_ns(), fresh_name("pwo")
    succeed(switched, bridge, "-l", port, guest.spec, "192.168.1.1/24")
    assert external_ids(switched, port) == {"pipework.interface": port, "pipework.bridge": bridge}
    assert tag(switched, port) == "[]"


def test_bridge_names_match_exactly(switched: SwitchHost, guest_ns: Namespaces) -> None:
    """Of two bridges, the name of one a prefix of the other's, the one that was named gets the port."""
    short = switched.add_bridge()
    long = switched.add_bridge(short + "x")
    first, second = guest_ns(), guest_ns()
    succeed(switched, short, first.spec, "192.168.1.1/24")
    assert (len(ports(switched, short)), ports(switched, long)) == (1, [])
    succeed(switched, long, second.spec, "192.168.1.2/24")
    assert (len(ports(switched, short)), len(ports(switched, long))) == (1, 1)


def test_port_names_match_exactly(switched: SwitchHost, guest_ns: Namespaces) -> None:
    """A port whose name another port's name begins with is a port of its own."""
    bridge, port = switched.add_bridge(), fresh_name("pwo")
    succeed(switched, bridge, "-l", port + "x", guest_ns().spec, "192.168.1.1/24")
    succeed(switched, bridge, "-l", port, guest_ns().spec, "192.168.1.2/24")
    assert sorted(ports(switched, bridge)) == [port, port + "x"]


def test_name_mac_and_mtu(switched: SwitchHost, guest_ns: Namespaces) -> None:
    """-i names the guest's end, the MAC is the one given, and both ends have the bridge's MTU."""
    bridge, guest, port = switched.add_bridge(), guest_ns(), fresh_name("pwo")
    switched.vsctl("set", "Interface", bridge, "mtu_request=1400")
    assert eventually(lambda: (switched.host.link(bridge) or {}).get("mtu") == 1400)
    succeed(switched, bridge, "-i", "lan7", "-l", port, guest.spec, "192.168.1.1/24", "aa:aa:aa:2:b:1")
    link, local = guest.link("lan7"), switched.host.link(port)
    assert link is not None
    assert local is not None
    assert (link["address"], link["mtu"], local["mtu"]) == ("aa:aa:aa:02:0b:01", 1400, 1400)


@pytest.mark.docker
def test_vlans_are_kept_apart(switched: SwitchHost, container: Callable[..., Container]) -> None:
    """Of four containers in VLANs 100 and 200 each reaches the other of its pair, and neither of the other pair."""
    bridge = switched.add_bridge()
    guests = {number: container() for number in (1, 2, 3, 4)}
    for number, guest in guests.items():
        succeed(switched, bridge, guest.name, f"192.168.1.{number}/24", "@100" if number < 3 else "@200")
    for one, other in ((1, 2), (2, 1), (3, 4), (4, 3)):
        assert guests[one].ping(f"192.168.1.{other}"), f"{one} does not reach {other}"
    for one, other in ((1, 3), (1, 4), (2, 3), (2, 4), (3, 1), (4, 2)):
        assert not guests[one].ping(f"192.168.1.{other}", wait=1), f"{one} reaches {other}"


def test_port_without_vlan_is_a_trunk(switched: SwitchHost, guest_ns: Namespaces) -> None:
    """A guest without VLAN sees the frames of every VLAN, tagged."""
    bridge, trunk = switched.add_bridge(), guest_ns()
    succeed(switched, bridge, trunk.spec, "0/0")
    members = {vlan: guest_ns() for vlan in (100, 200)}
    for vlan, member in members.items():
        succeed(switched, bridge, member.spec, "192.168.1.1/24", f"@{vlan}")
    with capture(trunk, "eth1", "vlan") as seen:
        for vlan, member in members.items():
            member.ping("192.168.1.77", wait=1)
            assert seen.wait_for(rf"vlan {vlan}, .* who-has 192\.168\.1\.77"), seen.lines


def test_second_run_says_so(switched: SwitchHost, guest_ns: Namespaces) -> None:
    """A second run says on stdout that the link exists and is up, exits 1, and changes nothing."""
    bridge, guest, port = switched.add_bridge(), guest_ns(), fresh_name("pwo")
    succeed(switched, bridge, "-l", port, guest.spec, "192.168.1.1/24", "@100")
    watched = Untouched(switched, guest)
    again = switched.pipework(bridge, "-l", port, guest.spec, "192.168.1.2/24", "@200")
    assert again == (1, f"Link {port} exists and is up\n", "")
    watched.check()


def test_dead_port_is_replaced(switched: SwitchHost, guest_ns: Namespaces) -> None:
    """What an earlier guest left in the database under the same name gives way, with VLAN and identity."""
    first, second = switched.add_bridge(), switched.add_bridge()
    port = fresh_name("pwo")
    earlier, guest, other = guest_ns(), guest_ns(), guest_ns()
    succeed(switched, first, "-l", port, earlier.spec, "192.168.1.1/24", "@100")
    earlier.run("ip", "link", "del", "eth1")
    assert ports(switched, first) == [port]
    succeed(switched, second, "-l", port, guest.spec, "192.168.1.1/24")
    assert (ports(switched, first), ports(switched, second)) == ([], [port])
    assert tag(switched, port) == "[]"
    assert external_ids(switched, port) == {"pipework.interface": port, "pipework.bridge": second}
    succeed(switched, second, other.spec, "192.168.1.2/24")
    assert guest.ping("192.168.1.2")


def test_failure_brings_the_dead_port_back(switched: SwitchHost, guest_ns: Namespaces) -> None:
    """A run that fails after it has replaced a dead port puts back what the database had."""
    bridge, port, earlier, guest = switched.add_bridge(), fresh_name("pwo"), guest_ns(), guest_ns()
    succeed(switched, bridge, "-l", port, earlier.spec, "192.168.1.1/24", "@100")
    earlier.run("ip", "link", "del", "eth1")
    watched = Untouched(switched, guest)
    done = switched.pipework(bridge, "-l", port, guest.spec, "192.168.1.1/24@192.168.1.255", "@200")
    assert (done.code, done.out) == (2, "")
    watched.check()


def test_local_link_that_is_down_is_replaced(switched: SwitchHost, guest_ns: Namespaces) -> None:
    """A local link of that name that is down is replaced, and the new one switches."""
    bridge, port, guest, other = switched.add_bridge(), fresh_name("pwo"), guest_ns(), guest_ns()
    succeed(switched, bridge, "-l", port, guest.spec, "192.168.1.1/24")
    switched.host.run("ip", "link", "set", port, "down")
    succeed(switched, bridge, "-l", port, guest.spec, "192.168.1.3/24")
    succeed(switched, bridge, other.spec, "192.168.1.2/24")
    assert guest.addresses("eth1") == ["192.168.1.3/24"]
    assert guest.ping("192.168.1.2")


def test_foreign_port_is_left_alone(switched: SwitchHost, guest_ns: Namespaces) -> None:
    """A port of that name that pipework did not make is refused, with a hint, and stays."""
    bridge, other, guest, port = switched.add_bridge(), switched.add_bridge(), guest_ns(), fresh_name("pwo")
    switched.vsctl("add-port", bridge, port, "--", "set", "Interface", port, "type=patch", f"options:peer={port}x")
    watched = Untouched(switched, guest)
    said = refused(switched, other, "-l", port, guest.spec, "192.168.1.1/24")
    assert f"{port} is a port of bridge {bridge} already" in said
    assert f"ovs-vsctl del-port {bridge} {port}" in said
    watched.check()


@pytest.mark.parametrize("wrong", ["0", "4095", "ten", "8001", "0x64"])
def test_vlan_out_of_range(switched: SwitchHost, guest_ns: Namespaces, wrong: str) -> None:
    """What is no VLAN id is refused by name, and nothing changes."""
    bridge, guest = switched.add_bridge(), guest_ns()
    watched = Untouched(switched, guest)
    said = refused(switched, bridge, guest.spec, "192.168.1.1/24", f"@{wrong}")
    assert f"VLAN @{wrong} is not a VLAN id" in said
    assert "1 to 4094" in said
    watched.check()


@pytest.mark.parametrize("vlan", ["1", "4094"])
def test_vlan_at_the_ends_of_the_range(switched: SwitchHost, guest_ns: Namespaces, vlan: str) -> None:
    """1 and 4094 are VLAN ids."""
    bridge, port = switched.add_bridge(), fresh_name("pwo")
    succeed(switched, bridge, "-l", port, guest_ns().spec, "192.168.1.1/24", f"@{vlan}")
    assert tag(switched, port) == vlan


def test_failing_step_is_undone(switched: SwitchHost, guest_ns: Namespaces) -> None:
    """A gateway that the kernel refuses takes port and veth back; exit 2."""
    bridge, guest = switched.add_bridge(), guest_ns()
    watched = Untouched(switched, guest)
    done = switched.pipework(bridge, guest.spec, "192.168.1.1/24@192.168.1.255", "@100")
    assert (done.code, done.out) == (2, "")
    assert "RTNETLINK answers:" in done.err
    watched.check()


def test_bridge_that_cannot_be_made(switched: SwitchHost, guest_ns: Namespaces) -> None:
    """An ovs* bridge whose datapath the kernel lacks: an error says what to type instead, and no bridge is left."""
    guest, bridge = guest_ns(), fresh_name("ovsn")
    watched = Untouched(switched, guest)
    said = refused(switched, bridge, guest.spec, "192.168.1.1/24")
    assert f"cannot make bridge {bridge}" in said
    assert f"ovs-vsctl add-br {bridge} -- set bridge {bridge} {NETDEV}" in said
    watched.check()


def test_bridge_that_a_newer_version_cannot_make(switched: SwitchHost, guest_ns: Namespaces, tmp_path: Path) -> None:
    """The same where ovs-vsctl says so with its exit status, as from version 3.6 on; the database has the bridge."""
    real, program = shutil.which("ovs-vsctl"), tmp_path / "ovs-vsctl"
    program.write_text(
        f"""#!/bin/sh
exec 3>&1
said=$({real} "$@" 2>&1 >&3)
status=$?
printf '%s\n' "$said" >&2
case $said in *"Error detected"*) exit 65 ;; esac
exit $status
"""
    )
    program.chmod(0o755)
    guest, bridge = guest_ns(), fresh_name("ovsn")
    watched = Untouched(switched, guest)
    env = {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    done = switched.pipework(bridge, guest.spec, "192.168.1.1/24", env=env)
    assert (done.code, done.out) == (1, "")
    assert f"ovs-vsctl add-br {bridge} -- set bridge {bridge} {NETDEV}" in done.err
    watched.check()


def test_bridge_without_a_link_is_left_alone(switched: SwitchHost, guest_ns: Namespaces) -> None:
    """A bridge that the database has and the switch could not set up is refused with a hint, and stays."""
    guest, bridge = guest_ns(), fresh_name("ovsn")
    switched.vsctl("add-br", bridge)
    watched = Untouched(switched, guest)
    said = refused(switched, bridge, guest.spec, "192.168.1.1/24")
    assert f"ovs-vsctl set bridge {bridge} {NETDEV}" in said
    watched.check()


@pytest.mark.parametrize("made", [True, False])
def test_database_that_does_not_answer(switched: SwitchHost, guest_ns: Namespaces, made: bool) -> None:
    """A database server that is stopped is an error within seconds, for a bridge that is there and one to make."""
    bridge, guest = switched.add_bridge() if made else fresh_name("ovsn"), guest_ns()
    watched, began = Untouched(switched, guest), time.monotonic()
    os.kill(switched.database.pid, signal.SIGSTOP)
    try:
        said = refused(switched, bridge, guest.spec, "192.168.1.1/24")
        assert time.monotonic() - began < 40 * SLOW
    finally:
        os.kill(switched.database.pid, signal.SIGCONT)
    assert "Open vSwitch does not answer within" in said
    watched.check()


def test_switch_that_does_not_answer(unswitched: SwitchHost, guest_ns: Namespaces) -> None:
    """A bridge that nobody sets up is taken out of the database again; an error within seconds."""
    guest = guest_ns()
    watched, began = Untouched(unswitched, guest), time.monotonic()
    said = refused(unswitched, fresh_name("ovsn"), guest.spec, "192.168.1.1/24")
    assert time.monotonic() - began < 40 * SLOW
    assert "Open vSwitch does not answer within" in said
    watched.check()


def test_switch_that_dies(guest_ns: Namespaces) -> None:
    """Neither a switch nor a database that has died is hidden: a port is withdrawn, a bridge is not taken for a NIC."""
    guest = guest_ns()
    with switch_host() as host:
        bridge = host.add_bridge()
        host.stop_switching()
        watched = Untouched(host, guest)
        said = refused(host, bridge, guest.spec, "192.168.1.1/24")
        assert "Open vSwitch does not answer within" in said
        watched.check()
        still = Unchanged(host.host), Unchanged(guest)
        host.database.kill()
        host.database.wait()
        said = refused(host, bridge, guest.spec, "192.168.1.1/24")
        assert "database connection failed (Connection refused)" in said
        assert "systemctl status openvswitch-switch" in said
        (host.place / "db.sock").unlink()
        said = refused(host, bridge, guest.spec, "192.168.1.1/24")
        assert "Open vSwitch is not running" in said
        for one in still:
            one.check()


def test_switch_that_is_not_running(unswitched: SwitchHost, guest_ns: Namespaces) -> None:
    """Without a database an ovs* bridge cannot be made: the error says how to start the switch."""
    guest = guest_ns()
    unswitched.stop()
    watched = Unchanged(unswitched.host), Unchanged(guest)
    said = refused(unswitched, fresh_name("ovsn"), guest.spec, "192.168.1.1/24")
    assert "Open vSwitch is not running" in said
    assert "systemctl start openvswitch-switch" in said
    for one in watched:
        one.check()


def test_tap_is_a_nic(switched: SwitchHost, guest_ns: Namespaces) -> None:
    """A tap device that no bridge of Open vSwitch stands behind is a NIC: its guest gets a macvlan."""
    tap, guest = fresh_name("pwtap"), guest_ns()
    switched.host.run("ip", "tuntap", "add", tap, "mode", "tap")
    succeed(switched, tap, guest.spec, "192.168.1.1/24")
    link = guest.link("eth1")
    assert link is not None
    assert link["linkinfo"]["info_kind"] == "macvlan"


def test_trunk(switched: SwitchHost, guest_ns: Namespaces) -> None:
    """A trunk is one in the database, with its native VLAN or without, and told as it is; a fake bridge has none."""
    bridge, router = switched.add_bridge(), guest_ns()
    columns = ("get", "Port", "trunk0", "vlan_mode", "tag", "trunks")
    succeed(switched, bridge, "-l", "trunk0", router.spec, "10.0.10.1/24", TRUNK)
    assert switched.vsctl(*columns).split("\n")[:3] == ["native-untagged", "10", "[100, 200, 201]"]
    assert switched.vsctl("get", "Interface", "trunk0", "external_ids:pipework.vlan").strip() == f'"{TRUNK[1:]}"'
    check_told(switched.pipework, bridge, router)
    succeed(switched, "--replace", bridge, "-l", "trunk0", router.spec, "0/0", "@100,200")
    assert switched.vsctl(*columns).split("\n")[:3] == ["trunk", "[]", "[100, 200]"]
    succeed(switched, "del", router.spec)
    switched.vsctl("add-br", "fake0", bridge, "10")
    told = switched.pipework("fake0", router.spec, "0/0", "@100,200")
    assert told.code == 1 and "fake0 is a fake bridge, which has one VLAN" in told.err, told

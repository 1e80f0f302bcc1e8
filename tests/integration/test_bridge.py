"""Containers on a Linux bridge: what a success leaves behind, names, guests, traffic through Docker's firewall."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
from pathlib import Path
from typing import Callable

import pytest

from tests.integration.conftest import tagged_rules
from tests.lab.command import COMMAND, run_pipework
from tests.lab.engine import Container
from tests.lab.guest import HOST, SLOW, eventually, fresh_name
from tests.lab.host import Host, settle
from tests.lab.netns import NamedNamespace
from tests.lab.snapshot import Unchanged

pytestmark = pytest.mark.docker

Containers = Callable[..., Container]
Bridges = Callable[..., str]
Namespaces = Callable[[], NamedNamespace]


def succeed(*words: str, **options: object) -> None:
    """Run pipework; it must print nothing and exit 0."""
    done = run_pipework(*words, **options)  # type: ignore[arg-type]
    assert done == (0, "", "")


def mtu(guest: NamedNamespace | Container, name: str) -> int:
    """Return the MTU of a guest's link."""
    link = guest.link(name)
    assert link is not None
    return int(link["mtu"])


def test_missing_bridge_is_created(container: Containers, bridge: Bridges) -> None:
    """A br* bridge that is missing is created, up and without address."""
    guest, name = container(), bridge()
    succeed(name, guest.name, "192.168.1.1/24")
    made = HOST.link(name)
    assert made is not None
    assert made["linkinfo"]["info_kind"] == "bridge"
    assert "UP" in made["flags"]
    assert HOST.addresses(name) == []


def test_host_end_is_a_port(container: Containers, bridge: Bridges) -> None:
    """The host's end is v<IFNAME>pl<PID>, up, a port of the bridge, the guest's eth1 its peer."""
    guest, name = container(), bridge()
    succeed(name, guest.name, "192.168.1.1/24")
    settle(HOST, guest)
    port = HOST.link(f"veth1pl{guest.pid}")
    assert port is not None
    assert port["master"] == name
    assert port["operstate"] == "UP"
    assert port["linkinfo"]["info_kind"] == "veth"
    end = guest.link("eth1")
    assert end is not None
    assert end["link_index"] == port["ifindex"]
    assert end["operstate"] == "UP"


def test_namespace_list_is_untouched(container: Containers, bridge: Bridges) -> None:
    """No name of the guest is left in /var/run/netns."""
    guest = container()
    succeed(bridge(), guest.name, "192.168.1.1/24")
    assert not os.path.lexists(f"/var/run/netns/{guest.pid}")


@pytest.mark.parametrize("prefix", ["br", "pwsw"])
def test_existing_bridge_gives_its_mtu(container: Containers, bridge: Bridges, prefix: str) -> None:
    """A bridge that is there is used under any name, and both ends take its MTU."""
    guest, name = container(), bridge(prefix, "mtu", "1400", create=True)
    succeed(name, guest.name, "192.168.1.1/24")
    port = HOST.link(f"veth1pl{guest.pid}")
    assert port is not None
    assert (port["master"], port["mtu"], mtu(guest, "eth1")) == (name, 1400, 1400)


def test_existing_bridge_keeps_its_state(container: Containers, bridge: Bridges) -> None:
    """A bridge that was there keeps its address and its MAC."""
    guest, name = container(), bridge("brpw", "address", "02:00:00:00:01:01", create=True)
    HOST.run("ip", "addr", "add", "192.168.193.1/24", "dev", name)
    succeed(name, guest.name, "192.168.193.2/24")
    kept = HOST.link(name)
    assert kept is not None
    assert kept["address"] == "02:00:00:00:01:01"
    assert HOST.addresses(name) == ["192.168.193.1/24"]
    assert guest.ping("192.168.193.1")


def test_options_name_both_ends(container: Containers, bridge: Bridges) -> None:
    """-l names the host's end and -i the guest's."""
    guest, name, local = container(), bridge(), fresh_name("pwl")
    succeed(name, "-i", "eth7", "-l", local, guest.name, "192.168.1.1/24")
    assert HOST.link(local)
    assert guest.addresses("eth7") == ["192.168.1.1/24"]
    assert guest.link("eth1") is None


def test_long_name_is_derived(container: Containers, bridge: Bridges) -> None:
    """Where v<IFNAME>pl<PID> is too long for a link, a shorter name stands in for it, always the same."""
    guest, name = container(), bridge()
    succeed(name, "-i", "container0", guest.name, "192.168.1.1/24")
    (port,) = os.listdir(f"/sys/class/net/{name}/brif")
    assert port.startswith("vpl")
    assert len(port) <= 15
    assert guest.addresses("container0") == ["192.168.1.1/24"]
    again = run_pipework(name, "-i", "container0", guest.name, "192.168.1.1/24")
    assert (again.code, again.out) == (1, f"Link {port} exists and is up\n")


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("02:00:00:00:02:02", "02:00:00:00:02:02"),
        ("aa:aa:aa:2:b:1", "aa:aa:aa:02:0b:01"),
        ("AA:AA:AA:2:B:1", "aa:aa:aa:02:0b:01"),
        ("U:myhost.foo.com", "02:72:6c:cd:9b:8d"),
        ("U:büro", "02:" + hashlib.md5("büro\n".encode()).hexdigest()[:10]),
    ],
)
def test_mac(guest_ns: Namespaces, bridge: Bridges, given: str, expected: str) -> None:
    """The guest's end has the MAC that was given, or that its string gives."""
    guest = guest_ns()
    succeed(bridge(), guest.spec, "192.168.1.1/24", given)
    link = guest.link("eth1")
    assert link is not None
    assert link["address"].replace(":", "") == expected.replace(":", "")


@pytest.mark.parametrize(
    ("address", "broadcast"),
    [
        ("192.168.1.77/24", "192.168.1.255"),
        ("10.7.0.1/8", "10.255.255.255"),
        ("10.0.0.9/30", "10.0.0.11"),
        ("10.0.0.8/31", None),
        ("10.0.0.8/32", None),
        ("192.168.1.77/255.255.255.0", "192.168.1.255"),
    ],
)
def test_broadcast(guest_ns: Namespaces, bridge: Bridges, address: str, broadcast: str | None) -> None:
    """An address comes with its network's broadcast address; /31 and /32 have none."""
    guest = guest_ns()
    succeed(bridge(), guest.spec, address)
    (told,) = guest.ip("-j", "-4", "addr", "show", "dev", "eth1")[0]["addr_info"]
    assert told.get("broadcast") == broadcast
    assert told["local"] == address.partition("/")[0]
    assert told["scope"] == "global"


def test_second_run_says_so(container: Containers, bridge: Bridges) -> None:
    """A second run with the same names says on stdout that the link exists and is up, and exits 1."""
    guest, name = container(), bridge()
    succeed(name, guest.name, "192.168.1.1/24")
    watched = Unchanged(guest)
    again = run_pipework(name, guest.name, "192.168.1.99/24")
    assert (again.code, again.out, again.err) == (1, f"Link veth1pl{guest.pid} exists and is up\n", "")
    watched.check()


def test_local_link_that_is_down_is_replaced(container: Containers, bridge: Bridges) -> None:
    """A local link of that name that is down is replaced, the guest's end with it."""
    guest, name = container(), bridge()
    succeed(name, guest.name, "192.168.1.1/24")
    local = f"veth1pl{guest.pid}"
    HOST.run("ip", "link", "set", local, "down")
    old = HOST.link(local)
    succeed(name, guest.name, "192.168.1.2/24")
    new = HOST.link(local)
    assert old is not None
    assert new is not None
    assert new["ifindex"] != old["ifindex"]
    assert guest.addresses("eth1") == ["192.168.1.2/24"]
    assert os.listdir(f"/sys/class/net/{name}/brif") == [local]


def test_taken_ifname_is_refused(container: Containers, host: Host) -> None:
    """A guest that has IFNAME already is left alone: RTNETLINK answers: File exists, exit 2, nothing changed."""
    guest = container()
    guest.run("ip", "link", "add", "eth1", "type", "veth", "peer", "name", "other")
    watched = Unchanged(guest), Unchanged(host)
    done = host.pipework("br0", guest.name, "192.168.1.1/24")
    assert done.code == 2
    assert done.out == ""
    assert "RTNETLINK answers: File exists" in done.err
    assert "-i IFNAME" in done.err
    for one in watched:
        one.check()


def test_host_link_of_the_same_name_is_no_obstacle(guest_ns: Namespaces, host: Host) -> None:
    """The host's own eth1 is no reason that a guest could not have one."""
    host.run("ip", "link", "add", "eth1", "type", "bridge")
    guest = guest_ns()
    done = host.pipework("br0", guest.spec, "192.168.1.1/24")
    assert done == (0, "", "")
    assert guest.addresses("eth1") == ["192.168.1.1/24"]


def test_two_links_of_one_guest(container: Containers, bridge: Bridges) -> None:
    """A guest can be wired to two bridges under two names."""
    guest, first, second = container(), bridge(), bridge()
    succeed(first, guest.name, "192.168.1.1/24")
    succeed(second, "-i", "eth2", guest.name, "192.168.2.1/24")
    assert guest.addresses("eth1") == ["192.168.1.1/24"]
    assert guest.addresses("eth2") == ["192.168.2.1/24"]


def test_containers_ping_each_other(container: Containers, bridge: Bridges) -> None:
    """Two containers on one bridge reach each other although Docker drops what is forwarded; one rule per bridge."""
    assert "-P FORWARD DROP" in HOST.run("iptables", "-S", "FORWARD")
    assert Path("/proc/sys/net/bridge/bridge-nf-call-iptables").read_text().strip() == "1"
    one, two, name = container(), container(), bridge()
    succeed(name, one.name, "192.168.1.1/24")
    succeed(name, two.name, "192.168.1.2/24")
    assert one.ping("192.168.1.2")
    assert two.ping("192.168.1.1")
    (rule,) = tagged_rules(name)
    assert rule.startswith("-A DOCKER-USER ")


def test_containers_ping_each_other_over_ipv6(host: Host, guest_ns: Namespaces) -> None:
    """The same holds for IPv6 where ip6tables drops what is forwarded."""
    one, two = guest_ns(), guest_ns()
    for guest, address in ((one, "fd00:1::1/64"), (two, "fd00:1::2/64")):
        done = host.pipework("br0", guest.spec, address)
        assert done == (0, "", "")
    assert one.ping("fd00:1::2")
    assert host.run("ip6tables", "-S").count("pipework: br0") == 1
    assert host.run("iptables", "-S").count("pipework: br0") == 0  # nobody has asked for IPv4


def test_firewall_opt_out(container: Containers, bridge: Bridges) -> None:
    """PIPEWORK_FIREWALL=off adds no rule, and then the frames die in FORWARD."""
    one, two, name = container(), container(), bridge()
    succeed(name, one.name, "192.168.1.1/24", env={"PIPEWORK_FIREWALL": "off"})
    succeed(name, two.name, "192.168.1.2/24", env={"PIPEWORK_FIREWALL": "off"})
    assert tagged_rules(name) == []
    assert not one.ping("192.168.1.2", wait=5)


def test_no_rule_where_forward_accepts(host: Host, guest_ns: Namespaces) -> None:
    """Where FORWARD accepts anyway no rule is added."""
    host.run("iptables", "-P", "FORWARD", "ACCEPT")
    guest = guest_ns()
    assert host.pipework("br0", guest.spec, "192.168.1.1/24").code == 0
    assert "pipework" not in host.run("iptables", "-S")


@pytest.mark.parametrize("way", ["name", "id", "prefix", "path", "pid"])
def test_ways_to_name_a_container(container: Containers, bridge: Bridges, way: str) -> None:
    """A container is found by name, id and id prefix, its namespace by path and by process."""
    guest = container()
    words = {
        "name": guest.name,
        "id": guest.id,
        "prefix": guest.id[:12],
        "path": f"/proc/{guest.pid}/ns/net",
        "pid": f"pid:{guest.pid}",
    }
    succeed(bridge(), words[way], "192.168.1.1/24")
    assert guest.addresses("eth1") == ["192.168.1.1/24"]


def test_named_namespace(guest_ns: Namespaces, bridge: Bridges) -> None:
    """netns:NAME is a namespace as `ip netns` keeps them."""
    guest = guest_ns()
    succeed(bridge(), guest.spec, "192.168.1.1/24")
    assert guest.addresses("eth1") == ["192.168.1.1/24"]


def test_digits_are_a_name(container: Containers, bridge: Bridges) -> None:
    """A name made of digits is a container's name, never a process id."""
    name = str(90_000_000 + os.getpid())
    guest = container(name=name)
    succeed(bridge(), name, "192.168.1.1/24")
    assert guest.addresses("eth1") == ["192.168.1.1/24"]


def test_docker_host_socket(container: Containers, bridge: Bridges) -> None:
    """DOCKER_HOST may name the engine's unix socket."""
    guest = container()
    succeed(bridge(), guest.name, "192.168.1.1/24", env={"DOCKER_HOST": "unix:///var/run/docker.sock"})
    assert guest.addresses("eth1") == ["192.168.1.1/24"]


def test_link_goes_with_its_guest(container: Containers, bridge: Bridges) -> None:
    """When the container ends its port is gone from the bridge."""
    guest, name = container(), bridge()
    succeed(name, guest.name, "192.168.1.1/24")
    HOST.run("docker", "rm", "-f", guest.name)
    assert eventually(lambda: not os.listdir(f"/sys/class/net/{name}/brif"))


def test_ports_say_whose_they_are(container: Containers, bridge: Bridges) -> None:
    """The host's end bears an alias that names bridge, guest and link."""
    guest, name = container(), bridge()
    succeed(name, guest.name, "192.168.1.1/24")
    told = json.loads(HOST.run("ip", "-j", "link", "show", f"veth1pl{guest.pid}"))[0]
    assert told["ifalias"] == f"pipework {name} docker:{guest.name} eth1"


def test_two_commands_at_once(container: Containers, bridge: Bridges) -> None:
    """Commands that start together share the bridge that both find missing."""
    guests, name = [container() for _ in range(4)], bridge()
    words = [[name, guest.name, f"192.168.1.{number}/24"] for number, guest in enumerate(guests, 1)]
    started = [subprocess.Popen([*COMMAND, *line]) for line in words]
    assert [process.wait(60 * SLOW) for process in started] == [0, 0, 0, 0]
    assert len(os.listdir(f"/sys/class/net/{name}/brif")) == 4
    assert len(tagged_rules(name)) == 1
    assert guests[0].ping("192.168.1.4")

"""A guest on a switch of OVN, on one host: what is refused, its addresses, its MTU, its logical port over time."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Callable

import pytest

from pipework.kernel.ovsdb import members
from tests.lab.engine import Container, docker
from tests.lab.guest import eventually, fresh_name
from tests.lab.hooked import STOPPED, process_in, run_hook, state
from tests.lab.host import settle
from tests.lab.netns import NamedNamespace
from tests.lab.ovn import Centre, OvnHost, centre, host_to_be, ovn_host
from tests.lab.refusal import assert_each_refused, refused_untouched
from tests.lab.watched import watching

Namespaces = Callable[[], NamedNamespace]
SUBNET = "10.7.1.0/24"


@pytest.fixture(scope="module")
def there() -> Iterator[OvnHost]:
    """A host of OVN; each test has switches of its own."""
    with centre() as of, ovn_host(of) as made:
        yield made


@pytest.fixture
def lone() -> Iterator[OvnHost]:
    """A host that no test but this one has, which is none of OVN's yet."""
    with centre() as of, host_to_be(of) as made:
        yield made


def switch_of(of: Centre, *settings: str) -> str:
    """A fresh switch."""
    name = fresh_name("sw")
    of.nbctl("ls-add", name, *(["--", "set", "Logical_Switch", name, *settings] if settings else []))
    return name


def ports(of: Centre, switch: str) -> dict[str, str]:
    """The logical ports of a switch, by name: their addresses."""
    told = of.nbctl(
        *("--format=json", "--columns=ports", "list", "Logical_Switch", switch),
        *("--", "--columns=_uuid,name,addresses", "list", "Logical_Switch_Port"),
    )
    (((its_own,),), every) = (json.loads(line)["data"] for line in told.splitlines())
    uuids = [one[1] for one in members(its_own)]
    of_switch = (row[1:] for row in every if row[0][1] in uuids)
    return {name: "\n".join(members(addresses)) for name, addresses in sorted(of_switch)}


def uuid(of: Centre, port: str) -> str:
    """Which row a logical port is."""
    return of.nbctl("get", "Logical_Switch_Port", port, "_uuid")


def succeed(host: OvnHost, *words: str) -> None:
    """Run pipework; it must print nothing and exit 0."""
    assert host.pipework(*words) == (0, "", "")


def test_wrong_words(there: OvnHost, guest_ns: Namespaces) -> None:
    """Each word that does not go with OVN is refused with the fix, and neither host nor guest nor OVN changes."""
    guest, other = guest_ns(), guest_ns()
    name = switch_of(there.centre)
    succeed(there, f"ovn:{name}", other.spec, "10.7.1.1/24,10.7.1.7/24")
    before = there.centre.ports()
    assert_each_refused(
        there.host,
        guest,
        {
            f"ovn:{name} GUEST 10.7.1.1/24": f"10.7.1.1 is on ovn:{name} already: {other.name} on host1\n",
            f"ovn:{name} GUEST 10.7.1.9/24,10.7.1.7/24": f"10.7.1.7 is on ovn:{name} already: {other.name} on host1\n",
            f"ovn:{name} GUEST 10.7.1.9/24 @100": "VLAN @100",
            f"ovn:{name} GUEST 10.7.1.9-20/24": "Write dynamic.",
            f"ovn:{name} GUEST dynamic": f"ovn:{name} has no subnet",
            f"ovn:{name} GUEST dynamic@fd00::1": "IPv4",
            f"ovn:{name} GUEST dynamic,10.7.1.9/24": "is the one IPv4 address",
            f"--mtu 1443 ovn:{name} GUEST 10.7.1.9/24": "more than the tunnels over br-phy carry, 1442",
            f"--direct-phys ovn:{name} GUEST 10.7.1.9/24": "--direct-phys is for a NIC",
            f"--ipvlan l2 ovn:{name} GUEST 10.7.1.9/24": "--ipvlan is for",
            f"--routed ovn:{name} GUEST 10.7.1.9/32": "--routed is for",
            "ovn: GUEST 10.7.1.9/24": "does not name a switch",
            "br0 GUEST dynamic": "ADDRESS dynamic is for switches of OVN",
            "wire GUEST dynamic other 10.7.1.2/24": "wants others on the network",
            "gc --host host1": "--host host1 is this host\n",
            "gc --host nobody": "--host nobody: no guest of a host of that name",
        },
    )
    assert there.centre.ports() == before


def test_address_of_a_router(there: OvnHost, guest_ns: Namespaces) -> None:
    """What a logical router has on the switch is taken, though the switch's own port says no more than `router`."""
    name, guest = switch_of(there.centre), guest_ns()
    router, edge, port = f"{name}-r", f"{name}-rp", f"{name}-sp"
    there.centre.nbctl(
        *("lr-add", router, "--", "lrp-add", router, edge, "02:00:0a:07:01:fe", "10.7.1.254/24", "FD00:7:0::FE/64"),
        *("--", "lsp-add", name, port, "--", "lsp-set-type", port, "router", "--", "lsp-set-addresses", port, "router"),
        *("--", "lsp-set-options", port, f"router-port={edge}"),
    )
    for address, ip in (("10.7.1.254/24", "10.7.1.254"), ("10.7.1.9/24,fd00:7::fe/64", "fd00:7::fe")):
        said = refused_untouched(there.host, guest, [f"ovn:{name}", guest.spec, address])
        assert f"{ip} is on ovn:{name} already: port {port}\n" in said
    succeed(there, f"ovn:{name}", guest.spec, "10.7.1.9/24@10.7.1.254")
    assert eventually(lambda: guest.ping("10.7.1.254"))


def test_ambiguous_name(there: OvnHost, guest_ns: Namespaces) -> None:
    """Of two switches of one name, which plain commands can make, none is chosen."""
    name, guest = switch_of(there.centre), guest_ns()
    there.centre.nbctl("--add-duplicate", "ls-add", name)
    said = refused_untouched(there.host, guest, [f"ovn:{name}", guest.spec, "10.7.1.1/24"])
    assert f"OVN has 2 switches {name}\nRename one of them: ovn-nbctl set Logical_Switch " in said


def test_host_that_is_none_of_ovns(lone: OvnHost, guest_ns: Namespaces) -> None:
    """What a host lacks is said one after the other, each time with the line that helps; then it works."""
    guest, of = guest_ns(), lone.centre
    words = ["ovn:blue", guest.spec, "10.7.1.1/24"]
    assert "this host is none of OVN's" in refused_untouched(lone.host, guest, words)
    lone.tell(**{"ovn-remote": of.database("sb"), "ovn-encap-type": "geneve", "ovn-encap-ip": lone.address})
    said = refused_untouched(lone.host, guest, words)
    assert "nobody says where OVN's northbound database is\nSay it: ovs-vsctl set open . external_ids:ovn-nb=" in said
    assert "ovn-controller of this host is not running" in refused_untouched(
        lone.host, guest, words, env={"OVN_NB_DB": of.database("nb")}
    )
    lone.start_controller()
    assert lone.pipework(*words, env={"OVN_NB_DB": of.database("nb")}) == (0, "", "")
    assert "nobody says where" in lone.pipework("del", guest.spec).err
    lone.tell(**{"ovn-nb": of.database("nb")})
    succeed(lone, "del", guest.spec)
    assert of.ports() == []


def test_dynamic(there: OvnHost, guest_ns: Namespaces) -> None:
    """OVN chooses addresses, none that a line has named, and the same again for a guest that restarts."""
    name = switch_of(there.centre, f"other_config:subnet={SUBNET}")
    fixed, guest = guest_ns(), guest_ns()
    succeed(there, f"ovn:{name}", fixed.spec, "10.7.1.2/24")
    line = [f"ovn:{name}", guest.spec, "dynamic@10.7.1.2"]
    succeed(there, *line)
    assert guest.addresses("eth1") == ["10.7.1.3/24"]
    assert guest.ping("10.7.1.2")
    assert "default via 10.7.1.2" in guest.run("ip", "route", "show", "default")
    assert f"ovn:{name} {guest.spec} dynamic@10.7.1.2 02:" in there.pipework("save", guest.spec).out
    index = guest.link("eth1")
    succeed(there, "--replace", *line)
    assert guest.link("eth1") == index
    assert "10.7.1.3 is on" in there.pipework(f"ovn:{name}", "-i", "eth2", fixed.spec, "10.7.1.3/24").err
    mac = index["address"] if index else ""
    guest.run("ip", "link", "del", "eth1")
    succeed(there, *line)
    again = guest.link("eth1")
    assert guest.addresses("eth1") == ["10.7.1.3/24"] and again and again["address"] == mac
    succeed(there, "--replace", f"ovn:{name}", guest.spec, "10.7.1.3/24")
    assert [one for one in ports(there.centre, name) if one.endswith(".3")] == [f"pipework:{name}:10.7.1.3"]
    assert len(ports(there.centre, name)) == 2


@pytest.mark.parametrize("client", ["udhcpc", "udhcpc-f", "dhclient", "dhcpcd"])
def test_lease(there: OvnHost, guest_ns: Namespaces, client: str) -> None:
    """OVN's own DHCP server answers each client; the lease's address is known to be taken."""
    name = switch_of(there.centre, f"other_config:subnet={SUBNET}")
    options = ["server_id=10.7.1.1", "server_mac=02:00:00:00:07:01", "lease_time=3600", "router=10.7.1.1"]
    there.centre.nbctl("create", "DHCP_Options", f"cidr={SUBNET}", *(f"options:{one}" for one in options))
    guest, other = guest_ns(), guest_ns()
    if client.endswith("-f"):
        running = there.start_pipework(f"ovn:{name}", guest.spec, client)
        assert eventually(lambda: guest.link("eth1") and guest.addresses("eth1"))
    else:
        succeed(there, f"ovn:{name}", guest.spec, client)
    assert guest.addresses("eth1") == ["10.7.1.2/24"]
    assert "default via 10.7.1.1 dev eth1" in guest.run("ip", "route", "show", "default")
    succeed(there, f"ovn:{name}", other.spec, "dynamic")
    assert other.addresses("eth1") == ["10.7.1.3/24"]
    if client.endswith("-f"):
        running.terminate()
        assert running.wait(60) == 0
    succeed(there, "del", "--if-exists", guest.spec)
    there.centre.nbctl("--all", "destroy", "DHCP_Options")


def test_mtu(lone: OvnHost, guest_ns: Namespaces) -> None:
    """The guest's is that of the link beneath the tunnels without what they take, 1500 at most."""
    guest = guest_ns()
    lone.join()
    lone.host.batch(
        "link add under type veth peer name far",
        "addr add 192.0.2.2/24 dev under",
        "addr add fd00:88::2/64 dev under nodad",
    )
    for under, address, expected in (
        ("1500", "192.0.2.2", 1442),
        ("1400", "192.0.2.2", 1342),
        ("1500", "fd00:88::2", 1422),
        ("9000", "192.0.2.2", 1500),
        ("9000", "192.0.2.9", 1500),  # which no link of this host has
    ):
        lone.host.run("ip", "link", "set", "under", "mtu", under)
        lone.tell(**{"ovn-encap-ip": address})
        planned = lone.pipework("--dry-run", "ovn:blue", guest.spec, "0/0")
        assert planned.code == 0 and f" mtu {expected} type veth " in planned.out, planned


def test_replacing(there: OvnHost, guest_ns: Namespaces) -> None:
    """The logical port of a wire that is replaced stays the same row if it can; to another HOSTIF it goes."""
    name, guest = switch_of(there.centre), guest_ns()
    line = [f"ovn:{name}", guest.spec, "10.7.1.1/24"]
    port = f"pipework:{name}:10.7.1.1"
    succeed(there, *line)
    row = uuid(there.centre, port)
    succeed(there, "--replace", *line, "02:00:00:00:00:77")
    assert uuid(there.centre, port) == row
    assert ports(there.centre, name) == {port: "02:00:00:00:00:77 10.7.1.1"}
    succeed(there, "--replace", "br-phy", guest.spec, "10.7.1.1/24")
    assert ports(there.centre, name) == {}
    succeed(there, "--replace", *line)
    assert list(ports(there.centre, name)) == [port]
    there.centre.nbctl("lsp-del", port)  # by somebody else
    succeed(there, "--replace", *line)
    assert list(ports(there.centre, name)) == [port]
    assert eventually(lambda: there.centre.nbctl("lsp-get-up", port) == "up\n")


def test_port_that_the_switch_has_lost(there: OvnHost, guest_ns: Namespaces) -> None:
    """gc leaves the logical port of a guest that lives, also where its port here has gone; --replace heals that."""
    name, guest, other = switch_of(there.centre), guest_ns(), guest_ns()
    succeed(there, f"ovn:{name}", guest.spec, "10.7.1.1/24")
    succeed(there, f"ovn:{name}", other.spec, "10.7.1.2/24")
    (local,) = (row["link"] for row in json.loads(there.pipework("ls", "--json", guest.spec).out))
    there.vsctl("del-port", local)
    assert name not in there.pipework("gc").out
    assert f"pipework:{name}:10.7.1.1" in ports(there.centre, name)
    assert not guest.ping("10.7.1.2", wait=1)
    succeed(there, "--replace", f"ovn:{name}", guest.spec, "10.7.1.1/24")
    assert guest.ping("10.7.1.2")


def test_hook(there: OvnHost, guest_ns: Namespaces, tmp_path: Path) -> None:
    """A container's own line puts it on OVN before its first process; with its end OVN forgets it."""
    name, guest = switch_of(there.centre), guest_ns()
    with ExitStack() as stack:
        pid = stack.enter_context(process_in(guest))
        annotations = {"pipework.1": f"ovn:{name} 10.7.1.1/24"}
        assert run_hook(there.host, state(tmp_path, pid, annotations), "docker") == (0, "", "")
        assert guest.addresses("eth1") == ["10.7.1.1/24"]
        assert list(ports(there.centre, name)) == [f"pipework:{name}:10.7.1.1"]
        assert run_hook(there.host, state(tmp_path, 0, annotations, STOPPED), "docker") == (0, "", "")
        assert ports(there.centre, name) == {}


def test_labels(there: OvnHost, container: Callable[..., Container]) -> None:
    """A container's labels put it on OVN, again when it restarts; with its end OVN forgets it."""
    name = switch_of(there.centre)
    ask = partial(ports, there.centre, name)
    with watching(words=("--allow", "nothing0"), on=there.argv()) as watch:
        web, db = (container(f"--label=pipework.1=ovn:{name} 10.7.1.{number}/24") for number in (1, 2))
        both = [f"pipework:{name}:10.7.1.{number}" for number in (1, 2)]
        assert eventually(lambda: list(ask()) == both), watch.told()
        given = ask()
        assert eventually(lambda: db.ping("10.7.1.1")), watch.told()
        docker("restart", "-t", "0", web.name)
        assert watch.says(f"+ docker:{web.name}: ovn:{name} 10.7.1.1/24", 2), watch.told()
        assert eventually(lambda: db.ping("10.7.1.1")), watch.told()
        assert ask() == given  # with the MACs that they had
        docker("rm", "-f", db.name)
        assert eventually(lambda: list(ask()) == both[:1]), watch.told()
        assert "pipework: " not in watch.told(), watch.told()
        assert watch.end() == 0


def test_apply(there: OvnHost, guest_ns: Namespaces, tmp_path: Path) -> None:
    """Lines of a file: what is as asked stays, what nobody asks for goes, at OVN too."""
    name, one, other = switch_of(there.centre), guest_ns(), guest_ns()
    settle(there.host)
    file = tmp_path / "wiring"
    file.write_text(f"ovn:{name} {one.spec} 10.7.1.1/24\novn:{name} {other.spec} 10.7.1.2/24\n")
    assert "2 lines: 0 as asked, 2 made" in there.pipework("apply", str(file)).out
    assert "2 lines: 2 as asked, 0 made" in there.pipework("apply", str(file)).out
    file.write_text(f"ovn:{name} {one.spec} 10.7.1.1/24\n")
    assert "1 line: 1 as asked, 0 made, 0 replaced, 1 removed" in there.pipework("apply", "--prune", str(file)).out
    assert list(ports(there.centre, name)) == [f"pipework:{name}:10.7.1.1"]

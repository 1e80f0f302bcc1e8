"""Fake bridges of Open vSwitch, each a VLAN of a bridge: what a guest of one gets, and what becomes of its port."""

from __future__ import annotations

import json
import subprocess
from typing import Any, Callable

import pytest

from tests.integration.test_openvswitch import NETDEV, Untouched, external_ids, ports, refused, succeed, tag
from tests.lab import kept
from tests.lab.guest import eventually, fresh_name
from tests.lab.netns import NamedNamespace, named_namespace
from tests.lab.snapshot import wait_for_the_ended
from tests.lab.switch_host import SwitchHost
from tests.lab.tcp import reaches

Namespaces = Callable[[], NamedNamespace]
DEAD = f"{2**22}.7"  # the identity of a run that is not alive: no process has such a number


def fake_on(host: SwitchHost, parent: str, vlan: int) -> str:
    """Make a fake bridge, the VLAN of a bridge."""
    name = fresh_name("pwfk")
    host.vsctl("add-br", name, parent, str(vlan))
    return name


def listed(host: SwitchHost) -> list[dict[str, Any]]:
    """Return what ls says of the wires."""
    return [dict(wire) for wire in json.loads(host.pipework("ls", "--json").out)]


def places(host: SwitchHost) -> dict[str, tuple[str, int]]:
    """Return where ls says that the ports are, and in which VLAN."""
    return {wire["link"]: (wire["hostif"], wire["vlan"]) for wire in listed(host)}


def collected(host: SwitchHost) -> list[str]:
    """Run gc; return what it says that it has removed of the switch."""
    wait_for_the_ended()
    return kept.collected(host.pipework)


def test_two_on_one_bridge(switched: SwitchHost, guest_ns: Namespaces) -> None:
    """Guests of a fake bridge are in its VLAN: they reach each other, TCP included, and none of another one's."""
    parent = switched.add_bridge()
    first, second = fake_on(switched, parent, 10), fake_on(switched, parent, 11)
    one, two, apart, tagged = guest_ns(), guest_ns(), guest_ns(), guest_ns()
    succeed(switched, first, "-l", "one", one.spec, "10.4.0.1/24")
    succeed(switched, first, "-l", "two", two.spec, "10.4.0.2/24")
    succeed(switched, second, "-l", "apart", apart.spec, "10.4.0.3/24")
    succeed(switched, parent, "-l", "tagged", tagged.spec, "10.4.0.4/24", "@10")
    assert (sorted(ports(switched, first)), ports(switched, second)) == (["one", "tagged", "two"], ["apart"])
    assert (tag(switched, "one"), tag(switched, "apart")) == ("10", "11")
    assert external_ids(switched, "one") == {"pipework.interface": "one", "pipework.bridge": first}
    assert reaches(one, two, "10.4.0.2")
    assert reaches(tagged, one, "10.4.0.1")
    assert not one.ping("10.4.0.3", wait=1)
    assert places(switched) == {
        "one": (first, 10),
        "two": (first, 10),
        "apart": (second, 11),
        "tagged": (parent, 10),
    }


def test_process_as_guest(switched: SwitchHost, guest_ns: Namespaces) -> None:
    """A guest that is named by its process is wired, and taken back, all the same."""
    fake, guest = fake_on(switched, switched.add_bridge(), 10), guest_ns()
    rows = switched.rows()
    with subprocess.Popen(guest.enter("sleep", "60")) as running:
        try:
            spec = f"pid:{running.pid}"
            assert eventually(lambda: switched.pipework(fake, spec, "10.4.0.1/24").code == 0)
            assert tag(switched, f"veth1pl{running.pid}") == "10"
            assert places(switched) == {f"veth1pl{running.pid}": (fake, 10)}
            succeed(switched, "del", spec)
        finally:
            running.kill()
    assert switched.rows() == rows


def test_another_vlan(switched: SwitchHost, guest_ns: Namespaces) -> None:
    """@VLAN has its way, as in the original: the port is in that VLAN of the parent; ls shows it, del takes it back."""
    parent = switched.add_bridge()
    fake, other, guest, peer = fake_on(switched, parent, 10), fake_on(switched, parent, 30), guest_ns(), guest_ns()
    rows = switched.rows()
    line = (fake, "-l", "port", guest.spec, "10.4.0.1/24", "@20")
    succeed(switched, *line)
    assert (tag(switched, "port"), switched.vsctl("port-to-br", "port").strip()) == ("20", parent)
    succeed(switched, parent, "-l", "peer", peer.spec, "10.4.0.2/24", "@20")
    assert reaches(peer, guest, "10.4.0.1")
    assert places(switched) == {"port": (fake, 20), "peer": (parent, 20)}
    succeed(switched, "del", peer.spec)
    succeed(switched, "del", guest.spec)
    assert switched.rows() == rows
    # and where that VLAN is another fake bridge's
    succeed(switched, fake, "-l", "port", guest.spec, "10.4.0.1/24", "@30")
    assert switched.vsctl("port-to-br", "port").strip() == other
    assert places(switched) == {"port": (fake, 30)}
    succeed(switched, "del", guest.spec)
    assert switched.rows() == rows


@pytest.mark.parametrize("vlan", ["", "@10", "@20"])
def test_replace(switched: SwitchHost, guest_ns: Namespaces, vlan: str) -> None:
    """The same line with --replace leaves the wire alone; another VLAN re-makes it, and is left alone from then on."""
    fake, guest = fake_on(switched, switched.add_bridge(), 10), guest_ns()
    line = [fake, guest.spec, "10.4.0.1/24"]
    succeed(switched, *line, *filter(None, [vlan]))
    for tail, wanted in (([*filter(None, [vlan])], vlan[1:] or "10"), (["@30"], "30"), ([], "10")):
        succeed(switched, "--replace", *line, *tail)
        (port,) = places(switched)
        assert tag(switched, port) == wanted
        link = guest.link("eth1")
        succeed(switched, "--replace", *line, *tail)
        assert guest.link("eth1") == link


@pytest.mark.parametrize("vlan", ["", "@20"])
def test_failing_step_is_undone(switched: SwitchHost, guest_ns: Namespaces, vlan: str) -> None:
    """A gateway that the kernel refuses takes port and pair back; exit 2."""
    fake, guest = fake_on(switched, switched.add_bridge(), 10), guest_ns()
    watched = Untouched(switched, guest)
    done = switched.pipework(fake, guest.spec, "10.4.0.1/24@10.4.0.255", *filter(None, [vlan]))
    assert (done.code, done.out) == (2, "")
    watched.check()


@pytest.mark.parametrize("vlan", ["", "@20"])
def test_port_of_a_dead_guest(switched: SwitchHost, guest_ns: Namespaces, vlan: str) -> None:
    """It is told, comes back as it was where its successor fails, gives way to one that does not, and is collected."""
    parent = switched.add_bridge()
    fake, heir = fake_on(switched, parent, 10), guest_ns()
    rows, tail = switched.rows(), [*filter(None, [vlan])]
    for _ in range(2):
        with named_namespace() as guest:
            succeed(switched, fake, "-l", "port", guest.spec, "10.4.0.1/24", *tail)
        assert eventually(lambda: switched.host.link("port") is None)
        [wire] = listed(switched)
        assert (wire["hostif"], wire["vlan"], wire["state"]) == (fake, int(vlan[1:] or 10), "guest gone")
        watched = Untouched(switched, heir)
        assert switched.pipework(parent, "-l", "port", heir.spec, "10.4.0.1/24@10.4.0.255").code == 2
        watched.check()
        succeed(switched, parent, "-l", "port", heir.spec, "10.4.0.1/24", "@7")
        assert places(switched) == {"port": (parent, 7)}
        succeed(switched, "del", heir.spec)
        assert switched.rows() == rows
    with named_namespace() as guest:
        succeed(switched, fake, "-l", "port", guest.spec, "10.4.0.1/24", *tail)
    assert eventually(lambda: switched.host.link("port") is None)
    assert collected(switched) == [f"removed port port of {fake}, whose guest is gone"]
    assert switched.rows() == rows


def test_tag_that_somebody_has_changed(switched: SwitchHost, guest_ns: Namespaces) -> None:
    """ls shows the VLAN that the port is in, --replace puts it where it belongs, del finds it wherever it is."""
    fake, guest = fake_on(switched, switched.add_bridge(), 10), guest_ns()
    rows = switched.rows()
    succeed(switched, fake, "-l", "port", guest.spec, "10.4.0.1/24")
    switched.vsctl("set", "Port", "port", "tag=30")
    assert places(switched) == {"port": (fake, 30)}
    succeed(switched, "--replace", fake, "-l", "port", guest.spec, "10.4.0.1/24")
    assert tag(switched, "port") == "10"
    switched.vsctl("clear", "Port", "port", "tag")
    assert places(switched) == {"port": (fake, None)}
    succeed(switched, "del", guest.spec)
    assert switched.rows() == rows


def test_fake_bridge_that_is_gone(switched: SwitchHost, guest_ns: Namespaces) -> None:
    """A port in another VLAN stays when the fake bridge goes: it is its parent's then, for ls, del and gc."""
    parent = switched.add_bridge()
    rows = switched.rows()
    fake, guest = fake_on(switched, parent, 10), guest_ns()
    succeed(switched, fake, "-l", "port", guest.spec, "10.4.0.1/24", "@20")
    switched.vsctl("del-br", fake)
    assert places(switched) == {"port": (parent, 20)}
    succeed(switched, "del", guest.spec)
    assert switched.rows() == rows
    with named_namespace() as dying:
        fake = fake_on(switched, parent, 10)
        succeed(switched, fake, "-l", "port", dying.spec, "10.4.0.1/24", "@20")
        switched.vsctl("del-br", fake)
    assert eventually(lambda: switched.host.link("port") is None)
    assert collected(switched) == [f"removed port port of {parent}, whose guest is gone"]
    assert switched.rows() == rows


def test_mtu(switched: SwitchHost, guest_ns: Namespaces) -> None:
    """Both ends have the MTU of the fake bridge's link."""
    fake, guest = fake_on(switched, switched.add_bridge(), 10), guest_ns()
    switched.vsctl("set", "Interface", fake, "mtu_request=1400")
    assert eventually(lambda: (switched.host.link(fake) or {}).get("mtu") == 1400)
    succeed(switched, fake, "-l", "port", guest.spec, "10.4.0.1/24")
    ends = guest.link("eth1"), switched.host.link("port")
    assert [end and end["mtu"] for end in ends] == [1400, 1400]


def test_parent_without_a_link(switched: SwitchHost, guest_ns: Namespaces) -> None:
    """A fake bridge of one that the switch could not set up is refused; what it says to type heals both."""
    fake, parent, guest = "br-fake", fresh_name("brn"), guest_ns()
    switched.vsctl("add-br", parent)
    switched.vsctl("add-br", fake, parent, "10")
    watched = Untouched(switched, guest)
    said = refused(switched, fake, guest.spec, "10.4.0.1/24")
    assert f"Open vSwitch has a bridge {fake}, but the kernel shows no link of it" in said
    assert f"ovs-vsctl set bridge {parent} {NETDEV}; or remove it: ovs-vsctl del-br {fake}" in said
    watched.check()
    switched.vsctl("set", "bridge", parent, NETDEV)
    assert eventually(lambda: switched.host.link(fake) is not None)
    succeed(switched, fake, guest.spec, "10.4.0.1/24")
    assert {vlan for _, vlan in places(switched).values()} == {10}


def test_link_that_is_gone(switched: SwitchHost, guest_ns: Namespaces) -> None:
    """One whose link somebody has deleted is refused; the switch makes it again when it is started anew."""
    fake, guest = fake_on(switched, switched.add_bridge(), 10), guest_ns()
    switched.host.run("ip", "link", "del", fake)
    watched = Untouched(switched, guest)
    said = refused(switched, fake, guest.spec, "10.4.0.1/24")
    assert f"Open vSwitch has a bridge {fake}, but its link is gone" in said
    assert f"systemctl restart openvswitch-switch; or remove it: ovs-vsctl del-br {fake}" in said
    watched.check()
    switched.stop_switching()
    switched.start_switching()
    assert eventually(lambda: switched.host.link(fake) is not None)
    succeed(switched, fake, guest.spec, "10.4.0.1/24")


def test_half_made_bridge_that_somebody_has_come_to_use(switched: SwitchHost, guest_ns: Namespaces) -> None:
    """gc leaves a bridge that a killed run has made once somebody has made a fake bridge on it; else it goes."""
    used, unused = switched.add_bridge(), switched.add_bridge()
    fake = fake_on(switched, used, 10)
    for bridge in (used, unused):
        switched.vsctl("br-set-external-id", bridge, "pipework.unfinished", DEAD)
    assert collected(switched) == [f"removed bridge {unused}, half made"]
    guest = guest_ns()
    succeed(switched, fake, guest.spec, "10.4.0.1/24")
    assert collected(switched) == []
    assert sorted(switched.vsctl("list-br").split()) == sorted([used, fake])

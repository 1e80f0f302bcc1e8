"""Hosts with a NIC that is their way into a network, and bridges that it can become the uplink of."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from tests.lab.guest import Guest
from tests.lab.host import Host, nic_of, settle, throwaway_host
from tests.lab.netns import Nic, named_namespace
from tests.lab.scenes import Scene, bridge_on, furnish, set_scene
from tests.lab.switch_host import SwitchHost, switch_host

CARD = "nic0"
MINE, ITS = "192.168.77.2", "fd00:77::2"
BRIDGES = {"new": "br0", "there": "br0", "switch": "ovs0"}


def online(host: Host, nic: Nic) -> None:
    """Give the host what one has of its network: addresses, routes of several tables and metrics, default routes."""
    furnish(host, nic)
    host.batch(
        f"route add default via {nic.address} dev {nic.name} metric 100",
        f"route add default via {nic.address} dev {nic.name} table 100",
        f"route add default via {nic.address6} dev {nic.name} metric 512",
        f"route add 172.31.0.1/32 dev {nic.name}",
        f"route add 10.50.0.0/16 via 172.31.0.1 dev {nic.name}",
        f"route add 10.60.0.0/16 nexthop via {nic.address} dev {nic.name} nexthop via 172.31.0.1 dev {nic.name}",
        f"addr add 192.168.77.22/24 dev {nic.name} label {nic.name}:1",
        f"addr add fd00:77::22/64 dev {nic.name} nodad valid_lft 3000 preferred_lft 2000",
    )


@contextmanager
def uplink_host(kind: str) -> Iterator[tuple[Host, Nic, SwitchHost | None]]:
    """A host with a NIC, and a bridge of that kind: one to be made, one that has an address, or a switch's."""
    with ExitStack() as stack:
        switch = stack.enter_context(switch_host()) if kind == "switch" else None
        host = switch.host if switch else stack.enter_context(throwaway_host())
        nic = stack.enter_context(nic_of(host, CARD))
        online(host, nic)
        if kind == "there":
            bridge_on(host)
            host.run("ip", "addr", "add", "10.8.8.1/24", "dev", "br0")
        if switch:
            nic.lan.run("ethtool", "-K", nic.far, "tx", "off")  # which hardware would send whole
            switch.add_bridge("ovs0")
            host.run("ip", "link", "set", "ovs0", "up")
        settle(host)
        yield host, nic, switch


@contextmanager
def uplink_scene(kind: str, undo: bool = False) -> Iterator[Scene]:
    """Such a host, and the command that is to be disturbed there: that, or what takes it back."""
    with uplink_host(kind) as (host, _, switch), named_namespace() as guest:
        words = ["uplink", BRIDGES[kind], CARD]
        if undo:
            assert host.pipework(*words) == (0, "", "")
            words.insert(1, "--undo")
        settle(host)
        with set_scene(host, guest, words, switch) as made:
            yield made


def network_of(host: Guest, name: str) -> tuple[list[str], list[str]]:
    """A link's addresses, and the routes of all tables but `local` out of it, without its name."""
    ways = list[str]()
    for family in ("-4", "-6"):
        told = host.run("ip", family, "route", "show", "table", "all").replace("\n\t", " ")
        ways += [line for line in told.splitlines() if f"dev {name} " in f"{line} " and "table local" not in line]
    routes = [line.replace(f"dev {name}", "").split() for line in ways if "fe80::" not in line and "ff00::" not in line]
    return sorted(host.addresses(name)), sorted(" ".join(words) for words in routes)

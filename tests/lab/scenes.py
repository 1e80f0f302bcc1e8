"""Hosts, guests that are online already, and the command that shall be disturbed, for each kind of link."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import partial
from typing import Any, Callable, NamedTuple, Optional

from tests.lab.crowd import unfinished_of
from tests.lab.guest import HOST, SLOW, Guest, at_rest, eventually
from tests.lab.host import Host, nic_of, settle, throwaway_host, without_dad
from tests.lab.kept import cookie, kept_of
from tests.lab.modules import infiniband_of, radio_of
from tests.lab.netns import NamedNamespace, Nic, announcing, dnsmasq, named_namespace
from tests.lab.ovn import centre, ovn_host
from tests.lab.snapshot import Snapshot, diff, watching
from tests.lab.switch_host import SwitchHost, switch_host

MAC = "02:00:00:00:09:09"
MOMENT = 2 * SLOW  # seconds to settle, where something may have changed for good
ADDRESSES = {
    "v4": "192.168.77.9/24",
    "v4-gateway": "192.168.77.9/24@192.168.77.1",
    "v4-off-link": "192.168.77.9/32@192.168.88.1",
    "v6-gateway": "fd00:77::9/64@fd00:77::1",
    "v6-off-link": "fd00:77::9/128@fd00:88::1",
    "several": "192.168.77.9/24@192.168.77.1,10.7.7.9/24,fd00:77::9/64@fd00:77::1",
    "both": "192.168.77.9/24@192.168.77.1,fd00:77::9/64@fd00:77::1",
    "none": "0/0",
    "alone": "192.168.77.9/32,fd00:77::9/128",
}
ROUTES = ["--route", "10.8.0.0/13@192.168.77.3", "--route", "10.16.0.0/12", "--route", "fd00:8::/48@fd00:88::3"]
CLIENTS = ("udhcpc", "udhcpc-f", "dhclient-f", "dhcpcd")
SWITCHED = {
    "switch": ["sw0"],
    "dead-port": ["sw0"],
    "new-switch": ["ovs7"],
    "fake-switch": ["fake0"],
    "fake-switch-vlan": ["fake0"],
    "trunk": ["sw0"],
}
LOGICAL = {"ovn": ["ovn:blue"]}
ON_NIC = {
    "macvlan": ["nic0"],
    "namesake": ["nic0", "-i", "nic0"],
    "direct": ["--direct-phys", "nic0"],
    "direct-furnished": ["--direct-phys", "nic0"],
    "direct-port": ["--direct-phys", "nic0"],
    "direct-down": ["--direct-phys", "nic0"],
    "lan": ["lan0"],
    "vlan": ["nic0"],
    "direct-vlan": ["--direct-phys", "nic0"],
    "ipvlan": ["--ipvlan", "l2", "nic0"],
    "ipvlan-vlan": ["--ipvlan", "l3", "nic0"],
}
OPTIONED = {
    "beside": ["--beside", "br0"],
    "options": [*ROUTES, "--metric", "7", "--mtu", "1400", "br0"],
    "direct-options": [*ROUTES, "--mtu", "1400", "--direct-phys", "nic0"],
    "announced": ["lan0"],
    "private": ["--mode", "private", "nic0"],
    "host-access": ["--host-access", "nic0"],
    "sure": ["--probe", "--check", "nic0"],
    "routed": ["--routed", "nic0"],
    "to-filter": ["--filter", "br0"],
}
BETWEEN_GUESTS = {"wire": ["--mtu", "1400", "wire"]}
OTHERS = {"dummy": ["dummy0"], "ipoib": ["ib0", "-i", "eth1"], "radio": ["--direct-phys", "wlan0"]}
DEVICES = {"ipoib": infiniband_of, "radio": radio_of}
LAST_WORD = {
    "vlan": f"{MAC}@100",
    "direct-vlan": f"{MAC}@100",
    "filtering": f"{MAC}@100",
    "to-filter": f"{MAC}@10:100,200-201",
    "trunk": f"{MAC}@10:100,200-201",
    "fake-switch-vlan": f"{MAC}@20",  # which is not that of the fake bridge
    "ipoib": "@8001",
    "ipvlan": "",
    "ipvlan-vlan": "@100",
}
# What wants a distribution kernel.
IN_MACHINE = ("vlan", "direct-vlan", "ipvlan", "ipvlan-vlan", "filtering", "new-switch", "dummy", "ipoib", "radio")
# Of them, what has steps of its own: those of the others are steps of an ipvlan in a VLAN, or of a macvlan, too.
STEPPED_IN_MACHINE = tuple(kind for kind in IN_MACHINE if kind not in ("vlan", "ipvlan"))


class Scene(NamedTuple):
    """A host, a guest that is online already, the command that shall be disturbed, and the host's switch.

    stdin: what the command reads; peer: the guest at the other end of the wire, where one is.
    """

    host: Host
    guest: NamedNamespace
    words: list[str]
    switch: Optional[SwitchHost]
    at_host: Callable[[], Snapshot]
    at_guest: Callable[[], Snapshot]
    kept: Callable[[], Snapshot]
    stdin: str = ""
    peer: Optional[NamedNamespace] = None
    at_peer: Callable[[], Snapshot] = dict

    @property
    def guests(self) -> list[NamedNamespace]:
        """One, or both."""
        return [self.guest, self.peer] if self.peer else [self.guest]

    @property
    def names(self) -> list[str]:
        """What each of them is called."""
        return [guest.name for guest in self.guests]

    def otherwise(self) -> list[str]:
        """The words of a wire with other addresses, and with nothing behind them."""
        until_guest = self.words[: self.words.index(self.guest.spec) + 1]
        return [*until_guest, "10.7.0.9/24@10.7.0.1", *([self.peer.spec, "10.7.0.1/24"] if self.peer else [])]

    def state(self) -> Snapshot:
        """Return all that the command may touch."""
        host = {f"host's {key}": lines for key, lines in self.at_host().items()}
        guest = {f"guest's {key}": lines for key, lines in self.at_guest().items()}
        peer = {f"peer's {key}": lines for key, lines in self.at_peer().items()}
        switch = self.switch.rows().splitlines() if self.switch else []
        return {**host, **guest, **peer, **self.kept(), "switch": switch}

    def settle(self) -> None:
        """Wait until what is there changes no more by itself: links, addresses, and helpers of a DHCP client."""
        settle(self.host, *self.guests)
        if self.kept()["processes"]:
            at_rest(self.kept)

    def difference(self, before: Snapshot, patience: float = 20 * SLOW) -> str:
        """Return what has changed, once what needs a moment has settled; patience: seconds, if nothing should."""
        changed = diff(before, self.state())
        if changed:
            settle(self.host, *self.guests)
            eventually(lambda: not diff(before, self.state()), patience)
            changed = diff(before, self.state())
        return changed


Stage = Callable[[], AbstractContextManager[Scene]]  # builds one afresh, the same each time


@contextmanager
def scene(kind: str, address: str) -> Iterator[Scene]:
    """Build host and guest afresh; address is one of ADDRESSES, or a DHCP client."""
    with ExitStack() as stack:
        switch = _switch_of(stack, kind)
        host = switch.host if switch else stack.enter_context(throwaway_host())
        guest = stack.enter_context(named_namespace())
        _bring_online_as_docker(guest, kind)
        words = {**SWITCHED, **LOGICAL, **ON_NIC, **OPTIONED, **BETWEEN_GUESTS, **OTHERS}.get(kind, ["br0"])
        if kind in ("bridge", "shared-bridge", "replaced-port", "beside", "options", "to-filter"):
            bridge_on(host)
        if kind == "shared-bridge":
            other = stack.enter_context(named_namespace())
            assert host.pipework("br0", other.spec, "0/0").code == 0  # with rules of both families
        if kind == "replaced-port":
            _leave_port_down(host, guest)
        if kind in (*ON_NIC, "direct-options", "announced", "sure", "private", "host-access", "routed"):
            nic = stack.enter_context(nic_of(host, words[0] if kind in ("lan", "announced") else "nic0"))
            if kind == "lan":
                stack.enter_context(dnsmasq(nic))
            if kind == "announced":  # and the host takes nothing of it
                host.run("sysctl", "-qw", f"net.ipv6.conf.{nic.name}.accept_ra=0")
                stack.enter_context(announcing(nic))
            if kind == "direct-furnished":
                furnish(host, nic)
            else:
                host.batch(
                    f"addr add 192.168.77.2/24 dev {nic.name}",
                    f"addr add fd00:77::2/64 dev {nic.name} nodad",
                    f"route add 10.20.0.0/16 via 192.168.77.1 dev {nic.name}",
                )
        if kind == "routed":
            other = stack.enter_context(named_namespace())
            host.run("sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1")
            assert host.pipework("--routed", "nic0", "-l", "before", other.spec, "192.168.77.8/32").code == 0
        if kind == "direct-port":
            bridge_on(host)
            host.run("ip", "link", "set", "nic0", "master", "br0")
        if kind in ("macvlan", "direct-down"):
            host.run("ip", "link", "set", "nic0", "down")
        if kind in SWITCHED:
            assert switch
            stack.enter_context(_bridge_of(switch, kind))
        if switch and kind == "dead-port":
            _leave_dead_port(switch, guest)
        if kind in DEVICES:
            stack.enter_context(DEVICES[kind](host))
        if kind == "ipoib":
            # a NIC has no queue until it is brought up, and keeps it from then on
            host.run("ip", "link", "set", "ib0", "up")
            host.run("ip", "link", "set", "ib0", "down")
        peer = stack.enter_context(named_namespace()) if kind in BETWEEN_GUESTS else None
        tail = [ADDRESSES.get(address, address), *filter(None, [LAST_WORD.get(kind, MAC)])]
        if peer:
            _bring_online_as_docker(peer, kind)
            for each in (guest, peer):  # whose gateway the other is
                each.run("sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1")
            tail = [tail[0], "-i", "eth1", peer.spec, opposite(tail[0])]
        settle(host, guest, *([peer] if peer else []))
        yield stack.enter_context(set_scene(host, guest, [*words, guest.spec, *tail], switch, peer))


def opposite(address: str) -> str:
    """What the other end of a wire has where one has that address: its gateway, or .1, with that one as gateway."""
    ends = (one.partition("@")[::2] for one in address.split(","))
    return ",".join(_opposite(*own.partition("/")[::2], gateway) for own, gateway in ends)


def _opposite(ip: str, length: str, gateway: str) -> str:
    if ip == "0":
        return "0/0"
    return f"{gateway}/{length}@{ip}" if gateway else f"{ip[:-1]}1/{length}"


@contextmanager
def set_scene(
    host: Host,
    guest: NamedNamespace,
    words: list[str],
    switch: Optional[SwitchHost],
    peer: Optional[NamedNamespace] = None,
) -> Iterator[Scene]:
    """Host and guest, or both, as they are, looked at from now on."""
    with ExitStack() as stack:
        at_host, at_guest = (stack.enter_context(watching(each)) for each in (host, guest))
        taken = Scene(host, guest, words, switch, at_host, at_guest, partial(kept_of, guest, cookie(guest)))
        if peer:
            kept = partial(_kept_of_both, taken.kept, partial(kept_of, peer, cookie(peer)))
            taken = taken._replace(peer=peer, at_peer=stack.enter_context(watching(peer)), kept=kept)
        yield taken


def _kept_of_both(of_guest: Callable[[], Snapshot], of_peer: Callable[[], Snapshot]) -> Snapshot:
    """What is kept of the guests at both ends of a wire."""
    return {**of_guest(), **{f"peer's {key}": lines for key, lines in of_peer().items() if key != "names"}}


def _switch_of(stack: ExitStack, kind: str) -> Optional[SwitchHost]:
    """The host's own switch, where the kind has one."""
    if kind in LOGICAL:
        of = stack.enter_context(centre())
        of.nbctl("ls-add", "blue")  # which stays, whatever fails
        return stack.enter_context(ovn_host(of))
    return stack.enter_context(switch_host()) if kind in SWITCHED else None


@contextmanager
def _bridge_of(switch: SwitchHost, kind: str) -> Iterator[None]:
    """A bridge that is there, or what it takes to make one."""
    if kind != "new-switch":
        switch.add_bridge("sw0")
        if kind.startswith("fake-switch"):
            switch.vsctl("add-br", "fake0", "sw0", "10")
        yield
        return
    HOST.run("modprobe", "openvswitch")
    yield
    for bridge in switch.vsctl("list-br").split():
        switch.vsctl("del-br", bridge)


def bridge_on(host: Host, name: str = "br0") -> None:
    """A bridge that is there before and after, with a port of its own, for it takes its carrier from its ports."""
    port, far = ("other", "far") if name == "br0" else (f"{name}p", f"{name}far")
    host.batch(
        f"link add {name} address 02:00:00:00:0b:00 type bridge",
        f"link set {name} up",
        f"link add {port} master {name} type veth peer name {far}",
        f"link set {port} up",
        f"link set {far} up",
    )


def furnish(host: Host, nic: Nic) -> None:
    """Give the NIC all that comes back with it: addresses, routes, MTU, alias, a MAC that is not its own."""
    host.batch(
        f"link set {nic.name} down",
        f"link set {nic.name} mtu 1400 txqueuelen 777 address 02:00:00:00:77:77 alias uplink",
        f"link set {nic.name} up",
        f"addr add 192.168.77.2/24 broadcast 192.168.77.255 dev {nic.name}",
        f"addr add 192.168.78.2/24 dev {nic.name}",
        f"addr add 10.9.9.9/32 dev {nic.name} noprefixroute",
        f"addr add fd00:77::2/64 dev {nic.name} nodad",
        f"route add 10.20.0.0/16 via 192.168.77.1 dev {nic.name}",
        f"route add 10.30.0.0/16 via 192.168.77.1 dev {nic.name} metric 50 src 192.168.77.2",
        f"route add 10.40.0.0/16 dev {nic.name} table 100",
        f"route add fd00:99::/64 via fd00:77::1 dev {nic.name}",
    )
    settle(host)


def _leave_port_down(host: Host, guest: NamedNamespace) -> None:
    """A wire with all that can be lost with it, whose port somebody has taken down."""
    assert host.pipework("br0", guest.spec, "10.9.9.9/24@10.9.9.1").code == 0
    # without carrier the kernel would not bring all of a link-local address back
    guest.run("sysctl", "-qw", "net.ipv6.conf.eth1.addr_gen_mode=1", "net.ipv6.conf.eth1.disable_ipv6=0")
    guest.run("ip", "addr", "add", "fd00:9::9/64", "dev", "eth1", "nodad")
    guest.run("ip", "route", "add", "10.10.0.0/16", "via", "10.9.9.2")
    (port,) = [name for name in links(host) if name.startswith(("veth1pl", "vpl"))]
    host.run("ip", "link", "set", port, "down")


def _leave_dead_port(switch: SwitchHost, guest: NamedNamespace) -> None:
    """A port of an earlier guest, under the name that the new one will have."""
    assert switch.pipework("sw0", guest.spec, "10.9.9.9/24", "@7").code == 0
    guest.run("ip", "link", "del", "eth1")


def _names(entries: Iterable[Any]) -> list[str]:
    return sorted(entry["ifname"] for entry in entries if entry["ifname"] != "lo")


def links(guest: Guest) -> list[str]:
    """Return the names of a namespace's links."""
    return _names(guest.ip("-j", "link", "show"))


def online(guest: Guest, *routes: str) -> None:
    """Give a guest a network of its own, with routes."""
    without_dad(guest)
    guest.batch(
        "link add eth0 type veth peer name far0",
        "link set far0 up",
        "link set eth0 up",
        "addr add 172.30.0.2/24 dev eth0",
        "addr add fd00:30::2/64 dev eth0 nodad",
        *routes,
    )
    guest.run("sysctl", "-qw", "net.ipv6.conf.default.dad_transmits=1")


PLAIN = "route add default via 172.30.0.254 dev eth0"
DEFAULTS = (
    "route add default via 172.30.0.1 dev eth0 src 172.30.0.2 metric 20",
    PLAIN,
    "route add default via fd00:30::1 dev eth0 metric 99",
)


def bring_online(guest: Guest) -> None:
    """Give a guest a network of its own with two default routes, and one of IPv6."""
    online(guest, *DEFAULTS)


def _bring_online_as_docker(guest: Guest, kind: str) -> None:
    """The same, and new links without IPv6, as Docker has them; in a machine, where each step takes its time, one."""
    online(guest, *([PLAIN] if kind in IN_MACHINE else DEFAULTS))
    # what duplicates are found is another test's matter
    guest.run("sysctl", "-qw", "net.ipv6.conf.default.disable_ipv6=1", "net.ipv6.conf.default.dad_transmits=0")


def named_alike(text: str, names: Iterable[str]) -> str:
    """The text without the guests' names, and without those of their ports, which depend on how long theirs are."""
    for number, name in sorted(enumerate(names), key=lambda each: -len(each[1])):  # one may begin as the other
        text = text.replace(name, "GUEST" if not number else "PEER")
    return re.sub("vpl[0-9a-f]+|v[a-z0-9]+plGUEST", "PORT", text)


def shape(taken: Scene) -> str:
    """Return what counts of the state after a success, without what depends on the guest's name."""
    outside, inside, beyond = taken.at_host(), taken.at_guest(), taken.at_peer()
    links = [json.loads(entry) for look in (outside, inside, beyond) for entry in look.get("links", [])]
    told = {
        "unfinished": unfinished_of(links),
        "host": _names(map(json.loads, outside["links"])),
        "guest": _shape_inside(inside),
        "peer": _shape_inside(beyond) if taken.peer else "",
        "rules": str([outside["firewall"], outside["firewall6"]]).count("pipework"),
        "switch": taken.switch.rows() if taken.switch else "",
    }
    # a router's address, and how long its route lasts, are its own
    return re.sub('fe80:[0-9a-f:]+|"expires": [0-9]+', "ROUTER", named_alike(str(told), taken.names))


def _shape_inside(inside: Snapshot) -> dict[str, list[str]]:
    return {
        "links": _names(map(json.loads, inside["links"])),
        "addresses": [
            f"{entry['ifname']} {info['local']}/{info['prefixlen']}"
            for entry in map(json.loads, inside["addresses"])
            for info in entry["addr_info"]
            if entry["ifname"] != "lo" and info["scope"] != "link"
        ],
        "routes": [entry for entry in inside["routes"] if re.search('"dst": "(default|[^:"]+)"', entry)],
    }

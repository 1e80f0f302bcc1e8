"""What is removed, and by which command: every kind of wire, several at once, remnants of each kind, replacements.

A new kind, or something new that gc collects, is broken at each of its steps by being added here.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Callable, NamedTuple

from tests.lab.guest import HOST
from tests.lab.host import nic_of, settle
from tests.lab.netns import named_namespace
from tests.lab.removing import ORDERS, Removal, Trial
from tests.lab.scenes import ADDRESSES, MAC, STEPPED_IN_MACHINE, Scene, bridge_on, scene

KINDS = ("bridge", "shared-bridge", "switch", "macvlan", "direct")
FAKE = ("fake-switch-vlan", "v4")  # whose port is not where it was asked for
NICS = ("direct-furnished", "direct-port", "direct-down")
# Which wires are removed in vain, and which by a run that is killed, and what is typed then: with a default route
# replaced, without one, and with one of IPv6.
REFUSED = [
    *((kind, "v4-gateway") for kind in (*KINDS, *NICS)),
    ("bridge", "v6-gateway"),
    ("direct", "v6-gateway"),
    ("options", "several"),
    ("beside", "several"),
    ("routed", "alone"),
    ("wire", "several"),
    ("host-access", "both"),
    FAKE,
    ("ovn", "v4-gateway"),
]
KILLED = [
    *((kind, "v4-gateway", order) for kind in (*KINDS, *NICS) for order in ORDERS),
    *((kind, "v4", ORDERS[0]) for kind in KINDS),
    *((kind, "v6-gateway", ORDERS[1]) for kind in (*KINDS, "namesake")),
    ("options", "several", ORDERS[0]),
    ("beside", "several", ORDERS[1]),
    ("routed", "alone", ORDERS[1]),
    *(("wire", "several", order) for order in ORDERS),
    ("host-access", "both", ORDERS[0]),
    (*FAKE, ORDERS[1]),
    ("ovn", "v4-gateway", ORDERS[1]),
]
IN_MACHINE = tuple(kind for kind in STEPPED_IN_MACHINE if kind != "new-switch")
# A bridge, a VLAN link, a NIC that was down, and one that is down again but lacks the queue that comes with being up.
STAYS = ("filtering", "vlan", "ipvlan-vlan", "macvlan", "direct-vlan", "ipoib", "direct-down")
OTHER_MAC = "02:00:00:00:09:0a"


@contextmanager
def wire(kind: str, address: str) -> Iterator[Removal]:
    """A wire of that kind, and del."""
    with scene(kind, address) as taken:
        ifname = taken.words[taken.words.index("-i") + 1] if "-i" in taken.words else "eth1"
        words = ["del", taken.guest.spec, "-i", ifname]
        yield Removal(taken, [taken.words], words, [ifname], stays=kind in STAYS)


# Several wires of one guest, in the order in which each replaces the default route of the one before.
SEVERAL = (("bridge", "macvlan", "switch"), ("switch", "direct", "bridge"))
HOSTIFS = {"bridge": ["br0"], "switch": ["sw0"], "macvlan": ["nic0"], "direct": ["--direct-phys", "nic0"]}


@contextmanager
def wires(kinds: tuple[str, ...]) -> Iterator[Removal]:
    """Wires of those kinds in one guest, and del --all."""
    with ExitStack() as stack:
        taken = stack.enter_context(scene("switch", "v4-gateway"))
        bridge_on(taken.host)
        stack.enter_context(nic_of(taken.host, "nic0"))
        settle(taken.host)
        ifnames = [f"eth{number}" for number in range(1, len(kinds) + 1)]
        wiring = [
            [*HOSTIFS[kind], "-i", ifname, taken.guest.spec, f"10.{number}.0.9/24@10.{number}.0.1"]
            for number, (kind, ifname) in enumerate(zip(kinds, ifnames))
        ]
        yield Removal(taken, wiring, ["del", taken.guest.spec, "--all"], ifnames[::-1])


def _lose(trial: Trial) -> None:
    """Somebody deletes the guest's link."""
    trial.scene.guest.run("ip", "link", "del", "eth1")


class HalfMade:
    """A run that was killed with the link made, and as much else as there is before it is complete."""

    def __init__(self) -> None:
        self.number = 0

    def __call__(self, trial: Trial) -> None:
        """Kill one where gc takes its link away."""
        if not self.number:
            self.number = self._steps(trial)
            while not self._is_half_made(trial):
                self.number -= 1
        trial.run("KILL", self.number, trial.scene.words)

    def _steps(self, trial: Trial) -> int:
        """How many there are."""
        least, most = 0, 128
        while most - least > 1:
            number = (least + most) // 2
            if trial.run("KILL", number, trial.scene.words).step:
                least = number
            else:
                most = number
            self._clear(trial)
        return least

    def _is_half_made(self, trial: Trial) -> bool:
        trial.run("KILL", self.number, trial.scene.words)
        was_there = trial.scene.guest.link("eth1") is not None
        return self._clear(trial) and was_there

    def _clear(self, trial: Trial) -> bool:
        """Have it removed; tell whether gc has seen to that."""
        trial.collect()
        return not (trial.scene.guest.link("eth1") and trial.again("undisturbed", ["del", trial.scene.guest.spec]))


def _lose_other_end(trial: Trial) -> None:
    """The same at the other end of a wire between guests."""
    assert trial.scene.peer
    trial.scene.peer.run("ip", "link", "del", "eth1")


def _guest_dies(trial: Trial) -> None:
    """A guest whose link outlives it, and that had a default route replaced, ends; the link comes to the host."""
    host = trial.scene.host
    with named_namespace() as dying:
        dying.run(
            "ip", "link", "add", "eth0", "index", "100", "up", "type", "veth", "peer", "name", "far0", "index", "101"
        )
        dying.run("ip", "addr", "add", "172.30.0.2/24", "dev", "eth0")
        dying.run("ip", "route", "add", "default", "via", "172.30.0.1", "dev", "eth0")
        words = [dying.spec if word == trial.scene.guest.spec else word for word in trial.scene.words]
        assert trial.command(*words)[:3] == (0, "", "")
        # as the kernel has it, but that it destroys a veth, and that others come to the machine's own namespace
        dying.run("ip", "link", "set", "eth1", "down")
        HOST.run(*host.argv("nsenter", f"--net={dying.namespace}", "ip", "link", "set", "eth1", "netns", host.name))


def _leave_name(_trial: Trial) -> None:
    """The name of a process's namespace, as the original leaves it."""
    with subprocess.Popen(["sleep", "0"]) as ended:
        ended.wait()
    Path("/run/netns", str(ended.pid)).symlink_to(f"/proc/{ended.pid}/ns/net")


class Left(NamedTuple):
    """Something for gc: on which stage, whether it begins with a wire, and what befalls that."""

    kind: str
    address: str
    is_wired: bool
    leave: Callable[[], Callable[[Trial], None]]


REMNANTS = {
    "dead port": Left("switch", "v4", True, lambda: _lose),
    "dead port of a fake bridge": Left(*FAKE, True, lambda: _lose),
    "dead port of OVN": Left("ovn", "several", True, lambda: _lose),
    "idle rule": Left("bridge", "v4", True, lambda: _lose),
    "unreturned routes": Left("macvlan", "v4-gateway", True, lambda: _lose),
    "unreturned routes of both ends": Left("wire", "several", True, lambda: _lose_other_end),
    "half-made wire between guests": Left("wire", "several", False, HalfMade),
    "way to a guest": Left("host-access", "both", True, lambda: _lose),
    "half-made link": Left("bridge", "v4-gateway", False, HalfMade),
    "half-made link in the guest": Left("macvlan", "v6-gateway", False, HalfMade),
    "half-made port": Left("switch", "v4-gateway", False, HalfMade),
    "half-lent NIC": Left("direct-furnished", "v4-gateway", False, HalfMade),
    "NIC of a dead guest": Left("direct-furnished", "v4-gateway", False, lambda: _guest_dies),
    "answers for a lost link": Left("routed", "alone", True, lambda: _lose),
    "half-made link of a routed guest": Left("routed", "alone", False, HalfMade),
    "stale name": Left("bridge", "v4", False, lambda: _leave_name),
}
REMNANTS_IN_MACHINE = {
    "IPoIB link of a dead guest": Left("ipoib", "v4-gateway", False, lambda: _guest_dies),
    "half-made IPoIB link": Left("ipoib", "v4-gateway", False, HalfMade),
}


@contextmanager
def remnant(name: str) -> Iterator[Removal]:
    """Something for gc."""
    left = (REMNANTS | REMNANTS_IN_MACHINE)[name]
    with scene(left.kind, left.address) as taken:
        wiring = [taken.words] if left.is_wired else []
        yield Removal(taken, wiring, ["gc"], leave=left.leave(), stays=left.kind in STAYS)


def _other_address(taken: Scene, *hostif: str) -> list[str]:
    return [*hostif, taken.guest.spec, "10.7.0.9/24@10.7.0.1", OTHER_MAC]


# The kind of the wire that is there, and the one that is asked for in its place.
REPLACEMENTS: dict[str, tuple[str, Callable[[Scene], list[str]]]] = {
    "other address": ("bridge", lambda taken: _other_address(taken, "br0")),
    "other bridge": ("bridge", lambda taken: ["br1", taken.guest.spec, ADDRESSES["v4-gateway"], MAC]),
    "other kind": ("bridge", lambda taken: ["nic1", taken.guest.spec, ADDRESSES["v4-gateway"], MAC]),
    "other VLAN": ("switch", lambda taken: ["sw0", taken.guest.spec, ADDRESSES["v4-gateway"], f"{MAC}@7"]),
    "other VLAN than a fake bridge's": (
        "fake-switch",
        lambda taken: ["fake0", taken.guest.spec, ADDRESSES["v4-gateway"], f"{MAC}@20"],
    ),
    "other address on OVN": ("ovn", lambda taken: _other_address(taken, "ovn:blue")),
    "other MAC on OVN": ("ovn", lambda taken: ["ovn:blue", taken.guest.spec, ADDRESSES["v4-gateway"], OTHER_MAC]),
    "bridge in place of OVN": ("ovn", lambda taken: _other_address(taken, "br-phy")),
    "wire between guests": ("wire", Scene.otherwise),
    "bridge in place of that": ("wire", lambda taken: ["br1", taken.guest.spec, ADDRESSES["v4-gateway"], MAC]),
    "macvlan": ("macvlan", lambda taken: _other_address(taken, "nic0")),
    "routed guest": (
        "routed",
        lambda taken: ["--routed", "nic0", taken.guest.spec, "192.168.77.9/32,fd00:77::7/128", OTHER_MAC],
    ),
    "routed guest on a bridge": ("routed", lambda taken: _other_address(taken, "br0")),
    "host's access": (
        "host-access",
        lambda taken: ["--host-access", "nic0", taken.guest.spec, "192.168.77.8/24@192.168.77.1", OTHER_MAC],
    ),
    "no access of the host's": ("host-access", lambda taken: _other_address(taken, "nic0")),
    "NIC on loan": ("direct-furnished", lambda taken: _other_address(taken, "--direct-phys", "nic0")),
}


def _add_more(trial: Trial) -> None:
    """Somebody gives the wire more than the attach has."""
    trial.scene.guest.run("ip", "addr", "add", "10.5.0.1/24", "dev", "eth1")
    trial.scene.guest.run("ip", "route", "add", "10.6.0.0/16", "via", "10.5.0.2")


@contextmanager
def replacement(name: str) -> Iterator[Removal]:
    """A wire, and --replace."""
    kind, asked = REPLACEMENTS[name]
    with ExitStack() as stack:
        taken = stack.enter_context(scene(kind, "alone" if kind == "routed" else "v4-gateway"))
        if name == "routed guest on a bridge":
            bridge_on(taken.host)
        if name in ("other bridge", "bridge in place of that"):
            bridge_on(taken.host, "br1")
        if name == "other kind":
            stack.enter_context(nic_of(taken.host, "nic1"))
        settle(taken.host)
        words = ["--replace", *asked(taken)]
        yield Removal(taken, [taken.words], words, leave=_add_more, stays=kind in STAYS)

"""The attaches of the soak test, each timed: as commands, as the package does them in one process, and as the kernel's
part of that alone.

Run as `python -m tests.soak.field package|kernel BRIDGE INTERFACES NAMESPACE...` on a host; prints for each attach
milliseconds on the clock and of processors, and the most KiB of memory so far.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from functools import partial
from ipaddress import ip_interface
from statistics import median
from typing import Callable, NamedTuple

from pipework.actions.announce import Announce
from pipework.address import Static
from pipework.commands.attach import attach
from pipework.kernel.namespaces import Namespace
from pipework.kernel.netlink import Netlink
from pipework.model import Attach
from tests.bench.many import address, requests, send
from tests.lab.command import CHECKOUT, COMMAND
from tests.lab.host import Host
from tests.lab.netns import NamedNamespace


class Cost(NamedTuple):
    """What one attach took: milliseconds on the clock and of processors, and KiB of memory at the most."""

    wall: float
    cpu: float
    memory: float


def attaches(interfaces: int, guests: Sequence[str]) -> Iterator[tuple[str, str, int]]:
    """Namespace, interface and number of each attach: every guest's first interface, every guest's second, ..."""
    for number in range(interfaces * len(guests)):
        yield guests[number % len(guests)], f"net{number // len(guests)}", number


def by_command(host: Host, bridge: str, interfaces: int, guests: Sequence[NamedNamespace]) -> list[Cost]:
    """Attach one after the other, a whole process each."""
    costs = []
    for name, ifname, number in attaches(interfaces, [guest.name for guest in guests]):
        words = [bridge, "-i", ifname, f"netns:{name}", address(number)]
        began = time.perf_counter()
        process = subprocess.Popen(host.argv(*COMMAND, *words), stdin=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        assert process.returncode == 0, words
        wall = (time.perf_counter() - began) * 1000
        costs.append(Cost(wall, (usage.ru_utime + usage.ru_stime) * 1000, usage.ru_maxrss))
    return costs


def in_one_process(what: str, host: Host, bridge: str, interfaces: int, guests: Sequence[NamedNamespace]) -> list[Cost]:
    """Attach by the package's own story ("package"), or by the kernel's part alone ("kernel")."""
    names = [guest.name for guest in guests]
    argv = host.argv(sys.executable, "-m", "tests.soak.field", what, bridge, str(interfaces), *names)
    told = subprocess.run(argv, stdout=subprocess.PIPE, text=True, check=True, cwd=CHECKOUT).stdout
    return [Cost(*map(float, line.split())) for line in told.splitlines()]


def first_and_last(costs: Sequence[Cost], count: int) -> tuple[Cost, Cost]:
    """The medians of the first and the last of them."""
    parts = costs[:count], costs[-count:]
    first, last = (Cost(*(median(column) for column in zip(*part))) for part in parts)
    return first, last


def by_kernel(bridge: str, interfaces: int, guests: Sequence[str]) -> Iterator[Callable[[], None]]:
    """Each attach as the requests that it cannot do without, encoded beforehand, and the announcement.

    A bridge hands that to every guest, which takes the kernel longer than all the rest.
    """
    host = Netlink()
    master = host.index(bridge)
    namespaces = {name: Namespace.open(f"/run/netns/{name}") for name in guests}
    for name, ifname, number in attaches(interfaces, guests):
        on_host, in_guest = requests(master, namespaces[name].fd, number, ifname)
        own = in_guest[:-1]  # all but the default route, of which a guest can have one
        sending = [*((host, data) for data in on_host), *((namespaces[name].netlink, data) for data in own)]
        announcement = Announce(namespaces[name], ifname, ip_interface(address(number)).ip)

        def do(sending: Sequence[tuple[Netlink, bytes]] = sending, announcement: Announce = announcement) -> None:
            for netlink, data in sending:
                send(netlink, data)
            announcement.do()

        yield do


def by_package(bridge: str, interfaces: int, guests: Sequence[str]) -> Iterator[Callable[[], None]]:
    """Each attach as the package does it."""
    for name, ifname, number in attaches(interfaces, guests):
        wanted = Attach(bridge, f"netns:{name}", (Static(ip_interface(address(number)), None),), ifname)
        yield partial(attach, wanted)


def processor_time() -> float:
    """Seconds of processors that this process and its children have had."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in used)


def main(what: str, bridge: str, interfaces: str, *guests: str) -> None:
    """Attach, and print what each took."""
    costs = []
    for do in (by_kernel if what == "kernel" else by_package)(bridge, int(interfaces), guests):
        began, before = time.perf_counter(), processor_time()
        do()
        wall, cpu = time.perf_counter() - began, processor_time() - before
        costs.append((wall * 1000, cpu * 1000, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss))
    for cost in costs:
        print(*cost)


if __name__ == "__main__":
    main(*sys.argv[1:])

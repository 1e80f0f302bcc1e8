"""The attaches of the soak test, each timed: as commands, and the kernel's own part of them in one process.

Run as `python -m tests.soak.field BRIDGE INTERFACES NAMESPACE...` on a host; prints milliseconds for each attach when
nothing but the kernel's requests are made, encoded beforehand.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from statistics import median
from typing import NamedTuple

from tests.bench.many import address, requests, send
from tests.lab.command import ENTRY
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
        process = subprocess.Popen(host.argv(sys.executable, str(ENTRY), *words), stdin=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        assert process.returncode == 0, words
        wall = (time.perf_counter() - began) * 1000
        costs.append(Cost(wall, (usage.ru_utime + usage.ru_stime) * 1000, usage.ru_maxrss))
    return costs


def by_kernel(host: Host, bridge: str, interfaces: int, guests: Sequence[NamedNamespace]) -> list[Cost]:
    """The requests alone."""
    names = [guest.name for guest in guests]
    argv = host.argv(sys.executable, "-m", "tests.soak.field", bridge, str(interfaces), *names)
    told = subprocess.run(argv, stdout=subprocess.PIPE, text=True, check=True, cwd=ENTRY.parent).stdout
    return [Cost(*map(float, line.split()), 0) for line in told.splitlines()]


def first_and_last(costs: Sequence[Cost], count: int) -> tuple[Cost, Cost]:
    """The medians of the first and the last of them."""
    parts = costs[:count], costs[-count:]
    first, last = (Cost(*(median(column) for column in zip(*part))) for part in parts)
    return first, last


def main(bridge: str, interfaces: str, *guests: str) -> None:
    """Send the requests, and print what each attach took."""
    from pipework.kernel.namespaces import Namespace
    from pipework.kernel.netlink import Netlink

    host = Netlink()
    master = host.index(bridge)
    namespaces = {name: Namespace.open(f"/run/netns/{name}") for name in guests}
    costs = []
    for name, ifname, number in attaches(int(interfaces), guests):
        on_host, in_guest = requests(master, namespaces[name].fd, number, ifname)
        own = in_guest[:-1]  # all but the default route, of which a guest can have one
        sending = [*((host, data) for data in on_host), *((namespaces[name].netlink, data) for data in own)]
        began, before = time.perf_counter(), time.process_time()
        for netlink, data in sending:
            send(netlink, data)
        costs.append(((time.perf_counter() - began) * 1000, (time.process_time() - before) * 1000))
    for wall, cpu in costs:
        print(wall, cpu)


if __name__ == "__main__":
    main(*sys.argv[1:])

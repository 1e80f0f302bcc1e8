"""Measure and print the tables."""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from math import nan
from pathlib import Path
from statistics import median

from pipework.kernel.messages import link
from pipework.kernel.namespaces import Namespace
from pipework.kernel.netlink import DUMP, EXT_SKIP_STATS, GETLINK
from pipework.kernel.records import read_link
from tests.bench import contenders, many
from tests.bench.crowded import print_crowded
from tests.bench.hooked import print_hooked
from tests.bench.lines import print_lines
from tests.bench.measuring import Result, in_turn
from tests.bench.starting import print_starting
from tests.bench.watched import print_watched
from tests.lab.engine import ensure_image, running_engine
from tests.lab.guest import HOST, fresh_name
from tests.lab.netns import named_namespace

ORIGINAL = "original, without arping"
WITH_ARPING = "original, with arping"
CNI = "cni, bridge and static"
# What is compared with what: at most 0.28 of the original, and 4.0 of an interpreter that does nothing.
OTHERS = {ORIGINAL: "of original", WITH_ARPING: "of it with arping", contenders.BARE: "of bare"}


def main() -> None:
    """All tables."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--rounds", type=int, default=21, help="rounds that count, at least 7 (default: 21)")
    parser.add_argument("--guests", type=int, default=100, help="guests attached in one process (default: 100)")
    wanted = parser.parse_args()
    print(f"Python {platform.python_version()}, {os.path.realpath(sys.executable)}")
    with running_engine():
        ensure_image()
        with contenders.everybody() as there:
            results = in_turn(there, max(wanted.rounds, 7))
        print_whole(results)
        print_hooked(max(wanted.rounds, 7))
        print_watched(max(wanted.rounds, 7))
    print_many(wanted.guests)
    print_lines(max(wanted.rounds, 7))
    print_link()
    print_starting()
    print_crowded(max(wanted.rounds, 7))


def print_whole(results: Sequence[Result]) -> None:
    """One guest wired to a bridge that is there, with address and gateway, as whole processes."""
    print(f"\nOne guest on a bridge, address and gateway; whole processes, {len(results[0].costs)} rounds in turn, ms")
    print(f"{'':28}{'median':>9}{'least':>9}{'cpu':>9}" + "".join(f"{head:>20}" for head in OTHERS.values()))
    named = {result.name: result for result in results}
    for result in results:
        ratios = [f"{result.ratio(named[name]):.3f}" if name in named else "" for name in OTHERS]
        costs = f"{result.wall:9.1f}{result.least:9.1f}{result.cpu:9.1f}"
        print(f"{result.name:28}{costs}" + "".join(f"{ratio:>20}" for ratio in ratios))
    print("Ratios are medians of those of each round.", end=" ")
    print("cpu is the process's and its children's; what an engine does for it is not in it")


def print_many(guests: int) -> None:
    """Many guests in one process, next to the kernel's part of it alone, and to a CNI plugin; in turn, three times."""
    print(f"\n{guests} guests on one bridge, in one process (CNI: a run for each), ms for each")
    print(f"{'':28}{'median':>9}{'least':>9}{'cpu':>9}{'of kernel':>14}{'of CNI':>14}")
    contestants = ("kernel", "attach", "attach, firewall off", "apply")
    costs: dict[str, list[tuple[float, float]]] = {what: [] for what in contestants}
    if contenders.has_cni():
        costs[CNI] = []
    for _ in range(3):
        for what, taken in costs.items():
            with field_of(guests) as (bridge, names), firewall("off" if what.endswith("off") else ""):
                taken.append(many.measure(what.partition(",")[0], bridge, names))
    alone, plugin = (median(wall for wall, _ in costs[what]) if what in costs else nan for what in ("kernel", CNI))
    for what, taken in costs.items():
        walls, cpus = zip(*taken)
        wall = median(walls)
        print(f"{what:28}{wall:9.2f}{min(walls):9.2f}{median(cpus):9.2f}{wall / alone:14.2f}{wall / plugin:14.3f}")


def print_link() -> None:
    """One link of a dump of 300 veths, read; of 15 times the median and the least, of the processor alone."""
    with named_namespace("pwbl") as guest:
        guest.batch(*(f"link add a{number} type veth peer name b{number}" for number in range(150)))
        with Namespace.open(f"/run/netns/{guest.name}") as namespace:
            told = namespace.netlink.request(GETLINK, link(IFLA_EXT_MASK=EXT_SKIP_STATS), DUMP)
    taken = []
    for _ in range(15):
        start = time.process_time()
        for body in told:
            read_link(body)
        taken.append((time.process_time() - start) / len(told) * 1e6)
    print(f"\nOne link of a dump, read, in us of cpu: median {median(taken):.1f}, least {min(taken):.1f}")


@contextmanager
def firewall(value: str) -> Iterator[None]:
    """PIPEWORK_FIREWALL during the block."""
    os.environ["PIPEWORK_FIREWALL"] = value
    yield
    del os.environ["PIPEWORK_FIREWALL"]


@contextmanager
def field_of(guests: int) -> Iterator[tuple[str, list[str]]]:
    """A bridge and that many namespaces."""
    with ExitStack() as made:
        names = [made.enter_context(named_namespace("pwbn")).name for _ in range(guests)]
        bridge = fresh_name("brpwb")
        HOST.run("ip", "link", "add", bridge, "type", "bridge")
        HOST.run("ip", "link", "set", bridge, "up")
        try:
            yield bridge, names
        finally:
            ports = Path("/sys/class/net", bridge, "brif")
            for port in ports.iterdir():
                HOST.run("ip", "link", "del", port.name)
            HOST.run("ip", "link", "del", bridge)
            rule = ["-i", bridge, "-o", bridge, "-m", "comment", "--comment", f"pipework: {bridge}", "-j", "ACCEPT"]
            subprocess.run(["iptables", "-w", "5", "-D", "DOCKER-USER", *rule], capture_output=True, check=False)
            time.sleep(contenders.SETTLE)


if __name__ == "__main__":
    main()

"""``watch``: from a container's start to its address, next to an attach that is typed; and what many guests cost."""

from __future__ import annotations

import time
from contextlib import ExitStack
from functools import partial
from statistics import median
from typing import Any, NamedTuple

import docker as engine
import psutil

from pipework.kernel.namespaces import Namespace
from tests.bench.measuring import cost
from tests.lab.command import COMMAND
from tests.lab.engine import IMAGE, docker
from tests.lab.guest import HOST, SLOW, eventually, fresh_name
from tests.lab.netns import named_namespace
from tests.lab.watched import Watch, watching

ADDRESS = "10.214.0.2/24"
ABOVE = 100.0  # ms that it may take longer than the attach
GUESTS, IDLE = 500, 30  # guests that are watched while nothing happens, and seconds of that
SHARE, MEMORY = 0.5, 60.0  # % of a core, and MB, that this may cost
MOMENT = 0.0005  # seconds between two looks


def print_watched(rounds: int) -> None:
    """Medians of so many rounds; Docker must run."""
    bridge = fresh_name("brpwb")
    HOST.run("ip", "link", "add", bridge, "up", "type", "bridge")
    try:
        _print_starts(bridge, rounds)
        _print_idle(bridge)
    finally:
        HOST.run("ip", "link", "del", bridge)


def _print_starts(bridge: str, rounds: int) -> None:
    name = fresh_name("pwbw")
    create = ["create", "--name", name, "--network=none", IMAGE, "sleep", "1000"]
    line = [bridge, f"docker:{name}", ADDRESS]
    typed = []
    for _ in range(rounds):
        docker(*create)
        docker("start", name)
        typed.append(cost([*COMMAND, *line]).wall)
        docker("rm", "-f", name)
    with watching(" ".join(line)):
        watched = [_start_to_address(name, partial(docker, *create)) for _ in range(rounds + 1)][1:]
    took, attach = median(watched), median(typed)
    print(f"\nwatch, {rounds} rounds, ms: {took:.0f} from a container's start to its address; ", end="")
    print(f"an attach that is typed takes {attach:.0f} (goal: {ABOVE:.0f} more than that)")


def _start_to_address(name: str, create: partial[str]) -> float:
    """Start a container and remove it; milliseconds from what the engine calls its start to an address that is up."""
    asked = engine.from_env()
    with ExitStack() as ended:
        ended.callback(asked.close)
        told = asked.events(decode=True, filters={"event": "start", "container": name})
        ended.callback(told.close)
        create()
        ended.callback(docker, "rm", "-f", name)
        asked.api.start(name)
        event = next(iter(told))
        pid = asked.api.inspect_container(name)["State"]["Pid"]
        with Namespace.open(f"/proc/{pid}/ns/net") as namespace:
            deadline = time.monotonic() + 10 * SLOW
            while not _has_address(namespace):
                if time.monotonic() > deadline:
                    raise RuntimeError(f"{name} was not wired")
                time.sleep(MOMENT)
            return (time.time_ns() - int(event["timeNano"])) / 1e6


def _has_address(namespace: Namespace) -> bool:
    link: Any = next((link for link in namespace.netlink.links(loopback=False) if link.name == "eth1"), None)
    return bool(link and link.up and any(one.text == ADDRESS for one in namespace.netlink.addresses(link.ifindex)))


def _print_idle(bridge: str) -> None:
    with ExitStack() as made:
        names = [made.enter_context(named_namespace("pwbi")).name for _ in range(GUESTS)]
        lines = [f"{bridge} netns:{name} 10.214.{at // 250}.{at % 250 + 1}/16" for at, name in enumerate(names)]
        watch = made.enter_context(watching(*lines))
        assert eventually(lambda: watch.told().count(f"+ {bridge} ") == GUESTS, 120 * SLOW), watch.told()
        time.sleep(2)
        before = _costs(watch)
        time.sleep(IDLE)
        after = _costs(watch)
    shares = {name: (cost.cpu - before[name].cpu) / IDLE / 10 for name, cost in after.items()}
    share, memory = sum(shares.values()), sum(one.memory for one in after.values())
    parts = ", ".join(f"{name} {shares[name]:.2f} % and {one.memory:.0f} MB" for name, one in after.items())
    print(f"{GUESTS} guests watched: {share:.2f} % of a core (goal: {SHARE}), {memory:.0f} MB (goal: {MEMORY:.0f}),")
    print(f"of which {parts}")


class Used(NamedTuple):
    """What a process has taken of processors so far, in milliseconds, and has of memory, in MB."""

    cpu: float
    memory: float


def _costs(watch: Watch) -> dict[str, Used]:
    """Those of the watch and of all its children, which tell it of engines that have no socket."""
    first = psutil.Process(watch.process.pid)
    return {
        " ".join(one.cmdline()[:2]) if one != first else "itself": Used(
            sum(one.cpu_times()[:2]) * 1000, one.memory_info().rss / 2**20
        )
        for one in (first, *first.children(recursive=True))
    }

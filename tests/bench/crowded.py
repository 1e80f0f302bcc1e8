"""What looks at every wire of a host, beside many of them: `python -m tests.bench.crowded`, in a sandbox.

Whole processes, next to `ip -d link`, for whose dump the kernel alone has to work the more, the more wires there are.
"""

from __future__ import annotations

import socket
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

from pipework.kernel.namespaces import Namespace
from tests.bench import many
from tests.bench.contenders import COMMAND
from tests.bench.measuring import Contender, Result, in_turn
from tests.lab.command import CHECKOUT
from tests.lab.guest import HOST, run
from tests.lab.host import drop_like_docker
from tests.lab.netns import named_namespace

CROWDS = (0, 100, 300)  # wires beside the one that is worked on
LISTING = "ip -d link, for comparison"
GOALS = {"ls": 120.0, "del of one": 60.0, "--replace, as it is": 60.0, "gc": 100.0}  # ms, beside the most wires
DECODING_GOAL = 30.0  # us
BRIDGE = "brcrowd"
GETLINK, DUMP, DONE = 18, 0x301, 3  # RTM_GETLINK, NLM_F_REQUEST | NLM_F_DUMP, NLMSG_DONE: linux/netlink.h
LOOKS = 9


def print_crowded(rounds: int) -> None:
    """Have it measured in a sandbox, where gc finds nothing but what is made here."""
    sandbox = str(CHECKOUT / "tests" / "lab" / "sandbox")
    subprocess.run([sandbox, sys.executable, "-m", "tests.bench.crowded", str(rounds)], check=True)


@contextmanager
def crowd(wires: int) -> Iterator[list[str]]:
    """A bridge with that many wires and one more, each in a namespace of its own; the line that attaches the one."""
    with ExitStack() as made:
        names = [made.enter_context(named_namespace("pwcr")).name for _ in range(wires + 1)]
        HOST.run("ip", "link", "add", BRIDGE, "type", "bridge")
        HOST.run("ip", "link", "set", BRIDGE, "up")
        made.callback(HOST.run, "ip", "link", "del", BRIDGE)
        line = [str(COMMAND), BRIDGE, f"netns:{names[0]}", f"{many.address(0)}@{many.GATEWAY}"]
        run(*line)
        if wires:
            many.measure("attach", BRIDGE, names[1:], first=1)
        yield line


def contenders(attach: list[str]) -> list[Contender]:
    """The verbs, and the kernel's dump."""
    command, *words = attach
    return [
        Contender("ls", [command, "ls"], bool),
        Contender("del of one", [command, "del", words[1]], lambda: run(*attach)),
        Contender("--replace, as it is", [command, "--replace", *words], bool),
        Contender("gc", [command, "gc"], bool),
        Contender(LISTING, ["ip", "-d", "link"], bool),
    ]


def dump(asked: socket.socket) -> None:
    """Have the kernel tell of all links, and leave what it tells undecoded."""
    asked.send(struct.pack("=IHHII", 32, GETLINK, DUMP, 1, 0) + bytes(16))
    while struct.unpack_from("=H", asked.recv(1 << 17), 4)[0] != DONE:
        pass


def decoding() -> float:
    """Microseconds of processor that it takes to decode one link of a dump."""
    with Namespace.own() as own, socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE) as asked:
        asked.bind((0, 0))
        links = len(own.netlink.links())
        return (_least(own.netlink.links) - _least(lambda: dump(asked))) * 1e6 / links


def _least(todo: Callable[[], object]) -> float:
    took = []
    for _ in range(LOOKS):
        before = time.process_time()
        todo()
        took.append(time.process_time() - before)
    return min(took)


def print_table(found: dict[int, list[Result]], decoded: float) -> None:
    """A line for each verb: medians beside so many wires, and what each wire adds."""
    *_, fewer, most = found
    rounds = len(found[most][0].costs)
    print(f"\nBeside so many wires on one bridge; whole processes, medians of {rounds} rounds in turn, ms")
    heads = "".join(f"{wires:>9}" for wires in found)
    print(f"{'':28}{heads}{f'goal, {most}':>12}{'a wire, us':>14}{'of ip':>9}")
    walls = {result.name: [results[place].wall for results in found.values()] for place, result in enumerate(found[0])}
    # Not from none on: with the only port of a bridge its firewall rule comes and goes.
    growth = {name: (wall[-1] - wall[-2]) * 1000 / (most - fewer) for name, wall in walls.items()}
    for name, wall in walls.items():
        costs = "".join(f"{took:9.1f}" for took in wall)
        goal = f"{GOALS[name]:.0f}" if name in GOALS else ""
        print(f"{name:28}{costs}{goal:>12}{growth[name]:14.1f}{growth[name] / growth[LISTING]:9.2f}")
    print(f"one link of the kernel's dump is decoded in {decoded:.1f} us (goal: {DECODING_GOAL:.0f})")


def main(rounds: str) -> None:
    """Measure beside few wires and many, and print the table."""
    drop_like_docker(HOST)
    found: dict[int, list[Result]] = {}
    for wires in CROWDS:
        with crowd(wires) as line:
            found[wires] = in_turn(contenders(line), int(rounds))
            decoded = decoding()
    print_table(found, decoded)


if __name__ == "__main__":
    main(*sys.argv[1:])

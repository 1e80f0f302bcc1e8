"""A file of a thousand lines, all as asked or all but one, by one `apply`."""

from __future__ import annotations

import subprocess
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from statistics import median

from tests.lab.command import COMMAND
from tests.lab.host import throwaway_host
from tests.lab.netns import named_namespace

GUESTS, INTERFACES = 100, 10
GOAL = 1000.0  # ms


def print_lines(rounds: int) -> None:
    """Medians of so many rounds, whole processes."""
    with ExitStack() as made:
        host = made.enter_context(throwaway_host())
        guests = [made.enter_context(named_namespace("pwbf")).name for _ in range(GUESTS)]
        file = Path(made.enter_context(tempfile.TemporaryDirectory()), "wiring")

        def timed(last: int) -> float:
            """Let the first line give another address than before, unless last is the same; milliseconds of apply."""
            lines = [
                f"br{interface} -i net{interface} netns:{guest} 10.{interface}.{last if not number + interface else 0}."
                f"{number + 1}/16\n"
                for interface in range(INTERFACES)
                for number, guest in enumerate(guests)
            ]
            file.write_text("".join(lines))
            began = time.perf_counter()
            subprocess.run(host.argv(*COMMAND, "apply", str(file)), stdout=subprocess.DEVNULL, check=True)
            return (time.perf_counter() - began) * 1000

        first = timed(0)
        differing = [timed(number) for number in range(1, rounds + 1)]
        same = [timed(rounds) for _ in range(rounds)]
    print(f"\n{GUESTS * INTERFACES} lines by one apply, ms: {first:.0f} to make them; ", end="")
    print(f"{median(same):.0f} where all are as asked, {median(differing):.0f} where one differs (goal: {GOAL:.0f})")

"""The commands that a text shows in its console blocks, run as printed, their output compared with what is printed."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from tests.lab.command import CHECKOUT
from tests.lab.guest import MARK, SLOW

PROMPT = "# "
# What is another in every run: ids, MAC addresses and those made of them, process and link numbers, times.
VOLATILE = re.compile(
    r"\b[0-9a-f]{64}\b|(?:[0-9a-f]{2}:){5}[0-9a-f]{2}|fe80::[0-9a-f:]+|(?<=172\.17\.0\.)\d+"
    r"|(?<=pl)\d+|(?<=@if)\d+|(?<=/proc/)\d+|^\d+(?=: | \w+$)|(?<=\"pid\": )\d+|(?<=nspid=)\d+"
    r"|(?<== )[\d./]+(?= ms)|(?<=time )\d+(?=ms)|\d+(?=sec\b)|(?<=tbf )[0-9a-f]+(?=:)"
)
# What the kernel says of a link that is up, until it has looked at its cable.
SETTLING = re.compile(r"(?<=@if)(\d+ +)UNKNOWN\b")
# Newer ping puts a blank there behind an IPv6 address, too.
PINGED = re.compile(r"^(PING [^ (]+)\(", re.MULTILINE)
# Both at once is what the kernel says of a link that has carrier, until it has noticed.
WAIT_FOR_CARRIERS = """timeout 20 sh -c 'while ip link | grep -q "NO-CARRIER.*LOWER_UP"; do sleep 0.05; done'"""


class Step(NamedTuple):
    """A command, and what it is said to print."""

    command: str
    output: str


class Section(NamedTuple):
    """What stands under one heading of a page: its commands, in order."""

    page: str
    heading: str
    steps: tuple[Step, ...]


def sections(page: str, text: str) -> list[Section]:
    """Return the sections of a page that have console blocks."""
    found = []
    for part in re.split(r"^#+ (?=.*$)", re.sub(r"(?ms)^```console\n.*?^```$", _hidden, text), flags=re.MULTILINE):
        heading, _, body = part.partition("\n")
        blocks = re.findall(r"(?ms)^```console\n(.*?)^```$", body.replace(MARK, "#"))
        steps = tuple(step for block in blocks for step in _steps(block))
        if steps:
            found.append(Section(page, heading.strip(), steps))
    return found


def _hidden(block: re.Match[str]) -> str:
    return block[0].replace("\n#", f"\n{MARK}")


def _steps(block: str) -> list[Step]:
    steps = []
    for part in re.split(rf"^{PROMPT}", block, flags=re.MULTILINE)[1:]:
        lines = part.splitlines()
        count = next(number for number, line in enumerate(lines, 1) if not line.endswith("\\"))
        steps.append(Step("\n".join(lines[:count]), "\n".join(lines[count:])))
    return steps


def run_steps(steps: Sequence[Step], enter: Sequence[str]) -> list[str]:
    """Run the commands in one shell, which `enter` starts; return what each has printed on either stream."""
    script = f"\nprintf '{MARK}'\n".join(f"{WAIT_FOR_CARRIERS}\n{step.command}" for step in steps)
    place = Path(sys.executable).parent
    done = subprocess.run(
        [*enter, "sh", "-c", f"exec 2>&1 </dev/null\n{script}"],
        stdout=subprocess.PIPE,
        text=True,
        errors="replace",
        timeout=600 * SLOW,
        env={**os.environ, "PATH": f"{place}:{os.environ['PATH']}"},
        cwd=CHECKOUT,
        check=False,
    )
    return done.stdout.split(MARK)


def plain(output: str) -> list[str]:
    """The lines of an output without what is another in every run, and blanks told apart from nothing but words."""
    settled = PINGED.sub(r"\1 (", SETTLING.sub(r"\1UP", output))
    lines = (" ".join(VOLATILE.sub("N", line).split()) for line in settled.splitlines())
    return [line for line in lines if line]

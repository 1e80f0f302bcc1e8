"""The README's sections, each run as printed on a host with its two containers, a card and a LAN."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from tests.lab.command import CHECKOUT
from tests.lab.console import Section, plain, run_steps, sections
from tests.lab.engine import docker

CARD = "eno1"
GUESTS = "Scenarios"  # the section that starts the containers, for all others
# What wants a distribution kernel, or the whole machine: LXC and podman cannot be asked from inside a throwaway
# host, the host's network is another than that one's, and gc looks everywhere.
MACHINE = (
    "VLANs on a Linux bridge",
    "A bridge made by Open vSwitch on demand",
    "VLAN of a network card",
    "A whole card: --direct-phys",
    "Wi-Fi",
    "IPoIB",
    "dummy",
    "A container with the host's network",
    "podman",
    "LXC",
    "gc",
)

_found = {section.heading: section for section in sections((CHECKOUT / "README.md").read_text())}
HOST_SECTIONS = [section for name, section in _found.items() if name not in (GUESTS, *MACHINE)]
MACHINE_SECTIONS = [_found[name] for name in MACHINE]


def printed(section: Section, enter: Sequence[str]) -> list[str]:
    """Run a section after the one that starts the containers; return what each command of it has printed."""
    commands = "\n".join(step.command for step in section.steps)
    first = [step for step in _found[GUESTS].steps if re.search(rf"\b{step.command.split()[4]}\b", commands)]
    with _containers_removed(section):
        return run_steps([*first, *section.steps], enter)[len(first) :]


def check(section: Section, enter: Sequence[str]) -> None:
    """Run a section and hold that every command prints what the README says."""
    outputs = printed(section, enter)
    assert len(outputs) == len(section.steps), f"the shell ended after {outputs}"
    told, seen = [], []
    for step, output in zip(section.steps, outputs):
        told += [f"# {step.command}", *plain(step.output)]
        seen += [f"# {step.command}", *plain(output)]
    assert seen == told, "\n".join(difflib.unified_diff(told, seen, "README", "printed", lineterm=""))


@contextmanager
def _containers_removed(section: Section) -> Iterator[None]:
    commands = [step.command for step in (*_found[GUESTS].steps, *section.steps)]
    names = {name for command in commands for name in re.findall(r"docker run .*--name (\w+)", command)}
    there = set(docker("ps", "-a", "--format={{.Names}}").split())
    assert not names & there, f"containers of the README's names are here already: {names & there}"
    try:
        yield
    finally:
        docker("rm", "-f", *sorted(names), check=False)

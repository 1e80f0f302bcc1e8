"""The sections of README.md and docs/, each run as printed on a host with two containers, a card and a LAN.

A section of nothing but `docker run` lines is the opening of its page: it starts the containers for the others.
"""

from __future__ import annotations

import difflib
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from tests.lab.command import CHECKOUT
from tests.lab.console import Section, Step, plain, run_steps, sections
from tests.lab.engine import docker

CARD = "eno1"
PAGES = ("README.md", *sorted(f"docs/{path.name}" for path in (CHECKOUT / "docs").glob("*.md")))
# What wants a distribution kernel, or the whole machine: LXC and podman cannot be asked from inside a throwaway
# host, the host's network is another than that one's, and gc looks everywhere.
MACHINE = {
    "docs/link-kinds.md": (
        "VLANs on a Linux bridge",
        "Trunks",
        "A bridge made by Open vSwitch on demand",
        "One MAC for all: --ipvlan",
        "VLAN of a network card",
        "A whole card: --direct-phys",
        "Wi-Fi",
        "IPoIB",
        "dummy",
    ),
    "docs/guests.md": ("A container with the host's network", "podman", "LXC"),
    "docs/reference.md": ("gc",),
}
CONTAINER = re.compile(r"docker run -d --name (\w+) --net=none ")


def read(page: str) -> str:
    """Return the text of a page."""
    return (CHECKOUT / page).read_text(encoding="utf-8")


def opens(section: Section) -> bool:
    """Tell whether the section starts the containers of its page."""
    return all(CONTAINER.match(step.command) for step in section.steps)


SECTIONS = [section for page in PAGES for section in sections(page, read(page))]
OPENINGS = {section.page: section for section in SECTIONS if opens(section)}
MACHINE_SECTIONS = [section for section in SECTIONS if section.heading in MACHINE.get(section.page, ())]
HOST_SECTIONS = [section for section in SECTIONS if section not in (*OPENINGS.values(), *MACHINE_SECTIONS)]
_headings = Counter(section.heading for section in SECTIONS)


def name_of(section: Section) -> str:
    """Return what a test calls the section: its heading, with the page where two pages have the same."""
    alone = _headings[section.heading] == 1
    return section.heading if alone else f"{section.page}: {section.heading}"


def steps_of(section: Section) -> list[Step]:
    """Return the section's steps, behind those of its page that start the containers which it names."""
    commands = "\n".join(step.command for step in section.steps)
    opening = OPENINGS[section.page].steps if section.page in OPENINGS else ()
    return [*(step for step in opening if _is_named(_container(step), commands)), *section.steps]


def _container(step: Step) -> str:
    started = CONTAINER.match(step.command)
    assert started, f"{step.command} starts no container"
    return started[1]


def _is_named(name: str, commands: str) -> bool:
    return re.search(rf"\b{name}\b", commands) is not None


def check(section: Section, enter: Sequence[str]) -> None:
    """Run a section and hold that every command prints what the page says."""
    steps = steps_of(section)
    with _containers_removed(steps):
        outputs = run_steps(steps, enter)
    assert len(outputs) == len(steps), f"the shell ended after {outputs}"
    told, seen = [], []
    for step, output in zip(steps, outputs):
        told += [f"# {step.command}", *plain(step.output)]
        seen += [f"# {step.command}", *plain(output)]
    assert seen == told, "\n".join(difflib.unified_diff(told, seen, section.page, "printed", lineterm=""))


@contextmanager
def _containers_removed(steps: Sequence[Step]) -> Iterator[None]:
    names = {name for step in steps for name in re.findall(r"docker run .*--name (\w+)", step.command)}
    there = set(docker("ps", "-a", "--format={{.Names}}").split())
    assert not names & there, f"containers of the page's names are here already: {names & there}"
    try:
        yield
    finally:
        docker("rm", "-f", *sorted(names), check=False)

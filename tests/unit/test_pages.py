"""README.md and docs/: short at the door, with links that lead somewhere and commands that are all executed."""

from __future__ import annotations

import os
import re
from collections import Counter

import pytest

from tests.lab.command import CHECKOUT
from tests.lab.pages import (
    HOST_SECTIONS,
    MACHINE,
    MACHINE_SECTIONS,
    OPENINGS,
    PAGES,
    SECTIONS,
    name_of,
    read,
    steps_of,
)

EXECUTED = (*OPENINGS.values(), *HOST_SECTIONS, *MACHINE_SECTIONS)
LIMIT = 200
LINKING = (*PAGES, "CONTRIBUTING.md", "CHANGELOG.md")
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#{1,6} +(.+?) *$", re.MULTILINE)


def links(page: str) -> list[str]:
    """Return where the links of a page lead, but for those to other sites."""
    text = re.sub(r"`[^`\n]*`", "", FENCE.sub("", read(page)))
    return [target for target in LINK.findall(text) if not re.match(r"\w+:", target)]


def anchors(page: str) -> set[str]:
    """Return what GitHub calls the headings of a page in a link."""
    slugs: list[str] = []
    seen: Counter[str] = Counter()
    for heading in HEADING.findall(FENCE.sub("", read(page))):
        slug = re.sub(r"[^\w\- ]", "", LINK.sub(_text, heading).lower()).replace(" ", "-")
        slugs.append(f"{slug}-{seen[slug]}" if seen[slug] else slug)
        seen[slug] += 1
    return set(slugs)


def _text(link: re.Match[str]) -> str:
    return link[0].partition("](")[0]


def lead(page: str, target: str) -> tuple[str, str]:
    """Return the file that a link of the page leads to, from the checkout's root, and the anchor in it."""
    path, _, anchor = target.partition("#")
    whole = (CHECKOUT / page).parent / path if path else CHECKOUT / page
    return os.path.relpath(whole, CHECKOUT), anchor


def test_the_readme_is_short() -> None:
    """The README is a door: 200 lines at most."""
    assert len(read("README.md").splitlines()) <= LIMIT


@pytest.mark.parametrize("page", LINKING)
def test_links_lead_somewhere(page: str) -> None:
    """Every link to a file of the project leads to one that is there, and to a heading that is in it."""
    for target in links(page):
        file, anchor = lead(page, target)
        assert (CHECKOUT / file).is_file(), f"{page}: {target} leads to no file"
        assert not anchor or anchor in anchors(file), f"{page}: {target} leads to no heading"


def test_the_readme_leads_to_every_page() -> None:
    """Every page of docs/ is linked from the README."""
    assert set(PAGES) - {"README.md"} <= {lead("README.md", target)[0] for target in links("README.md")}


@pytest.mark.parametrize("page", PAGES)
def test_shows_executed_commands_only(page: str) -> None:
    """Every block of a page is of the console, and a test executes every command in it."""
    blocks = FENCE.findall(read(page))
    assert {language for language, _ in blocks} <= {"console"}
    shown = [line[2:] for _, block in blocks for line in block.splitlines() if line.startswith("# ")]
    steps = [step for section in SECTIONS if section.page == page and section in EXECUTED for step in section.steps]
    assert [step.command.splitlines()[0] for step in steps] == shown


@pytest.mark.parametrize("page", sorted(OPENINGS))
def test_starts_every_container(page: str) -> None:
    """Every container that a page begins with is started for a section of it."""
    sections = [section for section in (*HOST_SECTIONS, *MACHINE_SECTIONS) if section.page == page]
    started = [step for section in sections for step in steps_of(section)[: -len(section.steps)]]
    assert set(started) == set(OPENINGS[page].steps)


def test_sections_do_not_collide() -> None:
    """Every section that is executed has a name of its own, and is executed in one place."""
    names = [name_of(section) for section in EXECUTED]
    assert sorted(names) == sorted({name_of(section) for section in SECTIONS})


def test_sections_of_the_virtual_machine_are_there() -> None:
    """Every section that is said to want a virtual machine stands in its page."""
    listed = {(page, heading) for page, headings in MACHINE.items() for heading in headings}
    assert listed == {(section.page, section.heading) for section in MACHINE_SECTIONS}

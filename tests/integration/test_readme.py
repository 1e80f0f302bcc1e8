"""The commands of README.md and docs/, as printed, on a throwaway host."""

from __future__ import annotations

import pytest

from tests.lab.console import Section
from tests.lab.host import nic_of
from tests.lab.netns import dnsmasq
from tests.lab.pages import CARD, HOST_SECTIONS, check, name_of
from tests.lab.switch_host import switch_host


@pytest.mark.docker
@pytest.mark.parametrize("section", HOST_SECTIONS, ids=name_of)
def test_prints_what_it_says(section: Section, engine: None) -> None:
    """Every command of a page prints what stands below it."""
    with switch_host() as made, nic_of(made.host, CARD) as nic, dnsmasq(nic):
        check(section, made.host.argv())

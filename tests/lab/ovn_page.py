"""Hosts of OVN on which docs/ovn.md is typed, a section at a time."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Callable

from tests.lab.command import CHECKOUT, Result
from tests.lab.guest import run
from tests.lab.netns import NamedNamespace, named_namespace
from tests.lab.ovn import Centre, OvnHost, centre, host_to_be

PAGE = "docs/ovn.md"
WHERE = re.compile(r".*\b[Oo]n (?:the (centre|first host|second host)|(each) host)\b[^:]*:$")
PLACES = {"centre": ("centre",), "first host": ("first",), "second host": ("second",), "each": ("first", "second")}


def sections() -> dict[str, list[tuple[str, str]]]:
    """The lines that the page has typed, by heading, each with where: centre, first or second."""
    found: dict[str, list[tuple[str, str]]] = {}
    heading, places = "", ()
    for line in (CHECKOUT / PAGE).read_text().splitlines():
        where = WHERE.match(line)
        if line.startswith("#"):
            heading, places = line.lstrip("# "), ()
        elif line.startswith("    "):
            found.setdefault(heading, []).extend((place, line.strip()) for place in places)
        elif where:
            places = PLACES[where[1] or where[2]]
        elif line:
            places = ()
    return {heading: lines for heading, lines in found.items() if lines}


class Network:
    """The centre, two hosts that begin as what their packages make of them, and the guests that lines name."""

    def __init__(self, of: Centre, first: OvnHost, second: OvnHost, named: Callable[[], NamedNamespace]) -> None:
        self.centre, self.first, self.second = of, first, second
        self.guests = {name: named() for name in ("web", "db", "cache")}

    def type(self, heading: str, only: str = "") -> None:
        """Type a section's lines in the order of the page; only: those that match."""
        lines = sections()[heading]
        assert lines
        for place, line in lines:
            if re.search(only, line):
                self._type(place, shlex.split(line))

    def _type(self, place: str, words: list[str]) -> None:
        host = {"first": self.first, "second": self.second}.get(place)
        if words[:2] == ["apt-get", "install"]:
            assert set(words[2:]) <= set((CHECKOUT / "tests/lab/packages.txt").read_text().split())
        elif words[0] == "export" and host:
            key, _, value = words[1].partition("=")
            host.host.env[key] = value
        elif words[0] == "pipework" and host:
            done = self.pipework(host, *words[1:])
            assert done.code == 0, (words, done)
            assert done.err == "", (words, done)
        elif host:
            run(*host.host.argv(*words))
        else:
            run("env", *(f"{key}={value}" for key, value in self.centre.env.items()), *words)

    def pipework(self, host: OvnHost, *words: str) -> Result:
        """Run pipework on a host, with guests by the page's names."""
        return host.pipework(*(self.guests[word].spec if word in self.guests else word for word in words))


@contextmanager
def joined() -> Iterator[Network]:
    """Two hosts that the page's first section has made a centre's."""
    with (
        centre() as of,
        host_to_be(of, 1) as first,
        host_to_be(of, 2) as second,
        named_namespace() as web,
        named_namespace() as db,
        named_namespace() as cache,
    ):
        for host in (first, second):
            host.launch_controller()
        network = Network(of, first, second, iter((web, db, cache)).__next__)
        network.type("From nothing to two hosts")
        for host in (first, second):
            host.await_connection()
        yield network

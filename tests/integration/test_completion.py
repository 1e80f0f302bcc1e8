"""Completion for bash: what it offers on a line."""

from __future__ import annotations

import subprocess
from typing import Callable

import pytest

from tests.lab.command import CHECKOUT
from tests.lab.engine import Container
from tests.lab.netns import NamedNamespace, Nic

SCRIPT = 'source "$1"; COMP_LINE=$2 COMP_POINT=${#2}; _pipework; printf "%s\\n" "${COMPREPLY[@]}"'


def offered(line: str) -> set[str]:
    """Return what bash offers behind a line."""
    place = str(CHECKOUT / "contrib/completion/pipework.bash")
    done = subprocess.run(["bash", "-c", SCRIPT, "bash", place, line], capture_output=True, text=True, check=True)
    assert done.stderr == ""
    return set(done.stdout.split())


def test_words() -> None:
    """Verbs, options and clients are offered where they may stand, and nowhere else."""
    assert {"route", "ls", "del", "gc", "--direct-phys", "--wait"} <= offered("pipework ")
    assert offered("pipework --dry") == {"--dry-run"}
    assert offered("pipework lo -a ") == {"4", "6"}
    assert offered("pipework lo -i eth1 web dhcl") == {"dhclient", "dhclient-f"}
    assert offered("pipework --dry-run del -i eth1 web --") == {"--all", "--if-exists", "--dry-run"}
    assert offered("pipework tc web q") == {"qdisc"}
    assert offered("pipework --wait ") == {"-i"}
    assert offered("pipework lo web dhcp ") == set()


@pytest.mark.docker
def test_names(nic: Nic, container: Callable[[], Container], guest_ns: Callable[[], NamedNamespace]) -> None:
    """Interfaces of the host, running containers and namespaces are offered by the names that they have now."""
    web, namespace = container(), guest_ns()
    assert nic.name in offered("pipework ")
    assert offered(f"pipework {nic.name[:-1]}") >= {nic.name}
    assert offered(f"pipework {nic.name} {web.name}") == {web.name}
    assert {web.name, "--json"} <= offered("pipework ls ")
    # what stands before the colon is typed already
    assert offered(f"pipework del {namespace.spec}") == {namespace.name}

"""Completion for bash and zsh: what they offer on a line."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Callable

import pytest

from tests.lab.command import CHECKOUT
from tests.lab.engine import Container
from tests.lab.netns import NamedNamespace, Nic

BASH = 'source "$1"; COMP_LINE=$2 COMP_POINT=${#2}; _pipework; printf "%s\\n" "${COMPREPLY[@]}"'
# zsh's own functions would pick from the choices; here they print them.
ZSH = """
compadd() { print -rl -- ${(P)@[-1]} }
_describe() { local each; for each in ${(P)@[-1]}; do print -r -- ${each%%:*}; done }
_wanted() { shift 3; "$@" }
_message() { }
words=(${=2}); [[ $2 == *' ' ]] && words+=('')
CURRENT=$#words PREFIX=$words[-1]
source $1
"""


IN_FRONT = {
    "--route",
    "--metric",
    "--mtu",
    "--beside",
    "--probe",
    "--check",
    "--mode",
    "--ipvlan",
    "--host-access",
    "--routed",
    "--filter",
}


def offered(line: str, shell: str = "bash") -> set[str]:
    """Return what a shell offers behind a line."""
    place = {"bash": "contrib/completion/pipework.bash", "zsh": "contrib/completion/_pipework"}[shell]
    argv = {"bash": ["bash", "-c", BASH, "bash"], "zsh": ["zsh", "-f", "-c", ZSH, "zsh"]}[shell]
    done = subprocess.run([*argv, str(CHECKOUT / place), line], capture_output=True, text=True, check=True)
    assert done.stderr == ""
    choices = set(done.stdout.split())
    return choices if shell == "bash" else {each for each in choices if each.startswith(line.rpartition(" ")[2])}


@pytest.mark.parametrize("shell", ["bash", "zsh"])
def test_words(shell: str) -> None:
    """Verbs, options and clients are offered where they may stand, and nowhere else."""
    assert {"route", "ls", "del", "gc", "apply", "save", "--direct-phys", "--wait"} <= offered("pipework ", shell)
    assert not {"--wait", "--help"} & offered("pipework --dry-run ", shell)
    assert offered("pipework --dry", shell) == {"--dry-run"}
    assert offered("pipework lo -a ", shell) == {"4", "6"}
    assert offered("pipework lo -l ", shell) == set()
    assert offered("pipework lo -", shell) == {"-i", "-l", "-a", "--direct-phys", *IN_FRONT}
    assert offered("pipework lo -i eth1 web dhcl", shell) == {"dhclient", "dhclient-f"}
    assert offered("pipework lo web -", shell) == set()
    assert offered("pipework --dry-run del -i eth1 web --", shell) == {"--all", "--if-exists", "--dry-run"}
    assert offered("pipework --check -", shell) == offered("pipework --check 10.1.1.1 -", shell)
    assert offered("pipework --check lo -i eth1 web dhcl", shell) == {"dhclient", "dhclient-f"}
    assert offered("pipework --check 10.1.1.1 lo -i eth1 web dhcl", shell) == {"dhclient", "dhclient-f"}
    assert offered("pipework --check fd00::1 --probe lo web dhcl", shell) == {"dhclient", "dhclient-f"}
    assert offered("pipework wire web 0", shell) == {"0/0"}
    assert offered("pipework wire -", shell) == {"-i", "--mtu"}
    assert offered("pipework tc web q", shell) == {"qdisc"}
    assert offered("pipework tc web qdisc ", shell) == set()
    assert offered("pipework gc ", shell) == {"--dry-run", "--host"}
    assert offered(f"pipework apply --prune {CHECKOUT}/setup.c", shell) == {f"{CHECKOUT}/setup.cfg"}
    assert offered(f"pipework apply {CHECKOUT}/tests/un", shell) == {f"{CHECKOUT}/tests/unit/"}
    assert offered("pipework --wait ", shell) == {"-i"}
    assert offered("pipework lo web dhcp ", shell) == set()


@pytest.mark.docker
@pytest.mark.parametrize("shell", ["bash", "zsh"])
def test_names(
    shell: str, nic: Nic, container: Callable[[], Container], guest_ns: Callable[[], NamedNamespace]
) -> None:
    """Interfaces of the host, running containers and namespaces are offered by the names that they have now."""
    web, namespace = container(), guest_ns()
    assert nic.name in offered("pipework ", shell)
    assert offered(f"pipework {nic.name[:-1]}", shell) >= {nic.name}
    assert offered(f"pipework {nic.name} {web.name}", shell) == {web.name}
    assert {web.name, "--json"} <= offered("pipework ls ", shell)
    # what stands before the colon is typed already where bash breaks words at it
    assert offered(f"pipework del {namespace.spec}", shell) == {namespace.name if shell == "bash" else namespace.spec}
    address = (Path("/sys/class/net") / nic.name / "address").read_text().strip()
    beginning, last = f"mac:{address}".rsplit(":", 1)
    assert offered(f"pipework {beginning}:", shell) == {last if shell == "bash" else f"{beginning}:{last}"}

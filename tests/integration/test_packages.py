"""The Debian package: what it brings, that it works, and that nothing stays behind."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from tests.lab.command import CHECKOUT

ENTER = CHECKOUT / "tests" / "hosts" / "enter"
BUILD = CHECKOUT / "contrib" / "debian" / "make-deb"
LIST = "find /etc /usr /var/lib -xdev -path /var/lib/dpkg -prune -o -path /var/lib/apt -prune -o -print | sort"
# Of a system to which it is new: its Python, and a path without anything else of this machine's.
USE = """
pipework --version
ls /usr/share/man/man8/pipework.8.gz
ls /usr/share/bash-completion/completions/pipework /usr/share/zsh/vendor-completions/_pipework
ip netns add one
ip netns add two
pipework br1 netns:one 10.1.1.1/24
pipework br1 netns:two 10.1.1.2/24
ip netns exec one ping -q -c 1 -w 20 10.1.1.2 >/dev/null
pipework ls | cut -d ' ' -f 1
pipework del netns:one
pipework del netns:two
ip link del br1
ip netns del one
ip netns del two
dpkg --verify pipework
"""


@pytest.fixture
def deb(tmp_path: Path) -> Path:
    """The package, built as `make deb` does."""
    built = tmp_path / "pipework.deb"
    subprocess.run([BUILD, built], check=True)
    return built


def in_a_copy(script: str, deb: Path) -> str:
    """Run a shell script on this system, of which nothing stays, and return what it prints; $DEB is the package."""
    begin = "ip link set lo up\nDEB=/tmp/pipework.deb\ncat >$DEB\n"
    with deb.open("rb") as package:
        words = ["unshare", "--mount", "--net", ENTER, "/", "sh", "-ec", begin + script]
        done = subprocess.run(words, stdin=package, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_debian_package(deb: Path) -> None:
    """It works as soon as it is installed, with pages and completions, and is gone as soon as it is purged."""
    script = f"{LIST} >/tmp/before\ndpkg --install $DEB >/dev/null\n{USE}\ndpkg --purge pipework >/dev/null\n"
    told = in_a_copy(f"{script}{LIST} >/tmp/after\ndiff /tmp/before /tmp/after", deb).splitlines()
    assert told[0].startswith("pipework ")
    assert told[1:] == [
        "/usr/share/man/man8/pipework.8.gz",
        "/usr/share/bash-completion/completions/pipework",
        "/usr/share/zsh/vendor-completions/_pipework",
        "GUEST",
        "netns:one",
        "netns:two",
    ]


def test_debian_package_meets_another_python(deb: Path) -> None:
    """It goes on when Python's release changes, or its library, and starts as fast again once Debian has told so."""
    script = """
        dpkg --install $DEB >/dev/null
        run=/usr/lib/pipework/run
        grep -c start.pyc $run
        sed -i "s/python[0-9.]* -I -S .*start.pyc/python3.0 -I -S start.pyc/; s/-x [^ ]*/-x python3.0/" $run
        pipework --version
        /usr/share/python3/runtime.d/pipework.rtupdate rtupdate python3.0 python3
        grep -c "python3.0" $run || true
        sed -i '$d' $run
        pipework --version
        library=$(/usr/bin/python3 -c "import os; print(os.path.dirname(os.__file__))")
        rm /usr/lib/pipework/start.pyc
        dpkg-trigger --by-package=pipework "$library"
        dpkg --configure --pending >/dev/null
        test -e /usr/lib/pipework/start.pyc
    """
    first, other, second, same = in_a_copy(script, deb).splitlines()
    assert (first, second) == ("1", "0")
    assert other == same


def test_debian_package_depends_on_what_it_imports(deb: Path) -> None:
    """It depends on what the code takes, which pyroute2 is not: that is for the tests."""
    field = subprocess.run(["dpkg-deb", "--field", deb, "Depends"], capture_output=True, text=True, check=True).stdout
    sources = [path.read_text() for path in (CHECKOUT / "pipework").rglob("*.py")]
    imported = re.compile(r"^ *(?:import|from) (docker|jeepney|psutil|pyroute2|tqdm)\b", re.MULTILINE)
    taken = {name for text in sources for name in imported.findall(text)}
    assert {name for name in re.findall(r"python3-(\w+)", field)} == taken

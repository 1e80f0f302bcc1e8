"""The manual page, the completions and the reference keep up with the command, what is promised with the tests."""

from __future__ import annotations

import re

import pytest

from pipework.address import DHCP_CLIENTS
from pipework.verbs import VERBS
from tests.lab.command import CHECKOUT

WORDS = {*DHCP_CLIENTS, *(verb.name for verb in VERBS if verb.name)}
WORDS |= {option.name for verb in VERBS for option in (*verb.behind, *verb.before)}
VARIABLES = {
    name
    for path in CHECKOUT.glob("pipework/**/*.py")
    for name in re.findall(r"\b(?:PIPEWORK_[A-Z_]+|DOCKER_HOST)\b", path.read_text())
}


def told(name: str) -> set[str]:
    """Return the words of a file, as they are typed."""
    text = (CHECKOUT / name).read_text().replace("\\-", "-")
    return set(re.findall(r"(?<![\w-])-{0,2}[A-Za-z](?:[\w-]*\w)?", re.sub(r"\\f[A-Z]|\[ila\]", " -i -l -a ", text)))


@pytest.mark.parametrize("name", ["contrib/pipework.8", "docs/reference.md"])
def test_tells_all_words_and_variables(name: str) -> None:
    """Every word of the grammar and every variable of the environment is told."""
    assert (WORDS | VARIABLES) - told(name) == set()


@pytest.mark.parametrize("name", ["contrib/completion/pipework.bash", "contrib/completion/_pipework"])
def test_completes_all_words(name: str) -> None:
    """Every word of the grammar is completed."""
    assert WORDS - told(name) == set()


@pytest.mark.parametrize("name", ["SECURITY.md", "docs/reliability.md"])
def test_names_tests_that_there_are(name: str) -> None:
    """Each test that is said to hold a promise is there."""
    named = set(re.findall(r"\btest_\w+(?:\.py)?", (CHECKOUT / name).read_text()))
    files = [*CHECKOUT.glob("tests/*/test_*.py")]
    there = {path.name for path in files}
    there |= {function for path in files for function in re.findall(r"^def (test_\w+)", path.read_text(), re.MULTILINE)}
    assert len(named) > 10
    assert named - there == set()

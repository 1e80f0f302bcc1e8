"""Words in the lines that a rehearsal prints."""

from __future__ import annotations

import subprocess

import pytest

from pipework.quoting import quote

WORDS = (
    "eth1",
    "",
    "a b",
    "$(id)",
    "`id`",
    "a'b",
    'a"b',
    "\\",
    "\x1b[31m'%s\\",
    "a\nb",
    "é€",
    "-n",
    "*",
    "~",
    "#",
    "\udcff",
)


@pytest.mark.parametrize("word", WORDS, ids=ascii)
def test_a_shell_reads_what_was_meant(word: str) -> None:
    """A word of a rehearsal is that word in a shell, and commands no terminal on its way there."""
    line = quote(word)
    assert line.isprintable()
    done = subprocess.run(["sh", "-c", f"printf '<%s>' {line}"], capture_output=True, check=True)
    assert done.stdout == b"<%s>" % word.encode("utf-8", "surrogateescape")


def test_plain_words_stay_plain() -> None:
    """What a shell takes as it is, is printed as it is."""
    assert quote("/proc/1/ns/net") == "/proc/1/ns/net"
    assert quote("10.0.0.2/24@10.0.0.1") == "10.0.0.2/24@10.0.0.1"

"""Lines of a file are words, a comment, or told with their place; nothing in them is run or filled in."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from pipework.errors import BadArgument
from pipework.lines import read, split
from pipework.quoting import quote

SPLIT = [
    ("br0 web 10.0.0.1/24", ["br0", "web", "10.0.0.1/24"]),
    ("  pipework\tbr0   web  0/0  \n", ["br0", "web", "0/0"]),
    ("br0 web 0/0 # it's the web's", ["br0", "web", "0/0"]),
    ("# don't", []),
    ("#don't", []),
    ("", []),
    ("br0 web 0/0 U:a#b", ["br0", "web", "0/0", "U:a#b"]),
    ("br0 'my web' \"udhcpc:-x hostname:me\"", ["br0", "my web", "udhcpc:-x hostname:me"]),
    ("br0 web $HOME `id` $(id) ~ *", ["br0", "web", "$HOME", "`id`", "$(id)", "~", "*"]),
    ("pipework", []),
    ("br0 web\\ server 0/0", ["br0", "web server", "0/0"]),
]


def nothing(_: str) -> bool:
    return False


@pytest.mark.parametrize(("line", "words"), SPLIT)
def test_split(line: str, words: list[str]) -> None:
    """Words are split as a shell splits them, comments and the command's own name left out."""
    assert split(line) == words


@pytest.mark.parametrize("line", ["br0 'web 0/0", 'br0 "web', "br0 web\\"])
def test_not_closed(line: str) -> None:
    """A quotation mark that nobody closes is told."""
    with pytest.raises(BadArgument, match="not closed"):
        split(line)


@settings(deadline=None)  # a busy machine may stand still for seconds
@given(some.lists(some.text(some.characters(min_codepoint=33, max_codepoint=126), min_size=1), min_size=1))
def test_quoted_words_come_back(words: list[str]) -> None:
    """What save quotes is read as it was."""
    line = " ".join(map(quote, ["br0", *words]))
    assert split(line) == ["br0", *words]


@settings(deadline=None)
@given(some.lists(some.text()))
def test_any_text(lines: list[str]) -> None:
    """Whatever stands in a file, each line is a request, nothing, or told with its place."""
    requests, wrong = read("f", lines, nothing)
    places = [request.place for request in requests] + [text.partition(": ")[0] for text in wrong]
    assert len(set(places)) == len(places) <= len(lines)
    assert set(places) <= {f"f:{number}" for number in range(1, len(lines) + 1)}

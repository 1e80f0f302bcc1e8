"""The table of verbs and options: whatever stands in it is parsed, told and completed, everywhere."""

from __future__ import annotations

import re
import subprocess
from importlib import import_module
from pathlib import Path

import pytest

from contrib import generate
from pipework.errors import BadArgument
from pipework.grammar import parse
from pipework.model import Attach
from pipework.requests import Collect, Connect, Delete, End
from pipework.rows import Option, Verb
from pipework.usage import help_text, usage
from pipework.verbs import GUEST, HOSTIF, VERBS
from tests.lab.command import CHECKOUT

BASH = 'source "$1"; COMP_LINE=$2 COMP_POINT=${#2}; _pipework; printf "%s\\n" "${COMPREPLY[@]}"'
NEW_TEXT = "a sentence that only this test has"
ROWS = [(verb.name, verb, option) for verb in VERBS for option in (*verb.behind, *verb.before)]


class Louder(Attach):
    """An attach with two options more."""

    loud: bool = False
    limit: str = ""


class Check(Delete):
    """What a new verb asks for."""


LOUD = Option("--loud", "loud", f"{NEW_TEXT}, 1")
LIMIT = Option("--limit", "limit", f"{NEW_TEXT}, 2", "NUMBER", completes="11 12")
EACH = Option("--each", "ifname", f"{NEW_TEXT}, 3", gives="eth7")
NEW_VERB = Verb("check", Check, "check:check", f"{NEW_TEXT}, 4", (GUEST, EACH))


def with_new() -> tuple[Verb, ...]:
    """The table with three options and a verb more."""
    attach, *rest = VERBS
    line = (*attach.line[:2], LIMIT, *attach.line[2:])
    return (attach.replace(request=Louder, line=line, around=(*attach.around, LOUD)), *rest, NEW_VERB)


def no_link(_: str) -> bool:
    return False


def test_a_new_option_is_parsed() -> None:
    """An option that is put into the table is taken where its row says, and nowhere else."""
    for line in ("--loud br0 --limit 12 web 0/0", "br0 --limit 12 --loud web 0/0"):
        request = parse(line.split(), no_link, with_new())
        assert isinstance(request, Louder) and (request.loud, request.limit) == (True, "12")
    with pytest.raises(BadArgument, match=r"--limit stands before HOSTIF\n.*HOSTIF --limit NUMBER GUEST"):
        parse(["--limit", "12", "br0", "web", "0/0"], no_link, with_new())
    with pytest.raises(BadArgument, match="ls does not take --loud"):
        parse(["--loud", "ls"], no_link, with_new())
    with pytest.raises(BadArgument, match="there is no option --loud"):
        parse(["--loud", "br0", "web", "0/0"], no_link)


def test_a_new_verb_is_parsed() -> None:
    """A verb that is put into the table is one, with its words and options; where a link has its name it is HOSTIF."""
    assert parse(["check", "web", "--each"], no_link, with_new()) == Check("web", "eth7")
    request = parse(["check", "web", "0/0"], {"check"}.__contains__, with_new())
    assert isinstance(request, Louder) and request.hostif == "check"


def test_a_new_row_is_in_usage_and_help() -> None:
    """The usage has the new option and verb in their lines, and the help says what they do."""
    text = help_text(with_new())
    assert usage(with_new()) in text
    assert "[--loud] HOSTIF [-i IFNAME]" in usage(with_new()).replace("\n                ", " ")
    assert "[--limit NUMBER]" in usage(with_new())
    assert "pipework check GUEST [--each]" in usage(with_new())
    assert re.search(rf"^  --limit NUMBER +{NEW_TEXT}, 2$", text, re.MULTILINE)
    assert re.search(rf"^  --each +check: {NEW_TEXT}, 3$", text, re.MULTILINE)
    assert re.search(rf"^  check +{NEW_TEXT}, 4$", text, re.MULTILINE)


def test_a_new_row_is_in_the_manual_page() -> None:
    """The manual page has the new option and verb in its synopsis, and an entry for each."""
    page = plain(generate.manual(generate.MANUAL.read_text(), with_new()))
    assert "[--loud] HOSTIF [-i IFNAME] [--limit NUMBER]" in page.replace("\n", " ")
    assert f".TP\n--limit NUMBER\nA {NEW_TEXT[2:]}, 2." in page
    assert f".TP\n--each\nWith check: {NEW_TEXT}, 3." in page
    assert f".TP\ncheck\nA {NEW_TEXT[2:]}, 4." in page


def plain(page: str) -> str:
    return re.sub(r"\\f[BIR]", "", page).replace(r"\-", "-")


@pytest.mark.parametrize(
    ("line", "offers"),
    [
        ("pipework --lo", {"--loud"}),
        ("pipework che", {"check"}),
        ("pipework lo --l", {"--limit", "--loud"}),
        ("pipework lo --limit ", {"11", "12"}),
        ("pipework lo --limit 11 web dhcpc", {"dhcpcd"}),
        ("pipework check web --", {"--each"}),
    ],
)
def test_a_new_row_is_completed(tmp_path: Path, line: str, offers: set[str]) -> None:
    """The completions offer the new option, its values and the verb where they may stand."""
    script = tmp_path / "pipework.bash"
    script.write_text(generate.bash(generate.BASH.read_text(), with_new()))
    done = subprocess.run(["bash", "-c", BASH, "bash", str(script), line], capture_output=True, text=True, check=True)
    assert (set(done.stdout.split()), done.stderr) == (offers, "")
    of_zsh = generate.zsh(generate.ZSH.read_text(), script.read_text(), with_new())
    for part in ("table", "choices"):
        assert generate.inside(script.read_text(), part) in generate.inside(of_zsh, part)
    for name, text in (("--loud", 1), ("--limit", 2), ("--each", 3), ("check", 4)):
        assert f"{name}) echo '{NEW_TEXT}, {text}' ;;" in of_zsh


@pytest.mark.parametrize("path", list(generate.written()), ids=lambda path: path.name)
def test_generated_files_are_up_to_date(path: Path) -> None:
    """The manual page and the completions say what the table says: python -m contrib.generate writes them."""
    assert path.read_text() == generate.written()[path]


def test_more_is_of_rows_that_are_there() -> None:
    """What the manual page tells beyond the table is about its options and verbs."""
    assert generate.MORE.keys() <= {verb.name for verb in VERBS} | {option.name for *_, option in ROWS}


def test_the_reference_shows_the_help() -> None:
    """The reference has the help as it is printed."""
    assert f"# pipework --help\n{help_text()}```\n" in (CHECKOUT / "docs" / "reference.md").read_text()


def test_every_word_is_told() -> None:
    """Each word of the table has an entry among the manual page's arguments."""
    arguments = re.findall(r"^\.I ([A-Z]+)$", generate.MANUAL.read_text(), re.MULTILINE)
    told = {word.name for verb in VERBS for word in verb.words if word.help}
    assert told >= {"HOSTIF", "GUEST", "ADDRESS", "MAC", "VLAN"}
    assert told <= set(arguments)


@pytest.mark.parametrize("row", [*VERBS, *(option for *_, option in ROWS if option.runs)], ids=lambda row: row.runs)
def test_every_row_is_carried_out(row: Verb) -> None:
    """Each verb has a file in commands/ and a function in it."""
    file, _, function = row.runs.partition(":")
    assert callable(getattr(import_module(f"pipework.commands.{file}"), function))


@pytest.mark.parametrize(("name", "verb", "option"), ROWS, ids=lambda part: getattr(part, "name", part))
def test_every_option_fills_a_field(name: str, verb: Verb, option: Option) -> None:
    """Each option fills a field of its verb's request, or, as -a, takes part in reading one."""
    # a wire's request has ends, which are read from all of its words
    fields = {*verb.request.fields, *((*End.fields, "other") if verb.request is Connect else ())}
    assert option.field in fields or option.field == "family"
    assert option.help and not option.help.endswith(".")
    assert {word.field for word in verb.words if word.field} <= fields


def test_requests_belong_to_one_verb_each() -> None:
    """A request says which verb it came from; those of the tools say it in a field."""
    classes = [verb.request for verb in VERBS if not verb.field]
    assert len(classes) == len(set(classes))
    assert Collect in classes and HOSTIF in VERBS[0].line

"""`python -m contrib.generate`: write the manual page and the completions anew, from the table of pipework/verbs.py.

What it writes in them stands between marks, or in sections of its own; the rest of these files is written by hand.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Optional

from pipework.rows import Option, Verb, Word
from pipework.usage import options_of, purposes_of, shown, synopsis
from pipework.verbs import VERBS

FOLDER = Path(__file__).resolve().parent
MANUAL = FOLDER / "pipework.8"
BASH = FOLDER / "completion" / "pipework.bash"
ZSH = FOLDER / "completion" / "_pipework"
LINE = 110  # characters of a line of the manual page's source, about

INTRODUCTION = "They count as verbs where the host has no interface of that name."
# What the manual page tells beyond the table's one line, in roff.
MORE = {
    "-l": "A short stable name where that is longer than 15 characters.",
    "--direct-phys": """\
A Wi-Fi card goes with its radio.
What the card is on the host is noted;
.B del
and
.B gc
bring it back.
A card that carries the host's default route is refused.""",
    "--dry-run": "They are ready to paste into a root shell.",
    "--replace": "The old one is back if that fails.",
    "--json": """\
Their keys are
.IR guest ,
.IR runtime ,
.IR pid ,
.IR ifname ,
.IR kind ,
.IR link ,
.IR hostif ,
.IR vlan ,
.IR addresses ,
.IR mac ,
.IR mtu ,
.I state
and
.IR guessed ,
which is true for a link without any mark that is taken for the shell script's.""",
    "wire": """\
A veth pair, an end in each of two guests.
Where no network of one end has an address of the other, it gets a route to that.
A gateway is an address of the other end.
With either end
.B del
takes back both.""",
    "route": """\
.I ARGUMENT
and what follows is the tool's.
Output, errors and exit status are the tool's, too.""",
    "ls": """\
A table of all wires, or of those of
.IR GUEST .""",
    "del": """\
The link goes, its port, its DHCP client, and the firewall rule with the last port of a bridge.
A default route that was replaced, and a network card on loan, come back.
.B \\-\\-all
leaves alone what pipework has not surely made.
If nothing is there that is an error, unless
.B \\-\\-if\\-exists
is given.""",
    "apply": """\
The whole
.I FILE
is read and checked before anything is touched.
A wire that is as its line asks stays as it is, one that differs is replaced
.RB ( ~ ),
one that is missing is made
.RB ( + );
.B \\-\\-prune
takes back what no line names
.RB ( \\- ).
A guest that does not run is told and skipped.
If a line fails, the others are done, and the exit status is 1.""",
    "save": """\
For each wire the line that makes it, its MAC address included.
.B apply
of these lines changes nothing.""",
    "watch": """\
What
.B apply
does with
.IR FILE ,
at the beginning, whenever a guest starts, an engine comes back or the file changes; what guests leave that end is
removed as by
.BR gc .
Labels
.I pipework
and
.I pipework.ANYTHING
of containers count as lines without GUEST; with
.B \\-\\-pipework\\-cmd
variables
.I pipework_cmd
of the wrapper image dreamcat4/pipework do, too.
SIGHUP has the file read again, SIGTERM ends it.""",
    "uplink": """\
The gateway of
.I NIC
must answer over
.I BRIDGE
within
.BR \\-\\-timeout ,
and at a terminal you must agree within
.BR \\-\\-confirm ;
else everything goes back by itself, also if the command is killed or the terminal dies.
On a bridge that keeps VLANs apart the card is a trunk of all.
Whoever else minds the card, a network manager or a DHCP client, is told of with the lines that make it last there.
.B \\-\\-undo
gives the card back what it had.""",
    "hook": """\
The annotations
.I pipework
and
.I pipework.ANYTHING
of a container hold lines without GUEST.
As
.I ACTION
.B install
writes a file for each engine that is here,
.B uninstall
removes them,
.B status
shows them, and what was refused last.""",
    "gc": "What commands that were killed have left behind goes, too; each is told.",
    "--wait": """\
The interface is
.IR IFNAME ,
or
.BR eth1 .""",
}


def manual(page: str, verbs: Sequence[Verb] = VERBS) -> str:
    """The manual page with its sections SYNOPSIS, OPTIONS and VERBS written anew."""
    lines = [_folded([_bold("pipework"), *map(_roff, line)]) for line in synopsis(verbs)]
    options = [_entry([shown(row[0])], _told(*row), MORE.get(row[0].name, "")) for row in options_of(verbs)]
    purposes = [_entry(names, _sentence(text), MORE.get(names[0], "")) for names, text in purposes_of(verbs)]
    page = _section(page, "SYNOPSIS", "\n.br\n".join(lines))
    page = _section(page, "OPTIONS", "\n".join(options))
    return _section(page, "VERBS", "\n".join([INTRODUCTION, *purposes]))


def _told(option: Option, takers: Sequence[Verb]) -> str:
    names = [verb.name for verb in takers]
    return _sentence(option.help) if "" in names else f"With {_roff(', '.join(names))}: {_plain(option.help)}."


def _section(page: str, name: str, body: str) -> str:
    written, count = re.subn(rf"(?ms)^(\.SH {name}\n).*?(?=^\.SH )", lambda found: f"{found[1]}{body}\n", page)
    if count != 1:
        raise ValueError(f"the page has {count} sections {name}")
    return written


def _entry(names: Sequence[str], text: str, more: str) -> str:
    head = ", ".join(map(_roff, names))
    return "\n".join([".TP", head, _folded(text.split(" ")), *([more] if more else [])])


def _roff(text: str) -> str:
    """What is typed in bold, what stands for something else in italics."""
    typed_or_not = re.compile(r"-*[a-z][a-z-]*|[A-Z]+")
    return typed_or_not.sub(_in_its_font, text)


def _in_its_font(found: re.Match[str]) -> str:
    return _italic(found[0]) if found[0].isupper() else _bold(found[0])


def _bold(text: str) -> str:
    return f"\\fB{_plain(text)}\\fR"


def _italic(text: str) -> str:
    return f"\\fI{text}\\fR"


def _plain(text: str) -> str:
    return text.replace("-", r"\-")


def _sentence(text: str) -> str:
    return f"{_plain(text[0].upper() + text[1:])}."


def _folded(words: Sequence[str]) -> str:
    lines = [""]
    for word in words:
        if lines[-1] and len(lines[-1]) + len(word) > LINE:
            lines.append("")
        lines[-1] += f" {word}" if lines[-1] else word
    return "\n".join(lines)


def bash(script: str, verbs: Sequence[Verb] = VERBS) -> str:
    """The completion for bash with its table written anew."""
    return _between(script, "table", table(verbs))


def zsh(script: str, of_bash: str, verbs: Sequence[Verb] = VERBS) -> str:
    """The completion for zsh: table and choices are bash's, and it has a text for each."""
    script = _between(script, "table", f"{table(verbs)}\n{_texts(verbs)}")
    return _between(script, "choices", inside(of_bash, "choices"))


def table(verbs: Sequence[Verb]) -> str:
    """What may stand where, for a shell: words end with = if they are options with a value."""
    plain = [verb.name for verb in verbs if verb.name and not verb.name.startswith("-")]
    first = [verb.name for verb in verbs if verb.name.startswith("-")]
    before = dict.fromkeys(_marked(option) for verb in verbs for option in (*verb.around, *verb.before))
    rows = "".join(_row(verb) for verb in verbs)
    offers = "".join(f"        {name}) {line} ;;\n" for name, line in _offers(verbs).items())
    return f"""
_pipework_verbs='{" ".join(plain)}'
_pipework_first='{" ".join(first)}'
_pipework_before='{" ".join(before)}'

# What a verb takes: options, words, and the word behind which no option comes.
_pipework_table() {{
    behind='' words='' ends=''
    case $1 in
{rows}    esac
}}

# What may stand for a word or for the value of an option; $2 is what is being typed.
_pipework_offer() {{
    case $1 in
{offers}        *) printf '?%s\\n' "$1" ;;
    esac
}}
"""


def _row(verb: Verb) -> str:
    takes = {
        "behind": " ".join(map(_marked, verb.behind)),
        "words": " ".join(_key(verb, word) for word in verb.words if word.field),
        "ends": "" if verb.own else "GUEST",
    }
    sets = "".join(f" {name}='{text}'" for name, text in takes.items() if text)
    return f"        {verb.name or chr(39) * 2}){sets or ' :'} ;;\n"


def _marked(option: Option) -> str:
    """With what says that a value follows, = or, where it may be missing, ~."""
    return f"{option.name}{'~' if option.takes else '=' if option.value else ''}"


def _key(verb: Verb, word: Word) -> str:
    """By what a word is known: those whose choices differ from verb to verb have the verb's name in front."""
    namesakes = (other for each in VERBS for other in each.words if other.name == word.name)
    differs = word.rest or (verb.name and any(other.completes != word.completes for other in namesakes))
    return f"{verb.name}.{word.name}" if differs and word.completes else word.name


def _offers(verbs: Sequence[Verb]) -> dict[str, str]:
    """For each word and each option with a value the command that prints the choices."""
    found: dict[str, str] = {}
    for verb in verbs:
        named = [(option.name, option.completes) for option in verb.behind if option.value]
        for key, choices in [*((_key(verb, word), word.completes) for word in verb.words), *named]:
            if choices:
                found[key] = _printing(choices)
    return found


def _printing(choices: str) -> str:
    functions = {"GUEST": "_pipework_guests", "HOSTIF": '_pipework_links "$2"', "FILE": '_pipework_files "$2"'}
    return functions.get(choices) or f"printf '%s\\n' {choices}"


def _texts(verbs: Sequence[Verb]) -> str:
    told = {verb.name: verb.help for verb in verbs if verb.name}
    told.update({option.name: option.help for option, _ in options_of(verbs)})
    told.update({word.name: word.help for verb in verbs for word in verb.words if word.name and word.help})
    quoted = ((name, text.replace("'", "'\\''")) for name, text in told.items())
    rows = "".join(f"        {name}) echo '{text}' ;;\n" for name, text in quoted)
    return f"""# What verbs, options and words are, for those who look at the list.
_pipework_told() {{
    case $1 in
{rows}    esac
}}
"""


def _marks(name: str) -> str:
    return rf"(?ms)^(# >>> {name}.*?\n)(.*?)^(# <<< {name})$"


def inside(script: str, name: str) -> str:
    """What stands between two marks of a script.  Raises ValueError."""
    found = re.search(_marks(name), script)
    if found is None:
        raise ValueError(f"the script has no part {name}")
    return found[2]


def _between(script: str, name: str, body: str) -> str:
    inside(script, name)
    return re.sub(_marks(name), lambda found: f"{found[1]}{body}{found[3]}", script)


def written(verbs: Optional[Sequence[Verb]] = None) -> dict[Path, str]:
    """The files as they should be."""
    verbs = VERBS if verbs is None else verbs
    of_bash = bash(BASH.read_text(), verbs)
    return {MANUAL: manual(MANUAL.read_text(), verbs), BASH: of_bash, ZSH: zsh(ZSH.read_text(), of_bash, verbs)}


if __name__ == "__main__":
    for path, text in written().items():
        path.write_text(text)

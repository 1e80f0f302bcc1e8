"""How the command is used, written out of the grammar's table: the usage, the help."""

from __future__ import annotations

from pipework.rows import Option, Part, Verb, Word
from pipework.typed import Sequence
from pipework.verbs import VERBS

# characters of a line: of the usage without its margin, and of what its words are
LINE = 94
ROW = 99

HEAD = "pipework puts containers and network namespaces on any network.\n"
TAIL = """\
Examples:
  pipework br0 web 192.168.1.100/24@192.168.1.1     a container on a bridge, with a default route
  pipework eth0 web 10.1.2.3/24 U:web               the same on a NIC, with a stable MAC
  pipework ovs1 web 10.1.2.3/24 @100                on an Open vSwitch bridge, in VLAN 100
  pipework br0 web dhclient                         with a lease
  pipework ls --json | jq -r '.[].addresses[]'
  pipework del web

Exit status: 0 done; 1 refused, nothing was changed; 2 the kernel refused; 130 or 143 interrupted;
the tool's own for route, rule and tc.
"""


def usage(verbs: Sequence[Verb] = VERBS) -> str:
    """Every command line that there is, and what its words are."""
    lines = [_wrapped("pipework", line, LINE) for line in synopsis(verbs)]
    told = {word.name: word.help for verb in verbs for word in verb.words if word.help}
    rows = [_wrapped(f"  {name}".ljust(11), text.split(), ROW) for name, text in told.items()]
    return "Usage: " + "\n".join(lines).replace("\n", "\n       ") + "\n\n" + "\n".join(rows) + "\n"


def help_text(verbs: Sequence[Verb] = VERBS) -> str:
    """The usage, and what its options and verbs do."""
    options = _columns([(shown(option), _told_of(option, takers)) for option, takers in options_of(verbs)], 2)
    purposes = _columns([(", ".join(names), text) for names, text in purposes_of(verbs)], 3)
    return f"{HEAD}\n{usage(verbs)}\nOptions:\n{options}\nVerbs:\n{purposes}\n{TAIL}"


def synopsis(verbs: Sequence[Verb]) -> list[list[str]]:
    """The lines of the usage, as what must not be broken; verbs with the same line behind them share one."""
    merged: list[tuple[list[str], list[str], list[str]]] = []
    for verb in verbs:
        front = [_bracketed(option) for option in (*verb.before, *verb.around)]
        line = [text for text in map(_bracketed, verb.line) if text]
        if merged and merged[-1][0] == front and merged[-1][2] == line:
            merged[-1][1].append(verb.name)
        else:
            merged.append((front, [verb.name], line))
    return [[*front, *filter(None, [_alternatives(names)]), *line] for front, names, line in merged]


def options_of(verbs: Sequence[Verb]) -> list[tuple[Option, list[Verb]]]:
    """The options, each with the verbs that take it."""
    found: dict[str, tuple[Option, list[Verb]]] = {}
    for verb in verbs:
        for option in dict.fromkeys((*verb.behind, *verb.before)):
            found.setdefault(option.name, (option, []))[1].append(verb)
    return list(found.values())


def purposes_of(verbs: Sequence[Verb]) -> list[tuple[list[str], str]]:
    """What the verbs do; those that do the same together."""
    told: dict[str, list[str]] = {}
    for verb in verbs:
        if verb.name:
            told.setdefault(verb.help, []).append(verb.name)
    return [(names, text) for text, names in told.items()]


def shown(option: Option) -> str:
    """An option with the name of its value."""
    return f"{option.name} {option.value}" if option.value else option.name


def _told_of(option: Option, takers: Sequence[Verb]) -> str:
    """What an option does, and with which verbs, if not with an attach."""
    names = [verb.name for verb in takers]
    return option.help if "" in names else f"{', '.join(names)}: {option.help}"


def _bracketed(part: Part) -> str:
    if isinstance(part, Word):
        return part.name if part.shown is None else part.shown
    return f"[{' | '.join(map(shown, part if isinstance(part, tuple) else [part]))}]"


def _alternatives(names: Sequence[str]) -> str:
    return (" | " if names[0].startswith("-") else "|").join(names)


def _wrapped(head: str, words: Sequence[str], width: int) -> str:
    """The words behind the head, and below each other where a line has no room for the next."""
    lines = [head]
    for word in words:
        if len(lines[-1]) + len(word) >= width:
            lines.append(" " * len(head))
        lines[-1] += f" {word}"
    return "\n".join(lines)


def _columns(rows: Sequence[tuple[str, str]], gap: int) -> str:
    width = max(len(name) for name, _ in rows) + gap
    return "".join(f"  {name.ljust(width)}{text}\n" for name, text in rows)

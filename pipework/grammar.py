"""The parser, which walks the table of pipework.verbs; argv in, one frozen request out.

Pure; what a host has is asked through a predicate.
"""

from __future__ import annotations

from pipework.errors import BadArgument, UsageError
from pipework.requests import Request
from pipework.rows import Option, Verb
from pipework.typed import Any, Callable, Optional, Sequence
from pipework.verbs import ADDRESS, GUEST, VERBS


class _Missing(Exception):
    """A word is not there.  hostif: of an attach, "" for other verbs; examples: of it, and of those behind it."""

    def __init__(self, name: str, hostif: str, examples: Sequence[str]) -> None:
        super().__init__(name)
        self.name, self.hostif, self.examples = name, hostif, examples


def parse(argv: Sequence[str], is_interface: Callable[[str], bool], verbs: Sequence[Verb] = VERBS) -> Request:
    """Read a command line.

    is_interface tells whether this host has a link of a name: ``route``, ``ls`` and the like are verbs only where it
    has not.  Raises UsageError where words are missing, BadArgument where one is wrong.
    """
    for word in argv:
        if "\0" in word:
            raise BadArgument("an argument contains a NUL byte")
    try:
        return _parse(argv, is_interface, verbs)
    except _Missing as missing:
        known = "" if is_interface(missing.hostif) else _known_word(missing.hostif, verbs)
        if known:
            meant = _typed([known if word == missing.hostif else word for word in argv])
            raise UsageError(f"{missing.name} is missing", f"Maybe you meant: {meant}") from None
        example = _typed([*argv, *missing.examples])
        raise UsageError(f"{missing.name} is missing", f"For example: {example}") from None


def _typed(words: Sequence[str]) -> str:
    """A command line, as a shell takes it."""
    from pipework.quoting import quote  # as difflib, for who has mistyped only

    return " ".join(map(quote, ["pipework", *words]))


def _known_word(mistyped: str, verbs: Sequence[Verb]) -> str:
    """The verb, or the option before it, that somebody seems to have meant; "" for none."""
    from difflib import get_close_matches

    if not mistyped:
        return ""
    names = [verb.name for verb in verbs if verb.name] + [option.name for verb in verbs for option in verb.before]
    alike = [name for name in names if name.lstrip("-") == mistyped] or get_close_matches(mistyped, names, 1, 0.7)
    return alike[0] if alike else ""


def _parse(argv: Sequence[str], is_interface: Callable[[str], bool], verbs: Sequence[Verb]) -> Request:
    words, given = list(argv), dict[str, str]()
    if words and words[0].startswith("-") and (verb := _find(words[0], verbs)):
        return _request(verb, words[1:], given, [])
    prefixes = {option.name: option for verb in verbs for option in (*verb.before, *verb.around)}
    while words and words[0] in prefixes:
        _take(prefixes[words.pop(0)], words, given)
    if not words:
        raise UsageError("HOSTIF is missing")
    name = words.pop(0)
    if is_interface(name):
        return _request(_attach(verbs), words, given, [name])
    if name.startswith("-"):
        raise _not_in_front(name, verbs)
    verb = _find(name, verbs)
    return _request(verb, words, given, []) if verb else _request(_attach(verbs), words, given, [name])


def _find(name: str, verbs: Sequence[Verb]) -> Optional[Verb]:
    """The verb that a word is."""
    for verb in verbs:
        known = name in (verb.name, verb.short) or (verb.extends and name.startswith(verb.name))
        if name and verb.name and known:
            return verb
    return None


def _attach(verbs: Sequence[Verb]) -> Verb:
    return next(verb for verb in verbs if not verb.name)


def _not_in_front(name: str, verbs: Sequence[Verb]) -> BadArgument:
    for verb in verbs:
        for option in verb.behind:
            if option.name == name:
                shown = f"{name} {option.value}" if option.value else name
                place = f"pipework {verb.name} {shown}" if verb.name else f"pipework HOSTIF {shown} GUEST ADDRESS"
                return BadArgument(f"{name} stands before {verb.name or 'HOSTIF'}", f"Options come behind it: {place}")
    return BadArgument(f"there is no option {name}", "See: pipework --help")


def _take(option: Option, words: list[str], given: dict[str, str]) -> None:
    """Note an option, and its value, which is the next of the words."""
    if not option.value:
        given[option.name] = ""
    elif option.name in given and not option.repeats:
        raise BadArgument(f"{option.name} is given twice", "Leave one of them out.")
    elif option.takes:
        given[option.name] = words.pop(0) if words and option.takes(words[0]) else ""
    elif not words:
        raise UsageError(f"{option.name} needs a value")
    else:
        before = f"{given[option.name]}," if option.name in given else ""
        given[option.name] = before + words.pop(0)


def _request(verb: Verb, words: list[str], given: dict[str, str], plain: list[str]) -> Request:
    """Walk through what stands behind the verb.  given: the options before it; plain: the words without a name."""
    takes = {option.name: option for option in (*verb.behind, *verb.before)}
    plain = plain + _plain_words(verb, words, given)
    surplus = given.keys() - takes.keys() - {option.name for option in verb.ignored}
    if surplus:
        raise BadArgument(f"{verb.name} does not take {min(surplus)}", "See: pipework --help")
    fields = _fill_words(verb, plain)
    fields.update(_fill_options(verb, [(takes[name], value) for name, value in given.items() if name in takes]))
    if verb.field:
        fields[verb.field] = verb.name
    return verb.request(**verb.read(fields))


def _plain_words(verb: Verb, words: list[str], given: dict[str, str]) -> list[str]:
    """Take the options out of the words behind the verb; the rest."""
    takes = {option.name: option for option in (*verb.behind, *verb.ignored)}
    plain: list[str] = []
    while words:
        word = words.pop(0)
        if word in takes:
            _take(takes[word], words, given)
        elif not verb.own:
            return [word, *words]
        elif word.startswith("--"):
            raise BadArgument(f"{verb.name or 'a line'} does not take {word}", f"It takes: {' '.join(sorted(takes))}")
        else:
            plain.append(word)
    return plain


def _fill_words(verb: Verb, plain: list[str]) -> dict[str, Any]:
    """The fields that the words without a name fill."""
    fields: dict[str, Any] = {}
    left = list(plain)
    for word in verb.words:
        if not left and not word.optional and word.field:
            others = [other.example for other in verb.words[verb.words.index(word) :] if not other.optional]
            examples = [part for example in others for part in example.split()]
            raise _Missing(word.name, "" if verb.name else plain[0], examples)
        if word in (GUEST, ADDRESS) and left and left[0] in {option.name for option in verb.before}:
            raise BadArgument(
                f"{left[0]} stands behind {verb.name or ('HOSTIF' if word is GUEST else 'GUEST')}",
                f"It comes first: pipework {left[0]} {verb.name or plain[0]} ...",
            )
        if not verb.own and plain and word is ADDRESS and left[0] in {option.name for option in verb.behind}:
            raise _behind_guest(plain)
        if left and word.rest:
            fields[word.field], left = tuple(left), []
        elif left and word.field:
            fields[word.field] = left.pop(0)
    fields.pop("", None)
    if left:
        raise BadArgument(f"{verb.name} does not take {left[0]!r}", verb.surplus)
    return fields


def _behind_guest(plain: Sequence[str]) -> BadArgument:
    hostif, guest, option = plain[:3]
    return BadArgument(
        f"{option} stands behind GUEST", f"Options come before it: pipework {hostif} {option} ... {guest} ADDRESS"
    )


def _fill_options(verb: Verb, given: Sequence[tuple[Option, str]]) -> dict[str, Any]:
    """The fields that the options fill."""
    there = [(option, text) for option, text in given if text or not option.value or not option.blank]
    names = [option.name for option, _ in there]
    for part in verb.line:
        both = [option.name for option in part if option.name in names] if isinstance(part, tuple) else []
        if len(both) > 1:
            raise BadArgument(f"{both[0]} and {both[1]} do not go together", "Leave one of them out.")
    return {option.field: text if option.value else option.gives for option, text in there}


def verb_of(request: Request, verbs: Sequence[Verb] = VERBS) -> tuple[Verb, str]:
    """The verb that a request came from, and what in commands/ carries it out."""
    verb = next(verb for verb in verbs if verb.request is type(request))
    options = (*verb.before, *verb.behind)
    runs = (option.runs for option in options if option.runs and getattr(request, option.field))
    return verb, next(runs, verb.runs)

"""What the table of verbs and options is made of; the table itself is in pipework.verbs."""

from __future__ import annotations

from pipework.requests import Request
from pipework.typed import Any, Callable, Optional, Union
from pipework.value import Value


class Option(Value):
    """An option.

    field: of the request, which it fills; value: the name of what stands behind it, "" for a flag; gives: what a flag
    puts into its field; blank: whether an empty value is as good as none, for scripts with an empty variable;
    completes: the words that a shell offers for its value; runs: as in Verb, where it is given; repeats: whether it may
    be given more than once, which is the same as once with commas between the values; takes: whether a word is its
    value, where that may be missing.
    """

    name: str
    field: str
    help: str
    value: str = ""
    gives: object = True
    blank: bool = True
    completes: str = ""
    runs: str = ""
    repeats: bool = False
    takes: Optional[Callable[[str], bool]] = None


class Word(Value):
    """A word without a name of its own.

    field: of the request, "" for a word that is part of the one before; shown: as the usage has it, if not by its
    name; rest: whether it is all that follows; completes: the words that a shell offers, or GUEST or HOSTIF for those
    of this machine.
    """

    name: str
    field: str
    help: str = ""
    shown: Optional[str] = None
    optional: bool = False
    rest: bool = False
    example: str = ""
    completes: str = ""


Part = Union[Option, Word, "tuple[Option, ...]"]


class Verb(Value):
    """What can be asked for.

    name: its word, "" where HOSTIF stands in its place; one that begins with a dash is a verb as first word only
    short: another word for it
    runs: the file in commands/ and the function in it, which takes the request
    line: its words and options, as the usage has them; of the options in a tuple only one may be given
    before: options that stand before it; around: those that may stand behind it, too
    ignored: options of the original that it takes for old scripts' sake, without a meaning
    own: whether options may stand anywhere behind it; else what stands behind GUEST is taken as it is
    extends: whether a word that begins with its name is meant, too
    privileged: whether it wants root's capabilities
    field: of the request, which says what verb it is
    surplus: what to do about a word too many
    read: makes fields out of those that are still text
    """

    name: str
    request: type[Request]
    runs: str
    help: str
    line: tuple[Part, ...] = ()
    before: tuple[Option, ...] = ()
    around: tuple[Option, ...] = ()
    ignored: tuple[Option, ...] = ()
    own: bool = True
    extends: bool = False
    privileged: bool = True
    short: str = ""
    field: str = ""
    surplus: str = "See: pipework --help"
    read: Callable[[dict[str, Any]], dict[str, Any]] = dict

    @property
    def words(self) -> list[Word]:
        """Its words, in their order."""
        return [part for part in self.line if isinstance(part, Word)]

    @property
    def behind(self) -> list[Option]:
        """The options that it takes behind its word, in the order of the usage."""
        found: list[Option] = []
        for part in self.line:
            found.extend(part if isinstance(part, tuple) else [part] if isinstance(part, Option) else [])
        return [*found, *self.around]

"""Files of lines: each a pipework line as one types it, comments behind #.  Pure.

Words are split as a shell splits them, and nothing else is done that a shell does: a line is data.
"""

from __future__ import annotations

from collections.abc import Iterable
from io import StringIO

from pipework.errors import BadArgument, PipeworkError, one_line
from pipework.grammar import parse
from pipework.model import Attach
from pipework.requests import WIRE, Connect, Request
from pipework.typed import Callable, Optional, Union
from pipework.value import Value
from pipework.verbs import GUEST, VERBS

COMMAND = "pipework"  # may stand in front
SPECIAL = frozenset("'\"\\#")  # what makes more of a line than words with blanks between


class Line(Value):
    """A line that asks for a wire.  place: FILE:NUMBER; words: as they are typed behind pipework."""

    place: str
    words: tuple[str, ...]
    request: Union[Attach, Connect]

    @property
    def ends(self) -> tuple[Attach, ...]:
        """What it asks for of each guest that it names."""
        return self.request.ends if isinstance(self.request, Connect) else (self.request,)


def read(name: str, lines: Iterable[str], is_interface: Callable[[str], bool]) -> tuple[list[Line], list[str]]:
    """The lines that ask for a wire, and what is wrong with the others, each with its place.

    name: of the file; is_interface: whether this host has a link of a name.
    """
    asked, wrong = list[Line](), list[str]()
    for number, text in enumerate(lines, 1):
        place = f"{one_line(name)}:{number}"
        try:
            words = split(text)
            if words:
                asked.append(Line(place, tuple(words), _request(words, is_interface)))
        except PipeworkError as error:
            wrong.append(f"{place}: {error}")
    return asked, wrong


def read_own(text: str, guest: str, is_interface: Callable[[str], bool]) -> Attach:
    """What the line of a container asks for, which says no GUEST, for that is the container itself.

    Raises BadArgument, UsageError.
    """
    words = split(text)
    if not words:
        raise BadArgument("the line is empty", "Write HOSTIF ADDRESS [MAC][@VLAN], as behind pipework, without GUEST.")
    attach = next(verb for verb in VERBS if verb.request is Attach)
    line = tuple(part for part in attach.line if part is not GUEST)
    own = attach.replace(line=line, before=(), own=True, read=lambda fields: attach.read({**fields, "guest": guest}))
    try:
        request = parse(words, is_interface, (own,))
    except PipeworkError:
        meant = _meant(words, is_interface)
        if isinstance(meant, Connect) or (words[0] == WIRE and not is_interface(WIRE)):
            raise reaches_out(words) from None
        if isinstance(meant, Attach):
            raise BadArgument(
                f"{' '.join(words)} names a guest", "Leave GUEST out: it is the container that the line belongs to."
            ) from None
        raise
    assert isinstance(request, Attach)
    return request


def reaches_out(words: list[str]) -> BadArgument:
    """The refusal of a line of a container that joins guests."""
    return BadArgument(
        f"{' '.join(words)} would reach into another guest",
        "Leave it to root of this host, in a file of lines: pipework watch FILE",
    )


def _meant(words: list[str], is_interface: Callable[[str], bool]) -> Optional[Request]:
    """What the words ask for as a line of a file; None: nothing."""
    try:
        return parse(words, is_interface)
    except PipeworkError:
        return None


def words_of(request: Attach) -> list[str]:
    """The words behind ``pipework`` that ask for a wire: those of a line."""
    tag = f"@{request.tag.text}" if request.tag else ""
    return [
        *(["--direct-phys"] if request.direct_phys else []),
        *request.options,
        *request.doubts,
        request.hostif,
        *(["-i", request.ifname] if request.ifname else []),
        *(["-l", request.local_name] if request.local_name else []),
        request.guest,
        request.address,
        *filter(None, [f"{request.mac or ''}{tag}"]),
    ]


def split(text: str) -> list[str]:
    """The words of a line, without a comment and without the command's own name.  Raises BadArgument."""
    words = text.split() if SPECIAL.isdisjoint(text) else _split(text)
    return words[1:] if words[:1] == [COMMAND] else words


def _split(text: str) -> list[str]:
    from shlex import shlex  # few lines have quotation marks, and whoever starts a container waits

    stream = StringIO(text)
    lexer = shlex(stream, posix=True)
    lexer.whitespace_split, lexer.commenters = True, ""  # its comments begin in the midst of a word, too
    words = list[str]()
    try:
        while not text[stream.tell() :].lstrip().startswith("#"):
            word = lexer.get_token()
            if word is None:
                break
            words.append(word)
    except ValueError:
        raise BadArgument("a quotation mark is not closed", "Close it, or write a backslash in front of it.") from None
    return words


def _request(words: list[str], is_interface: Callable[[str], bool]) -> Union[Attach, Connect]:
    request = parse(words, is_interface)
    if not isinstance(request, (Attach, Connect)):
        raise BadArgument(
            f"{words[0]} makes no wire", "A file has lines that attach: HOSTIF GUEST ADDRESS [MAC][@VLAN]"
        )
    if request.dry_run:
        raise BadArgument("--dry-run in a line", "It is for the whole file: pipework --dry-run apply FILE")
    if isinstance(request, Attach) and request.keep:
        raise BadArgument("--keep in a line", "Leave it out: the file keeps the line.")
    return request

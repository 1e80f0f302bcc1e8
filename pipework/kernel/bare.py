"""Modules of the standard library as the interpreter has them built in, without what is written in Python around them.

socket and signal come without their enumerations, so a socket is no context manager; json reads without its regular
expressions.  The whole modules would add 3, 2 and 4 ms to an attach of 28 (``make bench``).
"""

from __future__ import annotations

from pipework.typed import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    import signal
    import socket
else:
    import _signal as signal
    import _socket as socket

__all__ = ["json_string", "read_json", "signal", "socket"]


class _Strict:
    """How json reads when it is not told otherwise."""

    strict = True
    object_hook = object_pairs_hook = None
    parse_float, parse_int, parse_constant = float, int, float


def read_json(text: str) -> Any:
    """What a JSON text says, as json.loads has it.  Raises ValueError."""
    from _json import make_scanner  # only where there is JSON

    text = text.strip(" \t\r\n")
    try:
        value, end = make_scanner(cast(Any, _Strict))(text, 0)
        if end == len(text):
            return value
    except (StopIteration, ValueError, SystemError):  # the last where it misses the class of its errors
        pass
    from json import loads  # which says what is wrong

    return loads(text)


def json_string(text: str) -> str:
    """A string as JSON writes it, in ASCII."""
    from _json import encode_basestring_ascii

    return str(encode_basestring_ascii(text))

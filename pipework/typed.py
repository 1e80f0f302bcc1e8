"""The names of typing that this code uses, without typing itself.

That would add 5 ms to an attach of 28 (``make bench``, as for the other stand-ins: value, programs, bare, iptables).

For type checkers they are what they are called; at run time nobody looks at them.
"""

from __future__ import annotations

TYPE_CHECKING = False  # type checkers take it for true whoever sets it

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any, Callable, ClassVar, NoReturn, Optional, Protocol, TypeVar, Union, cast

    from typing_extensions import dataclass_transform
else:

    class _Anything:
        def __class_getitem__(cls, _):
            return cls

    Any = Callable = ClassVar = NoReturn = Optional = Protocol = Sequence = TypeVar = Union = _Anything

    def cast(_, value):
        return value

    def dataclass_transform(**_):
        return lambda cls: cls


__all__ = [
    "TYPE_CHECKING",
    "Any",
    "Callable",
    "ClassVar",
    "NoReturn",
    "Optional",
    "Protocol",
    "Sequence",
    "TypeVar",
    "Union",
    "cast",
    "dataclass_transform",
]

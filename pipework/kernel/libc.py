"""Calls of the C library that Python has no function for."""

from __future__ import annotations

import os
from functools import cache

from pipework.typed import Any


def call(function: str, *arguments: object) -> None:
    """Call one that tells success by 0; its arguments are numbers and bytes.  Raises OSError, with its name."""
    import ctypes  # only where Python lacks what is wanted

    converted = [ctypes.c_ulong(argument) if isinstance(argument, int) else argument for argument in arguments]
    if getattr(_library(), function)(*converted) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), function)


def setns(fd: int, kind: int) -> None:
    """Move this thread into the namespace behind fd, which is of that kind (CLONE_NEW*).  Raises OSError."""
    if hasattr(os, "setns"):  # Python 3.12
        os.setns(fd, kind)
    else:
        call("setns", fd, kind)


@cache
def _library() -> Any:
    import ctypes

    return ctypes.CDLL(None, use_errno=True)

"""What the user is shown of an error."""

from __future__ import annotations

import errno
import signal

import pytest

from pipework import errors
from pipework.errors import AlreadyWired, BadArgument, Interrupted, KernelRefused, PipeworkError, Refused, UsageError


def test_hint_stands_on_its_own_line() -> None:
    """First what was refused, then what to do."""
    assert str(Refused("no such thing", "Make one: ip link add")) == "no such thing\nMake one: ip link add"
    assert str(Refused("no such thing")) == "no such thing"


@pytest.mark.parametrize(
    ("hostile", "shown"),
    [
        ("\x1b[31mred", "\\x1b[31mred"),
        ("bell\x07", "bell\\x07"),
        ("back\rspace\x08", "back\\rspace\\x08"),
        ("nul\0", "nul\\x00"),
        ("delete\x7f\x9b", "delete\\x7f\\x9b"),
        ("right to left\u202e", "right to left\\u202e"),
        ("line\u2028end", "line\\u2028end"),
        ("not utf-8 \udcff", "not utf-8 \\udcff"),
        ("münchen 北京", "münchen 北京"),
    ],
)
def test_control_characters_are_shown(hostile: str, shown: str) -> None:
    """A word from outside cannot command the terminal; letters of any script stay."""
    assert str(BadArgument(f"<{hostile}>", f"[{hostile}]")) == f"<{shown}>\n[{shown}]"


def test_kernel_words() -> None:
    """The kernel's refusal reads as ip's does, with the kernel's own explanation where it gives one."""
    assert str(KernelRefused(errno.EEXIST)) == "RTNETLINK answers: File exists"
    told = KernelRefused(errno.EINVAL, "Invalid MTU", "Choose another.")
    assert str(told) == "RTNETLINK answers: Invalid argument (Invalid MTU)\nChoose another."
    assert (told.errno, told.detail) == (errno.EINVAL, "Invalid MTU")


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (UsageError("x"), 1),
        (AlreadyWired("x"), 1),
        (Refused("x"), 1),
        (BadArgument("x"), 1),
        (KernelRefused(errno.EPERM), 2),
        (Interrupted(signal.SIGINT), 130),
        (Interrupted(signal.SIGTERM), 143),
    ],
)
def test_exit_codes(error: PipeworkError, code: int) -> None:
    """1 for what pipework refuses, 2 for what the kernel refuses, 128 and its number for a signal."""
    assert error.exit_code == code


def test_the_tree_is_told() -> None:
    """The module's docstring draws every exception that there is."""
    for name, value in vars(errors).items():
        if isinstance(value, type) and issubclass(value, PipeworkError):
            assert name in (errors.__doc__ or ""), name

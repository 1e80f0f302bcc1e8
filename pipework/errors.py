"""Every way in which pipework says no.

PipeworkError            something the user can be told; never shown as a traceback
├── UsageError           too few words: the usage, on stdout, exit 1
├── AlreadyWired         the link is there and up: on stdout, as the original says it, exit 1
├── Refused              pipework itself says no: exit 1
│   ├── BadArgument      a word of the command line cannot be meant
│   ├── GuestNotFound    no runtime that was asked knows the guest
│   ├── GuestUnusable    the guest is known, but has no network namespace of its own to use
│   │   └── GuestStopped it does not run, or not yet
│   ├── BeingMade        another command is just making that wire
│   └── NotInstalled     a program or an engine that is needed is not there
│       └── Elsewhere    the engine that is meant is another machine's
├── KernelRefused        the kernel said no to a request: exit 2, as ``ip`` does
└── Interrupted          a signal arrived: exit 128 + its number

Each carries what was refused and, in ``hint``, what to type next.
"""

from __future__ import annotations

import os
import sys


class PipeworkError(Exception):
    """Something that the user can be told.

    message: what was refused and why; hint: what to do about it, or "".
    """

    exit_code = 1

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def come_after(self, done: str) -> None:
        """Add to the hint what of the command was done before."""
        self.hint = "\n".join(filter(None, (self.hint, done)))

    def __str__(self) -> str:
        text = f"{self.message}\n{self.hint}" if self.hint else self.message
        return "\n".join(one_line(line) for line in text.split("\n"))


class UsageError(PipeworkError):
    """Too few words to know what is wanted; the usage is the answer."""


class AlreadyWired(PipeworkError):
    """The wire that was asked for is there already, and up."""


class Refused(PipeworkError):
    """pipework itself says no, before it has touched anything."""


class BadArgument(Refused):
    """A word of the command line cannot be what it stands for."""


class GuestNotFound(Refused):
    """No runtime that was asked knows the guest."""


class GuestUnusable(Refused):
    """The guest is known, but there is no network namespace of its own to wire."""


class GuestStopped(GuestUnusable):
    """The guest is known, but does not run, or not yet."""


class BeingMade(Refused):
    """Another command is just making that wire."""


class NotInstalled(Refused):
    """A program or an engine that is needed is not there."""


class Elsewhere(NotInstalled):
    """The engine that the user's settings mean is another machine's, which has no say in who lives on this one."""


class KernelRefused(PipeworkError):
    """The kernel answered a request with an error.

    errno: its number; detail: the kernel's own explanation (extended ack), or "".
    """

    exit_code = 2

    def __init__(self, errno: int, detail: str = "", hint: str = "") -> None:
        self.errno = errno
        self.detail = detail
        message = f"RTNETLINK answers: {os.strerror(errno)}"
        super().__init__(f"{message} ({detail})" if detail else message, hint)


class Interrupted(PipeworkError):
    """A signal asked us to stop; all that was begun is undone."""

    def __init__(self, signum: int) -> None:
        super().__init__(f"interrupted by signal {signum}; nothing was changed")
        self.exit_code = 128 + signum

    def come_after(self, done: str) -> None:
        super().come_after(done)
        self.message = self.message.partition(";")[0]


def warn(message: str) -> None:
    """Tell on stderr, in one line, what could not be made to work and does not stop the command."""
    print(f"pipework: {one_line(message)}", file=sys.stderr)


def one_line(text: str) -> str:
    """Show control characters of hostile words instead of sending them to the terminal."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape", "replace").decode() for c in text)

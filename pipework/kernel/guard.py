"""A piece of work that outlives its terminal: done by a child in a session of its own, while the command only waits.

A command that moves the host's own way into the network may lose the terminal that it was typed at, and whoever typed
it.  The child learns of the command's death by a signal, as of any other that asks it to stop, and takes back what it
has done.
"""

from __future__ import annotations

import os
import select
import sys
import time
from contextlib import suppress

from pipework.errors import Interrupted
from pipework.kernel import signals
from pipework.kernel.bare import socket
from pipework.kernel.processes import end_with
from pipework.typed import NoReturn, Union

QUESTION, YES, NO = b"?", b"y", b"n"
PAUSE = 0.02  # seconds between two looks


class Asker:
    """The child's way to the terminal, by way of the command."""

    def __init__(self, control: socket.socket) -> None:
        self._control = control

    def agrees(self, seconds: float) -> bool:
        """Whether whoever sits there agrees within that time.  Raises Interrupted."""
        until = time.monotonic() + seconds
        with suppress(OSError):
            self._control.send(QUESTION + f"{seconds:g}".encode())
        while time.monotonic() < until:
            with suppress(BlockingIOError):
                return self._control.recv(1) == YES  # b"": the command has gone
            signals.sleep(PAUSE)
        print(file=sys.stderr)  # behind the question
        return False


class Child:
    """The child, as the command knows it."""

    def __init__(self, pid: int, control: socket.socket) -> None:
        self._pid = pid
        self._control = control

    def wait(self) -> int:
        """Wait until it has ended, put its question, pass signals on; its exit status, minus the signal's number if one
        ended it."""
        self._control.setblocking(False)
        asked = False
        with signals.held():
            while True:
                pid, status = os.waitpid(self._pid, os.WNOHANG)
                if pid:
                    return os.waitstatus_to_exitcode(status)
                try:
                    asked = _attend(self._control, asked)
                    signals.sleep(PAUSE)
                except Interrupted as interrupted:
                    os.kill(self._pid, interrupted.exit_code - 128)


def apart() -> Union[Asker, Child]:
    """Go on in a child, which gets a way to the terminal; the command gets the child, to wait for it."""
    ours, its = socket.socketpair()
    command = os.getpid()
    child = os.fork()
    if child:
        its.close()
        return Child(child, ours)
    ours.close()
    os.setsid()
    end_with(command)
    its.setblocking(False)
    return Asker(its)


def _attend(control: socket.socket, asked: bool) -> bool:
    """Put the child's question, and pass the answer on; whether it has been put."""
    with suppress(BlockingIOError, ConnectionError):
        told = control.recv(64)
        if told.startswith(QUESTION):
            print(
                f"The gateway answers.  Press Enter within {told[1:].decode()} s to keep it; else all goes back: ",
                end="",
                file=sys.stderr,
                flush=True,
            )
            asked = True
    if asked and select.select([0], [], [], 0)[0]:
        with suppress(OSError):
            control.send(_answer())
        asked = False
    return asked


def _answer() -> bytes:
    try:
        line = os.read(0, 64)
    except OSError:  # the terminal has gone
        return NO
    return YES if line.strip().lower() in (b"", b"y", b"yes") and line else NO


def leave(status: int) -> NoReturn:
    """End the command as the child has ended."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)

"""A cable to a database that is cut at the worst moment: a change has been made, and its answer is under way."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from select import select
from threading import Thread

READ = 1 << 16


@contextmanager
def losing_answer(database: Path, way: Path, change: bytes) -> Iterator[list[bytes]]:
    """Lead from the socket `way` to that of a database; the cable is cut once, after a change that matches a pattern.

    What comes back holds the change once that has happened.
    """
    lost: list[bytes] = []
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(way))
        listening.listen()

        def lead() -> None:
            while True:
                try:
                    asking = listening.accept()[0]
                except OSError:  # the end
                    return
                Thread(target=_relay, args=(asking, database, re.compile(change), lost), daemon=True).start()

        leading = Thread(target=lead)
        leading.start()
        try:
            yield lost
        finally:
            listening.shutdown(socket.SHUT_RDWR)
            leading.join()


def _relay(asking: socket.socket, database: Path, change: re.Pattern[bytes], lost: list[bytes]) -> None:
    with asking, socket.socket(socket.AF_UNIX) as there:
        there.connect(str(database))
        asked = b""
        while True:
            for one in select([asking, there], [], [])[0]:
                told = one.recv(READ)
                if not told:
                    return
                (there if one is asking else asking).sendall(told)
                asked += told if one is asking else b""
                if not lost and change.search(asked):
                    lost.append(asked)
                    select([there], [], [])  # it has been made
                    return

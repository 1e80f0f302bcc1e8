"""pipework watch, running; and engines that are restarted beneath it."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.lab.command import COMMAND
from tests.lab.engine import start_engine
from tests.lab.guest import SLOW, eventually

DOCKERD = Path("/run/docker.pid")


class Watch:
    """A file of lines, and the command that watches it; words: in the place of that file; on: what comes before it."""

    def __init__(self, folder: Path, *words: str, on: Sequence[str] = ()) -> None:
        self.file = folder / "wiring"
        self.on = on
        self.words = words or (str(self.file),)
        self.log = folder / "log"
        self.log.touch()
        self.process: subprocess.Popen[bytes]

    def write(self, *lines: str) -> None:
        """Let these be the lines."""
        new = self.file.with_suffix(".new")
        new.write_text("".join(f"{line}\n" for line in lines))
        new.replace(self.file)

    def start(self) -> None:
        """Start it; when this returns it listens."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*self.on, *COMMAND, "watch", *self.words], stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        assert self.says("watching")

    def told(self) -> str:
        """All that it has said."""
        return self.log.read_text()

    def says(self, text: str, times: int = 1) -> bool:
        """Whether it comes to say something, so often in all."""
        return eventually(lambda: self.told().count(text) >= times)

    def end(self, number: int = signal.SIGTERM) -> int:
        """End it; its exit status."""
        self.process.send_signal(number)
        return self.process.wait(30 * SLOW)


@contextmanager
def watching(*lines: str, words: tuple[str, ...] = (), on: Sequence[str] = ()) -> Iterator[Watch]:
    """Watch these lines for the time of the block; or, where there are words, what they say.

    on: what runs a command on another host than this.
    """
    with tempfile.TemporaryDirectory(prefix="pipework-watch-") as folder:
        watch = Watch(Path(folder), *words, on=on)
        watch.write(*lines)
        watch.start()
        try:
            yield watch
        finally:
            if watch.process.poll() is None:
                watch.end(signal.SIGKILL)


def restart_dockerd() -> None:
    """End the engine, and start it again with the same words."""
    pid = int(DOCKERD.read_text())
    words = [os.fsdecode(word) for word in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[:-1]]
    os.kill(pid, signal.SIGTERM)
    assert eventually(lambda: not DOCKERD.exists())
    with tempfile.NamedTemporaryFile("w+") as log:
        start_engine(words, log)

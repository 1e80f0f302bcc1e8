"""``pipework watch [FILE]``: see to it that wires are there that lines and labels ask for, whenever a guest starts.

This process waits and forks; what is to be done a child does, as the commands ``apply`` and ``gc`` do it, with all that
they need loaded already.  It keeps nothing but the lines: a child looks at what there is.
"""

from __future__ import annotations

import os
import select
import signal
import sys
from collections import deque
from collections.abc import Container, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from importlib import import_module

from pipework import events, kept, notes
from pipework.commands import by_labels
from pipework.commands.apply import check, keep
from pipework.commands.clearing import clear_up
from pipework.errors import PipeworkError, Refused, one_line
from pipework.events import Event, Stream
from pipework.guests import STARTING, may_mean
from pipework.kernel.locks import show_watching
from pipework.lines import Line
from pipework.requests import Watch
from pipework.typed import Callable, NoReturn, Optional
from pipework.value import Value

ALL, LABELS, CLEARING = "all", "labels", "clearing"  # what is not for one guest
AT_ONCE = 8  # children
MOST_FILES = 4096
LOOK = 0.5  # seconds between two looks at what nobody tells: the file, named namespaces, LXC
REAP = 0.02  # seconds between two looks at children that are at work
WARM = ("links.bridge", "links.openvswitch", "links.macvlan", "addressing.static", "addressing.dhcp", "default_routes")


class Task(Value):
    """Something for a child.  what: for whom, of which one at a time is at work; do: does it."""

    what: str
    do: Callable[[], None]


def watch(request: Watch) -> None:
    """Wire, and clear up, until a signal ends it; SIGHUP has the file read again.  Raises Refused before it begins."""
    notes.check_kept()
    files = [*filter(None, [request.file]), kept.FILE]
    lines = _lines_of(files)
    for module in WARM:
        import_module(f"pipework.{module}")
    show_watching()
    with _signals() as told:
        _Watch(request, files, lines, told).run()


class _Watch:
    def __init__(self, request: Watch, files: Sequence[str], lines: Sequence[Line], told: int) -> None:
        """told: becomes readable, and holds their numbers, when signals have come."""
        self._request = request
        self._files = files
        self._lines = lines
        self._stamps = [*map(_stamp, files)]
        self._told = told
        self._streams = events.streams()
        self._names = events.names()
        self._refusals = set[str]()
        self._waiting = deque[Task]()
        self._at_work = dict[int, Task]()
        self._ended, self._is_to_clear = set[str](), False
        self._is_over = False

    def run(self) -> None:
        """Until SIGTERM or SIGINT; then wait for what is being done, which is whole or undone in the end."""
        for stream in self._streams:  # who starts from now on is heard of
            self._connect(stream)
        self._say(f"watching {self._shown()}")
        self._apply()
        while not self._is_over:
            self._begin()
            ready = self._await()
            self._take_signals(ready)
            for stream in self._streams:
                if stream.fileno() in ready:
                    self._hear(stream.read())
                    if stream.fileno() < 0:
                        self._say(f"{stream.runtime} has gone; it is looked for again")
                elif self._connect(stream):
                    self._say(f"{stream.runtime} is there")
                    self._apply()  # what happened meanwhile nobody tells
            for names in self._names:
                self._hear(names.look())
            if [*map(_stamp, self._files)] != self._stamps:
                self._read_again()
            self._reap()
        for stream in self._streams:
            stream.close()
        for pid in self._at_work:
            os.kill(pid, signal.SIGTERM)
        while self._at_work:
            self._reap(wait=True)
        self._say("ended")

    def _connect(self, stream: Stream) -> bool:
        """As Stream.connect; what it says against that is told once."""
        try:
            return stream.connect()
        except Refused as refusal:
            if str(refusal) not in self._refusals:
                self._refusals.add(str(refusal))
                print(f"pipework: {refusal}", file=sys.stderr, flush=True)
            return False

    def _await(self) -> set[int]:
        """Wait until there is something to do; what can be read."""
        files = [self._told, *(fd for fd in (stream.fileno() for stream in self._streams) if fd >= 0)]
        return set(select.select(files, [], [], REAP if self._at_work else LOOK)[0])

    def _take_signals(self, ready: set[int]) -> None:
        if self._told not in ready:
            return
        numbers = set(os.read(self._told, 1 << 12))
        self._is_over = bool(numbers & {signal.SIGTERM, signal.SIGINT})
        if signal.SIGHUP in numbers:
            self._read_again()

    def _hear(self, heard: Iterator[Event]) -> None:
        for event in heard:
            if not event.starts:
                self._ended.update(filter(None, (event.name, event.id)))
                self._is_to_clear = True
                continue
            guest = f"{event.runtime}:{event.id or event.name}"
            whom = event.runtime, event.name, event.id
            lines = [line for line in self._lines if any(may_mean(end.guest, *whom) for end in line.ends)]
            if lines:
                self._later(Task(guest, partial(keep, lines, STARTING)))
            if event.labelled or (self._request.takes_variables and event.id):
                wire = partial(by_labels.wire, event.runtime, event.id, self._request)
                self._later(Task(f"labels of {guest}", wire))

    def _read_again(self) -> None:
        """Take the lines as they are now; those that were stay if one of these is wrong."""
        self._stamps = [*map(_stamp, self._files)]
        try:
            self._lines = _lines_of(self._files)
        except Refused as refusal:
            print(f"pipework: {refusal}; the lines stay as they were", file=sys.stderr, flush=True)
            return
        self._say(f"read again {self._shown()}")
        self._apply()

    def _shown(self) -> str:
        count = len(self._lines)
        from_containers = f"labels {'and pipework_cmd ' * self._request.takes_variables}of containers"
        return f"{self._request.file or f'{from_containers}, {kept.FILE}'}: {count} line{'s' * (count != 1)}"

    def _apply(self) -> None:
        self._later(Task(ALL, partial(keep, self._lines, 0)))
        self._later(Task(LABELS, partial(by_labels.wire_all, self._request)))
        self._is_to_clear = True

    def _later(self, task: Task) -> None:
        """Have it done by a child; what was to be done for the same guest, and has not begun, is done by that."""
        self._waiting = deque(one for one in self._waiting if one.what != task.what)
        self._waiting.append(task)

    def _begin(self) -> None:
        """Fork children for what waits; of each guest, and of all, one at a time."""
        if self._is_to_clear:
            self._later(Task(CLEARING, partial(_clear_up, frozenset(self._ended))))
        left = deque[Task]()
        while self._waiting:
            task = self._waiting.popleft()
            busy = {one.what for one in (*self._at_work.values(), *left)}
            if len(self._at_work) >= AT_ONCE or task.what in busy:
                left.append(task)
            else:
                self._at_work[_fork(task)] = task
                if task.what == CLEARING:
                    self._ended, self._is_to_clear = set(), False
        self._waiting = left

    def _reap(self, wait: bool = False) -> None:
        for _ in list(self._at_work):
            pid, _status = os.waitpid(-1, 0 if wait else os.WNOHANG)
            if not pid:
                return
            self._at_work.pop(pid, None)

    def _say(self, text: str) -> None:
        print(one_line(text), flush=True)


def _lines_of(files: Sequence[str]) -> list[Line]:
    """The lines of all files; that of the kept ones need not be there.  Raises Refused."""
    return [line for file in files if file != kept.FILE or os.path.exists(file) for line in check(file)]


def _stamp(file: str) -> Optional[tuple[int, int, int]]:
    """What changes with the file's contents."""
    try:
        status = os.stat(file)
    except OSError:
        return None
    return status.st_ino, status.st_mtime_ns, status.st_size


# -- signals


@contextmanager
def _signals() -> Iterator[int]:
    """A file that has the numbers of signals in it as they come."""
    told, tell = os.pipe()
    os.set_blocking(tell, False)
    signal.set_wakeup_fd(tell, warn_on_full_buffer=False)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD):
        signal.signal(number, _nothing)
    yield told


def _nothing(_number: int, _frame: object) -> None:
    """The number is in the file."""


# -- in a child


def _fork(task: Task) -> int:
    pid = os.fork()
    if not pid:
        _work(task)
    return pid


def _work(task: Task) -> NoReturn:
    """Do it as a command of its own would."""
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD):
        signal.signal(number, signal.SIG_DFL)
    os.closerange(3, MOST_FILES)  # what outlives the child, as a DHCP client does, shall not keep an engine waiting
    code = 0
    try:
        task.do()
    except PipeworkError as error:
        print(f"pipework: {error}", file=sys.stderr)
        code = error.exit_code
    except Exception as error:
        print(f"pipework: a fault of pipework itself, please report it: {one_line(repr(error))}", file=sys.stderr)
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _clear_up(ended: Container[str]) -> None:
    """Remove what guests that are gone have left."""
    for what in clear_up(ended, takes_back=False):
        print(one_line(f"removed {what}"))

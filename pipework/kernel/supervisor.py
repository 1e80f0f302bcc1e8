"""A program that works for a guest: in its network namespace, with private files, and never longer than it.

The supervisor is a process of its own, the first of a new process namespace, so that with it the kernel ends
all that the program has started, however either ends.  It ends when it is told to, when the guest or the
guest's link is gone, when the program is over, and when whoever started it dies before the program is ready.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress

from pipework.errors import Interrupted, Refused
from pipework.kernel import signals
from pipework.kernel.bare import signal, socket
from pipework.kernel.containment import is_contained
from pipework.kernel.namespaces import Namespace, enter
from pipework.kernel.processes import identity
from pipework.kernel.programs import search_path
from pipework.kernel.sandbox import CLONE_NEWPID, have_own_mounts, make_private, unshare
from pipework.typed import NoReturn, Optional

STARTING, KEEPING = 0.02, 0.5  # seconds between two looks, until the program is ready and afterwards
PARTING_LIMIT = 3.0  # seconds that a program may take to end by itself once it is told to
STOPPING_LIMIT = 5.0  # seconds that killed processes may take to be gone
# what a program has of our environment, which may hold secrets
PASSED_ON = ("HOME", "LANG", "LC_ALL", "TERM", "TZ")
# what the supervisor says, followed by its own number, a status or a reason
STARTED, ENDED, FAILED = "started", "ended", "failed"


class Supervised:
    """A program to run for a guest until the guest, or its link, is gone.

    host_name is the machine's name as the program sees it, additions what it finds added to files of /etc and /var,
    release a command to be run before the program is told to end, () for none, files the paths of those that it
    sees of the host although they are where its own are.
    """

    def __init__(
        self,
        command: Sequence[str],
        guest: Namespace,
        link: str,
        host_name: str,
        additions: Mapping[str, str],
        release: Sequence[str] = (),
        files: Sequence[str] = (),
    ) -> None:
        self.command = tuple(command)
        self.guest = guest
        self.link = link
        self.host_name = host_name
        self.additions = additions
        self.release = tuple(release)
        self.files = tuple(files)
        self._control: Optional[socket.socket] = None
        self._output = -1
        self._heard = b""

    def start(self) -> None:
        """Start it, with stopping signals held."""
        self._control, remote = socket.socketpair()
        self._output = os.memfd_create("output")
        child = os.fork()
        if child == 0:
            _start_supervisor(self, remote, self._output)
        remote.close()
        self._control.setblocking(False)
        os.waitpid(child, 0)

    def status(self) -> Optional[int]:
        """The exit status of the process that was started (128 + N: signal N ended it); None while it runs.

        A program that goes to the background has an exit status and lives on.  Raises Refused if it could not start.
        """
        self._listen()
        for line in self._heard.decode("utf-8", "replace").splitlines():
            word, _, rest = line.partition(" ")
            if word == FAILED:
                confined = "Run it with --security-opt apparmor=unconfined." if is_contained() else ""
                raise Refused(f"cannot run {self.command[0]}: {rest}", confined)
            if word == ENDED:
                return int(rest)
        return None

    def supervisor(self) -> str:
        """The identity of the supervisor, to which SIGTERM means to let the program end by itself; "": it has ended."""
        self._listen()
        lines = [line.split() for line in self._heard.decode("utf-8", "replace").splitlines()]
        number = next((int(words[1]) for words in lines if words[0] == STARTED), 0)
        return (identity(number) if number else None) or ""

    def is_over(self) -> bool:
        """Whether nothing of it runs any more."""
        self._listen()
        return self._control is None

    def output(self) -> str:
        """What it has printed so far."""
        return os.pread(self._output, os.fstat(self._output).st_size, 0).decode("utf-8", "replace")

    def stop(self) -> None:
        """End it and all that it has started; when this returns, nothing of it runs."""
        if self._control is not None:
            with suppress(OSError):
                self._control.send(b"stop")
        deadline = time.monotonic() + STOPPING_LIMIT
        while not self.is_over() and time.monotonic() < deadline:
            time.sleep(0.002)  # no place to notice a signal: this is how things are undone

    def hold(self) -> None:
        """Wait until it is over; a stopping signal ends it."""
        with signals.held():
            try:
                while not self.is_over():
                    signals.sleep(STARTING)
            except Interrupted:
                self.stop()

    def _listen(self) -> None:
        if self._control is None:
            return
        with suppress(BlockingIOError):
            with suppress(ConnectionResetError):
                while heard := self._control.recv(1 << 12):
                    self._heard += heard
            self._control.close()
            self._control = None


def _start_supervisor(program: Supervised, control: socket.socket, output: int) -> NoReturn:
    """In a child of the command: make the namespaces, in which the next child is the first process."""
    try:
        os.setsid()
        have_own_mounts()  # ip netns exec and systemd's services take theirs with them, and so the guest's file
        where, name = os.path.split(program.guest.path)
        place = os.open(where, os.O_PATH | os.O_DIRECTORY)
        enter(program.guest.fd)
        make_private(program.host_name, program.additions, program.files)
        unshare(CLONE_NEWPID)
        supervisor = os.fork()
        if supervisor == 0:
            _supervise(program, control, output, place, name)
        _tell(control, f"{STARTED} {supervisor}")
    except OSError as error:
        _tell(control, f"{FAILED} {error.filename or ''} {error.strerror}")
    finally:
        os._exit(0)


def _supervise(program: Supervised, control: socket.socket, output: int, place: int, name: str) -> None:
    """Run the program, look after it until it has to end, and end it.

    place and name: the folder, and the name in it, where the guest's namespace is found while the guest is there.
    """
    guest, ifindex = program.guest.identity, program.guest.netlink.index(program.link)
    null = os.open(os.devnull, os.O_RDWR)
    first = os.fork()
    if first == 0:
        _become(program.command, null, output, control)
    for standard in range(3):
        os.dup2(null, standard)
    _close_all_but({0, 1, 2, control.fileno(), place})
    null = 0
    control.setblocking(False)
    ready = kept = False
    try:
        while _identity(place, name) == guest and _is_there(ifindex):
            ended, more = _ended_children()
            if first in ended:
                _tell(control, f"{ENDED} {ended[first]}")
                ready = ended[first] == 0
            if not more:
                break
            if not kept:
                said = _hear(control)
                kept = said == b"" and ready  # whoever started us has left, content
                if said is not None and not kept:
                    break
            signals.sleep(KEEPING if kept else STARTING)
    except Interrupted:
        _part(program, null, control)
    while _ended_children()[1]:
        with suppress(ProcessLookupError):
            os.kill(-1, signal.SIGKILL)  # all of this process namespace but its first
        time.sleep(0.001)


def _part(program: Supervised, null: int, control: socket.socket) -> None:
    """Let the program end by itself, so that it gives back what it has."""
    deadline, last = time.monotonic() + PARTING_LIMIT, 0
    if program.release:
        last = os.fork()
        if last == 0:
            _become(program.release, null, null, control)
    more = True
    while more and last and time.monotonic() < deadline:
        ended, more = _ended_children()
        last = 0 if last in ended else last
        time.sleep(0.005)
    with suppress(ProcessLookupError):
        os.kill(-1, signal.SIGTERM)  # all of this process namespace but its first
    while _ended_children()[1] and time.monotonic() < deadline:
        time.sleep(0.005)


def _become(command: tuple[str, ...], null: int, output: int, control: socket.socket) -> NoReturn:
    """Become the program."""
    try:
        for standard, fd in enumerate((null, output, output)):
            os.dup2(fd, standard)
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # Python ignores it, and that is inherited
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        passed_on = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
        os.execvpe(command[0], command, {**passed_on, "PATH": search_path()})
    except OSError as error:
        _tell(control, f"{FAILED} {error.strerror}")
    finally:
        os._exit(127)


def _tell(control: socket.socket, line: str) -> None:
    with suppress(OSError):  # whoever started us may have gone
        control.send(line.encode("utf-8", "replace") + b"\n")


def _hear(control: socket.socket) -> Optional[bytes]:
    """What we are told; b"" if nobody is there to tell us anything, None if nothing was said."""
    try:
        return control.recv(16)
    except BlockingIOError:
        return None
    except ConnectionResetError:  # nobody, and something that we told is unread
        return b""


def _ended_children() -> tuple[dict[int, int], bool]:
    """The children that have ended, with their exit statuses, and whether there are more."""
    ended: dict[int, int] = {}
    try:
        while True:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if not pid:
                return ended, True
            ended[pid] = os.WEXITSTATUS(status) if os.WIFEXITED(status) else 128 + os.WTERMSIG(status)
    except ChildProcessError:
        return ended, False


def _identity(place: int, name: str) -> Optional[tuple[int, int]]:
    """Device and inode of the namespace that is found there; as Namespace.identity."""
    try:
        status = os.stat(name, dir_fd=place)
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _is_there(ifindex: int) -> bool:
    """Whether a link is there, whatever it is called by now."""
    try:
        return bool(socket.if_indextoname(ifindex))
    except OSError:
        return False


def _close_all_but(kept: set[int]) -> None:
    for name in os.listdir("/proc/self/fd"):
        if int(name) not in kept:
            with suppress(OSError):  # the one that lists them
                os.close(int(name))

"""`python -m tests.vm.user_mode -- COMMAND...`: run a command under a user-mode kernel, over the host's own files.

That is Debian's Linux as a program of this machine: it starts in a second and is five times as fast as an emulated
machine (tests/vm/machine.py), but has no hardware. Its files are those of the host, read-only under a layer that is
thrown away; there is no network but two network cards, eth0 and eth1, that are the two ends of one cable.
"""

from __future__ import annotations

import argparse
import os
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path

from tests.lab.command import CHECKOUT
from tests.lab.guest import need, run
from tests.vm.machine import BROKEN, CARDS, FOLDER, TIMED_OUT, script

HERE = CHECKOUT / "tests" / "vm"
SLOWNESS = 4  # compared with the host: each request to the kernel is a detour
# A namespace of its own, which is on one cable with the kernel's cards and on another with the command's input and
# output: TCP, since the kernel's terminals lose what is fed to them too fast.
# What runs beside it waits for the clock, and it does not: its patience is many times as long.
APART = ("nice", "-n", "5", "setpriv", "--pdeathsig", "KILL", "unshare", "--net", "--pid", "--fork", "--kill-child")
CABLES = (
    ("sysctl", "-qw", "net.ipv6.conf.default.disable_ipv6=1"),
    *(("ip", *words.split()) for words in ("link add end0 type veth peer name end1", "tuntap add feed mode tap")),
    ("ip", "addr", "add", "192.0.2.1/30", "dev", "feed"),
    *(("ip", "link", "set", name, "up") for name in ("end0", "end1", "feed")),
)


def _argv(folder: Path, console: int, status: int, port: int) -> list[str]:
    """The kernel's command line; it writes to open files what happens on its console, and its status."""
    cards = [f"vec{number}:transport=raw,ifname=end{number},mac={mac}" for number, mac in enumerate(CARDS)]
    return [
        *(need("linux.uml"), "mem=2G", f"uml_dir={folder}", "rootfstype=hostfs", "rootflags=/", "ro", "quiet"),
        *("con=null", f"con0=null,fd:{console}", "ssl=null", "ssl0=null,fd:2", f"ssl1=null,fd:{status}"),
        *(*cards, "vec2:transport=tap,ifname=feed,depth=64", f"init={HERE}/user-mode-init"),
        *(f"second_init={HERE}/second-init", f"job={folder}/job", f"checkout={CHECKOUT}", f"feed=192.0.2.1/{port}"),
    ]


def _carry(source: int, sink: int) -> None:
    """Pass on what comes, as it comes."""
    try:
        while told := os.read(source, 1 << 16):
            while told:
                told = told[os.write(sink, told) :]
    except ConnectionError:
        pass  # one of them has ended


def boot(command: Sequence[str], timeout: float, fed: bool = False) -> int:
    """Boot, run the command in the checkout, and return its exit status."""
    for words in CABLES:
        run(*words)
    place = Path(os.environ.get(FOLDER) or CHECKOUT / ".cache")
    with tempfile.TemporaryDirectory(prefix="machine-", dir=place) as name, socket.socket() as server:
        server.bind(("192.0.2.1", 0))
        server.listen()
        folder = Path(name)
        (folder / "job").write_text(script(command, SLOWNESS))
        with (folder / "console").open("wb") as console, (folder / "status").open("wb") as status:
            files = console.fileno(), status.fileno()
            argv = _argv(folder, *files, server.getsockname()[1])
            # The kernel and what runs under it take turns: on one processor that is three times as fast as on two.
            os.sched_setaffinity(0, {len(list(place.glob("machine-*"))) % (os.cpu_count() or 1)})
            process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=console, pass_fds=files)

        def serve() -> None:
            with server.accept()[0] as feed:
                if fed:
                    threading.Thread(target=_carry, args=(0, feed.fileno()), daemon=True).start()
                _carry(feed.fileno(), 1)

        serving = threading.Thread(target=serve, daemon=True)
        serving.start()
        try:
            process.wait(timeout)
            serving.join(10)
        except subprocess.TimeoutExpired:
            print(f"user_mode: no end within {timeout:.0f} s\n{_tail(folder)}", file=sys.stderr)
            return TIMED_OUT
        finally:
            process.kill()
        ended = (folder / "status").read_text().strip()
        if not ended:
            print(f"user_mode: broke down\n{_tail(folder)}", file=sys.stderr)
        return int(ended or BROKEN)


def _tail(folder: Path) -> str:
    return (folder / "console").read_text(errors="replace")[-4000:]


def main() -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="python -m tests.vm.user_mode", description=__doc__)
    parser.add_argument("--timeout", type=float, default=3600, help="seconds for boot and command together")
    parser.add_argument("--fed", action="store_true", help="give it this process's standard input")
    parser.add_argument("--apart", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("command", nargs="+", help="the command and its arguments, after --")
    wanted = parser.parse_args()
    if len(str(CHECKOUT).split()) != 1:
        parser.error(f"the kernel's command line cannot hold a path with blanks: {CHECKOUT}")
    if not wanted.apart:
        os.execvp(APART[0], [*APART, sys.executable, "-m", "tests.vm.user_mode", "--apart", *sys.argv[1:]])
    return boot(wanted.command, wanted.timeout, wanted.fed)


if __name__ == "__main__":
    sys.exit(main())

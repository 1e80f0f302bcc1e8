"""`python -m tests.vm.machine -- COMMAND...`: run a command in a virtual machine over the host's own files.

The files are read-only under a layer that is thrown away; the kernel is Debian's; there is no network but two
network cards, eth0 and eth1, that are the two ends of one cable. With --root files and kernel are those of another
Debian that tests.hosts has made, and the command runs in the copy there.
"""

from __future__ import annotations

import argparse
import os
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from tests.hosts.root import COPY, KERNEL
from tests.lab.command import CHECKOUT
from tests.vm.kernel import CACHE, prepare, ready

BROKEN = 125  # the exit status for a machine that never told how the command ended
TIMED_OUT = 124
SLOWNESS = 10  # emulation, compared with the host
PASSED_ON = ("PIPEWORK_ORIGINAL", "PIPEWORK_INSTALLED")  # what of the environment the command may need
FOLDER = "PIPEWORK_MACHINES"  # where to have their files, for one who removes them if they are killed
CARDS = ("52:54:00:00:00:01", "52:54:00:00:00:02")


class Files(NamedTuple):
    """Whose the machine has: the root of the file system, and where in that the checkout and the kernel are."""

    root: Path
    checkout: Path
    kernel: Path

    def here(self, path: Path) -> Path:
        """Where one of the machine's files is for us."""
        return self.root / path.relative_to("/")

    def there(self, path: Path) -> Path:
        """Where the machine sees one of our files."""
        return Path("/") / path.relative_to(self.root)


OWN = Files(Path("/"), CHECKOUT, CACHE)


def _devices(folder: Path, files: Files) -> list[str]:
    """Options for the machine's devices; what happens on its console and its status land in the folder."""
    options = [
        "-device", "virtio-serial-pci",
        # The command's input, output and errors are ours, as they come.
        "-chardev", "stdio,id=output,signal=off", "-device", "virtserialport,chardev=output,name=output",
        "-chardev", "file,id=errors,path=/dev/stderr,append=on",
        "-device", "virtserialport,chardev=errors,name=errors",
        "-chardev", f"file,id=status,path={folder}/status", "-device", "virtserialport,chardev=status,name=status",
        "-serial", f"file:{folder}/console",
        "-fsdev", f"local,id=host,path={files.root},security_model=none,readonly=on,multidevs=remap",
        "-device", "virtio-9p-pci,fsdev=host,mount_tag=host",
    ]  # fmt: skip
    for number, address in enumerate(CARDS):
        options += ["-netdev", f"hubport,id=card{number},hubid=0"]
        options += ["-device", f"virtio-net-pci,netdev=card{number},mac={address},romfile="]
    return options


def script(command: Sequence[str], slowness: int) -> str:
    """The shell's lines that run a command where it finds in its environment where it is, and how slow that is."""
    told = {"PIPEWORK_MACHINE": "1", "PIPEWORK_LAB_SLOW": str(slowness)}
    told.update({name: os.environ[name] for name in PASSED_ON if name in os.environ})
    words = shlex.join(f"{name}={value}" for name, value in told.items())
    return f"export {words}\nexec {shlex.join(command)}\n"


def boot(command: Sequence[str], timeout: float, fed: bool = False, files: Files = OWN) -> int | None:
    """Boot, run the command in the checkout, and return its exit status; None if the machine broke down."""
    kernel = ready(files.here(files.kernel))
    place = os.environ.get(FOLDER, CACHE) if files is OWN else files.here(files.kernel)
    with tempfile.TemporaryDirectory(prefix="machine-", dir=place) as name:
        folder = Path(name)
        job = folder / "job"
        job.write_text(script(command, SLOWNESS))
        # norandmaps: what is emulated is translated once for each address, so libraries had better stay at theirs.
        # init_on_alloc=0, transparent_hugepage=never: clearing memory, and what forgets large pages, take a tenth.
        line = (
            f"console=ttyS0 quiet loglevel=4 panic=-1 mitigations=off nokaslr norandmaps no_timer_check "
            f"init_on_alloc=0 transparent_hugepage=never "
            f"rcupdate.rcu_expedited=1 second_init={files.checkout}/tests/vm/second-init job={files.there(job)} "
            f"modules={files.there(kernel.modules)} checkout={files.checkout}"
        )
        # Emulation always: where there is KVM inside a virtual machine, it may be there and not work.
        # One processor: while a kernel patches its own code, a second emulated one may run half of it and panic.
        argv = [
            # What runs beside it waits for the clock, and it does not: its patience is ten times as long.
            "nice", "-n", "5",
            "setpriv", "--pdeathsig", "KILL",  # it does not outlive us
            "qemu-system-x86_64", "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot",
            "-machine", "q35", "-accel", "tcg", "-cpu", "max", "-smp", "1", "-m", "4G",
            "-kernel", str(kernel.image), "-initrd", str(kernel.initramfs), "-append", line,
            *_devices(folder, files),
        ]  # fmt: skip
        # A standard input that ends closes the command's output as well; one of ours stays open and empty.
        with subprocess.Popen(argv, stdin=None if fed else subprocess.PIPE) as process:
            try:
                process.wait(timeout)
            except subprocess.TimeoutExpired:
                print(f"machine: no end within {timeout:.0f} s\n{_tail(folder)}", file=sys.stderr)
                return TIMED_OUT
            finally:
                process.kill()
        status = (folder / "status").read_text().strip() if (folder / "status").exists() else ""
        if status:
            return int(status)
        print(f"machine: broke down\n{_tail(folder)}", file=sys.stderr)
        return None


def _tail(folder: Path) -> str:
    console = folder / "console"
    return console.read_text(errors="replace")[-4000:] if console.exists() else "(nothing on its console)"


def main() -> int:
    """Run the command; a machine that breaks down gets a second try."""
    parser = argparse.ArgumentParser(prog="python -m tests.vm.machine", description=__doc__)
    parser.add_argument("--timeout", type=float, default=3600, help="seconds for boot and command together")
    parser.add_argument(
        "--fed", action="store_true", help="give it this process's standard input, which has to outlast it"
    )
    parser.add_argument("--root", type=Path, help="another Debian's root file system")
    parser.add_argument("command", nargs="+", help="the command and its arguments, after --")
    wanted = parser.parse_args()
    if len(str(CHECKOUT).split()) != 1:
        parser.error(f"the kernel's command line cannot hold a path with blanks: {CHECKOUT}")
    files = Files(wanted.root, Path("/", COPY), Path("/", KERNEL)) if wanted.root else OWN
    if files is OWN:
        prepare()
    sys.stdout.flush()
    # What has been fed to one is not there for another.
    for _ in range(1 if wanted.fed else 2):
        status = boot(wanted.command, wanted.timeout, wanted.fed, files)
        if status is not None:
            return status
    return BROKEN


if __name__ == "__main__":
    sys.exit(main())

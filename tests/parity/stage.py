"""A host with its guests, on which one row runs through one program."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple, Union

import psutil

from tests.lab.engine import OFFICIAL, Container, docker
from tests.lab.guest import SLOW, Guest, eventually
from tests.lab.host import Host
from tests.lab.netns import DhcpServer, Nic
from tests.lab.switch_host import SwitchHost
from tests.parity.guests import AnyGuest

NIC, NIC_MAC = "nic0", "02:00:5e:10:00:aa"
NAMED = Path("/run/netns")
RESOLVER = Path("/etc/resolv.conf")
DHCP_CLIENTS = frozenset(("udhcpc", "dhclient", "dhcpcd"))
OURS = "/run/pipework/"

# What a DHCP client and its scripts write; of /run only what a row needs is still there.
PRIVATE = """
mount -t tmpfs private /mnt
mkdir -p /mnt/run/netns /mnt/run/lock
cp -a /etc /mnt/etc
mount --rbind /run/netns /mnt/run/netns
touch /mnt/run/docker.sock
mount --bind /run/docker.sock /mnt/run/docker.sock
for folder in /var/lib/dhcp /var/lib/dhcpcd; do
    mkdir -p "$folder"
    mount -t tmpfs private "$folder"
done
mount --rbind /mnt/run /run
mount --bind /mnt/etc /etc
touch /mnt/begun
echo ready
read -r end
"""


class Files:
    """A mount and a UTS namespace in which whatever is written to /etc, /run and among leases harms nobody."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._resolver, self._name = self._run("cat", str(RESOLVER)), self._run("hostname")

    def enter(self, *argv: str) -> list[str]:
        """Return the command line that runs argv in there."""
        return ["nsenter", f"--mount=/proc/{self._pid}/ns/mnt", f"--uts=/proc/{self._pid}/ns/uts", "--", *argv]

    def _run(self, *argv: str) -> str:
        return subprocess.run(self.enter(*argv), capture_output=True, text=True, check=True).stdout

    def overwritten(self) -> bool:
        """Tell whether the resolver's configuration is another."""
        return self._run("cat", str(RESOLVER)) != self._resolver

    def renamed(self) -> bool:
        """Tell whether the machine has another name."""
        return self._run("hostname") != self._name

    def written(self) -> list[str]:
        """Return the files that have been written, but for pipework's own."""
        written = "-type", "f", "-newer", "/mnt/begun"
        places = "/etc", "/run", "/var/lib/dhcp", "/var/lib/dhcpcd"
        found = self._run("find", *places, "-path", "/run/netns", "-prune", "-o", *written, "-print")
        return [path for path in found.split() if not path.startswith(OURS)]


@contextmanager
def private_files() -> Iterator[Files]:
    """Such files, as long as the block lasts; what is unmounted outside meanwhile is unmounted in there, too."""
    argv = ["unshare", "--mount", "--uts", "--propagation=slave", "sh", "-ec", PRIVATE]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        if process.stdout.readline() != "ready\n":
            raise RuntimeError("no private files for DHCP clients")
        yield Files(process.pid)


class Machine(Guest):
    """The machine itself as the host, for what cannot be seen on any other; in the virtual machine only."""

    def __init__(self) -> None:
        super().__init__("machine", None)

    def argv(self, *words: str) -> list[str]:
        """Return the command line that runs a program on this host."""
        return list(words)


class Stage(NamedTuple):
    """A host with its guests, two where the row names another, and what else the row's stage has.

    patience: how many seconds ours may wait for a lease; limit: how many any command may take.
    """

    host: Union[Host, Machine]
    guest: AnyGuest
    other: AnyGuest
    nic: Union[Nic, None] = None
    switch: Union[SwitchHost, None] = None
    server: Union[DhcpServer, None] = None
    files: Union[Files, None] = None
    patience: str = ""
    limit: float = 120 * SLOW

    @property
    def names(self) -> dict[str, str]:
        """What the placeholders of a row stand for."""
        cid = self.guest.id if isinstance(self.guest, Container) else ""
        return {
            "guest": self.guest.name,
            "other": self.other.name,
            "cid": cid,
            "shortid": cid[:12],
            "pid": str(self.guest.pid),
            "nic": NIC,
            "nicmac": NIC_MAC,
            "reserved": self.server.reserved_mac if self.server else "",
        }

    def plain(self, text: str) -> str:
        """The text with what differs from stage to stage replaced."""
        for guest, number in ((self.guest, ""), (self.other, "2")):
            if isinstance(guest, Container):
                text = text.replace(guest.id, f"ID{number}")
            text = text.replace(guest.name, f"GUEST{number}").replace(str(guest.pid), f"PID{number}")
        return text

    def left(self) -> list[str]:
        """What is in /run/netns for the guests."""
        return [name for name in {str(self.guest.pid), str(self.other.pid)} if os.path.lexists(NAMED / name)]

    def run(self, *argv: str) -> subprocess.CompletedProcess[str]:
        """Run a program as a user of this host does; exit status 124: it had not ended within the limit."""
        words = self.host.argv("timeout", str(self.limit), *argv)
        return subprocess.run(
            self.files.enter(*words) if self.files else words,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=2 * self.limit,
            env={**os.environ, **(self.switch.env if self.switch else {}), "PIPEWORK_DHCP_TIMEOUT": self.patience},
            check=False,
        )

    def switch_rows(self) -> list[str]:
        """What the switch's database has; it puts quotation marks around ids that do not begin with a letter."""
        assert self.switch
        return sorted(self.plain(row.replace('"', "")) for row in self.switch.rows().splitlines())

    def leases(self) -> list[str]:
        """What the DHCP server has given out, and what it was told."""
        assert self.server
        told = [line.rpartition(" vendor class: ")[2] for line in self.server.log.read_text().splitlines()
                if " vendor class: " in line]  # fmt: skip
        leases = [f"{lease.address} {self.plain(lease.hostname)}" for lease in self.server.leases()]
        return [*leases, *sorted(set(told))]

    def clients(self) -> list[psutil.Process]:
        """The DHCP clients that work for the guest, with their helpers."""
        inside = os.stat(f"/proc/{self.guest.pid}/ns/net").st_ino
        found = []
        for process in psutil.process_iter(["name"]):
            try:
                there = os.stat(f"/proc/{process.pid}/ns/net").st_ino == inside
            except OSError:
                continue
            if there and process.info["name"] in DHCP_CLIENTS:
                found.append(process)
        return found

    def end_clients(self) -> None:
        """End them, and remove the containers in which they run."""
        for ident in docker("ps", "-aq", f"--filter=ancestor={OFFICIAL}").split():
            mode = docker("inspect", "--format={{.HostConfig.NetworkMode}}", ident, check=False).strip()
            if mode == f"container:{self.names['cid']}":
                docker("rm", "-f", ident)
        for process in self.clients():
            try:
                process.kill()
            except psutil.NoSuchProcess:
                continue
        assert eventually(lambda: not self.clients()), self.clients()

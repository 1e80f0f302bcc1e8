"""Leases: a DHCP client of the host, or of the busybox image, gives a guest's link an address.

The kernel tells whether a lease was had: the address is on the link.  The client has finished with it, routes and
all, when it goes to the background, or ends.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from contextlib import suppress

from pipework.actions.announce import Announce
from pipework.actions.base import Action
from pipework.actions.notes import KeepOnceThere
from pipework.address import Address
from pipework.errors import Refused, warn
from pipework.kernel import processes, signals
from pipework.kernel.bare import signal
from pipework.kernel.namespaces import Namespace
from pipework.kernel.supervisor import Supervised
from pipework.notes import Lease
from pipework.quoting import quote
from pipework.typed import Callable, Optional

ENDING_LIMIT = 10.0  # seconds that a client may take to give its lease back
PAUSE = 0.02  # seconds between two looks
# of the shell line: the host name is set, and what the client writes is kept from the host, as far as a line can
HIDDEN = ("/run", "/var/lib")
APART = (
    'hostname "$0" && mount -t tmpfs tmpfs /run && mount -t tmpfs tmpfs /var/lib && mkdir /var/lib/dhcp /var/lib/dhcpcd'
    " && touch /run/resolv.conf && { [ -L /etc/resolv.conf ] || mount --bind /run/resolv.conf /etc/resolv.conf; }"
)
LAST_LINES = 4  # of what a client has printed, to show when it fails


class StartClient(Action):
    """Start a client of the host for a guest's link; undone, nothing of it runs."""

    client: Supervised

    def do(self) -> None:
        self.client.start()

    def undo(self) -> None:
        self.client.stop()

    def say(self) -> str:
        words = " ".join(
            quote(word) for word in (_apart(self.client.files), self.client.host_name, *self.client.command)
        )
        return self.client.guest.say(f"unshare --mount --uts sh -c {words}")


def _apart(files: Sequence[str]) -> str:
    """The lines that set a client apart and then become it; it sees these files although they are where its own are."""
    places = [os.path.realpath(file) for file in files if os.path.isfile(file)]
    by_folder = {folder: [place for place in places if place.startswith(f"{folder}/")] for folder in HIDDEN}
    hidden = [quote(place) for there in by_folder.values() for place in there]
    aside = ["mount -t tmpfs tmpfs /mnt", f"cp --parents {' '.join(hidden)} /mnt"] if hidden else []
    back = [f"cp -R /mnt{folder}/. {folder}" for folder, there in by_folder.items() if there]
    return " && ".join((*aside, APART, *back, 'exec "$@"'))


class AwaitLease(Action):
    """Wait until the client has a lease; patience in seconds."""

    client: Supervised
    family: int
    patience: float

    def do(self) -> None:
        wait_for_lease(self._has_lease, self.client.link, self.patience)

    def _has_lease(self) -> bool:
        client = self.client
        status, over = client.status(), client.is_over()
        there = leased(client.guest, client.link, self.family) is not None
        if status == 0 and there:
            return True
        if status or over:
            raise ended(client.command[0], status, client.output())
        return False


class StopClient(Action):
    """See that nothing of a client runs on that has done all it was to do."""

    client: Supervised

    def do(self) -> None:
        self.client.stop()


class NoteLease(KeepOnceThere):
    """Keep who looks after a client that stays, for whoever will end it."""

    client: Supervised

    def note(self) -> Lease:
        guest, link = self.client.guest, self.client.link
        return Lease(guest.cookie, link, guest.netlink.index(link), "", self.client.supervisor(), "")


class EndClient(Action):
    """End a client of the host that stays: it gives its lease back, which nobody can undo.

    is_final: whether the wire is to go with it, whatever comes.
    """

    note: Lease
    is_final: bool = False

    def do(self) -> None:
        supervisor, deadline = self.note.supervisor, time.monotonic() + ENDING_LIMIT
        pid = int(supervisor.partition(".")[0])
        if processes.is_alive(supervisor):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)
        while processes.is_alive(supervisor):
            if time.monotonic() > deadline:
                raise Refused(f"the DHCP client of {self.note.ifname} does not end", f"Look at it: pstree -p {pid}")
            time.sleep(PAUSE)  # whatever signal arrives: it has been told
        self.note.erase()

    def undo(self) -> None:
        warn_of_lease(self.note)

    def say(self) -> str:
        pid = self.note.supervisor.partition(".")[0]
        return f"kill {pid}\ntail --pid={pid} -f /dev/null" if processes.is_alive(self.note.supervisor) else ""


class AnnounceLease(Action):
    """Tell the neighbours once where the leased address lives."""

    namespace: Namespace
    link: str
    family: int

    def do(self) -> None:
        address = leased(self.namespace, self.link, self.family)
        if address:
            Announce(self.namespace, self.link, address).do()

    def undo(self) -> None:
        """Nothing: a frame cannot be called back."""


def leased(namespace: Namespace, link: str, family: int) -> Optional[Address]:
    """The address of that family that a link has and that may be a lease's."""
    netlink = namespace.netlink
    for address in netlink.addresses(netlink.index(link)):
        if address.may_be_leased(family):
            return address.interface.ip
    return None


def wait_for_lease(has_lease: Callable[[], bool], link: str, patience: float) -> None:
    """Look until the lease is there.  Raises Refused after patience seconds."""
    deadline = time.monotonic() + patience
    while not has_lease():
        if time.monotonic() > deadline:
            raise Refused(
                f"no DHCP server gave {link} a lease within {patience:g} s",
                "Is there one on that network?  PIPEWORK_DHCP_TIMEOUT says how many seconds to wait.",
            )
        signals.sleep(PAUSE)


def warn_of_lease(note: Lease) -> None:
    """Say that a lease does not come back."""
    warn(f"the lease of {note.ifname} is given back; for another, type the line that got it again, with --replace")


def ended(client: str, status: Optional[int], output: str) -> Refused:
    """The error that a client has ended without a lease, with the last of what it said."""
    how = "was ended" if status is None else f"ended with exit status {status}"
    said = [line.strip() for line in output.splitlines() if line.strip()]
    return Refused(f"{client} {how} and brought no lease", "\n".join(said[-LAST_LINES:]))

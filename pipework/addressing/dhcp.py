"""An address by DHCP: a client that gets the lease once the link is up.

``dhcp``, ``udhcpc`` and ``dhclient`` end once the lease is had.  ``udhcpc-f``, ``dhclient-f``, ``dhcpcd`` and
``dhcp:-f`` stay in the background and renew it until the guest, or its link, is gone.  A client of the host that
is told to stay in the foreground in its own tongue (``udhcpc-f:-f``, ``dhclient-f:-d``, ``dhcpcd:-B``) holds the
terminal for as long.
"""

from __future__ import annotations

import math
import os
from collections.abc import Sequence

from pipework.actions.base import Action
from pipework.actions.default_route import PostponeDefault
from pipework.actions.dhcp import AnnounceLease, AwaitLease, NoteLease, StartClient, StopClient
from pipework.address import AnyAddress, Dhcp
from pipework.addressing.base import Part, Room
from pipework.errors import BadArgument, NotInstalled, Refused
from pipework.kernel.containment import is_contained
from pipework.kernel.programs import find_program
from pipework.kernel.supervisor import Supervised
from pipework.links.base import Wire
from pipework.typed import Callable, Optional
from pipework.value import Value

PATIENCE = "PIPEWORK_DHCP_TIMEOUT"
DEFAULT_PATIENCE = 30.0  # seconds
LONGEST_HOST_NAME = 255  # octets of a DHCP option, RFC 2132, 3.14


class Client(Value):
    """A client of the host: where Debian has it, its flag for the foreground, its arguments.

    arguments takes the link, the guest's host name and whether the client stays; configuration, if there is one,
    is a file that says the host name where no argument can, release what gives its lease back before it is told to
    end, if it does not do so by itself; remark says where else to look if Debian has it no more.
    """

    package: str
    foreground: str
    arguments: Callable[[str, str, bool], list[str]]
    configuration: str = ""
    release: tuple[str, ...] = ()
    remark: str = ""


def _udhcpc(link: str, name: str, stays: bool) -> list[str]:
    return ["-i", link, "-x", f"hostname:{name}", "-p", "/run/udhcpc.pid", "-R" if stays else "-q"]


# the usual places, which AppArmor insists on, and nobody else sees
DHCLIENT_FILES = ("-pf", "/run/dhclient.pid", "-lf", "/var/lib/dhcp/dhclient.leases")


def _dhclient(link: str, name: str, stays: bool) -> list[str]:
    return [*DHCLIENT_FILES, link]


def _dhcpcd(link: str, name: str, stays: bool) -> list[str]:
    # known to the server by its MAC; no address of its own making; its patience is ours
    return ["-q", "-h", name, "-I", "", "--noipv4ll", "--waitip=4", "-t", "0", link]


CLIENTS = {
    "udhcpc": Client("udhcpc", "-f", _udhcpc),
    "dhclient": Client(
        "isc-dhcp-client",
        "-d",
        _dhclient,
        "/etc/dhcp/dhclient.conf",
        ("dhclient", "-r", *DHCLIENT_FILES),
        " (until Debian 13), or write udhcpc or dhcpcd",
    ),
    "dhcpcd": Client("dhcpcd-base", "-B", _dhcpcd, release=("dhcpcd", "-k")),
}


def plan(wire: Wire, dhcp: Dhcp, room: Room) -> Part:
    """Refuse whatever can be seen to be missing: client, image, a kind of guest that can have it; then decide."""
    guest, link, family = wire.near.namespace, wire.ifname, dhcp.family
    obtain = _in_container(wire, dhcp) if dhcp.client == "dhcp" else _of_host(wire, dhcp, family)
    settle: list[Action] = [PostponeDefault(guest, room.routes)] if room.routes else []
    settle += obtain
    if room.routes:
        settle.append(room.yielded(guest, link))
    settle.append(AnnounceLease(guest, link, family))
    return Part(settle=settle, hold=_holder(obtain, dhcp))


def _of_host(wire: Wire, dhcp: Dhcp, family: int) -> Sequence[Action]:
    kind = CLIENTS[dhcp.client]
    if find_program(dhcp.client) is None:
        hint = f"Install it: apt-get install {kind.package}{kind.remark}"
        raise NotInstalled(f"{dhcp.client} is not installed", hint)
    client_stays = stays(dhcp)
    if client_stays and is_contained():
        raise Refused(
            f"{dhcp.client} would end with this container, and nobody would renew the lease",
            "Write dhcp:-f, whose client is in a container of its own, or run this on the host.",
        )
    options = [option for option in dhcp.options if option != kind.foreground] if client_stays else dhcp.options
    name = _host_name(wire.near.host_name or wire.near.name)
    command = [dhcp.client, *kind.arguments(wire.ifname, name, client_stays), *options]
    additions = {kind.configuration: f'\nsend host-name "{name}";\n'} if kind.configuration else {}
    release = [*kind.release, wire.ifname] if kind.release else []
    client = Supervised(command, wire.near.namespace, wire.ifname, name, additions, release, _named_files(options))
    end = NoteLease(client) if client_stays else StopClient(client)
    return [StartClient(client), AwaitLease(client, family, _patience()), end]


def _named_files(options: Sequence[str]) -> list[str]:
    """The absolute paths in a client's options: -s /PATH, -s/PATH, --script=/PATH, -e NAME=/PATH."""
    return [option[option.index("/") :] for option in options if "/" in option]


def _in_container(wire: Wire, dhcp: Dhcp) -> Sequence[Action]:
    if wire.near.runtime != "docker":
        raise Refused(
            f"dhcp runs its client in a Docker container, which cannot share the network of {wire.near.name}",
            "Write udhcpc in its place, which runs this host's client.",
        )
    from pipework.actions import dhcp_container as contained  # docker takes its time to import
    from pipework.guests import docker

    client_stays = stays(dhcp)
    patience = _patience()
    engine = docker.engine().url
    contained.check_engine(engine, wire.near.id, client_stays)
    arguments = ("-i", wire.ifname, "-x", f"hostname:{_host_name(wire.near.name)}", *dhcp.options)
    arguments += ("-R",) if client_stays else ("-q",)
    client = contained.Client(engine, wire.near.namespace, wire.ifname, wire.near.id, arguments, client_stays)
    return [
        contained.CreateClient(client),
        contained.StartClientInContainer(client),
        contained.AwaitLeaseInContainer(client, patience),
        contained.NoteClient(client) if client_stays else contained.RemoveClient(client),
    ]


def stays(dhcp: Dhcp) -> bool:
    """Whether its client goes on once the lease is had, to renew it."""
    if dhcp.client == "dhcp":
        return "-f" in dhcp.options
    return dhcp.foreground or dhcp.client == "dhcpcd" or holds(dhcp)


def holds(dhcp: Dhcp) -> bool:
    """Whether a client of the host is told to stay in the foreground; what udhcpc does then, only -f says."""
    told = dhcp.client in CLIENTS and CLIENTS[dhcp.client].foreground in dhcp.options
    return told and (dhcp.foreground or dhcp.client != "udhcpc")


def check_lasts(addresses: Sequence[AnyAddress]) -> None:
    """Refuse what a line cannot ask for that is done without a terminal.  Raises BadArgument."""
    for address in addresses:
        if isinstance(address, Dhcp) and holds(address):
            raise BadArgument(
                f"ADDRESS {address.text} holds the terminal",
                "Leave the option for the foreground out: udhcpc-f, dhclient-f and dhcpcd stay without one.",
            )


def _holder(obtain: Sequence[Action], dhcp: Dhcp) -> Optional[Callable[[], None]]:
    first = obtain[0]
    return first.client.hold if isinstance(first, StartClient) and holds(dhcp) else None


def _host_name(guest: str) -> str:
    """The guest's name, as far as a host name can have it."""
    plain = "".join(c if c.isascii() and (c.isalnum() or c in "-_.") else "-" for c in os.path.basename(guest))
    return plain.strip("-.")[:LONGEST_HOST_NAME] or "guest"


def _patience() -> float:
    """How many seconds to wait for a lease.  Raises BadArgument."""
    text = os.environ.get(PATIENCE, "")
    if not text:
        return DEFAULT_PATIENCE
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0 < seconds < math.inf:
        raise BadArgument(f"{PATIENCE}={text!r} is not a number of seconds", f"Such as {PATIENCE}=30, or leave it out.")
    return seconds

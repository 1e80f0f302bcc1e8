"""Lines that a container brings along, as annotations or labels: what they may not ask for."""

from __future__ import annotations

from collections.abc import Container

from pipework import links
from pipework.address import Dhcp
from pipework.errors import BadArgument, Refused
from pipework.guests.base import Guest
from pipework.kernel.namespaces import Namespace
from pipework.marks import read_mark
from pipework.model import Attach
from pipework.typed import Sequence


def check_own(
    attach: Attach, host: Namespace, guest: Guest, allow: Sequence[str], command: str, taken: Container[str]
) -> str:
    """Refuse what whoever may start a container may not have.  Raises Refused.

    allow: names of NICs of this host that such lines may use, command: what is typed to allow one, taken: names of
    links that other lines ask for.  What comes back is the one that this line asks for.
    """
    for address in attach.addresses:
        if isinstance(address, Dhcp) and (address.client == "dhcp" or address.options):
            raise BadArgument(
                f"ADDRESS {address.text} would have the engine, or this host, run what the line says",
                "Write udhcpc, dhclient or dhcpcd, without options.",
            )
    if attach.filters:
        raise BadArgument(
            f"--filter would change {attach.hostif}, which others are on",
            "Leave it out, and turn it on once as root of this host: pipework --filter ...",
        )
    nic, ifname = _nic_and_ifname(attach, host, guest)
    if ifname in taken:
        raise BadArgument(f"another line asks for {ifname}, too", "Name it with -i.")
    allowed = {link.name for link in map(host.netlink.link, allow) if link}.union(allow)
    if nic and allowed.isdisjoint((attach.hostif, nic)):
        raise Refused(
            f"HOSTIF {nic} is a NIC of this host, which lines of containers may not use",
            f"Use a bridge, or allow it: {command} --allow {','.join([*allow, nic])}",
        )
    held = host.netlink.link(attach.local_name) if attach.local_name else None
    mark = read_mark(held) if held else None
    if held and (mark is None or mark.guest != guest.name):
        raise Refused(f"-l {held.name} is a link of this host already", "Choose another name, or leave -l out.")
    return ifname


def _nic_and_ifname(attach: Attach, host: Namespace, guest: Guest) -> tuple[str, str]:
    """The NIC of this host that a line would use, "" for none, and the name of the guest's end.  Raises Refused."""
    try:
        kind, asked = links.resolve(attach, host, guest)
    except Refused:
        if not attach.direct_phys:
            raise
        return attach.hostif, attach.ifname or "eth1"  # it may be on loan already
    return asked.hostif if kind.uses_nic else "", asked.ifname

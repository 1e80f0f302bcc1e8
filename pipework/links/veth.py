"""What bridge and Open vSwitch have in common: a veth pair, one end a port on the host, the other in the guest."""

from __future__ import annotations

from collections.abc import Sequence

from pipework.actions.base import Action
from pipework.actions.links import CreateVeth, DeleteLink
from pipework.kernel.namespaces import Namespace
from pipework.kernel.records import Link
from pipework.links.base import Host, LinkKind, Wire, Wired, check_mtu, mark_unfinished
from pipework.links.stash import Way, removal, stash
from pipework.marks import digest_name
from pipework.model import LONGEST_NAME
from pipework.typed import Optional

SHORTENED = "vpl"  # in front of the digest of a name that is too long
DEFAULT_MTU = 1500  # of a new bridge, in bytes


class VethKind(LinkKind):
    """A pair is removed, and found half made, by its host's end."""

    def remove(self, host: Host, guest: Namespace, wired: Wired) -> Sequence[Action]:
        return (DeleteLink(host.namespace, wired.link),)

    def put_aside(self, host: Host, wire: Wire, there: Wired) -> Way:
        end = host.named(there.link)
        assert end and there.there
        first = [*stash(host.namespace, end), *stash(wire.near.namespace, there.there, is_guests=True)]
        return Way(first, [removal(host.namespace, end)])


def local_name(wire: Wire) -> str:
    """The host's end of a veth pair: LOCALNAME, or ``v<IFNAME>pl<PID>`` as the original has it.

    Where that is longer than a link's name may be, ``vpl`` and a digest take its place.
    """
    name = wire.request.local_name or f"v{wire.ifname}pl{wire.near.tag}"
    return name if len(name) <= LONGEST_NAME else digest_name(SHORTENED, name)


def is_default_name(name: str) -> bool:
    """Whether a host's end may have that name because no other was asked for."""
    return name.startswith(SHORTENED) or (name.startswith("v") and "pl" in name)


def make_pair(wire: Wire, local: str, mtu: Optional[int], master: Optional[str]) -> list[Action]:
    """Make the pair.  mtu: of the bridge, None if it is new; master: the Linux bridge to be a port of.

    Another MTU is for the guest's end alone: that of a port becomes the bridge's.  Raises Refused.
    """
    guest, mac = wire.near.namespace, wire.request.mac
    check_mtu(wire, wire.hostif, mtu or DEFAULT_MTU)
    pair = CreateVeth(wire.far, local, guest, wire.ifname, mtu or DEFAULT_MTU, mac, master)
    return [pair, mark_unfinished(wire.far, local)]


def half_made_ends(host: Host) -> list[Link]:
    """The host's ends that a killed run has left."""
    left = host.left_over()
    return [link for link in host.links if link.kind == "veth" and link.name in left]

"""What each kind of bridge offers to a NIC that becomes its uplink, and who is to answer over it."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import ip_address

from pipework.actions.base import Action
from pipework.address import Address
from pipework.kernel.namespaces import Namespace
from pipework.kernel.records import Link
from pipework.notes import Home
from pipework.typed import Optional
from pipework.value import Value


class Plan(Value):
    """What makes an uplink: at once, while no other command may plug; what has to come true then; what closes the run.

    home: what the NIC has before, None where there is nothing to do; targets: who has to answer; told: lines about
    others that mind the NIC.
    """

    at_once: Sequence[Action] = ()
    awaited: Sequence[Action] = ()
    done: Sequence[Action] = ()
    home: Optional[Home] = None
    targets: tuple[Address, ...] = ()
    told: tuple[str, ...] = ()


class Join(Value):
    """The steps of one kind: have the bridge, give it the NIC's MAC, make the NIC its port, wait for its spanning tree,
    let a bridge that was made be one that stays."""

    bridge: Sequence[Action]
    mac: Sequence[Action]
    port: Sequence[Action]
    opening: Sequence[Action] = ()
    adopt: Sequence[Action] = ()


class BridgeKind:
    """A kind of bridge.  there: its link, None if it is missing; is_switch: whether it is Open vSwitch's."""

    is_switch = False

    def check(self, bridge: str, there: Optional[Link], nic: Link) -> None:
        """Refuse what can be seen not to work.  Raises Refused."""

    def has_port(self, bridge: str, nic: Link, there: Optional[Link]) -> bool:
        """Whether the NIC is its port."""
        raise NotImplementedError

    def mac(self, bridge: str, there: Optional[Link]) -> str:
        """What is to be put back later for its MAC, "" for nothing."""
        raise NotImplementedError

    def join(self, host: Namespace, bridge: str, there: Optional[Link], nic: Link) -> Join:
        """What makes the NIC its port."""
        raise NotImplementedError

    def leave(self, host: Namespace, bridge: Link, nic: Link) -> Sequence[Action]:
        """What takes the NIC off it, if it is its port."""
        raise NotImplementedError

    def give_mac(self, host: Namespace, bridge: Link, mac: str) -> Sequence[Action]:
        """What puts its MAC back."""
        raise NotImplementedError

    def is_left_alone(self, bridge: str, nic: Link) -> bool:
        """Whether it has no other port than the NIC."""
        raise NotImplementedError

    def remove(self, host: Namespace, bridge: str) -> Sequence[Action]:
        """What removes it."""
        raise NotImplementedError


def witnesses(host: Namespace, home: Home) -> tuple[Address, ...]:
    """Who has to answer behind the NIC: the gateways of its default routes, else of others, else one neighbour."""
    ways = [route.gateway for route in home.routes if route.gateway and not route.destination]
    ways = ways or [route.gateway for route in home.routes if route.gateway]
    own = {one.interface.version for one in home.addresses}
    found = [ip_address(way) for way in dict.fromkeys(ways)]
    neighbours = [] if found else sorted(host.netlink.neighbours(home.link.ifindex))[:1]
    return tuple(one for one in [*found, *map(ip_address, neighbours)] if one.version in own)

"""Making sure: that nobody has an address yet, and that a wire leads where it is to lead."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import IPv4Address, ip_address

from pipework.actions.base import Action
from pipework.address import Address
from pipework.errors import Refused
from pipework.kernel.echo import answers
from pipework.kernel.namespaces import Namespace
from pipework.kernel.probes import holder
from pipework.quoting import quote
from pipework.typed import Optional

PATIENCE = 10.0  # seconds for an answer: a switch of the LAN may take its time over a new MAC


class Probe(Action):
    """See that no host of the network has these addresses."""

    namespace: Namespace
    link: str
    addresses: tuple[IPv4Address, ...]

    def do(self) -> None:
        found = holder_of("--probe", self.namespace, self.link, self.addresses)
        if found:
            address, its = found
            raise Refused(
                f"address {address} is in use on that network, by {its}",
                "Choose another; whose that MAC is: pipework ls, or bridge fdb show",
            )

    def say(self) -> str:
        return f"# nobody may answer for {', '.join(map(str, self.addresses))} on {quote(self.link)}: RFC 5227"


def holder_of(what: str, namespace: Namespace, link: str, addresses: Sequence[Address]) -> Optional[tuple[str, str]]:
    """One of the addresses that another host of a link's network has, and its MAC, or None.

    what: the word for which that is asked.  Raises Refused.
    """
    there = namespace.netlink.link(link)
    mac = bytes.fromhex(there.mac.replace(":", "")) if there else b""
    if len(mac) != 6:
        raise Refused(f"{what} asks by ARP of Ethernet, which {link} does not speak", "Leave it out.")
    try:
        return holder(namespace, link, mac, addresses)
    except OSError as error:
        raise _cannot_ask(what, link, error) from None


def _cannot_ask(option: str, link: str, error: OSError) -> Refused:
    return Refused(
        f"{option} cannot ask over {link}: {error.strerror}",
        f"Leave it out, or see what is wrong: ip -d link show {link}",
    )


class AwaitAnswer(Action):
    """See that a host answers over a link: the one of that address, or its gateways of these families."""

    namespace: Namespace
    link: str
    target: Optional[Address]
    families: tuple[int, ...] = ()
    patience: float = PATIENCE
    option: str = "--check"
    hint: str = "Is it the right network, VLAN and address?  To have the wire all the same, leave --check out."

    def do(self) -> None:
        for target in [self.target] if self.target else self._gateways():
            try:
                is_there = answers(self.namespace, self.link, self._source(target), target, self.patience)
            except OSError as error:
                raise _cannot_ask(self.option, self.link, error) from None
            if not is_there:
                raise Refused(f"{target} does not answer over {self.link} within {self.patience:.0f} s", self.hint)

    def _gateways(self) -> list[Address]:
        netlink = self.namespace.netlink
        index = netlink.index(self.link)
        routes = [route for family in self.families for route in netlink.all_routes(family)]
        ways = [route.gateway for route in routes if route.link == index and not route.destination]
        found = [ip_address(way) for way in dict.fromkeys(ways) if way]
        if not found:
            raise Refused(f"--check finds no gateway of {self.link}", "Name an address: --check ADDRESS")
        return found

    def _source(self, target: Address) -> Address:
        netlink = self.namespace.netlink
        there = [one.interface.ip for one in netlink.addresses(netlink.index(self.link))]
        own = [one for one in there if one.version == target.version]
        wide = [one for one in own if one.version == 4 or not one.is_link_local]
        if not own:
            raise Refused(f"--check {target}: {self.link} has no IPv{target.version} address", "Name another.")
        return own[0] if target.is_link_local or not wide else wide[0]

    def say(self) -> str:
        if self.target is None:
            return "# and the gateway must answer"
        return self.namespace.say(f"ping -q -c 1 -w {PATIENCE:.0f} -I {quote(self.link)} {self.target}")

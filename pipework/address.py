"""What ADDRESS and --route ask for, as values.  Only what is valid can be constructed."""

from __future__ import annotations

from pipework.errors import BadArgument
from pipework.typed import TYPE_CHECKING, Any, Optional, Sequence, Union
from pipework.value import Value

if TYPE_CHECKING:  # only ADDRESS needs it at run time; see pipework.words
    from ipaddress import IPv4Address, IPv4Interface, IPv4Network, IPv6Address, IPv6Interface, IPv6Network

    Address = Union[IPv4Address, IPv6Address]
    Interface = Union[IPv4Interface, IPv6Interface]
    Network = Union[IPv4Network, IPv6Network]
else:
    Address = Interface = Network = Any

DYNAMIC = "dynamic"  # as it is typed
MOST_IN_RANGE = 4096  # addresses
DHCP_CLIENTS = ("dhcp", "udhcpc", "udhcpc-f", "dhclient", "dhclient-f", "dhcpcd")  # as they are typed; -f: it stays


class Static(Value):
    """A fixed address (None for 0/0 or 0.0.0.0/N: no address) and the gateway of the default route, if any."""

    interface: Optional[Interface]
    gateway: Optional[Address]

    def validate(self) -> None:
        interface, gateway = self.interface, self.gateway
        if interface and interface.ip.is_multicast:
            raise BadArgument(
                f"ADDRESS {interface} is a multicast address, no host's own", "Give the guest a unicast address."
            )
        if gateway and (gateway.is_multicast or gateway.is_unspecified or gateway.is_loopback):
            raise BadArgument(f"gateway {gateway} cannot be a router's address", "Name the router's own address.")
        if interface and gateway and interface.version != gateway.version:
            raise BadArgument(
                f"gateway {gateway} is IPv{gateway.version}, but {interface} is IPv{interface.version}",
                f"Name an IPv{interface.version} gateway, or write both addresses with a comma between.",
            )
        if interface and interface.ip == gateway:
            raise BadArgument(f"gateway {gateway} is the guest's own address", "Name the router's address.")

    @property
    def text(self) -> str:
        """ADDRESS as it is typed."""
        return f"{self.interface or '0/0'}{f'@{self.gateway}' if self.gateway else ''}"

    @property
    def family(self) -> int:
        """4 or 6; 4 where there is neither address nor gateway."""
        given = self.interface or self.gateway
        return given.version if given else 4

    @property
    def sets_default_route(self) -> bool:
        """Whether one comes with it."""
        return self.gateway is not None


class Dhcp(Value):
    """A DHCP client to run: its name, its extra options, and whether it stays (``-f``)."""

    client: str
    options: tuple[str, ...]
    foreground: bool

    def validate(self) -> None:
        if self.client not in DHCP_CLIENTS or self.client.endswith("-f"):
            raise ValueError(f"{self.client} is no DHCP client")

    @property
    def text(self) -> str:
        """ADDRESS as it is typed."""
        return f"{self.client}{'-f' if self.foreground else ''}{':' if self.options else ''}{' '.join(self.options)}"

    @property
    def family(self) -> int:
        """4 or 6: of which family the lease is to be."""
        return 6 if "-6" in self.options else 4

    @property
    def sets_default_route(self) -> bool:
        """Whether one may come with it: those of IPv6 are for routers to announce (RFC 8415, 1)."""
        return self.family == 4


class Auto(Value):
    """An IPv6 address made of the prefix that a router announces (SLAAC, RFC 4862).

    token: the lower half of it, as an address (the interface identifier of RFC 4291); None: of the kernel's choice.
    """

    token: Optional[Address] = None

    def validate(self) -> None:
        token = self.token
        if token and (token.version != 6 or int(token) >> 64 or not int(token)):
            raise BadArgument(f"auto:{token} is no token", "A token is the second half of an address, such as ::123.")

    @property
    def text(self) -> str:
        """ADDRESS as it is typed."""
        return f"auto:{self.token}" if self.token else "auto"

    @property
    def family(self) -> int:
        """6."""
        return 6

    @property
    def sets_default_route(self) -> bool:
        """Whether one comes with it: the router's."""
        return True


class Range(Value):
    """A free IPv4 address of several, from one to another, and the gateway of the default route, if any."""

    first: Interface
    last: Address
    gateway: Optional[Address] = None

    def validate(self) -> None:
        first, last, network = self.first, self.last, self.first.network
        if first.version != 4 or last.version != 4:
            raise BadArgument(f"ADDRESS {self.text} is a range of IPv6", "Write auto, or one address.")
        if last not in network or not first.ip < last:
            raise BadArgument(
                f"ADDRESS {self.text} does not go from one address of {network} to a greater one",
                f"For example: {network.network_address + 1}-{network.broadcast_address - 1}/{network.prefixlen}",
            )
        if int(last) - int(first.ip) >= MOST_IN_RANGE:
            raise BadArgument(f"ADDRESS {self.text} has more than {MOST_IN_RANGE} addresses", "Write a smaller one.")
        if self.gateway:
            Static(first if self.gateway != first.ip else type(first)((last, network.prefixlen)), self.gateway)

    @property
    def text(self) -> str:
        """ADDRESS as it is typed."""
        ip, last = str(self.first.ip), str(self.last)
        same = ip.rpartition(".")[0] == last.rpartition(".")[0]
        gateway = f"@{self.gateway}" if self.gateway else ""
        return f"{ip}-{last.rpartition('.')[2] if same else last}/{self.first.network.prefixlen}{gateway}"

    @property
    def family(self) -> int:
        """4."""
        return 4

    @property
    def sets_default_route(self) -> bool:
        """Whether one comes with it."""
        return self.gateway is not None

    def interfaces(self) -> list[Interface]:
        """Its addresses, but the network's own, its broadcast address and the gateway."""
        network, length = self.first.network, self.first.network.prefixlen
        not_hosts = {self.gateway} | ({network.network_address, network.broadcast_address} if length < 31 else set())
        every = (self.first.ip + number for number in range(int(self.last) - int(self.first.ip) + 1))
        return [type(self.first)((ip, length)) for ip in every if ip not in not_hosts]


class Dynamic(Value):
    """An IPv4 address that OVN chooses from its switch's subnet, and the gateway of the default route, if any."""

    gateway: Optional[Address] = None

    def validate(self) -> None:
        if self.gateway and self.gateway.version != 4:
            raise BadArgument(f"ADDRESS {self.text} mixes IPv4 and IPv6", "Name an IPv4 gateway.")
        if self.gateway:
            Static(None, self.gateway)

    @property
    def text(self) -> str:
        """ADDRESS as it is typed."""
        return f"{DYNAMIC}@{self.gateway}" if self.gateway else DYNAMIC

    @property
    def family(self) -> int:
        """4."""
        return 4

    @property
    def sets_default_route(self) -> bool:
        """Whether one comes with it."""
        return self.gateway is not None


class Via(Value):
    """A route out of the guest's link: to a network, by way of a router, or with none to what is there itself."""

    network: Network
    router: Optional[Address] = None

    def validate(self) -> None:
        network, router = self.network, self.router
        if network.prefixlen == 0:
            raise BadArgument(
                f"--route {self.text} is a default route", "Name the router in ADDRESS: IP/PREFIX@GATEWAY"
            )
        if router and router.version != network.version:
            raise BadArgument(f"--route {self.text} mixes IPv4 and IPv6", f"Name an IPv{network.version} router.")
        if router and (router.is_multicast or router.is_unspecified or router.is_loopback):
            raise BadArgument(f"--route {self.text}: {router} cannot be a router", "Name the router's own address.")

    @property
    def text(self) -> str:
        """As it is typed."""
        return f"{self.network}@{self.router}" if self.router else str(self.network)


AnyAddress = Union[Static, Auto, Dhcp, Range, Dynamic]


def check_together(addresses: Sequence[AnyAddress]) -> None:
    """Refuse several addresses that do not go together."""
    fixed = [one for one in addresses if isinstance(one, Static)]
    seen: set[object] = set()
    for one in fixed:
        if one.interface is None:
            raise BadArgument(
                f"ADDRESS {one.text} means no address, and yet there are others", f"Leave {one.text} out."
            )
        if one.interface.ip in seen:
            raise BadArgument(f"ADDRESS names {one.interface.ip} twice", "Leave one of them out.")
        seen.add(one.interface.ip)
    for family in (4, 6):
        gateways = [str(one.gateway) for one in fixed if one.gateway and one.family == family]
        if len(gateways) > 1:
            raise BadArgument(
                f"ADDRESS names two IPv{family} gateways: {' and '.join(gateways)}",
                f"There is one default route; say where another leads to: --route NETWORK@{gateways[1]}",
            )
        _check_of_family([one for one in addresses if one.family == family], bool(gateways))


def _check_of_family(addresses: Sequence[AnyAddress], has_gateway: bool) -> None:
    clients = [one.text for one in addresses if isinstance(one, Dhcp)]
    auto = [one.text for one in addresses if isinstance(one, Auto)]
    if clients and len(addresses) > 1:
        other = next(one.text for one in addresses if one.text != clients[0] or len(clients) > 1)
        raise BadArgument(
            f"ADDRESS {clients[0]} and {other} are of one family, IPv{addresses[0].family}",
            "A DHCP client sets all addresses of its family: leave one of the two out.",
        )
    ranges = [one.text for one in addresses if isinstance(one, (Range, Dynamic))]
    if ranges and len(addresses) > 1:
        raise BadArgument(f"ADDRESS {ranges[0]} is the one IPv4 address", "Leave the others of that family out.")
    if len(auto) > 1 or (auto and has_gateway):
        raise BadArgument(
            f"ADDRESS {auto[0]} takes its gateway from the router", "Leave the other auto, or IPv6 gateway, out."
        )

"""What a command line asks for, as values: addresses, tags and requests.  Only what is valid can be constructed."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Interface, IPv6Address, IPv6Interface

from pipework.errors import BadArgument
from pipework.typed import Optional, Union
from pipework.value import Value

Address = Union[IPv4Address, IPv6Address]
Interface = Union[IPv4Interface, IPv6Interface]


class Tag(Value):
    """What stands after ``@`` behind the MAC: a VLAN id or a partition key, as HOSTIF will have it."""

    text: str

    @property
    def vlan(self) -> int:
        """The VLAN id, 1 to 4094.  Raises BadArgument."""
        value = int(self.text) if self.text.isdecimal() else 0
        if not 1 <= value <= 4094:
            raise BadArgument(
                f"VLAN @{self.text} is not a VLAN id", "A VLAN id is a number from 1 to 4094, such as @100."
            )
        return value

    @property
    def pkey(self) -> int:
        """The InfiniBand partition key, 1 to 0xffff.  Raises BadArgument."""
        value = int(self.text, 16)
        if not 1 <= value <= 0xFFFF:
            raise BadArgument(
                f"partition key @{self.text} is out of range",
                "A partition key is hexadecimal, from @1 to @ffff, such as @8001.",
            )
        return value


class Static(Value):
    """A fixed address (None for 0/0: no address) and the gateway of the default route, if any."""

    interface: Optional[Interface]
    gateway: Optional[Address]

    @property
    def family(self) -> int:
        """4 or 6; 4 where there is neither address nor gateway."""
        given = self.interface or self.gateway
        return given.version if given else 4


class Dhcp(Value):
    """A DHCP client to run: its name, its extra options, and whether it stays (``-f``)."""

    client: str
    options: tuple[str, ...]
    foreground: bool


class Attach(Value):
    """Put GUEST on the network behind HOSTIF."""

    hostif: str
    guest: str
    address: Union[Static, Dhcp]
    ifname: Optional[str] = None
    local_name: Optional[str] = None
    mac: Optional[str] = None
    tag: Optional[Tag] = None
    direct_phys: bool = False
    dry_run: bool = False
    replace_wire: bool = False


class Passthrough(Value):
    """Run ``ip route``, ``ip rule`` or ``tc`` inside GUEST."""

    verb: str
    guest: str
    arguments: tuple[str, ...]


class Wait(Value):
    """Wait until IFNAME is there and has carrier."""

    ifname: str


class List(Value):
    """Show what is wired: everywhere, or in one guest."""

    guest: Optional[str]
    as_json: bool


class Delete(Value):
    """Take back one wire of GUEST, or all (ifname is None)."""

    guest: str
    ifname: Optional[str]
    if_exists: bool
    dry_run: bool


class Collect(Value):
    """Remove what guests that are gone have left behind."""

    dry_run: bool


class Tell(Value):
    """Print a text: the help, the version."""

    text: str


Request = Union[Attach, Passthrough, Wait, List, Delete, Collect, Tell]

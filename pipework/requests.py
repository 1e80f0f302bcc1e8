"""What a command line asks for, as values: one class for each verb.  Only what is valid can be constructed."""

from __future__ import annotations

from pipework.address import Static
from pipework.errors import BadArgument
from pipework.model import LONGEST_ALTNAME, Attach, check_ifname
from pipework.typed import Optional, Sequence, Union
from pipework.value import Value

TOOLS = ("route", "rule", "tc")
WIRE = "wire"  # the verb, which in a line stands in HOSTIF's place
DEFAULT_MTU = 1500  # of a wire between guests, in bytes


def _check_allowed(names: Sequence[str]) -> None:
    for name in names:
        check_ifname("--allow", name, LONGEST_ALTNAME)


def _check_listed(guest: Optional[str]) -> None:
    if guest == "":
        raise BadArgument("GUEST is empty", "See what is wired: pipework ls")


class Passthrough(Value):
    """Run ``ip route``, ``ip rule`` or ``tc`` inside GUEST."""

    verb: str
    guest: str
    arguments: tuple[str, ...]

    def validate(self) -> None:
        if self.verb not in TOOLS or not self.arguments:
            raise ValueError(f"{self.verb} {self.arguments} is no command of a tool")
        if not self.guest:
            raise BadArgument("GUEST is empty", "Name a container: docker ps")


class End(Attach):
    """One end of a wire between two guests: of the guest whose it is all that an attach asks for, but for a HOSTIF."""

    @property
    def options(self) -> tuple[str, ...]:
        """None: what there is to it both ends' addresses tell, and the link."""
        return ()

    def validate(self) -> None:
        super().validate()
        for one in self.addresses:
            if not isinstance(one, Static):
                raise BadArgument(
                    f"ADDRESS {one.text} wants others on the network, and there is {self.guest} alone",
                    "Write IP/PREFIX, such as 10.0.0.1/30, or 0/0.",
                )

    @property
    def own(self) -> list[Static]:
        """The addresses that it is to have."""
        return [one for one in self.addresses if isinstance(one, Static) and one.interface]


class Connect(Value):
    """Join two guests by a wire of their own."""

    ends: tuple[End, End]
    dry_run: bool = False
    replace_wire: bool = False

    def validate(self) -> None:
        one, other = self.ends
        if one.guest == other.guest:
            raise BadArgument(f"{one.guest} is named for both ends", "Name two guests: pipework ls, or docker ps")
        taken = {address.interface.ip for address in one.own if address.interface}
        for address in other.own:
            if address.interface and address.interface.ip in taken:
                raise BadArgument(f"ADDRESS {address.text} is given to both ends", "Give each one of its own.")
        families = [{address.family for address in end.own} for end in self.ends]
        if all(families) and families[0].isdisjoint(families[1]):
            raise BadArgument(
                f"ADDRESS {one.address} and {other.address} are of different families",
                "Give both ends addresses of one; several with commas between.",
            )
        _check_gateways(one, other)
        _check_gateways(other, one)


def _check_gateways(end: End, other: End) -> None:
    """Refuse a gateway that is not at the other end."""
    there = [str(one.interface.ip) for one in other.own if one.interface]
    for one in end.addresses:
        if isinstance(one, Static) and one.gateway and str(one.gateway) not in there:
            raise BadArgument(
                f"gateway {one.gateway} is no address of {other.guest}, who alone is at the other end",
                f"Name one of its own: {', '.join(there)}" if there else f"Give {other.guest} that address.",
            )


class Wait(Value):
    """Wait until IFNAME is there and has carrier."""

    ifname: str = "eth1"

    def validate(self) -> None:
        check_ifname("-i", self.ifname)


class List(Value):
    """Show what is wired: everywhere, or in one guest."""

    guest: Optional[str] = None
    as_json: bool = False

    def validate(self) -> None:
        _check_listed(self.guest)


class Delete(Value):
    """Take back one wire of GUEST, or all (ifname is None)."""

    guest: str
    ifname: Optional[str] = "eth1"
    if_exists: bool = False
    dry_run: bool = False

    def validate(self) -> None:
        _check_listed(self.guest)
        if self.ifname is not None:
            check_ifname("-i", self.ifname)


class Collect(Value):
    """Remove what guests that are gone have left behind.

    host: one that is gone for good and shares a database with this one, whose guests' are meant; None: this host's.
    """

    dry_run: bool = False
    host: Optional[str] = None

    def validate(self) -> None:
        if self.host == "":
            raise BadArgument("--host names no host", "Name it as OVN does: ovn-sbctl show")


class Apply(Value):
    """See to it that the wires are there which the lines of a file ask for.

    file: its path, or - for standard input; prune: whether others go that pipework has made.
    """

    file: str
    prune: bool = False
    dry_run: bool = False

    def validate(self) -> None:
        if not self.file:
            raise BadArgument("FILE is empty", "Name a file of lines, or - for standard input.")


class Watch(Value):
    """See to it that wires are there at every start of a guest.

    file: of lines that ask for them, None for those of containers alone; allow: as of Hook, for lines of containers;
    trusts_images: whether those of images count; takes_variables: whether variables pipework_cmd do, besides labels.
    """

    file: Optional[str] = None
    allow: tuple[str, ...] = ()
    trusts_images: bool = False
    takes_variables: bool = False

    def validate(self) -> None:
        if self.file in ("", "-"):
            raise BadArgument(f"FILE {self.file!r} cannot be read again", "Name a file of lines.")
        _check_allowed(self.allow)


class Save(Value):
    """Print what is wired, everywhere or in one guest, as lines for ``apply``."""

    guest: Optional[str] = None

    def validate(self) -> None:
        _check_listed(self.guest)


HOOK_ACTIONS = ("install", "uninstall", "status", "run")  # the last is for engines to type


class Hook(Value):
    """Have engines wire containers before their first process.

    engine: which runs it, None if that is no engine but a container's runtime alone; allow: names of NICs of this host
    that lines of containers may use.
    """

    action: str
    engine: Optional[str] = None
    allow: tuple[str, ...] = ()
    dry_run: bool = False

    def validate(self) -> None:
        if self.action not in HOOK_ACTIONS:
            raise BadArgument(f"hook does not take {self.action!r}", "Type: pipework hook install, uninstall or status")
        _check_allowed(self.allow)


LONGEST_PATIENCE = 3600.0  # seconds
USUAL_CONFIRM = 120.0  # seconds, as netplan try has them


class Uplink(Value):
    """Make NIC a port of BRIDGE, and this host's addresses on it the bridge's; or (undo) take that back.

    timeout: seconds for the gateway to answer; confirm: for whoever sits at a terminal to agree, None for the usual.
    """

    bridge: str
    nic: str
    undo: bool = False
    timeout: float = 10.0
    confirm: Optional[float] = None
    dry_run: bool = False

    def validate(self) -> None:
        check_ifname("BRIDGE", self.bridge)
        check_ifname("NIC", self.nic)
        for option, seconds in (("--timeout", self.timeout), ("--confirm", self.patience)):
            if not 1 <= seconds <= LONGEST_PATIENCE:
                raise BadArgument(f"{option} {seconds:g} is out of range", "Write seconds, from 1 to 3600.")

    @property
    def patience(self) -> float:
        """Seconds for whoever sits at a terminal."""
        return USUAL_CONFIRM if self.confirm is None else self.confirm


class Help(Value):
    """Print how the command is used."""


class Version(Value):
    """Print which pipework it is."""


Request = Union[
    Attach, Connect, Passthrough, Wait, List, Delete, Collect, Apply, Save, Watch, Hook, Uplink, Help, Version
]

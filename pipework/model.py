"""What a line asks for that puts a guest on a network, as a value.  Only what is valid can be constructed."""

from __future__ import annotations

from pipework.address import Address, AnyAddress, Dhcp, Range, Static, Via, check_together
from pipework.errors import BadArgument
from pipework.tag import Tag, is_hex
from pipework.typed import TYPE_CHECKING, Optional
from pipework.value import Value

if TYPE_CHECKING:
    from ipaddress import IPv4Address

    from pipework.vlans import Trunk

LONGEST_NAME = 15  # octets of a link's name: IFNAMSIZ less its end
LONGEST_ALTNAME = 127  # of one that it has besides, ALTIFNAMSIZ less its end
OVN = "ovn:"  # in front of the name of a logical switch, as HOSTIF
LONGEST_SWITCH = 100  # characters of that name, which a link's alias has to hold
LEAST_MTU, LEAST_IPV6_MTU, MOST_MTU = 68, 1280, 65535  # bytes: RFC 791, RFC 8200, IP_MAX_MTU of the kernel
GATEWAYS = {4: "169.254.0.1", 6: "fe80::1"}  # of a guest that its host routes for: the host's end of its wire
MODES = ("bridge", "private", "vepa", "passthru")  # of a macvlan; the first is what is meant where none is said
IPVLAN_MODES = ("l2", "l3")
MOST_METRIC = 0xFFFEFFFF  # above it, default routes wait that are to go (actions/default_route.py)


def check_ifname(part: str, name: str, longest: int = LONGEST_NAME) -> None:
    """Refuse what the kernel would not take as the name of a link (dev_valid_name); part names the word."""
    bad = not name or name in (".", "..") or name[0] == "-"
    bad = bad or len(name.encode("utf-8", "surrogateescape")) > longest
    if bad or any(c in "/:%" or c.isspace() or not c.isprintable() for c in name):
        raise BadArgument(
            f"{part} {name!r} is not a valid ifname",
            "A link's name has 1 to 15 characters, without spaces, '/', ':' or '%', and no '-' in front.",
        )


def check_switch(name: str) -> None:
    """Refuse what cannot be the name of a logical switch here, where it is a word."""
    if not 0 < len(name) <= LONGEST_SWITCH or any(c.isspace() or not c.isprintable() for c in name):
        raise BadArgument(
            f"HOSTIF {OVN}{name!r} does not name a switch of OVN",
            f"Write {OVN} and a name, such as {OVN}blue; see what there is: ovn-nbctl ls-list",
        )


def _check_octets(mac: str, lengths: tuple[int, ...] = (6,)) -> None:
    octets = mac.split(":")
    if len(octets) not in lengths or not all(len(octet) == 2 and is_hex(octet, 2) for octet in octets):
        raise ValueError(f"{mac} is no MAC address as the kernel writes it")


class Check(Value):
    """Who has to answer over a new wire; None: its gateways."""

    address: Optional[Address] = None

    def validate(self) -> None:
        address = self.address
        if address and (address.is_multicast or address.is_unspecified or address.is_loopback):
            raise BadArgument(f"--check {address} is no host's address", "Name one that is to answer.")


class Attach(Value):
    """Put GUEST on the network behind HOSTIF.

    hostif: a link's name, ``mac:`` and its address, or OVN and the name of a logical switch; addresses: one or more;
    ifname, local_name: None for the default; mac: of the guest's end, six octets in lower case, None for the kernel's
    choice; routes: besides default routes; metric: of all of them, None for the kernel's; mtu: of the guest's end in
    bytes, None for that of what it is on; filters: whether a bridge may be made to keep VLANs apart; beside: whether
    default routes stay, and the new addresses answer by their own gateways; probes: whether they are looked for on the
    wire first; check: who has to answer; mode: of MODES, None for the first; ipvlan: of IPVLAN_MODES, where one is to
    be in a macvlan's place; host_access: whether this host is to reach the guest by a NIC that they share; routed:
    whether this host routes for the guest, which has GATEWAYS then; keep: whether the line is kept for watch.
    """

    hostif: str
    guest: str
    addresses: tuple[AnyAddress, ...]
    ifname: Optional[str] = None
    local_name: Optional[str] = None
    mac: Optional[str] = None
    tag: Optional[Tag] = None
    direct_phys: bool = False
    dry_run: bool = False
    replace_wire: bool = False
    keep: bool = False
    routes: tuple[Via, ...] = ()
    metric: Optional[int] = None
    mtu: Optional[int] = None
    filters: bool = False
    beside: bool = False
    probes: bool = False
    check: Optional[Check] = None
    mode: Optional[str] = None
    routed: bool = False
    ipvlan: Optional[str] = None
    host_access: bool = False

    def validate(self) -> None:
        if not self.guest:
            raise BadArgument("GUEST is empty", "Name a container: docker ps")
        if self.hostif.startswith("mac:"):
            _check_octets(self.hostif[4:], (6, 20))  # 20: InfiniBand
        elif self.hostif.startswith(OVN):
            check_switch(self.hostif[len(OVN) :])
        else:
            check_ifname("HOSTIF", self.hostif, LONGEST_ALTNAME)
        if self.ifname is not None:
            check_ifname("-i", self.ifname)
        if self.local_name is not None:
            check_ifname("-l", self.local_name)
        if self.mac is not None:
            _check_octets(self.mac)
        if len(self.addresses) > 1:
            check_together(self.addresses)
        if self.routes:
            self._check_routes()
        if self.metric is not None:
            self._check_metric(self.metric)
        if self.mtu is not None:
            self._check_mtu(self.mtu)
        if self.beside:
            self._check_beside()
        if self.mode is not None and self.mode not in MODES:
            raise BadArgument(f"--mode {self.mode!r} is no mode of a macvlan", f"There are: {', '.join(MODES)}")
        if self.ipvlan is not None:
            self._check_ipvlan(self.ipvlan)
        if self.host_access:
            self._check_host_access()
        if self.probes and not (self.probed or any(isinstance(one, Range) for one in self.addresses)):
            raise BadArgument(
                f"--probe has no IPv4 address to look for in {self.address}",
                "Leave it out: IPv6 looks by itself, and a DHCP server's address is its own matter.",
            )
        if self.check:
            self._check_check(self.check)
        if self.routed and self.direct_phys:
            raise BadArgument("--routed and --direct-phys do not go together", "Leave one of them out.")
        if self.filters and not self.tag:
            raise BadArgument("--filter keeps VLANs apart, and none is named", "Name one behind the MAC: @100")
        if self.tag and self.tag.trunk:
            self._check_trunk(self.tag.trunk)

    def _check_ipvlan(self, mode: str) -> None:
        if mode not in IPVLAN_MODES:
            raise BadArgument(f"--ipvlan {mode!r} is no mode of an ipvlan", f"There are: {', '.join(IPVLAN_MODES)}")
        if self.mode is not None:
            raise BadArgument(
                f"--mode {self.mode} is of a macvlan, and --ipvlan {mode} takes its place", "Leave one of them out."
            )

    def _check_host_access(self) -> None:
        other = f"--mode {self.mode}" if self.mode else f"--ipvlan {self.ipvlan}" if self.ipvlan else ""
        if other:
            raise BadArgument(
                f"--host-access goes by a macvlan of the host's own, which {other} keeps from the guest",
                "Leave one of them out.",
            )
        untold = [one for one in self.addresses if not isinstance(one, Static) or not one.interface]
        if untold:
            raise BadArgument(
                f"--host-access has to know the address beforehand, not {untold[0].text}", "Write IP/PREFIX."
            )

    def _check_routes(self) -> None:
        # IPv6 gives the route that comes with an address another metric than any other
        own = {one.interface.network: one.text for one in self.addresses if isinstance(one, Static) and one.interface}
        for number, route in enumerate(self.routes):
            if route.network in {before.network for before in self.routes[:number]}:
                raise BadArgument(f"--route {route.network} is given twice", "Leave one of them out.")
            if route.network.version == 4 and route.network in own and self.metric is None:
                raise BadArgument(
                    f"--route {route.text} is the network of {own[route.network]} itself",
                    "Leave it out: that route comes with the address.",
                )

    def _check_trunk(self, trunk: Trunk) -> None:
        has_none = all(isinstance(one, Static) and not (one.interface or one.gateway) for one in self.addresses)
        if trunk.native is None and not has_none:
            raise BadArgument(
                f"VLANs @{trunk.text} are all tagged, so {self.address} would be in none",
                f"Write 0/0, and give the guest VLAN links; or name the untagged one: @1:{trunk.text}",
            )

    def _check_metric(self, metric: int) -> None:
        if not 1 <= metric <= MOST_METRIC:
            raise BadArgument(f"--metric {metric} is out of range", f"A metric is a number from 1 to {MOST_METRIC}.")
        if not self.routes and not any(one.sets_default_route and not isinstance(one, Dhcp) for one in self.addresses):
            raise BadArgument(
                f"--metric {metric} has no route to be of",
                "It is for the routes of IP/PREFIX@GATEWAY, auto and --route; a DHCP client sets its own.",
            )

    def _check_beside(self) -> None:
        if not all(isinstance(one, Static) for one in self.addresses):
            raise BadArgument(
                f"--beside has to know address and gateway beforehand, not {self.address}", "Write IP/PREFIX@GATEWAY."
            )
        if not any(isinstance(one, Static) and one.interface and one.gateway for one in self.addresses):
            raise BadArgument(f"--beside has no gateway for {self.address}", "Name it: IP/PREFIX@GATEWAY")

    def _check_check(self, check: Check) -> None:
        if check.address:
            if check.address.version not in {one.family for one in self._given}:
                raise BadArgument(
                    f"--check {check.address} is of another family than {self.address}",
                    f"Name an IPv{10 - check.address.version} address, or give the guest one of its family.",
                )
        elif not any(one.sets_default_route for one in self._given):
            raise BadArgument(f"--check has no gateway to ask with {self.address}", "Name an address: --check ADDRESS")

    def _check_mtu(self, mtu: int) -> None:
        if not LEAST_MTU <= mtu <= MOST_MTU:
            raise BadArgument(f"--mtu {mtu} is out of range", f"An MTU is a number from {LEAST_MTU} to {MOST_MTU}.")
        if mtu < LEAST_IPV6_MTU and 6 in self.families:
            raise BadArgument(f"--mtu {mtu} is too little for IPv6", f"IPv6 wants {LEAST_IPV6_MTU} bytes or more.")

    @property
    def _given(self) -> list[AnyAddress]:
        """Those of its addresses that are any."""
        return [one for one in self.addresses if not isinstance(one, Static) or one.interface]

    @property
    def probed(self) -> tuple[IPv4Address, ...]:
        """The addresses that are looked for first."""
        fixed = (one.interface.ip for one in self.addresses if isinstance(one, Static) and one.interface)
        return tuple(ip for ip in fixed if self.probes and ip.version == 4)

    @property
    def families(self) -> set[int]:
        """The families, 4 and 6, of its addresses and routes."""
        return {one.family for one in self.addresses} | {route.network.version for route in self.routes}

    @property
    def address(self) -> str:
        """ADDRESS as it is typed."""
        if self.routed:  # whose gateway nobody types
            return ",".join(str(one.interface) for one in self.addresses if isinstance(one, Static))
        return ",".join(one.text for one in self.addresses)

    @property
    def untold(self) -> str:
        """ADDRESS as it is typed, where the main table does not tell all of it, else ""."""
        return self.address if self.beside or not all(isinstance(one, Static) for one in self.addresses) else ""

    @property
    def doubts(self) -> tuple[str, ...]:
        """The options that say what the command makes sure of, as they are typed: of them the wire keeps nothing."""
        address = [str(self.check.address)] if self.check and self.check.address else []
        return (*(["--probe"] if self.probes else []), *(["--check", *address] if self.check else []))

    @property
    def options(self) -> tuple[str, ...]:
        """The options that say what the addresses do not, as they are typed."""
        told = [str(route.network) if self.routed else route.text for route in self.routes]
        routes = [word for text in told for word in ("--route", text)]
        metric = [] if self.metric is None else ["--metric", str(self.metric)]
        mtu = [] if self.mtu is None else ["--mtu", str(self.mtu)]
        mode = [] if self.mode is None else ["--mode", self.mode]
        ipvlan = [] if self.ipvlan is None else ["--ipvlan", self.ipvlan]
        access = ["--host-access"] if self.host_access else []
        return (*routes, *metric, *mtu, *(["--beside"] if self.beside else []), *mode, *ipvlan, *access)

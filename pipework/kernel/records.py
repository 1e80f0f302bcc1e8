"""What the kernel tells of links, addresses and routes, in terms that need no netlink socket to be at hand."""

from __future__ import annotations

from ipaddress import ip_interface

from pipework.address import Interface
from pipework.kernel import messages
from pipework.kernel.bare import socket
from pipework.typed import TYPE_CHECKING, Any, Optional, TypeVar
from pipework.value import Value

if TYPE_CHECKING:
    Self = TypeVar("Self", bound="Record")

# linux/if.h, linux/if_addr.h
IFF_UP, IFF_LOWER_UP = 0x1, 0x10000
SCOPE_LINK = 253  # RT_SCOPE_LINK, linux/rtnetlink.h
IFA_F_TEMPORARY, IFA_F_NODAD, IFA_F_DADFAILED, IFA_F_TENTATIVE = 0x01, 0x02, 0x08, 0x40
IFA_F_PERMANENT, IFA_F_MANAGETEMPADDR = 0x80, 0x100
LONGEST_LABEL = 16  # octets with its end: IFNAMSIZ
RTPROT_RA = 9  # linux/rtnetlink.h
TAGS = {"vlan": 1, "ipoib": 1}  # the numbers of IFLA_VLAN_ID and IFLA_IPOIB_PKEY, linux/if_link.h
MODED = {"ipvlan": 1, "ipvtap": 1}  # of IFLA_IPVLAN_MODE


class Record(Value):
    """Something that can be kept as JSON and read again."""

    @property
    def note(self) -> dict[str, Any]:
        """All of it, in terms that JSON has."""
        return {field: getattr(self, field) for field in self.fields}

    @classmethod
    def from_note(cls: type[Self], note: dict[str, Any]) -> Self:
        """What ``note`` has kept."""
        return cls(**note)


class Link(Record):
    """A link as the kernel shows it.

    master and parent are ifindexes of other links (0: none), kind is "" for a NIC, type its hardware (ARPHRD_*);
    vlan: the VLAN id of a VLAN link, the partition key of an IPoIB one;
    peer_namespace: the id by which its own namespace knows that of its peer or parent, if it is another;
    permanent_mac: the address burnt into a NIC, where the kernel tells it;
    group: what the administrator has set, or marks.NEWBORN; mode: of an ipvlan (messages.IPVLAN_MODES).
    """

    ifindex: int
    name: str
    kind: str
    up: bool
    carrier: bool
    mtu: int
    mac: str
    alias: str
    master: int
    parent: int
    vlan: Optional[int]
    type: int
    peer_namespace: Optional[int] = None
    permanent_mac: str = ""
    group: int = 0
    mode: str = ""

    @property
    def peer(self) -> int:
        """The ifindex of the other end of a veth pair, which the kernel tells in the parent's place; 0: it is none."""
        return self.parent if self.kind == "veth" else 0

    @classmethod
    def from_note(cls, note: dict[str, Any]) -> Link:
        """What ``note`` has kept."""
        named = {"ifindex" if field == "number" else field: value for field, value in note.items()}
        return cls(**named)  # "number" is what former versions called it


class Route(Record):
    """A route; destination None is the default route.

    message is what the kernel told of it, to put it back as it was.
    """

    family: int
    destination: Optional[str]
    link: int
    gateway: Optional[str]
    metric: int
    message: bytes

    @property
    def prefix(self) -> str:
        """Where it goes to, as ADDRESS/LENGTH; of the default route "/0"."""
        return f"{self.destination or ''}/{self.message[1]}"

    @property
    def way(self) -> tuple[Any, ...]:
        """What tells it from others of its family: where it goes to, from which table, which way, with which metric."""
        where = self.destination, *self.message[1:4], self.table, self.metric
        return self.family, where, self.link, self.gateway, self._told(messages.RTA_NH_ID), self._hops()

    def covers(self, other: Route) -> bool:
        """Whether it leads where another does, by all of its ways: those of IPv6 with one metric become one route."""
        return self.way == other.way or (self.way[:2] == other.way[:2] and other._ways <= self._ways)

    @property
    def _ways(self) -> set[tuple[int, Optional[bytes]]]:
        """The ifindex and the gateway of each next hop."""
        gateway = messages.RTA_GATEWAY
        hops = ((ifindex, messages.chosen(inner, 0, (gateway,)).get(gateway)) for _, ifindex, inner in self._hops())
        return set(hops) or {(self.link, self._told(gateway))}

    @property
    def links(self) -> set[int]:
        """The ifindexes of the links that it goes out of: more than one where it has several next hops."""
        return {self.link, *(ifindex for _, ifindex, _ in self._hops())}

    @property
    def gateways(self) -> set[str]:
        """The routers that it goes by: more than one where it has several next hops."""
        found = {messages.ip_text(gateway) for _, gateway in self._ways if gateway}
        return found | ({self.gateway} if self.gateway else set())

    @property
    def table(self) -> int:
        """The number of the table that it stands in."""
        told = self._told(messages.RTA_TABLE)
        return messages.unsigned(told) if told else self.message[4]

    @property
    def made_by(self) -> int:
        """Who made it (RTPROT_*)."""
        return self.message[5]

    @property
    def is_routers(self) -> bool:
        """Whether it was made because a router has announced itself, not because anybody asked for it."""
        return self.made_by == RTPROT_RA

    @property
    def is_link_locals(self) -> bool:
        """Whether it leads to the IPv6 addresses that are good for its own link only (fe80::/10)."""
        return self.family == 6 and (self.destination or "").lower().startswith(("fe8", "fe9", "fea", "feb"))

    @property
    def has_object(self) -> bool:
        """Whether it leads to a nexthop object (``ip nexthop``), and the kernel has told as well where that leads."""
        told = {kind & messages.NUMBER for kind, _ in messages.attributes(self.message, messages.ROUTE.size)}
        return messages.RTA_NH_ID in told and bool(told & messages.NEXT_HOP)

    @property
    def by_object(self) -> bool:
        """Whether it leads to a nexthop object, whatever else is told of it."""
        return self._told(messages.RTA_NH_ID) is not None

    def out_of(self, ifindex: int) -> Route:
        """The same out of another link; one with several next hops, or none, is as it was."""
        return self._changed(messages.RTA_OIF, messages.u32(ifindex)).replace(link=ifindex) if self.link else self

    def rerouted(self, was: int, now: int) -> Route:
        """The same with one link in the place of another, wherever it goes out of that."""
        if self.link == was:
            return self.out_of(now)
        if was not in self.links:
            return self
        paths = self._told(messages.RTA_MULTIPATH) or b""
        return self._changed(messages.RTA_MULTIPATH, messages.other_hops(paths, was, now))

    def with_metric(self, metric: int) -> Route:
        """The same with another metric."""
        return self._changed(messages.RTA_PRIORITY, messages.u32(metric)).replace(metric=metric)

    def in_table(self, table: int) -> Route:
        """The same in another table, for as long as it is there."""
        message = messages.without(self.message, messages.ROUTE.size, messages.RTA_CACHEINFO)
        return self.replace(message=message)._changed(messages.RTA_TABLE, messages.u32(table))

    def _hops(self) -> tuple[tuple[int, int, bytes], ...]:
        """Weight, ifindex and attributes of each, where it has several next hops."""
        paths = self._told(messages.RTA_MULTIPATH) or b""
        return tuple((weight, ifindex, inner) for _, weight, ifindex, inner in messages.hops(paths))

    def _changed(self, number: int, value: bytes) -> Route:
        return self.replace(message=messages.changed(self.message, messages.ROUTE.size, number, value))

    def _told(self, number: int) -> Optional[bytes]:
        return messages.chosen(self.message, messages.ROUTE.size, (number,)).get(number)

    @property
    def note(self) -> dict[str, Any]:
        """All of it, in terms that JSON has."""
        return {**super().note, "message": self.message.hex()}

    @classmethod
    def from_note(cls, note: dict[str, Any]) -> Route:
        """What ``note`` has kept."""
        if isinstance(note["message"], str):
            return cls(**{**note, "message": bytes.fromhex(note["message"])})
        from pipework.kernel.former_notes import route_message  # of a version that is hardly there any more

        return read_route(route_message(note["message"]))


class LinkAddress(Record):
    """An address on a link, with the broadcast address, flags (IFA_F_*) and scope that it has.

    message is what the kernel told of it, to put it back as it was.
    """

    broadcast: Optional[str]
    flags: int
    scope: int
    message: bytes

    @property
    def interface(self) -> Interface:
        """The address with its prefix."""
        return ip_interface((self._local, self.message[1]))

    @property
    def text(self) -> str:
        """The address with its prefix, in the kernel's words."""
        return f"{messages.ip_text(self._local)}/{self.message[1]}"

    @property
    def is_link_local(self) -> bool:
        """Whether it is one of IPv6 that is good for its own link only."""
        return self.message[0] == socket.AF_INET6 and self.scope == SCOPE_LINK

    @property
    def is_permanent(self) -> bool:
        """Whether it stays until somebody removes it."""
        return bool(self.flags & IFA_F_PERMANENT)

    @property
    def is_routers(self) -> bool:
        """Whether the guest may have it because a router has announced its prefix (SLAAC): it is not what was set."""
        return self.message[0] == socket.AF_INET6 and (self._is_derived or not self.is_permanent)

    def may_be_leased(self, family: int) -> bool:
        """Whether a DHCP server may have given it; family is 4 or 6.

        The flags do not tell: udhcpc sets an address for ever, dhclient for a time.
        """
        interface = self.interface
        return interface.version == family and not interface.ip.is_link_local and not self._is_derived

    @property
    def _is_derived(self) -> bool:
        """Whether the kernel has made it of an announced prefix; IFA_F_TEMPORARY means another thing in IPv4."""
        derived = IFA_F_TEMPORARY | IFA_F_MANAGETEMPADDR
        return self.message[0] == socket.AF_INET6 and bool(self.flags & derived)

    @property
    def _local(self) -> bytes:
        get = messages.chosen(self.message, messages.ADDRESS.size, (messages.IFA_LOCAL, messages.IFA_ADDRESS)).get
        return get(messages.IFA_LOCAL) or get(messages.IFA_ADDRESS, b"")

    @property
    def lifetimes(self) -> tuple[int, int]:
        """The seconds for which it is preferred, and those for which it is valid, as long as it is not permanent."""
        told = messages.chosen(self.message, messages.ADDRESS.size, (messages.IFA_CACHEINFO,))
        preferred, valid = messages.PAIR_OF_TIMES.unpack_from(told[messages.IFA_CACHEINFO])
        return preferred, valid

    @property
    def label(self) -> Optional[str]:
        """The label of an IPv4 address: the name of its link, or that and a suffix."""
        told = messages.chosen(self.message, messages.ADDRESS.size, (messages.IFA_LABEL,)).get(messages.IFA_LABEL)
        return messages.text(told) if told else None

    def on(self, ifname: str) -> LinkAddress:
        """The same for another link of the same network: labelled anew, and not checked for duplicates again."""
        if self.message[0] == socket.AF_INET6:
            flags = self.flags | IFA_F_NODAD
            return self._changed(messages.IFA_FLAGS, messages.u32(flags)).replace(flags=flags)
        label = f"{ifname}{''.join((self.label or '').partition(':')[1:])}"
        label = label if len(label) < LONGEST_LABEL else ifname
        return self._changed(messages.IFA_LABEL, label.encode("utf-8", "surrogateescape") + b"\0")

    def _changed(self, number: int, value: bytes) -> LinkAddress:
        return self.replace(message=messages.changed(self.message, messages.ADDRESS.size, number, value))

    @property
    def note(self) -> dict[str, Any]:
        """All of it, in terms that JSON has."""
        return {**super().note, "interface": str(self.interface), "message": self.message.hex()}

    @classmethod
    def from_note(cls, note: dict[str, Any]) -> LinkAddress:
        """What ``note`` has kept."""
        if isinstance(note["message"], str):
            kept = {**note, "message": bytes.fromhex(note["message"])}
            return cls(**{field: kept[field] for field in cls.fields})
        from pipework.kernel.former_notes import address_message  # of a version that is hardly there any more

        return read_address(address_message(note))


LINK_TOLD = frozenset(
    (
        *(messages.IFLA_ADDRESS, messages.IFLA_IFNAME, messages.IFLA_MTU, messages.IFLA_LINK, messages.IFLA_MASTER),
        *(messages.IFLA_LINKINFO, messages.IFLA_IFALIAS, messages.IFLA_GROUP, messages.IFLA_LINK_NETNSID),
        messages.IFLA_PERM_ADDRESS,
    )
)


def read_link(told: bytes) -> Link:
    """An RTM_NEWLINK."""
    _, hardware, ifindex, flags, _ = messages.LINK.unpack_from(told)
    get = messages.chosen(told, messages.LINK.size, LINK_TOLD).get
    kind, own = _kind(get(messages.IFLA_LINKINFO, b""))
    netns = get(messages.IFLA_LINK_NETNSID)
    return Link(
        ifindex=ifindex,
        name=messages.text(get(messages.IFLA_IFNAME)),
        kind=kind,
        up=bool(flags & IFF_UP),
        carrier=bool(flags & IFF_LOWER_UP),
        mtu=messages.unsigned(get(messages.IFLA_MTU)),
        mac=get(messages.IFLA_ADDRESS, b"").hex(":"),
        alias=messages.text(get(messages.IFLA_IFALIAS)),
        master=messages.unsigned(get(messages.IFLA_MASTER)),
        parent=messages.unsigned(get(messages.IFLA_LINK)),
        vlan=own if kind in TAGS else None,
        type=hardware,
        peer_namespace=messages.SIGNED.unpack(netns)[0] if netns else None,
        permanent_mac=get(messages.IFLA_PERM_ADDRESS, b"").hex(":"),
        group=messages.unsigned(get(messages.IFLA_GROUP)),
        mode=_mode(own) if kind in MODED else "",
    )


def _kind(info: bytes) -> tuple[str, Optional[int]]:
    """The kind of a link, and the number of the tag or mode of one that has such."""
    if not info:
        return "", None
    told = messages.chosen(info, 0, (messages.INFO_KIND, messages.INFO_DATA))
    kind = messages.text(told.get(messages.INFO_KIND))
    number = TAGS.get(kind) or MODED.get(kind)
    if not number:
        return kind, None
    own = messages.chosen(told.get(messages.INFO_DATA, b""), 0, (number,)).get(number)
    return kind, messages.unsigned(own) if own else None


def _mode(number: Optional[int]) -> str:
    known = number is not None and number < len(messages.IPVLAN_MODES)
    return messages.IPVLAN_MODES[number or 0] if known else str(number)


ADDRESS_TOLD = (messages.IFA_BROADCAST, messages.IFA_FLAGS)


def read_address(told: bytes) -> LinkAddress:
    """An RTM_NEWADDR."""
    _, _, flags, scope, _ = messages.ADDRESS.unpack_from(told)
    get = messages.chosen(told, messages.ADDRESS.size, ADDRESS_TOLD).get
    broadcast = get(messages.IFA_BROADCAST)
    return LinkAddress(
        broadcast=messages.ip_text(broadcast) if broadcast else None,
        flags=messages.unsigned(get(messages.IFA_FLAGS)) or flags,
        scope=scope,
        message=told,
    )


ROUTE_TOLD = (
    *(messages.RTA_DST, messages.RTA_OIF, messages.RTA_GATEWAY, messages.RTA_VIA),
    messages.RTA_PRIORITY,
)


def read_route(told: bytes) -> Route:
    """An RTM_NEWROUTE."""
    get = messages.chosen(told, messages.ROUTE.size, ROUTE_TOLD).get
    destination, gateway = get(messages.RTA_DST), get(messages.RTA_GATEWAY)
    via = get(messages.RTA_VIA, b"")[2:]  # behind its family
    return Route(
        family=6 if told[0] == socket.AF_INET6 else 4,
        destination=messages.ip_text(destination) if destination else None,
        link=messages.unsigned(get(messages.RTA_OIF)),
        gateway=messages.ip_text(gateway or via) if gateway or via else None,
        metric=messages.unsigned(get(messages.RTA_PRIORITY)),
        message=told,
    )

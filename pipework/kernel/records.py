"""What the kernel tells of links, addresses and routes, in terms that need no netlink to be at hand."""

from __future__ import annotations

import socket
from ipaddress import ip_interface

from pipework.model import Interface
from pipework.typed import TYPE_CHECKING, Any, Optional, TypeVar
from pipework.value import Value

if TYPE_CHECKING:
    Self = TypeVar("Self", bound="Record")

# linux/if.h, linux/if_addr.h
IFF_UP, IFF_LOWER_UP = 0x1, 0x10000
IFA_F_DADFAILED, IFA_F_TENTATIVE = 0x08, 0x40
# The group (IFLA_GROUP) that links are born in, which the kernel sets at birth, as it does no other mark.  Runs hold
# the host's lock until their links bear one, so a link in this group is what a run that was killed has left.
NEWBORN = int.from_bytes(b"pipe", "big")


TAGS = {"vlan": "IFLA_VLAN_ID", "ipoib": "IFLA_IPOIB_PKEY"}


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
    permanent_mac: the address burnt into a NIC, where the kernel tells it; group: NEWBORN until a link that we make
    is marked as ours, else as the administrator has set it.
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


class Route(Record):
    """A route; destination None is the default route.

    message is what the kernel told of it, to put it back as it was.
    """

    family: int
    destination: Optional[str]
    link: int
    gateway: Optional[str]
    metric: int
    message: dict[str, Any]

    @property
    def way(self) -> tuple[Any, ...]:
        """What tells it from other routes: where it goes to, in which table, by whom, and with which metric."""
        length, table = self.message["dst_len"], self.message["table"]
        return self.family, self.destination, length, table, self.link, self.gateway, self.metric

    def out_of(self, ifindex: int) -> Route:
        """The same out of a link that has another ifindex by now."""
        attributes = [(key, ifindex if key == "RTA_OIF" else value) for key, value in self.message["attrs"]]
        return self.replace(message={**self.message, "attrs": attributes})

    def with_metric(self, metric: int) -> Route:
        """The same with another metric."""
        attributes = [(key, value) for key, value in self.message["attrs"] if key != "RTA_PRIORITY"]
        message = {**self.message, "attrs": [*attributes, ("RTA_PRIORITY", metric)]}
        return self.replace(metric=metric, message=message)

    @property
    def links(self) -> set[int]:
        """The ifindexes of the links that it goes out of: more than one where it has several next hops."""
        hops = next((value for key, value in self.message["attrs"] if key == "RTA_MULTIPATH"), ())
        return {self.link, *(hop["oif"] for hop in hops)}


class LinkAddress(Record):
    """An address on a link, with the broadcast address, flags (IFA_F_*) and scope that it has."""

    interface: Interface
    broadcast: Optional[str]
    flags: int
    scope: int
    message: dict[str, Any]

    @property
    def label(self) -> Optional[str]:
        """The label of an IPv4 address: the name of its link, or that and a suffix."""
        return next((value for key, value in self.message["attrs"] if key == "IFA_LABEL"), None)

    @property
    def note(self) -> dict[str, Any]:
        """All of it, in terms that JSON has."""
        return {**super().note, "interface": str(self.interface)}

    @classmethod
    def from_note(cls: type[Self], note: dict[str, Any]) -> Self:
        """What ``note`` has kept."""
        return cls(**{**note, "interface": ip_interface(note["interface"])})


def read_link(answer: Any) -> Link:
    """A decoded RTM_NEWLINK."""
    info = answer.get_attr("IFLA_LINKINFO")
    kind = (info.get_attr("IFLA_INFO_KIND") if info else "") or ""
    tag = TAGS.get(kind)
    data = info.get_attr("IFLA_INFO_DATA") if tag else None
    return Link(
        ifindex=answer["index"],
        name=answer.get_attr("IFLA_IFNAME"),
        kind=kind,
        up=bool(answer["flags"] & IFF_UP),
        carrier=bool(answer["flags"] & IFF_LOWER_UP),
        mtu=answer.get_attr("IFLA_MTU") or 0,
        mac=answer.get_attr("IFLA_ADDRESS") or "",
        alias=answer.get_attr("IFLA_IFALIAS") or "",
        master=answer.get_attr("IFLA_MASTER") or 0,
        parent=answer.get_attr("IFLA_LINK") or 0,
        vlan=data.get_attr(tag) if data else None,
        type=answer["ifi_type"],
        peer_namespace=answer.get_attr("IFLA_LINK_NETNSID"),
        permanent_mac=answer.get_attr("IFLA_PERM_ADDRESS") or "",
        group=answer.get_attr("IFLA_GROUP") or 0,
    )


def read_address(answer: Any) -> LinkAddress:
    """A decoded RTM_NEWADDR."""
    local = answer.get_attr("IFA_LOCAL") or answer.get_attr("IFA_ADDRESS")
    return LinkAddress(
        interface=ip_interface(f"{local}/{answer['prefixlen']}"),
        broadcast=answer.get_attr("IFA_BROADCAST"),
        flags=answer.get_attr("IFA_FLAGS") or answer["flags"],
        scope=answer["scope"],
        message={"attrs": _plain(answer["attrs"])},
    )


def read_route(answer: Any) -> Route:
    """A decoded RTM_NEWROUTE."""
    fields = ("family", "dst_len", "src_len", "tos", "table", "proto", "scope", "type", "flags")
    return Route(
        family=6 if answer["family"] == socket.AF_INET6 else 4,
        destination=answer.get_attr("RTA_DST"),
        link=answer.get_attr("RTA_OIF") or 0,
        gateway=answer.get_attr("RTA_GATEWAY"),
        metric=answer.get_attr("RTA_PRIORITY") or 0,
        message={**{name: answer[name] for name in fields}, "attrs": _plain(answer["attrs"])},
    )


def _plain(value: Any) -> Any:
    """Attributes as plain lists and dictionaries, which can be kept and encoded again."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items() if key != "header"}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, (str, int, float, bytes)) or value is None:
        return value
    name, inner = value  # a slot of an attribute list
    return [name, _plain(inner)]

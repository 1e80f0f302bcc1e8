"""Kinds of links: what HOSTIF can be, and which file serves it.

A kind is a file with a KIND, see LinkKind.  To add one, add a file and a row.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from importlib import import_module

from pipework.errors import NotInstalled, Refused
from pipework.guests.base import Guest
from pipework.kernel import sysfs
from pipework.kernel.namespaces import Namespace
from pipework.links.base import SWITCHED, LinkKind, Wire
from pipework.model import OVN, Attach, check_ifname
from pipework.typed import TYPE_CHECKING, Callable, Optional, cast
from pipework.value import Value

if TYPE_CHECKING:
    from pipework.kernel.records import Link


class Row(Value):
    """A kind of link.

    module: serves it, and gives it its name; serves: whether it does a HOSTIF that is there; made: how the names begin
    of what it makes when that is missing; prefix: of a HOSTIF that names something else than a link; ifname: of the
    guest's end; seen_as: what that is to the kernel, () for any; on_bridge: whether the host's end may be a port of a
    Linux bridge; takes: the fields of options that only this kind has, see ONLY.
    """

    module: str
    serves: Callable[[Attach, Link], bool]
    made: str = ""
    prefix: str = ""
    ifname: str = "eth1"
    seen_as: tuple[str, ...] = ()
    on_bridge: bool = False
    takes: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """What people see it called."""
        return self.module.rpartition(".")[2]


def is_openvswitch(link: Link) -> bool:
    """Whether it is a bridge of Open vSwitch, which is only asked about links that look like one.

    Such links outlive their switch: where that is stopped nobody knows what they are.  Raises Refused.
    """
    if link.kind not in SWITCHED or link.type != sysfs.ETHERNET:
        return False
    from pipework.kernel import ovsdb  # no other kind needs it

    try:
        return ovsdb.is_bridge(link.name)
    except NotInstalled:
        if link.kind == "openvswitch":
            raise
        return False


def _is_openvswitch(request: Attach, link: Link) -> bool:
    return is_openvswitch(link)


def is_bridge(link: Link) -> bool:
    """Whether it is a Linux bridge."""
    return link.kind == "bridge"


def _is_bridge(request: Attach, link: Link) -> bool:
    return is_bridge(link)


def _is_infiniband(request: Attach, link: Link) -> bool:
    return link.type == sysfs.INFINIBAND


def _is_handed_over(request: Attach, link: Link) -> bool:
    return request.direct_phys


def _is_handed_over_in_part(request: Attach, link: Link) -> bool:
    return request.direct_phys and request.tag is not None


def _is_routed(request: Attach, link: Link) -> bool:
    return request.routed


def _is_shared_by_ip(request: Attach, link: Link) -> bool:
    return request.ipvlan is not None


def _is_any(request: Attach, link: Link) -> bool:
    return True


def _is_none(request: Attach, link: Link) -> bool:
    """No HOSTIF is: what has a verb of its own."""
    return False


# In the order in which they are asked, the first that serves HOSTIF has it; as in the original, but for VLANs.
KINDS = (
    Row("pipework.links.routed", _is_routed, seen_as=("veth",), takes=("routed",)),
    Row("pipework.links.ovn", _is_none, prefix=OVN, seen_as=("veth",)),
    Row("pipework.links.openvswitch", _is_openvswitch, "ovs", seen_as=("veth",)),
    Row("pipework.links.bridge", _is_bridge, "br", seen_as=("veth",), on_bridge=True, takes=("filters",)),
    Row("pipework.links.peer", _is_none, seen_as=("veth",)),
    Row("pipework.links.ipoib", _is_infiniband, ifname="ib0", seen_as=("ipoib",)),
    Row("pipework.links.vlan", _is_handed_over_in_part, seen_as=("vlan",)),
    Row("pipework.links.nic", _is_handed_over),
    Row("pipework.links.ipvlan", _is_shared_by_ip, seen_as=("ipvlan",), takes=("ipvlan",)),
    Row("pipework.links.macvlan", _is_any, seen_as=("macvlan",), takes=("mode", "host_access")),
    Row("pipework.links.dummy", _is_any, "dummy", seen_as=("dummy",)),
)
# Options that only one kind takes, and what that is, by their fields.
ONLY = {
    "filters": ("--filter", "a Linux bridge"),
    "mode": ("--mode", "a NIC that guests share with the host"),
    "routed": ("--routed", "a NIC"),
    "ipvlan": ("--ipvlan", "a NIC that guests share with the host"),
    "host_access": ("--host-access", "a NIC that guests share with the host"),
}
NAMED = {row.name: row for row in KINDS}


def resolve(request: Attach, host: Namespace, guest: Guest) -> tuple[LinkKind, Wire]:
    """The link kind that serves HOSTIF, and the wire to make.  Raises Refused."""
    name = request.hostif
    if name.startswith("mac:"):
        found = sysfs.with_mac(name[4:])
        if found is None:
            raise Refused(f"{name}: no host interface matched", "See the addresses of this host's links: ip -br link")
        name = found
    row = next((row for row in KINDS if row.prefix and name.startswith(row.prefix)), None)
    link = None if row else host.netlink.link(name)  # which may be called so besides
    row = row or (_existing(request, link) if link else _missing(request, name))
    for field, (option, what) in ONLY.items():
        if getattr(request, field) and field not in row.takes:
            raise Refused(f"{option} is for {what}, and HOSTIF {name} is none here", "Leave it out.")
    return _load(row), Wire(request, host, guest, row.name, link.name if link else name, request.ifname or row.ifname)


def _existing(request: Attach, link: Link) -> Row:
    return next(row for row in KINDS if row.serves(request, link))


def _missing(request: Attach, name: str) -> Row:
    """Who serves a HOSTIF without a link: Open vSwitch what it knows, else whom the name suggests.  Raises Refused."""
    check_ifname("HOSTIF", name)
    bridge = _switch_with(name)
    if bridge == name:
        return NAMED["openvswitch"]
    if bridge:
        raise Refused(
            f"HOSTIF {name} is a port of {bridge} (Open vSwitch), and this host has no link of that name",
            f"Wire the guest to that: pipework {bridge} {request.guest} ...; or free the name: "
            f"ovs-vsctl del-port {bridge} {name}",
        )
    made = next((row for row in KINDS if row.made and name.startswith(row.made)), None)
    if made is None:
        raise Refused(
            f"this host has no interface {name}, and its name does not say what to make",
            "See what there is: ip -br link.  Names that start with br, ovs or dummy are made when missing.",
        )
    return made


def _switch_with(name: str) -> Optional[str]:
    """The bridge of Open vSwitch that has that name, or a port of that name; None: there is none, or nobody to ask.

    Raises Refused where it should answer and does not.
    """
    from pipework.kernel import ovsdb  # for a link that is there the kernel is asked

    try:
        return ovsdb.bridge_of(name) if ovsdb.listens() else None
    except ovsdb.NoAnswer:
        raise
    except ovsdb.Fault:  # it has left its socket behind
        return None


def kind(name: str) -> LinkKind:
    """The kind of that name."""
    return _load(NAMED[name])


def every() -> Iterator[LinkKind]:
    """All kinds."""
    return map(_load, KINDS)


@cache
def that_may_be(kind: str, on_bridge: bool) -> Sequence[tuple[str, LinkKind]]:
    """The kinds, by name, that a guest's link may be of which is of that kind to the kernel.

    on_bridge: whether the host's end of it is a port of a Linux bridge.
    """
    rows = [row for row in KINDS if kind in row.seen_as] + [row for row in KINDS if not row.seen_as]
    return [(row.name, _load(row)) for row in rows if row.on_bridge or not on_bridge]


@cache
def _load(row: Row) -> LinkKind:
    return cast(LinkKind, import_module(row.module).KIND)

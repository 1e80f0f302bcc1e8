"""Kinds of links: what HOSTIF can be, and which file serves it.

A link kind is a module with one function, see LinkKind.  To add one, add a file and a row.
"""

from __future__ import annotations

from importlib import import_module

from pipework.errors import NotInstalled, Refused
from pipework.guests.base import Guest
from pipework.kernel import sysfs
from pipework.kernel.namespaces import Namespace
from pipework.links.base import SWITCHED, LinkKind, Wire
from pipework.model import Attach
from pipework.typed import Optional, cast

# what HOSTIF is -> the module that serves it
KINDS = {
    "Linux bridge": "pipework.links.bridge",
    "Open vSwitch bridge": "pipework.links.openvswitch",
    "NIC": "pipework.links.macvlan",
    "NIC to move": "pipework.links.direct",
    "IPoIB interface": "pipework.links.ipoib",
    "dummy link": "pipework.links.dummy",
}
MADE_WHEN_MISSING = {"br": "Linux bridge", "ovs": "Open vSwitch bridge", "dummy": "dummy link"}
DEFAULT_IFNAME = {"IPoIB interface": "ib0"}


def resolve(request: Attach, host: Namespace, guest: Guest) -> tuple[LinkKind, Wire]:
    """The link kind that serves HOSTIF, and the wire to make.  Raises Refused."""
    name = request.hostif
    if name.startswith("mac:"):
        found = sysfs.with_mac(name[4:])
        if found is None:
            raise Refused(f"{name}: no host interface matched", "See the addresses of this host's links: ip -br link")
        name = found
    kind = _existing(name, host, request.direct_phys) if sysfs.exists(name) else _missing(name)
    if kind is None:
        raise Refused(
            f"this host has no interface {name}, and its name does not say what to make",
            "See what there is: ip -br link.  Names that start with br, ovs or dummy are made when missing.",
        )
    ifname = request.ifname or DEFAULT_IFNAME.get(kind, "eth1")
    module = import_module(KINDS[kind])
    return cast(LinkKind, module), Wire(request, host, guest, module.__name__.rpartition(".")[2], name, ifname)


def _existing(name: str, host: Namespace, direct_phys: bool) -> str:
    """The original's questions, in its order."""
    if sysfs.is_linux_bridge(name):
        return "Linux bridge"
    if _is_openvswitch(name, host):
        return "Open vSwitch bridge"
    if sysfs.hardware_type(name) == sysfs.INFINIBAND:
        return "IPoIB interface"
    return "NIC to move" if direct_phys else "NIC"


def _is_openvswitch(name: str, host: Namespace) -> bool:
    """Whether it is a bridge of Open vSwitch, which is only asked about links that look like one.

    Such links outlive their switch: where that is stopped nobody knows what they are.  Raises Refused.
    """
    link = host.netlink.link(name)
    if link is None or link.kind not in SWITCHED:
        return False
    from pipework.kernel import ovsdb  # no other kind needs it

    try:
        return ovsdb.is_bridge(name)
    except NotInstalled:
        if link.kind == "openvswitch":
            raise
        return False


def _missing(name: str) -> Optional[str]:
    return next((kind for prefix, kind in MADE_WHEN_MISSING.items() if name.startswith(prefix)), None)

"""A NIC handed to a guest, and brought back."""

from __future__ import annotations

import os
from errno import EEXIST
from typing import Any, Optional

from pipework.actions.links import suppress_errno
from pipework.errors import Refused
from pipework.kernel.namespaces import Namespace
from pipework.kernel.programs import run
from pipework.kernel.records import Link, LinkAddress, Route
from pipework.value import Value

IW_LIMIT = 10.0  # seconds


class MoveLink(Value):
    """Hand a NIC of the host to the guest, under a new name; undone, it is what it was, where it was.

    A link that changes its namespace goes down and loses master, addresses and routes: what is noted of them
    is put back.  A Wi-Fi NIC cannot leave its radio: the whole phy moves, as ``iw phy`` moves it.
    """

    host: Namespace
    guest: Namespace
    new_name: str
    before: Link
    phy: Optional[str]
    master: Optional[str]
    addresses: tuple[LinkAddress, ...]
    routes: tuple[Route, ...]

    def do(self) -> None:
        _move(self.host, self.guest, self.before.name, self.new_name, self.phy)

    def undo(self) -> None:
        host, guest = self.host.netlink, self.guest.netlink
        guest.set_link(guest.index(self.new_name), up=False)
        _move(self.guest, self.host, self.new_name, self.before.name, self.phy)
        index = host.index(self.before.name)
        host.set_link(index, IFLA_MTU=self.before.mtu)
        if self.master:
            host.set_link(index, IFLA_MASTER=host.index(self.master))
        if self.before.up:
            host.set_link(index, up=True)
        for address in self.addresses:
            with suppress_errno(EEXIST):  # the kernel gives a link-local address by itself
                host.put_back_address(index, address)
        for route in self.routes:
            with suppress_errno(EEXIST):  # and the routes of addresses
                host.put_back_route(route.replace(message=_moved(route, index)))

    def say(self) -> str:
        if self.phy:
            rename = self.guest.say(f"ip link set dev {self.before.name} name {self.new_name}")
            return f"iw phy {self.phy} set netns name {self.guest.path} && {rename}"
        return f"ip link set dev {self.before.name} netns {self.guest.path} name {self.new_name}"


def _move(source: Namespace, target: Namespace, name: str, new_name: str, phy: Optional[str]) -> None:
    """Move a link or its radio.  Raises PipeworkError having moved nothing."""
    index = source.netlink.index(name)
    if phy is None:
        source.netlink.set_link(index, IFLA_NET_NS_FD=target.fd, IFLA_IFNAME=new_name)
    else:
        _move_phy(source, target, phy)
        _rename_moved(target, index, name, new_name)
    source.netlink.forget(name)
    target.netlink.forget(new_name)


def _move_phy(source: Namespace, target: Namespace, phy: str) -> None:
    with source.entered():
        place = f"/proc/{os.getpid()}/fd/{target.fd}"
        moved = run(["iw", "phy", phy, "set", "netns", "name", place], IW_LIMIT, "iw")
    if moved.status != 0:
        raise Refused(f"radio {phy} cannot be moved: {moved.err.strip() or moved.out.strip()}", "See it: iw list")


def _rename_moved(target: Namespace, index: int, name: str, new_name: str) -> None:
    """A radio's link keeps its number where it is free, else its name; cfg80211 says neither."""
    links = target.netlink.links()
    found = [link for link in links if link.number == index and link.kind == ""] or [
        link for link in links if link.name == name
    ]
    target.netlink.set_link(found[0].number, IFLA_IFNAME=new_name)


def _moved(route: Route, index: int) -> dict[str, Any]:
    attributes = [(key, index if key == "RTA_OIF" else value) for key, value in route.message["attrs"]]
    return {**route.message, "attrs": attributes}

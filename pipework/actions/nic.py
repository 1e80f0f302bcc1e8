"""A NIC that moves to another namespace, and what it takes to be there what it was."""

from __future__ import annotations

import os

from pipework.actions.base import Action, Together
from pipework.actions.lines import address_line, ipv6_line, is_the_kernels, link_names, route_line
from pipework.actions.links import RenameLink
from pipework.actions.stash import put_back
from pipework.errors import Refused
from pipework.kernel import sysfs
from pipework.kernel.namespaces import Namespace
from pipework.kernel.programs import run
from pipework.kernel.records import Link
from pipework.notes import Home
from pipework.quoting import quote
from pipework.typed import Any, Optional

IW_LIMIT = 10.0  # seconds


class MoveLink(Action):
    """Move a NIC from one namespace to another; undone, it is what it was, where it was.

    was: what it is here; new_name, ifindex: what it is to have there (0: what comes).
    A Wi-Fi NIC cannot leave its radio: the whole phy moves, as ``iw phy`` moves it.
    """

    source: Namespace
    target: Namespace
    was: Home
    new_name: str
    ifindex: int = 0

    def do(self) -> None:
        name = self.was.link.name
        if self.target.netlink.link(self.new_name):
            raise Refused(
                f"{name} cannot come as {self.new_name} to where another link has that name",
                f"Rename that one first: {self.target.say(f'ip link set {self.new_name} name OTHER')}",
            )
        _move(self.source, self.target, name, self.new_name, self.was.phy, self.ifindex)

    def undo(self) -> None:
        _move(self.target, self.source, self.new_name, self.was.link.name, self.was.phy, self.was.link.ifindex)
        dress(self.source, self.was)

    def say(self) -> str:
        name, new_name, phy = quote(self.was.link.name), quote(self.new_name), self.was.phy
        place = quote(self.target.path) if self.target.path else "$$"  # the shell's own namespace is the host's
        if not phy:
            return self.source.say(f"ip link set dev {name} netns {place} name {new_name}")
        if self.source.path:
            renaming = self.source.say(f"ip link set dev {name} name {new_name}")
            return f"{renaming}\n{self.source.say(f'iw {quote(phy)} set netns $$')}"
        return f"iw {quote(phy)} set netns name {place}\n{self.target.say(f'ip link set dev {name} name {new_name}')}"


class Dress(Action):
    """Give a NIC that has come home all that it had there; there: the link as it comes.

    Moving it away again takes that off it.
    """

    host: Namespace
    home: Home
    there: Link

    def do(self) -> None:
        dress(self.host, self.home)

    def say(self) -> str:
        return "\n".join(_dressing(self.host, self.home, self.there))


class Restore(Action):
    """Make a NIC that has come home, under whatever name, what it was there.  Nobody wants that undone."""

    host: Namespace
    there: Link
    home: Home

    def do(self) -> None:
        netlink, name = self.host.netlink, self.home.link.name
        if self.there.name != name:
            if netlink.link(name):
                raise Refused(
                    f"{self.there.name} cannot be {name} again: this host has another link of that name",
                    f"Rename that one first: ip link set {name} name OTHER",
                )
            netlink.set_link(self.there.ifindex, up=False)
            RenameLink(self.host, self.there.name, name).do()
        dress(self.host, self.home)

    def say(self) -> str:
        there, name = quote(self.there.name), quote(self.home.link.name)
        renaming = [f"ip link set dev {there} down", f"ip link set dev {there} name {name}"] if there != name else []
        return "\n".join([*renaming, *_dressing(self.host, self.home, self.there)])


def describe(namespace: Namespace, link: Link, links: list[Link]) -> Home:
    """What a NIC is and has where it is now; links: all of that namespace."""
    netlink = namespace.netlink
    master = next((other.name for other in links if other.ifindex == link.master), None)
    with namespace.entered():
        phy, ipv6 = sysfs.phy(link.name), sysfs.has_ipv6(link.name)
    return Home(link, phy, master, tuple(netlink.addresses(link.ifindex)), netlink.routes_via(link.ifindex), ipv6)


def dress(namespace: Namespace, home: Home) -> None:
    """Give a NIC that is back under its own name all that it had, as far as it lacks it."""
    netlink, link = namespace.netlink, home.link
    netlink.forget(link.name)
    index = netlink.index(link.name)
    netlink.set_link(index, IFLA_MTU=link.mtu, IFLA_IFALIAS=link.alias)
    there = netlink.link(link.name)
    # that of InfiniBand is nobody's to choose
    if there and there.mac != link.mac and link.type != sysfs.INFINIBAND:
        netlink.set_link(index, IFLA_ADDRESS=link.mac)
    master = netlink.link(home.master) if home.master else None
    if master:  # a bridge that has gone meanwhile is not missed
        netlink.set_link(index, IFLA_MASTER=master.ifindex)
    if home.ipv6 is not None:  # in another namespace it has what is usual there
        with namespace.entered():
            sysfs.allow_ipv6(link.name, home.ipv6)
    if link.up:
        netlink.set_link(index, up=True)
    put_back(namespace, index, home.addresses, home.routes)


def _dressing(namespace: Namespace, home: Home, there: Link) -> list[str]:
    """The lines that do the same; there: the link as it arrives."""
    link, name = home.link, quote(home.link.name)
    lines = [f"ip link set dev {name} mtu {link.mtu} alias {quote(link.alias)}"]
    is_other = there.mac != link.mac and link.type != sysfs.INFINIBAND
    lines += [f"ip link set dev {name} address {link.mac}"] if is_other else []
    master = namespace.netlink.link(home.master) if home.master else None
    lines += [f"ip link set dev {name} master {quote(master.name)}"] if master else []
    lines += [] if home.ipv6 in (None, True) else [namespace.say(ipv6_line(link.name, False))]
    lines += [f"ip link set dev {name} up"] if link.up else []
    lines += [address_line(namespace, link.name, address) for address in home.addresses]
    names = {**link_names(namespace), link.ifindex: link.name}
    own = [route for route in home.routes if not is_the_kernels(route)]
    return [*lines, *(route_line(namespace, "add", route, names) for route in own)]


def _move(source: Namespace, target: Namespace, name: str, new_name: str, phy: Optional[str], ifindex: int) -> None:
    """Move a link or its radio; ifindex is what the link shall have there (Linux 5.12), if it is free.

    Raises PipeworkError having moved nothing.
    """
    if phy is None:
        taken = any(link.ifindex == ifindex for link in target.netlink.links()) if ifindex else False
        wanted = {"IFLA_NEW_IFINDEX": ifindex} if ifindex and not taken else {}
        place: dict[str, Any] = {"IFLA_NET_NS_FD": target.fd, "IFLA_IFNAME": new_name, **wanted}
        source.netlink.set_link(source.netlink.index(name), **place)
    else:
        before = {link.ifindex for link in target.netlink.links()}
        here = source.netlink.link(name)
        Together((_MovePhy(source, target, phy), _NameArrived(target, before, here, new_name))).do()
    source.netlink.forget(name)
    target.netlink.forget(new_name)


class _MovePhy(Action):
    """Move a radio with all its links."""

    source: Namespace
    target: Namespace
    phy: str

    def do(self) -> None:
        with self.source.entered():
            place = f"/proc/{os.getpid()}/fd/{self.target.fd}"
            moved = run(["iw", self.phy, "set", "netns", "name", place], IW_LIMIT, "iw")
        if moved.status != 0:
            said = moved.err.strip() or moved.out.strip()
            raise Refused(f"radio {self.phy} cannot be moved: {said}", "See it: iw list")

    def undo(self) -> None:
        self.replace(source=self.target, target=self.source).do()


class _NameArrived(Action):
    """Give the link that has come with its radio its new name.  before: the ifindexes that there were."""

    target: Namespace
    before: set[int]
    link: Optional[Link]
    new_name: str

    def do(self) -> None:
        netlink = self.target.netlink
        # the link gets another name where its own is taken, and another ifindex likewise
        arrived = [link for link in netlink.links() if link.ifindex not in self.before]
        found = [link for link in arrived if self.link and link.mac == self.link.mac]
        link = next((link for link in found if self.link and link.name == self.link.name), found[0] if found else None)
        if link is None:
            raise Refused("the radio has come without its link", "See it: iw list")
        netlink.set_link(link.ifindex, IFLA_IFNAME=self.new_name)

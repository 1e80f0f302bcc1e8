"""A NIC handed to a guest, and brought back."""

from __future__ import annotations

import os
from contextlib import suppress

from pipework import notes
from pipework.actions.base import Action
from pipework.actions.lines import address_line, is_the_kernels, link_names, route_line
from pipework.actions.stash import put_back
from pipework.errors import KernelRefused, PipeworkError, Refused
from pipework.kernel import processes
from pipework.kernel.namespaces import Namespace
from pipework.kernel.programs import run
from pipework.kernel.records import Link, LinkAddress, Route
from pipework.notes import Page
from pipework.quoting import quote
from pipework.typed import Any, Optional
from pipework.value import Value

IW_LIMIT = 10.0  # seconds


class Home(Value):
    """What a NIC is on the host: a link that changes its namespace goes down and loses master, addresses and routes."""

    link: Link
    phy: Optional[str]
    master: Optional[str]
    addresses: tuple[LinkAddress, ...]
    routes: tuple[Route, ...]

    @property
    def note(self) -> dict[str, Any]:
        """All of it, in terms that JSON has."""
        return {
            "link": self.link.note,
            "phy": self.phy,
            "master": self.master,
            "addresses": [address.note for address in self.addresses],
            "routes": [route.note for route in self.routes],
        }

    @classmethod
    def from_note(cls, note: dict[str, Any]) -> Home:
        """What ``note`` has kept."""
        return cls(
            Link.from_note(note["link"]),
            note["phy"],
            note["master"],
            tuple(map(LinkAddress.from_note, note["addresses"])),
            tuple(map(Route.from_note, note["routes"])),
        )


class MoveLink(Action):
    """Hand a NIC of the host to the guest, under a new name; undone, it is what it was, where it was.

    A Wi-Fi NIC cannot leave its radio: the whole phy moves, as ``iw phy`` moves it.
    """

    host: Namespace
    guest: Namespace
    new_name: str
    home: Home

    def do(self) -> None:
        _move(self.host, self.guest, self.home.link.name, self.new_name, self.home.phy)

    def undo(self) -> None:
        BringHome(self.host, self.guest, self.new_name, self.home).do()

    def say(self) -> str:
        name, phy, place = quote(self.home.link.name), self.home.phy, quote(self.guest.path)
        new_name = quote(self.new_name)
        if phy:
            renamed = self.guest.say(f"ip link set dev {name} name {new_name}")
            return f"iw {quote(phy)} set netns name {place}\n{renamed}"
        return f"ip link set dev {name} netns {place} name {new_name}"


class BringHome(Action):
    """Bring a NIC back to the host as it was: from the guest, or, where guest is None, from wherever on the host
    the kernel has put it when its namespace ended."""

    host: Namespace
    guest: Optional[Namespace]
    name: str
    home: Home

    def do(self) -> None:
        host, link = self.host.netlink, self.home.link
        if (self.guest or self.name != link.name) and host.link(link.name):
            raise Refused(
                f"{self.name} cannot come home as {link.name}: this host has another link of that name",
                f"Rename that one first: ip link set {link.name} name OTHER",
            )
        if self.guest is not None:
            guest = self.guest.netlink
            guest.set_link(guest.index(self.name), up=False)
            _move(self.guest, self.host, self.name, link.name, self.home.phy, link.ifindex)
        elif self.name != link.name:
            host.set_link(host.index(self.name), up=False)
            host.set_link(host.index(self.name), IFLA_IFNAME=link.name)
            host.forget(self.name)
        host.forget(link.name)
        index = host.index(link.name)
        host.set_link(index, IFLA_MTU=link.mtu, IFLA_IFALIAS=link.alias)
        _restore_mac(self.host, link)
        master = host.link(self.home.master) if self.home.master else None
        if master:  # a bridge that has gone meanwhile is not missed
            host.set_link(index, IFLA_MASTER=master.ifindex)
        if link.up:
            host.set_link(index, up=True)
        put_back(self.host, index, self.home.addresses, self.home.routes)

    def undo(self) -> None:
        if self.guest is not None:
            _move(self.host, self.guest, self.home.link.name, self.name, self.home.phy)

    def say(self) -> str:
        home, name = self.home, quote(self.home.link.name)
        lines = [
            *self._way_home(),
            f"ip link set dev {name} mtu {home.link.mtu} alias {quote(home.link.alias)}",
        ]
        lines += [f"ip link set dev {name} address {home.link.mac}"] if self._has_other_mac() else []
        master = self.host.netlink.link(home.master) if home.master else None
        lines += [f"ip link set dev {name} master {quote(master.name)}"] if master else []
        lines += [f"ip link set dev {name} up"] if home.link.up else []
        lines += [address_line(self.host, home.link.name, address) for address in home.addresses]
        names = {**link_names(self.host), home.link.ifindex: home.link.name}
        own = [route for route in home.routes if not is_the_kernels(route)]
        return "\n".join([*lines, *(route_line(self.host, "add", route, names) for route in own)])

    def _way_home(self) -> list[str]:
        """The lines after which it is on the host, under its own name; the shell's own namespace is the host's."""
        name, phy, there = quote(self.home.link.name), self.home.phy, quote(self.name)
        if self.guest is None:
            down = f"ip link set dev {there} down"
            return [down, f"ip link set dev {there} name {name}"] if there != name else []
        down = self.guest.say(f"ip link set dev {there} down")
        if phy:
            renamed = self.guest.say(f"ip link set dev {there} name {name}")
            return [down, renamed, self.guest.say(f"iw {quote(phy)} set netns $$")]
        return [down, self.guest.say(f"ip link set dev {there} netns $$ name {name}")]

    def _has_other_mac(self) -> bool:
        there = (self.guest or self.host).netlink.link(self.name)
        return there is not None and there.mac != self.home.link.mac


class NoteHome(Action):
    """Keep what a NIC is at home, and where that is, until it comes back.

    given: the MAC that it is to have in the guest, if another.
    """

    host: Namespace
    guest: Namespace
    ifname: str
    home: Home
    given: Optional[str] = None

    @property
    def page(self) -> Page:
        """Where it stands."""
        return Page("nic", self.guest.cookie, self.ifname)

    def do(self) -> None:
        run = processes.own_identity()  # while it lives, nobody may take the NIC for one that a killed run has left
        place = {"host": self.host.cookie, "run": run, "given": self.given}
        notes.write(self.page, {**place, **self.home.note})

    def undo(self) -> None:
        notes.erase(self.page)


def _move(source: Namespace, target: Namespace, name: str, new_name: str, phy: Optional[str], ifindex: int = 0) -> None:
    """Move a link or its radio; ifindex is what the link shall have there (Linux 5.12), if it is free.

    Raises PipeworkError having moved nothing.
    """
    if phy is None:
        taken = any(link.ifindex == ifindex for link in target.netlink.links()) if ifindex else False
        wanted = {"IFLA_NEW_IFINDEX": ifindex} if ifindex and not taken else {}
        place: dict[str, Any] = {"IFLA_NET_NS_FD": target.fd, "IFLA_IFNAME": new_name, **wanted}
        source.netlink.set_link(source.netlink.index(name), **place)
    else:
        _move_radio(source, target, name, new_name, phy)
    source.netlink.forget(name)
    target.netlink.forget(new_name)


def _move_radio(source: Namespace, target: Namespace, name: str, new_name: str, phy: str) -> None:
    here = source.netlink.link(name)
    before = {link.ifindex for link in target.netlink.links()}
    _move_phy(source, target, phy)
    try:
        # the link gets another name where its own is taken, and another ifindex likewise
        arrived = [link for link in target.netlink.links() if link.ifindex not in before]
        found = [link for link in arrived if here and link.mac == here.mac]
        link = next((link for link in found if link.name == name), found[0] if found else None)
        if link is None:
            raise Refused(f"radio {phy} has come without its link {name}", "See it: iw list")
        target.netlink.set_link(link.ifindex, IFLA_IFNAME=new_name)
    except PipeworkError:
        _move_phy(target, source, phy)
        raise


def _move_phy(source: Namespace, target: Namespace, phy: str) -> None:
    with source.entered():
        place = f"/proc/{os.getpid()}/fd/{target.fd}"
        moved = run(["iw", phy, "set", "netns", "name", place], IW_LIMIT, "iw")
    if moved.status != 0:
        raise Refused(f"radio {phy} cannot be moved: {moved.err.strip() or moved.out.strip()}", "See it: iw list")


def _restore_mac(host: Namespace, home: Link) -> None:
    link = host.netlink.link(home.name)
    if link and link.mac != home.mac:
        with suppress(KernelRefused):  # some NICs refuse any
            host.netlink.set_link(link.ifindex, IFLA_ADDRESS=home.mac)

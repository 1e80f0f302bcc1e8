"""One rtnetlink socket in one network namespace: requests out, acknowledgements and dumps in.

A netlink socket stays in the namespace in which it was opened, so each side of a wire has its own and
nothing jumps to and fro.  What goes through it is made and read by messages.py and records.py.
"""

from __future__ import annotations

import fcntl
import struct
from collections.abc import Sequence
from contextlib import suppress
from errno import EBUSY, EINVAL, EMSGSIZE, ENOBUFS, ENODEV, ENOENT, ESRCH

from pipework.address import Address, Interface, Network
from pipework.errors import KernelRefused, Refused
from pipework.kernel import messages
from pipework.kernel.bare import socket
from pipework.kernel.messages import LOCAL_TABLE, MAIN_TABLE
from pipework.kernel.records import SCOPE_LINK, Link, LinkAddress, Route, read_address, read_link, read_route
from pipework.model import LONGEST_NAME
from pipework.typed import TYPE_CHECKING, Any, Optional

if TYPE_CHECKING:
    from pipework.vlans import Trunk

# linux/rtnetlink.h, linux/netlink.h, linux/if.h, linux/if_addr.h
NEWLINK, DELLINK, GETLINK, SETLINK = 16, 17, 18, 19
NEWADDR, DELADDR, GETADDR = 20, 21, 22
NEWROUTE, DELROUTE, GETROUTE = 24, 25, 26
NEWNEIGH, DELNEIGH, GETNEIGH = 28, 29, 30
NEWNSID, GETNSID = 88, 90
REQUEST, ACK, DUMP, REPLACE, EXCL, CREATE = 0x1, 0x4, 0x300, 0x100, 0x200, 0x400
SOL_NETLINK, EXT_ACK, STRICT_CHECK = 270, 11, 12
AF_BRIDGE, BRIDGE_VLAN_PVID, BRIDGE_VLAN_UNTAGGED = 7, 0x2, 0x4  # linux/if_bridge.h
RANGE_BEGIN, RANGE_END = 0x8, 0x10  # BRIDGE_VLAN_INFO_*, as above
EXT_BRIDGE_VLANS, EXT_SKIP_STATS = 0x2, 0x8  # RTEXT_FILTER_*: what to tell of links besides, what to leave out
FAMILY = {4: socket.AF_INET, 6: socket.AF_INET6}
CLONED = 0x200  # RTM_F_CLONED: an entry of the cache
BOOT, SCOPE_UNIVERSE = 3, 0  # RTPROT_*, RT_SCOPE_*
LOOPBACK = 772  # ARPHRD_LOOPBACK, linux/if_arp.h
SIOCGIFNAME, SIOCGIFINDEX = 0x8910, 0x8933  # linux/sockios.h
UNASSIGNED = 0xFFFFFFFF  # a namespace id that nobody has given out yet
LONGEST = 1 << 16  # bytes of a datagram; the kernel fills half of that with a dump
TRIES = 5  # a dump while others make and remove links or addresses all the time


class Netlink:
    """An rtnetlink socket, or one of another NETLINK_* protocol; open it inside the namespace that it shall speak of.

    Every method raises KernelRefused with the kernel's own words when it says no.
    """

    def __init__(self, protocol: int = 0) -> None:
        self.socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, protocol)
        self.socket.setsockopt(SOL_NETLINK, EXT_ACK, 1)
        with suppress(OSError):  # Linux 4.20; before it dumps come unfiltered
            self.socket.setsockopt(SOL_NETLINK, STRICT_CHECK, 1)
        self._sequence = 0
        self._indexes: dict[str, int] = {}

    def close(self) -> None:
        self.socket.close()

    def request(self, kind: int, message: bytes, flags: int = 0) -> list[bytes]:
        """Send one message and return the answers, all of them for a dump; each without its netlink header.

        Raises Refused for a dump that is torn again and again.
        """
        if flags & DUMP != DUMP:
            return self._ask(kind, message, flags)[0]
        for _ in range(TRIES):
            try:
                answers, is_torn = self._ask(kind, message, flags)
            except KernelRefused as refusal:
                if refusal.errno not in (EBUSY, ENOBUFS):
                    raise
                self._drain()  # a dump that nobody has read to its end, or a part of this one is lost
            else:
                if not is_torn:
                    return answers
        raise Refused(
            f"links, addresses or routes change faster than the kernel can tell them; gave up after {TRIES} tries",
            "Try again; what changes them: ip monitor",
        )

    def _ask(self, kind: int, message: bytes, flags: int) -> tuple[list[bytes], bool]:
        """The answers, and whether something has changed while a dump was read (NLM_F_DUMP_INTR)."""
        self._sequence += 1
        self.socket.send(messages.message(kind, REQUEST | ACK | flags, self._sequence, message))
        answers, seen = list[bytes](), 0
        while True:
            for answer, how, sequence, body in messages.messages(self._received()):
                if sequence != self._sequence:
                    continue  # of a request whose answers nobody waited for
                if answer == messages.OVERRUN:
                    raise KernelRefused(ENOBUFS, "its answer is lost")
                seen |= how
                if answer in (messages.ERROR, messages.DONE):
                    errno, explanation = messages.verdict(answer, how, body)
                    if errno:
                        raise KernelRefused(errno, explanation)
                    return answers, bool(seen & messages.DUMP_INTERRUPTED)
                answers.append(body)

    def _received(self, flags: int = 0) -> bytes:
        """The kernel's next datagram.  Raises BlockingIOError if flags say not to wait for it."""
        while True:
            try:
                data, _, how, (sender, _) = self.socket.recvmsg(LONGEST, 0, flags)
            except OSError as error:
                if error.errno != ENOBUFS:
                    raise
                raise KernelRefused(ENOBUFS, "its answer is lost") from None
            if how & socket.MSG_TRUNC:
                raise KernelRefused(EMSGSIZE, "its answer is longer than any that is known")
            if sender == 0:  # any other is a process's
                return data

    def _drain(self) -> None:
        """Let go of all that has not been read."""
        while True:
            try:
                self._received(socket.MSG_DONTWAIT)
            except BlockingIOError:
                return
            except KernelRefused:
                pass

    # -- links

    def link(self, name: str) -> Optional[Link]:
        """The link of that name or altname, or None."""
        is_long = len(name.encode("utf-8", "surrogateescape")) > LONGEST_NAME
        if is_long:
            found = self._one(messages.link(IFLA_ALT_IFNAME=name, IFLA_EXT_MASK=EXT_SKIP_STATS))
        else:
            found = self._one(messages.link(IFLA_IFNAME=name, IFLA_EXT_MASK=EXT_SKIP_STATS))
        if found:
            self._indexes.setdefault(name, found.ifindex)
        return found

    def link_of(self, ifindex: int) -> Optional[Link]:
        """The link of that ifindex, or None."""
        return self._one(messages.link(ifindex, IFLA_EXT_MASK=EXT_SKIP_STATS))

    def _one(self, message: bytes) -> Optional[Link]:
        try:
            return read_link(self.request(GETLINK, message)[0])
        except KernelRefused as refusal:
            if refusal.errno == ENODEV:
                return None
            raise

    def links(self, loopback: bool = True) -> list[Link]:
        """Every link of the namespace, with its loopback or without."""
        answers = self.request(GETLINK, messages.link(IFLA_EXT_MASK=EXT_SKIP_STATS), DUMP)
        return [read_link(told) for told in answers if loopback or messages.LINK.unpack_from(told)[1] != LOOPBACK]

    def index(self, name: str) -> int:
        """The index of a link, remembered: whoever takes the name later is not the link that we mean.

        Raises KernelRefused (ENODEV).
        """
        if name not in self._indexes:
            request = struct.pack("16s24x", name.encode("utf-8", "surrogateescape"))  # struct ifreq, linux/if.h
            try:  # a tenth of the time of a netlink answer with all that is known of the link
                answer = fcntl.ioctl(self.socket, SIOCGIFINDEX, request)
            except OSError as error:
                raise KernelRefused(error.errno or ENODEV, f"there is no link {name}") from None
            self._indexes[name] = struct.unpack_from("16xi", answer)[0]
        return self._indexes[name]

    def is_there(self, name: str) -> bool:
        """Whether the link that is meant by that name is there, whatever it is called by now."""
        if name not in self._indexes:
            return self.link(name) is not None
        try:
            fcntl.ioctl(self.socket, SIOCGIFNAME, struct.pack("16xi20x", self._indexes[name]))
        except OSError as error:
            return error.errno != ENODEV
        return True

    def forget(self, name: str) -> None:
        """Look the index of that name up anew next time: the link was made, moved or renamed."""
        self._indexes.pop(name, None)

    def new_link(
        self, name: str, kind: str, group: int, data: Sequence[Any] = (), up: bool = False, **attributes: Any
    ) -> None:
        """Create a link; attributes are IFLA_*.  One of that name is refused with EEXIST."""
        message = messages.link(up=up or None, IFLA_IFNAME=name, IFLA_GROUP=group, **attributes)
        self.request(NEWLINK, message + messages.link_info(kind, data), CREATE | EXCL)
        self.forget(name)

    def set_link(self, index: int, up: Optional[bool] = None, **attributes: Any) -> None:
        """Change a link; attributes are IFLA_*."""
        self.request(SETLINK, messages.link(index, up, **attributes))

    def set_token(self, index: int, token: Address) -> None:
        """Choose the lower half of the addresses that a link makes of announced prefixes (``ip token set``)."""
        self.request(SETLINK, messages.token(FAMILY[6], index, token.packed))

    def change_link(self, index: int, kind: str, data: Sequence[Any]) -> None:
        """Change what a kind of link has besides."""
        self.request(NEWLINK, messages.link(index) + messages.link_info(kind, data))

    def delete_link(self, index: int) -> None:
        self.request(DELLINK, messages.link(index))

    def add_port_vlans(
        self, index: int, native: Optional[int], tagged: Sequence[tuple[int, int]], is_own: bool = False
    ) -> None:
        """Have a bridge port, or the bridge itself, take part in VLANs: one untagged, ranges of others tagged."""
        entries = [] if native is None else [(BRIDGE_VLAN_PVID | BRIDGE_VLAN_UNTAGGED, native)]
        self.request(SETLINK, messages.port_vlans(AF_BRIDGE, index, [*entries, *_in_ranges(tagged)], is_own))

    def delete_port_vlans(self, index: int, vlans: Sequence[tuple[int, int]], is_own: bool = False) -> None:
        """Take a bridge port, or the bridge itself, out of ranges of VLANs."""
        self.request(DELLINK, messages.port_vlans(AF_BRIDGE, index, _in_ranges(vlans), is_own))

    def port_vlans(self, index: int) -> Optional[Trunk]:
        """The VLANs of a bridge port, or of the bridge itself; None: no VLAN."""
        from pipework.vlans import of_ids  # few bridges keep VLANs apart

        message = messages.link(family=AF_BRIDGE, IFLA_EXT_MASK=EXT_BRIDGE_VLANS)
        for told in self.request(GETLINK, message, DUMP):
            if messages.LINK.unpack_from(told)[2] == index:
                entries = list(messages.vlans_told(told))
                native = next((vlan for flags, vlan in entries if flags & BRIDGE_VLAN_PVID), None)
                tagged = [vlan for _, vlan in entries if vlan != native]
                return of_ids(native, tagged) if entries else None
        return None

    def namespace_id(self, fd: int) -> int:
        """The id by which this socket's namespace knows the namespace behind fd, assigned if need be."""
        number = self.known_namespace_id(fd)
        if number is None:
            self.request(NEWNSID, messages.namespace(NETNSA_FD=fd, NETNSA_NSID=UNASSIGNED))
            return self.namespace_id(fd)
        return number

    def known_namespace_id(self, fd: int) -> Optional[int]:
        """The id by which this socket's namespace knows the namespace behind fd; None: no link leads there."""
        told = self.request(GETNSID, messages.namespace(NETNSA_FD=fd))[0]
        number = messages.namespace_id(told)
        return None if number == UNASSIGNED else number

    def neighbours(self, index: int) -> set[str]:
        """The addresses of those neighbours on a link that have answered of late."""
        found = set[str]()
        for told in self.request(GETNEIGH, messages.neighbours(index), DUMP):
            _, of, state, _, _ = messages.NEIGHBOUR.unpack_from(told)
            address = messages.chosen(told, messages.NEIGHBOUR.size, (messages.NDA_DST,)).get(messages.NDA_DST)
            if of == index and state & messages.REACHABLE and address:
                found.add(messages.ip_text(address))
        return found

    def proxied(self, index: int) -> set[str]:
        """The addresses that a link answers for, though they are another's (``ip neighbour show proxy``)."""
        told = self.request(GETNEIGH, messages.neighbours(index, messages.PROXY), DUMP)
        own = [one for one in told if messages.NEIGHBOUR.unpack_from(one)[1] == index]
        found = (messages.chosen(one, messages.NEIGHBOUR.size, (messages.NDA_DST,)) for one in own)
        return {messages.ip_text(one[messages.NDA_DST]) for one in found if messages.NDA_DST in one}

    def add_proxy(self, index: int, address: Address) -> None:
        """Let a link answer for an address; it may do so already."""
        self.request(NEWNEIGH, messages.proxy(FAMILY[address.version], index, address.packed), CREATE)

    def delete_proxy(self, index: int, address: Address) -> None:
        self.request(DELNEIGH, messages.proxy(FAMILY[address.version], index, address.packed))

    # -- addresses

    def addresses(self, index: int) -> list[LinkAddress]:
        """The addresses of a link, of both families."""
        # of one link alone the kernel would tell without saying when that is torn
        answers = self.request(GETADDR, messages.address(0), DUMP)
        return [read_address(told) for told in answers if messages.ADDRESS.unpack_from(told)[4] == index]

    def holder(self, address: Address) -> int:
        """The ifindex of the link that has an address, 0: none."""
        every = self.request(GETADDR, messages.address(0), DUMP)
        has = (told for told in every if read_address(told).interface.ip == address)
        return next((int(messages.ADDRESS.unpack_from(told)[4]) for told in has), 0)

    def add_address(
        self, index: int, interface: Interface, broadcast: Optional[Address], scope: int = 0, flags: int = 0
    ) -> None:
        """Give a link an address; scope: RT_SCOPE_*, flags: the first eight IFA_F_*."""
        attributes: dict[str, Any] = {"IFA_BROADCAST": str(broadcast)} if broadcast else {}
        self.request(NEWADDR, _address(index, interface, scope=scope, flags=flags, **attributes), CREATE | EXCL)

    def put_back_address(self, index: int, address: LinkAddress, is_timed: bool = False) -> None:
        """Give a link an address as it was when it was read, for the time that it had left then or for ever."""
        self.request(NEWADDR, messages.put_back_address(index, address.message, is_timed), CREATE | REPLACE)

    def delete_address(self, index: int, interface: Interface) -> None:
        self.request(DELADDR, _address(index, interface))

    # -- routes

    def routes(self, family: int, table: int = MAIN_TABLE) -> list[Route]:
        """The routes of a table; family is 4 or 6."""
        return [route for route in self._routes(family, **_in_table(table)) if route.table == table]

    def all_routes(self, family: int) -> list[Route]:
        """The routes of every table but the kernel's own, ``local``; family is 4 or 6."""
        return self._routes(family)

    def routes_via(self, index: int) -> tuple[Route, ...]:
        """The routes of every table, but ``local``, and of both families that go out of a link."""
        told = (route for family in (4, 6) for route in self._routes(family, RTA_OIF=index))
        return tuple(route for route in told if route.link == index)

    def routes_through(self, index: int) -> tuple[Route, ...]:
        """The same, and those that have several next hops, one of them out of that link."""
        return tuple(route for family in (4, 6) for route in self._routes(family) if index in route.links)

    def default_routes(self, family: int) -> list[Route]:
        """The default routes of the main table; family is 4 or 6."""
        found = self._routes(family, longest=0, table=MAIN_TABLE)
        return [route for route in found if route.table == MAIN_TABLE and route.destination is None]

    def _routes(self, family: int, longest: int = 128, **wanted: int) -> list[Route]:
        """The routes but those of ``local``; whether the kernel leaves out what is not wanted depends on its age.

        longest: prefix of their destinations.
        """
        try:
            answers = self.request(GETROUTE, messages.route(FAMILY[family], **wanted), DUMP)
        except KernelRefused as refusal:
            if refusal.errno in (ENODEV, ENOENT):  # no such link, or nobody has put a route into that table yet
                return []
            raise
        headers = ((messages.ROUTE.unpack_from(told), told) for told in answers)
        wide = ((head, told) for head, told in headers if head[1] <= longest)
        return [read_route(told) for head, told in wide if head[4] != LOCAL_TABLE and not head[8] & CLONED]

    def add_route(
        self,
        family: int,
        index: int,
        gateway: Optional[Address],
        to: Optional[Network],
        metric: Optional[int] = None,
        table: int = MAIN_TABLE,
        source: Optional[Address] = None,
    ) -> None:
        """Add a route to a network, or the default route (to is None), out of a link; source: which it prefers."""
        scope = SCOPE_UNIVERSE if gateway or family == 6 else SCOPE_LINK
        attributes: dict[str, Any] = {"RTA_OIF": index}
        attributes.update({"RTA_DST": str(to.network_address)} if to else {})
        attributes.update({"RTA_GATEWAY": str(gateway)} if gateway else {})
        attributes.update({"RTA_PRIORITY": metric} if metric else {})
        attributes.update({"RTA_PREFSRC": str(source)} if source else {})
        attributes.update(_in_table(table))
        made = {"made_by": BOOT, "scope": scope, "to_bits": to.prefixlen if to else 0}
        self.request(NEWROUTE, messages.route(FAMILY[family], **made, **attributes), CREATE | EXCL)

    def put_back_route(self, route: Route) -> None:
        """Add a route as it was when it was read."""
        self._route(NEWROUTE, route, CREATE)

    def delete_route(self, route: Route) -> None:
        self._route(DELROUTE, route, 0)

    def _route(self, kind: int, route: Route, flags: int) -> None:
        """Name a route as it was read; if its nexthop object is gone, which goes with its link, by the hops it had."""
        try:
            self.request(kind, messages.put_back_route(route.message), flags)
        except KernelRefused as refusal:
            if refusal.errno not in (EINVAL, ESRCH) or not route.has_object:
                raise
            self.request(kind, messages.put_back_route(route.message, by_object=False), flags)


def _in_table(table: int) -> dict[str, int]:
    """What names a table: a header has room for no number above 255."""
    return {"table": table} if table <= LOCAL_TABLE else {"RTA_TABLE": table}


def _in_ranges(vlans: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    entries: list[tuple[int, int]] = []
    for first, last in vlans:
        entries += [(0, first)] if first == last else [(RANGE_BEGIN, first), (RANGE_END, last)]
    return entries


def _address(index: int, interface: Interface, **attributes: Any) -> bytes:
    local = str(interface.ip)
    family, length = FAMILY[interface.version], interface.network.prefixlen
    return messages.address(index, family, length, IFA_LOCAL=local, IFA_ADDRESS=local, **attributes)

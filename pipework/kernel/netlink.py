"""One rtnetlink socket in one network namespace: requests out, acknowledgements and dumps in.

A netlink socket stays in the namespace in which it was opened, so each side of a wire has its own and
nothing jumps to and fro.  pyroute2's classes encode and decode; see codec.py.
"""

from __future__ import annotations

import fcntl
import socket
import struct
import sys
from collections.abc import Iterator, Sequence
from errno import ENODEV

from pipework.errors import KernelRefused
from pipework.kernel.codec import ifaddrmsg, ifinfmsg, nlmsg, nlmsgerr, nsidmsg, rtmsg
from pipework.kernel.records import IFF_UP, NEWBORN, Link, LinkAddress, Route, read_address, read_link, read_route
from pipework.model import Address, Interface
from pipework.typed import Any, Optional

# linux/rtnetlink.h, linux/netlink.h, linux/if.h, linux/if_addr.h
NEWLINK, DELLINK, GETLINK, SETLINK = 16, 17, 18, 19
NEWADDR, DELADDR, GETADDR = 20, 21, 22
NEWROUTE, DELROUTE, GETROUTE = 24, 25, 26
NEWNSID, GETNSID = 88, 90
REQUEST, ACK, DUMP, REPLACE, EXCL, CREATE = 0x1, 0x4, 0x300, 0x100, 0x200, 0x400
ERROR, DONE = 2, 3
SOL_NETLINK, EXT_ACK = 270, 11
AF_BRIDGE, BRIDGE_VLAN_PVID, BRIDGE_VLAN_UNTAGGED, EXT_BRIDGE_VLANS = 7, 0x2, 0x4, 0x2  # linux/if_bridge.h
FAMILY = {4: socket.AF_INET, 6: socket.AF_INET6}
MAIN_TABLE, LOCAL_TABLE = 254, 255
SIOCGIFNAME, SIOCGIFINDEX = 0x8910, 0x8933  # linux/sockios.h
UNASSIGNED = 0xFFFFFFFF  # a namespace id that nobody has given out yet


class Netlink:
    """An rtnetlink socket; open it inside the namespace that it shall speak of.

    Every method raises KernelRefused with the kernel's own words when it says no.
    """

    def __init__(self) -> None:
        self.socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, 0)
        # without NETLINK_CAP_ACK, for nlmsgerr skips our request by the length that its header tells
        self.socket.setsockopt(SOL_NETLINK, EXT_ACK, 1)
        self.socket.bind((0, 0))
        self._sequence = 0
        self._indexes: dict[str, int] = {}

    def close(self) -> None:
        self.socket.close()

    def request(self, kind: int, message: Any, flags: int = 0) -> list[Any]:
        """Send one message and return the decoded answers, all of them for a dump."""
        self._sequence += 1
        header = message["header"]
        header["type"], header["flags"] = kind, REQUEST | ACK | flags
        header["sequence_number"] = self._sequence
        message.encode()
        self.socket.send(message.data)
        return list(self._answers(type(message)))

    def _answers(self, decoder: Any) -> Iterator[Any]:
        while True:
            data = self.socket.recv(1 << 20)
            offset = 0
            while offset < len(data):
                length = int.from_bytes(data[offset : offset + 4], sys.byteorder)
                kind = int.from_bytes(data[offset + 4 : offset + 6], sys.byteorder)
                answer = (nlmsgerr if kind == ERROR else nlmsg if kind == DONE else decoder)(data, offset=offset)
                offset += (length + 3) & ~3
                answer.decode()
                if answer["header"]["sequence_number"] != self._sequence:
                    continue
                if kind == ERROR:
                    if answer["error"]:
                        raise KernelRefused(-answer["error"], answer.get_attr("NLMSGERR_ATTR_MSG") or "")
                    return
                if kind == DONE:
                    return
                yield answer

    # -- links

    def link(self, name: str) -> Optional[Link]:
        """The link of that name, or None."""
        try:
            found = read_link(self.request(GETLINK, _message(ifinfmsg, IFLA_IFNAME=name))[0])
            self._indexes.setdefault(name, found.ifindex)
            return found
        except KernelRefused as refusal:
            if refusal.errno == ENODEV:
                return None
            raise

    def links(self) -> list[Link]:
        """Every link of the namespace."""
        return [read_link(answer) for answer in self.request(GETLINK, _message(ifinfmsg), DUMP)]

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

    def new_link(self, name: str, kind: str, data: Sequence[Any] = (), up: bool = False, **attributes: Any) -> None:
        """Create a link, in the group NEWBORN; attributes are IFLA_*.  One of that name is refused with EEXIST."""
        info = {"attrs": [("IFLA_INFO_KIND", kind)]}
        if data:
            info["attrs"].append(("IFLA_INFO_DATA", {"attrs": list(data)}))  # type: ignore[arg-type]
        message = _message(ifinfmsg, IFLA_IFNAME=name, IFLA_GROUP=NEWBORN, **attributes)
        message["attrs"].append(("IFLA_LINKINFO", info))
        if up:
            message["flags"] = message["change"] = IFF_UP
        self.request(NEWLINK, message, CREATE | EXCL)
        self.forget(name)

    def set_link(self, index: int, up: Optional[bool] = None, **attributes: Any) -> None:
        """Change a link; attributes are IFLA_*."""
        message = _message(ifinfmsg, **attributes)
        message["index"] = index
        if up is not None:
            message["flags"], message["change"] = (IFF_UP if up else 0), IFF_UP
        self.request(SETLINK, message)

    def delete_link(self, index: int) -> None:
        message = _message(ifinfmsg)
        message["index"] = index
        self.request(DELLINK, message)

    def add_port_vlan(self, index: int, vlan: int) -> None:
        """Make a VLAN the one that a bridge port puts untagged frames in, and sends untagged."""
        self.request(SETLINK, _port_vlan_message(index, vlan, BRIDGE_VLAN_PVID | BRIDGE_VLAN_UNTAGGED))

    def delete_port_vlan(self, index: int, vlan: int) -> None:
        """Take a bridge port out of a VLAN."""
        self.request(DELLINK, _port_vlan_message(index, vlan, 0))

    def port_vlan(self, index: int) -> Optional[int]:
        """The VLAN that a bridge port puts untagged frames in; None: no VLAN."""
        message = _message(ifinfmsg, IFLA_EXT_MASK=EXT_BRIDGE_VLANS)
        message["family"] = AF_BRIDGE
        for answer in self.request(GETLINK, message, DUMP):
            spec = answer.get_attr("IFLA_AF_SPEC") if answer["index"] == index else None
            for info in spec.get_attrs("IFLA_BRIDGE_VLAN_INFO") if spec else ():
                if info["flags"] & BRIDGE_VLAN_PVID:
                    return int(info["vid"])
        return None

    def namespace_id(self, fd: int) -> int:
        """The id by which this socket's namespace knows the namespace behind fd, assigned if need be."""
        number = self.known_namespace_id(fd)
        if number is None:
            self.request(NEWNSID, _message(nsidmsg, NETNSA_FD=fd, NETNSA_NSID=UNASSIGNED))
            return self.namespace_id(fd)
        return number

    def known_namespace_id(self, fd: int) -> Optional[int]:
        """The id by which this socket's namespace knows the namespace behind fd; None: no link leads there."""
        answer = self.request(GETNSID, _message(nsidmsg, NETNSA_FD=fd))[0]
        number = int(answer.get_attr("NETNSA_NSID"))
        return None if number == UNASSIGNED else number

    # -- addresses

    def addresses(self, index: int) -> list[LinkAddress]:
        """The addresses of a link, of both families."""
        answers = self.request(GETADDR, _message(ifaddrmsg), DUMP)
        return [read_address(answer) for answer in answers if answer["index"] == index]

    def add_address(self, index: int, interface: Interface, broadcast: Optional[Address]) -> None:
        attributes = {"IFA_LOCAL": str(interface.ip), "IFA_ADDRESS": str(interface.ip)}
        if broadcast:
            attributes["IFA_BROADCAST"] = str(broadcast)
        self.request(NEWADDR, _address_message(index, interface, attributes), CREATE | EXCL)

    def put_back_address(self, index: int, address: LinkAddress) -> None:
        """Give a link an address as it was when it was read."""
        attributes = {key: value for key, value in address.message["attrs"] if key != "IFA_CACHEINFO"}
        message = _address_message(index, address.interface, attributes)
        message["scope"] = address.scope
        self.request(NEWADDR, message, CREATE | REPLACE)

    def delete_address(self, index: int, interface: Interface) -> None:
        attributes = {"IFA_LOCAL": str(interface.ip), "IFA_ADDRESS": str(interface.ip)}
        self.request(DELADDR, _address_message(index, interface, attributes))

    # -- routes

    def routes(self, family: int) -> list[Route]:
        """The routes of the main table; family is 4 or 6."""
        return [route for route in self.all_routes(family) if route.message["table"] == MAIN_TABLE]

    def all_routes(self, family: int) -> list[Route]:
        """The routes of every table but the kernel's own, ``local``; family is 4 or 6."""
        message = _message(rtmsg)
        message["family"] = FAMILY[family]
        return [
            read_route(answer)
            for answer in self.request(GETROUTE, message, DUMP)
            if answer["table"] != LOCAL_TABLE and not answer["flags"] & 0x200  # RTM_F_CLONED: a cache entry
        ]

    def routes_via(self, index: int) -> tuple[Route, ...]:
        """The routes of every table, but ``local``, and of both families that go out of a link."""
        return tuple(route for family in (4, 6) for route in self.all_routes(family) if route.link == index)

    def default_routes(self, family: int) -> list[Route]:
        """The default routes of the main table; family is 4 or 6."""
        return [route for route in self.routes(family) if route.destination is None]

    def add_route(self, family: int, index: int, gateway: Optional[Address], to: Optional[Address]) -> None:
        """Add a route to one host, or the default route (to is None), out of a link."""
        message = _message(rtmsg, RTA_OIF=index)
        message["family"], message["table"], message["type"] = FAMILY[family], MAIN_TABLE, 1
        message["proto"], message["scope"] = 3, 0 if gateway or family == 6 else 253
        if to:
            message["dst_len"] = to.max_prefixlen
            message["attrs"].append(("RTA_DST", str(to)))
        if gateway:
            message["attrs"].append(("RTA_GATEWAY", str(gateway)))
        self.request(NEWROUTE, message, CREATE | EXCL)

    def put_back_route(self, route: Route) -> None:
        """Add a route as it was when it was read."""
        self.request(NEWROUTE, _route_message(route), CREATE)

    def delete_route(self, route: Route) -> None:
        self.request(DELROUTE, _route_message(route))


def _message(kind: Any, **attributes: Any) -> Any:
    message = kind()
    message["attrs"] = list(attributes.items())
    return message


def _port_vlan_message(index: int, vlan: int, flags: int) -> Any:
    message = _message(ifinfmsg)
    message["family"], message["index"] = AF_BRIDGE, index
    info = ("IFLA_BRIDGE_VLAN_INFO", {"vid": vlan, "flags": flags})
    message["attrs"].append(("IFLA_AF_SPEC", {"attrs": [info]}))
    return message


def _address_message(index: int, interface: Interface, attributes: dict[str, Any]) -> Any:
    message = _message(ifaddrmsg, **attributes)
    message["family"], message["index"] = FAMILY[interface.version], index
    message["prefixlen"] = interface.network.prefixlen
    return message


def _route_message(route: Route) -> Any:
    message = rtmsg()
    message.setvalue({key: value for key, value in route.message.items() if key not in ("attrs", "flags")})
    message["flags"] = route.message["flags"] & 0x4  # RTNH_F_ONLINK; the others are the kernel's to set
    message["attrs"] = [(key, value) for key, value in route.message["attrs"] if key != "RTA_CACHEINFO"]
    return message

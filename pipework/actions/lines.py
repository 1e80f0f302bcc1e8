"""Addresses and routes that were read, as ``ip`` takes them: for the lines of what puts them back."""

from __future__ import annotations

from pipework.kernel.namespaces import Namespace
from pipework.kernel.records import IFA_F_NODAD, LinkAddress, Route
from pipework.quoting import quote

KERNEL = 2  # RTPROT_KERNEL, linux/rtnetlink.h
IFA_F_NOPREFIXROUTE = 0x200  # linux/if_addr.h


def route_line(namespace: Namespace, verb: str, route: Route, names: dict[int, str]) -> str:
    """``ip route add`` or ``delete`` of a route; names: of the namespace's links, by ifindex."""
    from pipework.actions.route_words import UNKNOWN, route_words  # which only a rehearsal needs

    # where its nexthop object has gone, a route is added by the hops that it had: see Netlink.put_back_route
    ways = (True, False) if verb == "add" and route.has_object else (True,)
    said = [route_words(route, names, verb, by_object) for by_object in ways]
    line = " || ".join(namespace.say(f"ip -{route.family} route {verb} {words}") for words, _ in said)
    return line if all(complete for _, complete in said) else f"{line} {UNKNOWN}"


def link_names(namespace: Namespace) -> dict[int, str]:
    """The names of a namespace's links, by ifindex."""
    return {link.ifindex: link.name for link in namespace.netlink.links()}


def is_the_kernels(route: Route) -> bool:
    """Whether the route comes with an address, by itself."""
    return route.made_by == KERNEL


def ipv6_line(link: str, allowed: bool) -> str:
    """Allow a link IPv6, or not; sysctl would read the dots of a VLAN link's name as slashes."""
    return ipv6_setting(link, "disable_ipv6", "0" if allowed else "1")


def ipv6_setting(link: str, setting: str, value: str) -> str:
    """Change a setting that a link has of IPv6."""
    return ip_setting(6, link, setting, value)


def ip_setting(family: int, link: str, setting: str, value: str) -> str:
    """The same of either family, 4 or 6."""
    return f"sysctl -qw {quote(f'net/ipv{family}/conf/{link}/{setting}={value}')}"


def address_line(namespace: Namespace, link: str, address: LinkAddress, is_timed: bool = False) -> str:
    """``ip address replace``, since the kernel gives a link-local address by itself; is_timed: with the time it has."""
    words = [address.interface.with_prefixlen]
    words += [f"broadcast {address.broadcast}"] if address.broadcast else []
    words += [f"scope {address.scope}"] if address.interface.version == 4 and address.scope else []
    for flag, word in ((IFA_F_NODAD, "nodad"), (IFA_F_NOPREFIXROUTE, "noprefixroute")):
        words += [word] if address.flags & flag else []
    words += [f"label {quote(address.label)}"] if address.label and address.label != link else []
    if is_timed and not address.is_permanent:
        words += [f"{name} {seconds}" for name, seconds in zip(("preferred_lft", "valid_lft"), address.lifetimes)]
    return namespace.say(f"ip address replace {' '.join(words)} dev {quote(link)}")

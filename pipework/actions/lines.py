"""Addresses and routes that were read, as ``ip`` takes them: for the lines of what puts them back."""

from __future__ import annotations

from pipework.kernel.namespaces import Namespace
from pipework.kernel.records import LinkAddress, Route
from pipework.quoting import quote
from pipework.typed import Any

# linux/rtnetlink.h, linux/if_addr.h
KERNEL, BOOT = 2, 3  # who made a route
MAIN_TABLE, ONLINK = 254, 0x4
SCOPE_GLOBAL, SCOPE_LINK = 0, 253
IFA_F_NODAD, IFA_F_NOPREFIXROUTE = 0x02, 0x200
METRICS = {
    "RTAX_MTU": "mtu",
    "RTAX_ADVMSS": "advmss",
    "RTAX_WINDOW": "window",
    "RTAX_INITCWND": "initcwnd",
    "RTAX_INITRWND": "initrwnd",
    "RTAX_HOPLIMIT": "hoplimit",
}


def route_line(namespace: Namespace, verb: str, route: Route, names: dict[int, str]) -> str:
    """``ip route add`` or ``delete`` of a route; names: of the namespace's links, by ifindex."""
    return namespace.say(f"ip -{route.family} route {verb} {_route_words(route, names)}")


def link_names(namespace: Namespace) -> dict[int, str]:
    """The names of a namespace's links, by ifindex."""
    return {link.ifindex: link.name for link in namespace.netlink.links()}


def is_the_kernels(route: Route) -> bool:
    """Whether the route comes with an address, by itself."""
    return bool(route.message["proto"] == KERNEL)


def _route_words(route: Route, names: dict[int, str]) -> str:
    message = route.message
    attributes = dict(map(tuple, message["attrs"]))
    words = [f"{route.destination}/{message['dst_len']}" if route.destination else "default"]
    words += _way(attributes, route.link, names)
    for key, word in (("RTA_PREFSRC", "src"), ("RTA_PRIORITY", "metric")):
        words += [f"{word} {attributes[key]}"] if attributes.get(key) else []
    words += [f"table {attributes['RTA_TABLE']}"] if attributes.get("RTA_TABLE", MAIN_TABLE) != MAIN_TABLE else []
    words += [f"proto {message['proto']}"] if message["proto"] != BOOT else []
    usual = SCOPE_GLOBAL if "RTA_GATEWAY" in attributes or "RTA_MULTIPATH" in attributes else SCOPE_LINK
    words += [f"scope {message['scope']}"] if route.family == 4 and message["scope"] != usual else []
    words += ["onlink"] if message["flags"] & ONLINK else []
    given = dict(map(tuple, attributes.get("RTA_METRICS", {}).get("attrs", ())))
    words += [f"{word} {given[key]}" for key, word in METRICS.items() if given.get(key)]
    for hop in attributes.get("RTA_MULTIPATH", ()):
        inner = dict(map(tuple, hop["attrs"]))
        words += ["nexthop", *_way(inner, hop["oif"], names), f"weight {hop['hops'] + 1}"]
    return " ".join(words)


def _way(attributes: dict[Any, Any], link: int, names: dict[int, str]) -> list[str]:
    via = [f"via {attributes['RTA_GATEWAY']}"] if attributes.get("RTA_GATEWAY") else []
    return [*via, *([f"dev {quote(names[link])}"] if link in names else [])]


def address_line(namespace: Namespace, link: str, address: LinkAddress) -> str:
    """``ip address replace``, since the kernel gives a link-local address by itself."""
    words = [address.interface.with_prefixlen]
    words += [f"broadcast {address.broadcast}"] if address.broadcast else []
    words += [f"scope {address.scope}"] if address.interface.version == 4 and address.scope else []
    for flag, word in ((IFA_F_NODAD, "nodad"), (IFA_F_NOPREFIXROUTE, "noprefixroute")):
        words += [word] if address.flags & flag else []
    return namespace.say(f"ip address replace {' '.join(words)} dev {quote(link)}")

"""What the kernel tells of a host and a guest, without what differs from run to run."""

from __future__ import annotations

from typing import Any

from tests.lab.guest import Guest

_LINK = ("mtu", "link_type", "txqlen", "master")
_ADDRESS = ("family", "local", "prefixlen", "broadcast", "scope", "label")
_ROUTE = ("type", "dst", "gateway", "dev", "scope", "prefsrc", "metric", "protocol")
_INFO = ("mode", "id", "protocol", "pkey", "stp_state", "forward_delay", "vlan_filtering")


def links(guest: Guest, macs: frozenset[str]) -> list[dict[str, Any]]:
    """The links of a namespace; of MAC addresses those that were given, for all others are drawn at random."""
    told = []
    for entry in guest.ip("-j", "-d", "link"):
        info = entry.get("linkinfo", {})
        told.append(
            {
                "name": entry["ifname"],
                "up": "UP" in entry["flags"],
                "mac": entry["address"] if entry.get("address") in macs else "any",
                "kind": info.get("info_kind", ""),
                "info": {key: value for key, value in info.get("info_data", {}).items() if key in _INFO},
                **{key: entry.get(key) for key in _LINK},
            }
        )
    return told


def addresses(guest: Guest) -> list[Any]:
    """The addresses of a namespace, but for those that IPv6 makes of MACs."""
    return [
        (entry["ifname"], *(info.get(key) for key in _ADDRESS))
        for entry in sorted(guest.ip("-j", "addr"), key=lambda entry: str(entry["ifname"]))
        for info in entry["addr_info"]
        if (info["family"], info["scope"]) != ("inet6", "link")
    ]


def routes(guest: Guest, family: str) -> list[Any]:
    """The routes of the main table, but for those to IPv6's link-local network.

    Metrics that a DHCP client chooses are left out: it makes them of the link's number.
    """
    told = guest.ip("-j", "-d", family, "route", "show", "table", "main")
    for route in told:
        if route.get("protocol") == "dhcp":
            route.pop("metric", None)
    return sorted(
        [str(route.get(key)) for key in _ROUTE] for route in told if not str(route["dst"]).startswith("fe80:")
    )


def rules(guest: Guest) -> list[Any]:
    """The routing rules."""
    return [sorted(rule.items()) for rule in guest.ip("-j", "rule")]


def queues(guest: Guest) -> list[str]:
    """The queueing disciplines, without the handles that the kernel chooses."""
    return [" ".join(word for word in line.split() if not word.endswith(":")) for line in
            guest.run("tc", "qdisc").splitlines()]  # fmt: skip

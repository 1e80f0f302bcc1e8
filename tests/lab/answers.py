"""What the kernel tells of a namespace, read by us and by pyroute2."""

from __future__ import annotations

import json
import socket
from typing import Any

from pipework.kernel import messages
from pipework.kernel.former_notes import route_message
from pipework.kernel.namespaces import Namespace
from pipework.kernel.netlink import DUMP, GETADDR, GETLINK, GETROUTE, NEWADDR, NEWLINK, NEWROUTE
from pipework.kernel.records import LinkAddress, read_address, read_link, read_route
from tests.lab.pyroute2_reference import Described, Told, decoded, encoded
from tests.lab.pyroute2_releases import Release

TAGS = {"vlan": "IFLA_VLAN_ID", "ipoib": "IFLA_IPOIB_PKEY"}
MODES = ("l2", "l3", "l3s")
# What it reads as nothing, or in a form that it cannot write itself.
BEYOND_IT = ("UNKNOWN", "RTA_ENCAP")


def _link(told: Told) -> dict[str, Any]:
    info = told.inner("IFLA_LINKINFO")
    kind = info.get("IFLA_INFO_KIND") or ""
    return {
        "ifindex": told.fields["index"],
        "name": told.get("IFLA_IFNAME"),
        "kind": kind,
        "up": bool(told.fields["flags"] & 1),
        "carrier": bool(told.fields["flags"] & 0x10000),
        "mtu": told.get("IFLA_MTU"),
        "mac": told.get("IFLA_ADDRESS") or "",
        "alias": told.get("IFLA_IFALIAS") or "",
        "master": told.get("IFLA_MASTER") or 0,
        "parent": told.get("IFLA_LINK") or 0,
        "vlan": info.inner("IFLA_INFO_DATA").get(TAGS[kind]) if kind in TAGS else None,
        "type": told.fields["ifi_type"],
        "peer_namespace": told.get("IFLA_LINK_NETNSID"),
        "permanent_mac": told.get("IFLA_PERM_ADDRESS") or "",
        "group": told.get("IFLA_GROUP"),
        "mode": MODES[info.inner("IFLA_INFO_DATA").get("IFLA_IPVLAN_MODE")] if kind == "ipvlan" else "",
    }


def _address(told: Told) -> dict[str, Any]:
    local = told.get("IFA_LOCAL") or told.get("IFA_ADDRESS")
    return {
        "interface": f"{local}/{told.fields['prefixlen']}",
        "broadcast": told.get("IFA_BROADCAST"),
        "flags": told.get("IFA_FLAGS"),
        "scope": told.fields["scope"],
        "label": told.get("IFA_LABEL"),
    }


def _route(told: Told) -> dict[str, Any]:
    via = told.get("RTA_VIA")
    link, hops = told.get("RTA_OIF") or 0, told.get("RTA_MULTIPATH") or ()
    return {
        "family": 6 if told.fields["family"] == socket.AF_INET6 else 4,
        "destination": told.get("RTA_DST"),
        "link": link,
        "gateway": told.get("RTA_GATEWAY") or (via["addr"] if via else None),
        "metric": told.get("RTA_PRIORITY") or 0,
        "table": told.get("RTA_TABLE"),
        "made_by": told.fields["proto"],
        "links": {link, *(hop["oif"] for hop in hops)},
    }


def _pairs(ours: dict[str, Any], theirs: dict[str, Any]) -> dict[str, tuple[Any, Any]]:
    return {key: (ours[key], theirs[key]) for key in ours}


def assert_same_links(namespace: Namespace, release: Release) -> set[str]:
    """Fail unless both read every link alike; return their kinds."""
    told = namespace.netlink.request(GETLINK, messages.link(), DUMP)
    theirs = list(map(_link, decoded(release, "ifinfmsg", NEWLINK, told)))
    ours = [read_link(body).note for body in told]
    for read, expected in zip(ours, theirs):
        if len(read["mac"]) != 17:  # of 4, 16 or 20 bytes, as a tunnel or InfiniBand has it; pyroute2 reads 6 of any
            expected["mac"] = read["mac"]
        assert read == expected, {key: pair for key, pair in _pairs(read, expected).items() if pair[0] != pair[1]}
    listed = [read_link(body) for body in told]
    assert namespace.netlink.links() == listed
    assert namespace.netlink.links(loopback=False) == [link for link in listed if link.name != "lo"]
    return {entry["kind"] for entry in ours}


def assert_same_addresses(namespace: Namespace, release: Release) -> None:
    """Fail unless both read every address alike."""
    told = namespace.netlink.request(GETADDR, messages.address(0), DUMP)
    ours = [_plain(read_address(body)) for body in told]
    assert ours == list(map(_address, decoded(release, "ifaddrmsg", NEWADDR, told)))
    links = dict.fromkeys(messages.ADDRESS.unpack_from(body)[4] for body in told)
    by_link = [_plain(one) for ifindex in links for one in namespace.netlink.addresses(ifindex)]
    assert sorted(map(str, by_link)) == sorted(map(str, ours))


def _plain(address: LinkAddress) -> dict[str, Any]:
    """Without the seconds that it has left."""
    return {key: value for key, value in {**address.note, "label": address.label}.items() if key != "message"}


def assert_same_routes(namespace: Namespace, release: Release) -> int:
    """Fail unless both read and write every route alike; return how many pyroute2 can write.

    What it reads is what the notes of former versions have.
    """
    told = [b for family in (2, 10) for b in namespace.netlink.request(GETROUTE, messages.route(family), DUMP)]
    theirs = decoded(release, "rtmsg", NEWROUTE, told)
    for body, its in zip(told, theirs):
        ours, expected = read_route(body), _route(its)
        assert {key: getattr(ours, key) for key in expected} == expected
        if "UNKNOWN" not in str(its.get("RTA_METRICS")):  # the oldest does not know them all
            former = route_message({**its.fields, "attrs": its.attrs})
            assert messages.put_back_route(former) == messages.put_back_route(body, by_object=False)
    known = [(body, its) for body, its in zip(told, theirs) if not _is_beyond_it(its)]
    again = encoded(release, [_put_back(its) for _, its in known], [0] * len(known))
    for data, (body, its) in zip(again, known):
        assert data[messages.MESSAGE.size :] == messages.put_back_route(body), its
    return len(known)


def _is_beyond_it(told: Told) -> bool:
    expires = (told.get("RTA_CACHEINFO") or {}).get("rta_expires")  # which we send as RTA_EXPIRES
    return bool(expires) or any(name in json.dumps(told.attrs) for name in BEYOND_IT)


def _put_back(told: Told) -> Described:
    fields = {**told.fields, "flags": told.fields["flags"] & messages.ONLINK}
    return Described("rtmsg", NEWROUTE, 0, fields, [pair for pair in told.attrs if pair[0] != "RTA_CACHEINFO"])

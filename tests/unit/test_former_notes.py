"""Notes that former versions of pipework have left under /run: they are read, and what they keep comes back.

former_notes.json has such as version 0.2.0 wrote, and for each route and address the request that puts it back: made of
what the kernel told of them. What they could not keep is a nexthop object's id, so its hops take its place.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pipework.kernel import messages
from pipework.kernel.records import Link, LinkAddress, Record, Route
from pipework.notes import Loan

KEPT = json.loads(Path(__file__).with_name("former_notes.json").read_text(encoding="utf-8"))


def again(record: Record) -> Any:
    """Return a record by way of a note of this version."""
    return type(record).from_note(json.loads(json.dumps(record.note)))


@pytest.mark.parametrize("kept", KEPT["routes"], ids=lambda kept: kept["note"]["destination"])
def test_route(kept: dict[str, Any]) -> None:
    """A route of a former note is put back with all that the note has of it."""
    route = Route.from_note(kept["note"])
    for field in ("family", "destination", "link", "metric"):
        assert getattr(route, field) == kept["note"][field]
    assert messages.put_back_route(route.message).hex() == kept["sent"]
    assert again(route) == route


@pytest.mark.parametrize("kept", KEPT["addresses"], ids=lambda kept: kept["note"]["interface"])
def test_address(kept: dict[str, Any]) -> None:
    """An address of a former note is put back with all that the note has of it."""
    address = LinkAddress.from_note(kept["note"])
    assert str(address.interface) == kept["note"]["interface"]
    for field in ("broadcast", "flags", "scope"):
        assert getattr(address, field) == kept["note"][field]
    assert address.label == dict(map(tuple, kept["note"]["message"]["attrs"])).get("IFA_LABEL")
    assert messages.put_back_address(9, address.message).hex() == kept["sent"]
    assert again(address) == address


def test_home() -> None:
    """The note of a NIC on loan is read, with the link's ifindex, which was called its number."""
    (link,) = KEPT["links"]
    note = {"host": 1, "run": "2.3", "given": None, "link": link, "phy": None, "master": "br0"}
    there = {name: [kept["note"] for kept in KEPT[name]] for name in ("addresses", "routes")}
    base = {"cookie": 1, "ifname": "v0", "ifindex": 0, "former": "/run/pipework/nic.1.v0.json"}
    loan = Loan.read(base, {**note, **there})
    home = loan.home
    assert (home.link.ifindex, home.link.name, home.link.alias) == (link["number"], "v0", "pipework: bridge x")
    assert Loan.read(base, json.loads(json.dumps(loan.contents()))) == loan
    assert again(home.link) == Link.from_note({**home.link.note})


def test_encapsulations_that_had_names() -> None:
    """Labels of MPLS and local segments, which those versions kept by name, are bytes again."""
    attrs = [
        ["RTA_ENCAP_TYPE", 1],
        ["RTA_ENCAP", {"attrs": [["MPLS_IPTUNNEL_DST", [{"label": 100, "tc": 0, "bos": 1, "ttl": 0}]]]}],
    ]
    fields = ("family", "dst_len", "src_len", "tos", "table", "proto", "scope", "type", "flags")
    route = Route.from_note({"message": {**dict.fromkeys(fields, 0), "family": 2, "attrs": attrs}})
    told = dict(messages.attributes(route.message, messages.ROUTE.size))
    assert told == {
        messages.RTA_ENCAP_TYPE: messages.u16(1),
        messages.RTA_ENCAP: messages.attribute(1, (100 << 12 | 1 << 8).to_bytes(4, "big")),
    }

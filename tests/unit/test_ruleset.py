"""What rules do to a frame, as it is read from iptables-save and from nft: the answers that no host is needed for."""

from __future__ import annotations

import json
from ipaddress import ip_network
from typing import Any

import pytest

from pipework.firewall import iptables, nftables
from pipework.firewall.ruleset import Frame, Stop, stops_in

FRAME = Frame(4, "br1", "veth1pl7", "", ip_network("10.0.0.1/32"), ip_network("10.0.0.0/24"))
SAVED = """*filter
:INPUT ACCEPT [0:0]
:FORWARD {policy} [0:0]
:OUTPUT ACCEPT [0:0]
:DOCKER-USER - [0:0]
:LAN - [0:0]
{rules}
COMMIT
"""


def stop_of(frame: Frame, policy: str, *rules: str) -> Stop | None:
    """Who stops a frame in iptables' filter table of those rules."""
    text = SAVED.format(policy=policy, rules="\n".join(f"-A {rule}" for rule in rules))
    (table,) = iptables.read("iptables", 4, text)
    stops = stops_in(table, frame)
    return stops[0] if stops else None


@pytest.mark.parametrize(
    ("rule", "applies"),
    [
        ("FORWARD -j DROP", True),
        ("FORWARD -i br1 -o br1 -j DROP", True),
        ("FORWARD -i br+ -j DROP", True),
        ("FORWARD ! -i br1 -j DROP", False),
        ("FORWARD -i br2 -j DROP", False),
        ("FORWARD -s 10.0.0.0/8 -j DROP", True),
        ("FORWARD -s 10.0.0.1/32 -j DROP", True),
        ("FORWARD -s 10.0.0.2/32 -j DROP", False),
        ("FORWARD ! -s 10.0.0.0/8 -j DROP", False),
        ("FORWARD -d 10.0.0.9/32 -j DROP", False),  # another guest's
        ("FORWARD -d 0.0.0.0/0 -j DROP", True),
        ("FORWARD -p tcp -j DROP", True),
        ("FORWARD -p udp -j DROP", False),
        ("FORWARD -p tcp -m tcp --dport 22 -j DROP", False),
        ("FORWARD -m conntrack --ctstate INVALID -j DROP", False),
        ("FORWARD -m conntrack --ctstate NEW,ESTABLISHED -j DROP", True),
        ("FORWARD -m physdev --physdev-in veth1pl7 -j DROP", True),
        ("FORWARD -m physdev --physdev-in eth0 -j DROP", False),
        ("FORWARD -m physdev --physdev-is-bridged -j REJECT --reject-with icmp-port-unreachable", True),
        ("FORWARD -m addrtype --dst-type LOCAL -j DROP", False),
        ("FORWARD -m set --match-set bad src -j DROP", False),
        ("FORWARD -m rt --rt-type 0 -j DROP", False),
        ("FORWARD -p all -j DROP", True),
        ("FORWARD -m iprange --src-range 10.0.0.0-10.0.0.9 -j DROP", True),
        ("FORWARD -m iprange ! --src-range 10.0.0.0-10.0.0.9 -j DROP", False),
        ("FORWARD -m iprange --src-range 10.0.0.2-10.0.0.9 -j DROP", False),
        ('FORWARD -m comment --comment "-s 1.2.3.4 \\"no\\" -j ACCEPT" -j DROP', True),
        ("FORWARD -m comment --comment -j -j DROP", True),
        ("FORWARD -j LOG --log-prefix DROP", False),
    ],
)
def test_conditions_of_iptables(rule: str, applies: bool) -> None:
    """A rule is taken to hold for a frame only where all that it asks is known of it."""
    assert (stop_of(FRAME, "ACCEPT", rule) is not None) == applies


def test_chains_of_iptables() -> None:
    """Jumps come back, gotos and returns do not; what passes a chain to its end is known of a stop."""
    jump = "FORWARD -j DOCKER-USER"
    stop = stop_of(FRAME, "DROP", jump, "DOCKER-USER -j RETURN")
    assert stop and (stop.chain, stop.rule, stop.is_particular) == ("FORWARD", None, False)
    assert "DOCKER-USER" in stop.passed
    assert stop_of(FRAME, "DROP", jump, "DOCKER-USER -i br1 -o br1 -j ACCEPT") is None
    assert stop_of(FRAME, "ACCEPT", "FORWARD -g LAN", "FORWARD -j DROP") is None
    inside = stop_of(FRAME, "ACCEPT", "FORWARD -i br1 -j LAN", "LAN -j DROP")
    assert inside and (inside.chain, inside.is_particular) == ("LAN", True)
    shut = stop_of(FRAME, "DROP", jump, "DOCKER-USER -j DROP")
    assert shut and not shut.passed
    endless = stop_of(FRAME, "DROP", "FORWARD -j LAN", "LAN -j LAN")
    assert endless and endless.chain == "FORWARD"


def test_tables_of_iptables() -> None:
    """Other tables than filter count, nat does not; nor does another family."""
    text = "*raw\n:PREROUTING DROP [0:0]\nCOMMIT\n*nat\n:PREROUTING DROP [0:0]\nCOMMIT\n"
    (table,) = iptables.read("iptables", 4, text)
    assert [stop.base for stop in stops_in(table, FRAME)] == ["PREROUTING"]
    assert stops_in(table, Frame(6, "br1")) == []


def nft(*expressions: Any, family: str = "inet", policy: str = "accept", sets: tuple[Any, ...] = ()) -> str:
    """What `nft -j list ruleset` prints of a table with one chain of one rule for each expression."""
    chain = {"family": family, "table": "t", "name": "c", "type": "filter", "hook": "forward", "policy": policy}
    told = [{"table": {"family": family, "name": "t"}}, *sets, {"chain": chain}]
    told += [{"rule": {"family": family, "table": "t", "chain": "c", "expr": expression}} for expression in expressions]
    return json.dumps({"nftables": told})


def match(left: Any, right: Any, operator: str = "==") -> dict[str, Any]:
    return {"match": {"op": operator, "left": left, "right": right}}


def meta(key: str) -> dict[str, Any]:
    return {"meta": {"key": key}}


SOURCE = {"payload": {"protocol": "ip", "field": "saddr"}}
STATE = {"ct": {"key": "state"}}
PAIR = {"concat": [meta("iifname"), meta("oifname")]}
DROP = {"drop": None}
NAMED = {"set": {"family": "inet", "table": "t", "name": "s", "elem": ["br1", "br2"]}}
TIMED = {"elem": {"val": {"concat": ["br1", "br1"]}, "timeout": 60}}
PAIRS = {"set": {"family": "inet", "table": "t", "name": "pairs", "elem": [TIMED]}}


@pytest.mark.parametrize(
    ("expression", "applies"),
    [
        ([DROP], True),
        ([match(meta("iifname"), "br1"), DROP], True),
        ([match(meta("iifname"), "br*"), DROP], True),
        ([match(meta("iifname"), {"set": ["br1", "br2"]}), DROP], True),
        ([match(meta("iifname"), "@s"), DROP], True),
        ([match(meta("iifname"), "@s", "!="), DROP], False),
        ([match(meta("iifname"), "@unknown"), DROP], False),
        ([match(meta("mark"), 7), DROP], False),
        ([match(SOURCE, {"prefix": {"addr": "10.0.0.0", "len": 8}}), DROP], True),
        ([match(SOURCE, {"range": ["10.0.0.0", "10.0.0.9"]}), DROP], True),
        ([match(SOURCE, {"range": ["10.0.0.2", "10.0.0.9"]}), DROP], False),
        ([match(PAIR, {"set": [{"concat": ["br2", "br1"]}, {"concat": ["br1", "br1"]}]}), DROP], True),
        ([match(PAIR, {"set": [{"concat": ["br2", "br1"]}, {"concat": ["br1", "br2"]}]}), DROP], False),
        ([match(PAIR, {"set": [{"concat": ["br2", "br1"]}]}, "!="), DROP], False),
        ([match(PAIR, "@pairs"), DROP], True),
        ([{"vmap": {"key": PAIR, "data": {"set": [[{"concat": ["br1", "br1"]}, DROP]]}}}], True),
        ([match(PAIR, "@pairs"), {"vmap": {"key": meta("nfproto"), "data": {"set": [["ipv4", DROP]]}}}], True),
        ([match(STATE, ["established", "related"], "in"), DROP], False),
        ([match(STATE, "new", "in"), DROP], True),
        ([{"counter": {"packets": 0, "bytes": 0}}, {"log": None}, DROP], True),
        ([{"limit": {"rate": 1, "per": "second"}}, DROP], False),
        ([{"vmap": {"key": meta("iifname"), "data": {"set": [["br1", DROP], ["br2", {"accept": None}]]}}}], True),
        ([{"vmap": {"key": STATE, "data": {"set": [["established", {"accept": None}], ["invalid", DROP]]}}}], False),
        ([{"xt": {"type": "match", "name": "comment"}}, {"xt": {"type": "target", "name": "REJECT"}}], True),
        ([{"xt": {"type": "match", "name": "set"}}, DROP], False),
    ],
)
def test_conditions_of_nft(expression: list[Any], applies: bool) -> None:
    """The same for a table of nftables."""
    (table,) = nftables.read(nft(expression, sets=(NAMED, PAIRS)))
    assert bool(stops_in(table, FRAME)) == applies


def test_interfaces_on_the_bridge_are_ports() -> None:
    """In a table of the bridge's family iifname is the port; the bridge is ibrname."""
    for key, value, applies in (("iifname", "br1", False), ("iifname", "veth1pl7", True), ("ibrname", "br1", True)):
        (table,) = nftables.read(nft([match(meta(key), value), DROP], family="bridge"))
        assert bool(stops_in(table, FRAME)) == applies, (key, value)
        assert table.always


def test_tables_that_are_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """iptables reads its own, if it is there; those that sleep do nothing, those of other families are not met."""
    monkeypatch.setattr(iptables, "_can_list", lambda program: True)
    told = json.loads(nft([DROP]))
    told["nftables"][0]["table"]["flags"] = ["dormant"]
    assert nftables.read(json.dumps(told)) == []
    assert nftables.read(nft([DROP], family="arp")) == []
    chain = {
        "family": "ip",
        "table": "filter",
        "name": "FORWARD",
        "type": "filter",
        "hook": "forward",
        "policy": "drop",
    }
    assert nftables.read(json.dumps({"nftables": [{"chain": chain}]})) == []
    by_hand = {**chain, "name": "forward"}
    assert len(nftables.read(json.dumps({"nftables": [{"chain": by_hand}]}))) == 1
    monkeypatch.setattr(iptables, "_can_list", lambda program: False)
    assert len(nftables.read(json.dumps({"nftables": [{"chain": chain}]}))) == 1

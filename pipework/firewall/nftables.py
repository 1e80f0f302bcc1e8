"""Tables of nf_tables that iptables does not read: what they do to bridged frames.

They are their administrator's alone.  firewalld's is one of them, and it can be asked to let frames pass.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pipework.actions.base import Action
from pipework.firewall import firewalld
from pipework.firewall.base import Known, Source, listing, sides
from pipework.firewall.iptables import reads
from pipework.firewall.ruleset import UNSEEN, WAY_BACK, Chain, Condition, Rule, Stop, Table
from pipework.kernel import nf_tables
from pipework.kernel.bare import read_json
from pipework.kernel.namespaces import Namespace
from pipework.kernel.programs import find_program
from pipework.typed import Any, Optional, cast

FAMILIES = {"inet": (4, 6), "ip": (4,), "ip6": (6,), nf_tables.BRIDGE: (4, 6)}
META = {
    "iif": "in",
    "iifname": "in",
    "oif": "out",
    "oifname": "out",
    "ibrname": "bridge in",
    "obrname": "bridge out",
    "nfproto": "family",
    "protocol": "family",
    "l4proto": "protocol",
    "pkttype": "cast",
}
ON_BRIDGE = {"in": "port in", "out": "port out"}  # there a frame's interfaces are the ports
FIELDS = {"saddr": "source", "daddr": "destination", "protocol": "protocol", "nexthdr": "protocol", "type": "family"}
CALLED = {"ipv4": "4", "ipv6": "6", "ip": "4", "ip6": "6", "host": "unicast", "False": "no", "True": "yes"}
VERDICTS = ("accept", "drop", "reject", "return")
# statements that ask nothing of a frame
SILENT = ("counter", "log", "mangle", "notrack", "flow", "set", "map", "dup", "fwd", "ct helper", "comment", "continue")


class Nftables:
    """nft."""

    def ask(self, chains: Sequence[nf_tables.Chain], meet: Sequence[int], generation: int) -> list[Source]:
        """Have listed all tables, if one of these chains may stop frames.  Without nft their policies tell."""
        may_stop = [chain for chain in chains if _may_stop(chain, meet)]
        if may_stop and find_program("nft"):
            return [listing(["nft", "-j", "list", "ruleset"], "nftables", read, generation)]
        return [Known([_unseen(chain) for chain in may_stop])]

    def way_past(self, host: Namespace, stop: Stop, port: Optional[str]) -> list[Action]:
        return firewalld.way_past(host, stop) if stop.table.name == firewalld.TABLE else []

    def advice(self, stop: Stop) -> str:
        if not find_program("nft"):
            return f"apt-get install nftables; nft list table {stop.table.name}"
        if stop.table.name == firewalld.TABLE:
            return firewalld.advice(stop)
        if stop.is_particular:
            return f"nft -a list chain {stop.table.name} {stop.chain}"
        asked = sides(stop, f"iifname {stop.frame.coming}", f"oifname {stop.frame.going}")
        if stop.table.always:  # there a frame's interfaces are the ports
            asked = [f"iifname {stop.frame.from_port}" if stop.frame.from_port else f"oifname {stop.frame.to_port}"]
        return " ".join((f"nft insert rule {stop.table.name} {stop.base}", *asked, "accept"))


FIREWALL = Nftables()


def _may_stop(chain: nf_tables.Chain, meet: Sequence[int]) -> bool:
    meets = chain.family == nf_tables.BRIDGE or any(family in meet for family in FAMILIES[chain.family])
    return meets and bool(chain.drops or chain.uses)


def _unseen(chain: nf_tables.Chain) -> Table:
    """What is known of a chain that no program can list."""
    name, policy = f"{chain.family} {chain.table}", "drop" if chain.drops else UNSEEN
    chains = {chain.name: Chain((), policy, chain.hook)}
    return Table("nft", name, FAMILIES[chain.family], chains, (chain.name,), chain.family == nf_tables.BRIDGE)


# -- reading


def read(text: str) -> list[Table]:
    """The tables of what ``nft -j list ruleset`` prints, but for those that iptables reads."""
    told = read_json(text)["nftables"]
    dormant = {(one["family"], one["name"]) for one in _all(told, "table") if "dormant" in one.get("flags", ())}
    sets = {_place(one): one.get("elem", []) for kind in ("set", "map") for one in _all(told, kind)}
    rules = dict[tuple[str, str, str], list[Rule]]()
    for one in _all(told, "rule"):
        place = one["family"], one["table"], one["chain"]
        rules.setdefault(place, []).extend(_rules(one, sets))
    tables = dict[tuple[str, str], list[dict[str, Any]]]()
    for one in _all(told, "chain"):
        tables.setdefault((one["family"], one["table"]), []).append(one)
    return [
        _table(place, chains, rules)
        for place, chains in tables.items()
        if place[0] in FAMILIES and place not in dormant and not _is_read_by_iptables(place, chains)
    ]


def _all(told: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    return [one[kind] for one in told if kind in one]


def _place(one: dict[str, Any]) -> tuple[str, str, str]:
    return one["family"], one["table"], one["name"]


def _is_read_by_iptables(place: tuple[str, str], chains: list[dict[str, Any]]) -> bool:
    known = [nf_tables.Chain(*place, one["name"], one.get("hook", ""), False, 0) for one in chains]
    return all(map(reads, known))


def _table(
    place: tuple[str, str], chains: list[dict[str, Any]], rules: dict[tuple[str, str, str], list[Rule]]
) -> Table:
    bases = [one["name"] for one in chains if one.get("type") == "filter" and one["hook"] in nf_tables.HOOKS.values()]
    made = {
        one["name"]: Chain(tuple(rules.get((*place, one["name"]), ())), one.get("policy", ""), one.get("hook", ""))
        for one in chains
    }
    return Table("nft", " ".join(place), FAMILIES[place[0]], made, tuple(bases), place[0] == nf_tables.BRIDGE)


def _rules(told: dict[str, Any], sets: dict[tuple[str, str, str], list[Any]]) -> Iterator[Rule]:
    """What a rule says: one rule, or where its verdict hangs on a map, or it asks for several things at once, one for
    each entry.
    """
    ways = [list[Condition]()]
    for statement in told["expr"]:
        ((name, what),) = statement.items()
        if name in VERDICTS or name in ("jump", "goto"):
            yield from (_decided(way, statement) for way in ways)
            return
        if name == "match":
            asked = list(_matched(told, what["left"], what["op"], what["right"], sets))
            ways = [[*way, *more] for way in ways for more in asked]
        elif name == "vmap":
            for key, verdict in _elements(told, what["data"], sets) or ():
                for way in ways:
                    yield from (
                        _decided([*way, *more], verdict) for more in _matched(told, what["key"], "==", key, sets)
                    )
            return
        elif name == "xt" and what and what["type"] == "target":
            verdict = what["name"].lower() if what["name"] in ("DROP", "REJECT") else ""
            yield from (Rule(tuple(way), verdict) for way in ways)
            return
        elif not (name in SILENT or (name == "xt" and what and what["name"] == "comment")):
            ways = [[*way, Condition("?")] for way in ways]


def _decided(conditions: Sequence[Condition], statement: dict[str, Any]) -> Rule:
    ((name, what),) = statement.items()
    return Rule(tuple(conditions), name, what["target"] if name in ("jump", "goto") else "")


def _matched(
    told: dict[str, Any], left: Any, operator: str, right: Any, sets: dict[tuple[str, str, str], list[Any]]
) -> Iterator[list[Condition]]:
    """What has to be met: all of one of these."""
    elements = _elements(told, right, sets)
    parts = left["concat"] if isinstance(left, dict) and "concat" in left else None
    if parts and operator != "!=":
        for element in elements or ():
            split = _value(element)["concat"]
            met = [next(_matched(told, part, "==", value, sets)) for part, value in zip(parts, split)]
            yield [condition for each in met for condition in each]
        return
    asks, also = _asked(told["family"], left)
    if operator not in ("==", "!=", "in") or elements is None:
        asks = "?"
    values = tuple(CALLED.get(text, text) for text in map(_text, elements or ()))
    yield [*also, Condition(asks, values, operator == "!=")]


def _asked(family: str, left: Any) -> tuple[str, list[Condition]]:
    """What is asked for, and what is asked for with it without being said."""
    name, what = cast("tuple[str, Any]", next(iter(left.items())) if isinstance(left, dict) else ("", None))
    if name == "meta":
        asks = META.get(what["key"], "?")
        return (ON_BRIDGE.get(asks, asks) if family == nf_tables.BRIDGE else asks), []
    if name == "payload" and what.get("protocol") in ("ip", "ip6"):
        return FIELDS.get(what["field"], "?"), [Condition("family", (CALLED[what["protocol"]],))]
    if name == "payload" and what.get("protocol") == "ether":
        return ("family" if what["field"] == "type" else "?"), []
    if name == "payload" and what.get("protocol") in ("tcp", "udp", "icmp", "icmpv6", "sctp"):
        return "?", [Condition("protocol", (what["protocol"],))]
    if name == "ct" and what["key"] == "state":
        return "state", []
    if name == "fib" and what["result"] == "type":
        return "cast", []
    if name == "fib" and what["result"] == "oif" and {"saddr", "iif"} <= set(what["flags"]):
        return WAY_BACK, []
    return "?", []


def _elements(told: dict[str, Any], right: Any, sets: dict[tuple[str, str, str], list[Any]]) -> Optional[list[Any]]:
    """The values of the right side; None: they cannot be seen."""
    if isinstance(right, str) and right.startswith("@"):
        found = sets.get((told["family"], told["table"], right[1:]))
    elif isinstance(right, dict) and "set" in right:
        found = right["set"]
    else:
        found = right if isinstance(right, list) else [right]
    return found


def _value(element: Any) -> Any:
    """An element's value, which stands beside its timeout or counter where it has one."""
    return element["elem"]["val"] if isinstance(element, dict) and "elem" in element else element


def _text(element: Any) -> str:
    """A value as conditions have it: a prefix as ADDRESS/LENGTH, a range as FIRST-LAST."""
    value = _value(element)
    if isinstance(value, dict) and "prefix" in value:
        return f"{value['prefix']['addr']}/{value['prefix']['len']}"
    if isinstance(value, dict) and "range" in value:
        return "-".join(map(str, value["range"]))
    text = str(value)
    return f"{text[:-1]}+" if text.endswith("*") else text

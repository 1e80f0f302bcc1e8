"""A route as ``ip route`` takes it, with nexthop objects, encapsulations, metrics and several hops."""

from __future__ import annotations

from pipework.kernel import messages
from pipework.kernel.bare import socket
from pipework.kernel.messages import NUMBER, ip_text, unsigned
from pipework.kernel.records import Route
from pipework.quoting import quote
from pipework.typed import Optional

UNKNOWN = "# and what ip has no word for"

# linux/rtnetlink.h
BOOT = 3
SCOPE_UNIVERSE, SCOPE_LINK, SCOPE_HOST = 0, 253, 254
UNICAST, LOCAL = 1, 2
TYPES = ("", "", "local", "broadcast", "anycast", "multicast", "blackhole", "unreachable", "prohibit", "throw", "nat")
USUAL_SCOPE = {LOCAL: SCOPE_HOST, 3: SCOPE_LINK, 4: SCOPE_LINK, 5: SCOPE_LINK}  # what ip takes for granted
METRICS = (  # RTAX_*, from 1 on
    *("lock", "mtu", "window", "rtt", "rttvar", "ssthresh", "cwnd", "advmss", "reordering", "hoplimit", "initcwnd"),
    *("features", "rto_min", "initrwnd", "quickack", "congctl"),
)
NUMBERS = (  # what is said as a number, unless it is 0 or the usual one
    (messages.RTA_NH_ID, "nhid", 0),
    (messages.RTA_PRIORITY, "metric", 0),
    (messages.RTA_TABLE, "table", 254),
)
LOCK, FEATURES, RTO_MIN, CONGCTL = 1, 12, 13, 16
ECN = 1  # RTAX_FEATURE_ECN
PREFERENCES = {1: "high", 3: "low"}  # linux/icmpv6.h; 0 is medium
# linux/lwtunnel.h, linux/seg6_iptunnel.h, linux/seg6_local.h
MPLS, IP, IP6, SEG6, SEG6_LOCAL = 1, 2, 4, 5, 7
MODES = ("inline", "encap", "l2encap", "encap.red", "l2encap.red")
TUNNEL_FLAGS = {0x1: "csum", 0x4: "key", 0x8: "seq"}  # net/ip_tunnels.h
ACTIONS = (  # SEG6_LOCAL_ACTION_*, from 1 on
    *("End", "End.X", "End.T", "End.DX2", "End.DX6", "End.DX4", "End.DT6", "End.DT4", "End.B6", "End.B6.Encaps"),
    *("End.BM", "End.S", "End.AS", "End.AM", "End.BPF", "End.DT46"),
)
SEGMENT_HEADER = 8  # bytes before the segments, RFC 8754


class Words:
    """The words for a route so far, and whether they are all of it."""

    def __init__(self, names: dict[int, str]) -> None:
        self.said: list[str] = []
        self.complete = True
        self.has_gateway = False
        self.names = names

    def add(self, *words: str) -> None:
        self.said += words


def route_words(route: Route, names: dict[int, str], verb: str, by_object: bool = True) -> tuple[str, bool]:
    """What stands behind ``ip route add`` or ``delete``, and whether that is all of it.

    names: of links, by ifindex; by_object: see messages.put_back_route.
    """
    words = Words(names)
    sent = messages.put_back_route(route.message, by_object)
    head = messages.ROUTE.unpack_from(sent)
    told = {kind & NUMBER: payload for kind, payload in messages.attributes(sent, messages.ROUTE.size)}
    _say_where(words, head, told)
    _say_way(words, told)
    _say_rest(words, head, told, verb == "add")
    _say_metrics(words, told.pop(messages.RTA_METRICS, b""))
    for hop in messages.hops(told.pop(messages.RTA_MULTIPATH, b"")):
        _say_hop(words, *hop)
    return " ".join(words.said), words.complete and not told


def _say_where(words: Words, head: tuple[int, ...], told: dict[int, bytes]) -> None:
    destination, source = told.pop(messages.RTA_DST, None), told.pop(messages.RTA_SRC, None)
    if head[7] > UNICAST:
        words.add(TYPES[head[7]] if head[7] < len(TYPES) else str(head[7]))
    words.add(f"{ip_text(destination)}/{head[1]}" if destination else "default")
    if source:
        words.add(f"from {ip_text(source)}/{head[2]}")
    if head[3]:
        words.add(f"tos {head[3]:#x}")


def _say_way(words: Words, told: dict[int, bytes]) -> None:
    """The next hop, all that a route and one of several hops have in common."""
    _say_encap(words, unsigned(told.pop(messages.RTA_ENCAP_TYPE, b"")), told.pop(messages.RTA_ENCAP, b""))
    gateway, via = told.pop(messages.RTA_GATEWAY, None), told.pop(messages.RTA_VIA, None)
    words.has_gateway = bool(gateway or via)
    if gateway:
        words.add(f"via {ip_text(gateway)}")
    if via:
        words.add(f"via {'inet6' if unsigned(via[:2]) == socket.AF_INET6 else 'inet'} {ip_text(via[2:])}")
    link = unsigned(told.pop(messages.RTA_OIF, b""))
    if link in words.names:
        words.add(f"dev {quote(words.names[link])}")
    realms = unsigned(told.pop(messages.RTA_FLOW, b""))
    if realms:
        words.add(f"realms {realms >> 16}/{realms & 0xFFFF}")


def _say_rest(words: Words, head: tuple[int, ...], told: dict[int, bytes], adding: bool) -> None:
    made_by, scope = head[5], head[6]
    if head[0] == socket.AF_INET and scope != _usual_scope(words, head, told):
        words.add(f"scope {scope}")
    for number, word, usual in NUMBERS:
        value = unsigned(told.pop(number, b""))
        words.add(*([f"{word} {value}"] if value not in (0, usual) else []))
    source = told.pop(messages.RTA_PREFSRC, None)
    words.add(*([f"src {ip_text(source)}"] if source else []))
    words.add(*([f"proto {made_by}"] if made_by != BOOT else []))
    words.add(*(["onlink"] if head[8] & messages.ONLINK else []))
    preference = PREFERENCES.get(unsigned(told.pop(messages.RTA_PREF, b"")))
    words.add(*([f"pref {preference}"] if preference else []))
    expires = unsigned(told.pop(messages.RTA_EXPIRES, b""))
    words.add(*([f"expires {expires}"] if expires and adding else []))


def _usual_scope(words: Words, head: tuple[int, ...], told: dict[int, bytes]) -> int:
    """The scope that ip takes for granted."""
    is_direct = not told.keys() & {messages.RTA_MULTIPATH, messages.RTA_NH_ID} and not words.has_gateway
    return SCOPE_LINK if head[7] == UNICAST and is_direct else USUAL_SCOPE.get(head[7], SCOPE_UNIVERSE)


def _say_hop(words: Words, flags: int, weight: int, ifindex: int, inner: bytes) -> None:
    told = {kind & NUMBER: payload for kind, payload in messages.attributes(inner)}
    told[messages.RTA_OIF] = messages.u32(ifindex)
    words.add("nexthop")
    _say_way(words, told)
    words.add(f"weight {weight + 1}")
    if flags & messages.ONLINK:
        words.add("onlink")
    words.complete &= not told


def _say_metrics(words: Words, metrics: bytes) -> None:
    told = {kind & NUMBER: payload for kind, payload in messages.attributes(metrics)}
    locked = unsigned(told.pop(LOCK, b""))
    for number, payload in told.items():
        if number > len(METRICS):
            words.complete = False
        elif number == FEATURES:
            words.add(*(["features ecn"] if unsigned(payload) & ECN else []))
            words.complete &= unsigned(payload) == ECN
        else:
            value = messages.text(payload) if number == CONGCTL else str(unsigned(payload))
            lock = " lock" if locked >> number & 1 and number != RTO_MIN else ""  # that one ip locks by itself
            words.add(f"{METRICS[number - 1]}{lock} {value}")


def _say_encap(words: Words, kind: int, encap: bytes) -> None:
    if not kind:
        return
    told = {number & NUMBER: payload for number, payload in messages.attributes(encap)}
    say = {MPLS: _mpls, IP: _tunnel, IP6: _tunnel6, SEG6: _segments, SEG6_LOCAL: _local}.get(kind)
    said = say(told, words.names) if say else None
    words.add(*([f"encap {said}"] if said else []))
    words.complete &= said is not None and not told


def _mpls(told: dict[int, bytes], _: dict[int, str]) -> str:
    stack, ttl = told.pop(1, b""), unsigned(told.pop(2, b""))
    labels = [int.from_bytes(stack[place : place + 4], "big") >> 12 for place in range(0, len(stack), 4)]
    return f"mpls {'/'.join(map(str, labels))}{f' ttl {ttl}' if ttl else ''}"


def _tunnel(told: dict[int, bytes], _: dict[int, str], name: str = "ip", ttl: str = "ttl", tos: str = "tos") -> str:
    words = [name]
    for number, word in ((1, "id"), (2, "dst"), (3, "src"), (4, ttl), (5, tos)):
        payload = told.pop(number, b"")
        if any(payload):
            words.append(f"{word} {int.from_bytes(payload, 'big') if number not in (2, 3) else ip_text(payload)}")
    flags = int.from_bytes(told.pop(6, b""), "big")
    words += [word for flag, word in TUNNEL_FLAGS.items() if flags & flag]
    told.pop(7, None)  # padding
    return " ".join(words)


def _tunnel6(told: dict[int, bytes], names: dict[int, str]) -> str:
    return _tunnel(told, names, "ip6", "hoplimit", "tc")


def _segments(told: dict[int, bytes], _: dict[int, str]) -> Optional[str]:
    told_of = told.pop(1, b"")
    mode, header = unsigned(told_of[:4]), told_of[4:]
    count = header[4] + 1 if len(header) > SEGMENT_HEADER else 0
    ends = SEGMENT_HEADER + 16 * count
    if not count or len(header) != ends or mode >= len(MODES):
        return None  # such as one with a signature
    segments = [ip_text(header[place : place + 16]) for place in range(SEGMENT_HEADER, ends, 16)]
    segments = segments[1:] if MODES[mode] == "inline" else segments  # the first is the destination itself
    return f"seg6 mode {MODES[mode]} segs {','.join(reversed(segments))}"


def _local(told: dict[int, bytes], names: dict[int, str]) -> Optional[str]:
    action = unsigned(told.pop(1, b""))
    if not 1 <= action <= len(ACTIONS):
        return None
    words = [f"seg6local action {ACTIONS[action - 1]}"]
    for number, word in ((3, "table"), (9, "vrftable"), (4, "nh4"), (5, "nh6"), (6, "iif"), (7, "oif")):
        payload = told.pop(number, b"")
        if payload and word.startswith("nh"):
            words.append(f"{word} {ip_text(payload)}")
        elif payload:
            value = unsigned(payload)
            words.append(f"{word} {quote(names.get(value, str(value))) if word.endswith('if') else value}")
    return " ".join(words)

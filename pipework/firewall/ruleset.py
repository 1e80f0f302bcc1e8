"""What the rules of a host do to a frame that stays on a bridge, whoever wrote them.

Each back end reads its rules into chains; here one frame is led through them.  It is the first of a TCP connection that
no rule singles out: what a condition asks that is not known of it, a port say, is taken not to hold.  So an exception
does not hide that the rest is dropped, nor the other way round.
"""

from __future__ import annotations

from functools import cache, cached_property
from ipaddress import ip_address, ip_network, summarize_address_range

from pipework.typed import TYPE_CHECKING, Optional, Union
from pipework.value import Value

if TYPE_CHECKING:
    from ipaddress import IPv4Network, IPv6Network

    Network = Union[IPv4Network, IPv6Network]

PASSES = "accept"
UNSEEN = "unseen"  # the policy of a chain that cannot be listed
DROPS = ("drop", "reject", UNSEEN)
WAY_BACK = "way back"  # asked for by filters of reverse paths
# what a condition can ask for by which a rule speaks of some frames, not of all that nobody has spoken of
BRIDGES = frozenset(("in", "out", "bridge in", "bridge out"))
PORTS = frozenset(("port in", "port out"))
ADDRESSES = frozenset(("source", "destination"))
PARTICULAR = BRIDGES | PORTS | ADDRESSES


class Frame(Value):
    """A frame on its way from one port of a bridge to another.

    family: 4 or 6; from_port, to_port: their names, "" for any; source, destination: an address or the network that it
    is in, None for any; has_way_back: whether the host has a route to its source over the bridge, which filters of
    reverse paths ask for.
    """

    family: int
    bridge: str
    from_port: str = ""
    to_port: str = ""
    source: Optional[Network] = None
    destination: Optional[Network] = None
    has_way_back: bool = True

    is_bridged = True

    @property
    def coming(self) -> str:
        """The link that it comes in by, as rules name it."""
        return self.bridge

    @property
    def going(self) -> str:
        """The link that it goes out of, as rules name it."""
        return self.bridge

    def meets(self, condition: Condition) -> Optional[bool]:
        """Whether it meets a condition; None: that cannot be known."""
        if condition.asks in ("source", "destination"):
            there = self.source if condition.asks == "source" else self.destination
            answers = [_is_in(there, value) for value in condition.values]
        else:
            known = self._facts.get(condition.asks)
            if known is None:
                return None
            answers = [_is_called(known, value) for value in condition.values]
        found = True if True in answers else None if None in answers else False
        return found if found is None else found is not condition.negated

    @cached_property
    def _facts(self) -> dict[str, str]:
        """What is known of it, by what conditions ask for; a port that may be any is none that somebody has named."""
        return {
            "in": self.bridge,
            "out": self.bridge,
            "bridge in": self.bridge,
            "bridge out": self.bridge,
            "port in": self.from_port,
            "port out": self.to_port,
            "family": str(self.family),
            "protocol": "tcp",
            "state": "new",
            "cast": "unicast",
            "bridged": "yes",
            WAY_BACK: "yes" if self.has_way_back else "no",
        }


class RoutedFrame(Frame):
    """A frame that the host routes to a guest or for it.

    bridge: the host's end of the guest's wire; from_port, to_port: the links that it comes in by and goes out of.
    """

    is_bridged = False

    @property
    def coming(self) -> str:
        return self.from_port

    @property
    def going(self) -> str:
        return self.to_port

    @cached_property
    def _facts(self) -> dict[str, str]:
        told = {key: value for key, value in super()._facts.items() if key not in PARTICULAR}
        return {**told, "in": self.from_port, "out": self.to_port, "bridged": "no"}


class Condition(Value):
    """One of the conditions of a rule: what it asks for is one of the values, or if it is negated none of them.

    asks: a name that Frame knows; of any other it knows nothing.
    """

    asks: str
    values: tuple[str, ...] = ()
    negated: bool = False


class Rule(Value):
    """A rule of a chain.

    verdict: accept, drop, reject, return, jump or goto, "" where the next rule decides; to: the chain of a jump; text:
    as its program writes it, "" if that says no more than the chain.
    """

    conditions: tuple[Condition, ...]
    verdict: str
    to: str = ""
    text: str = ""

    @property
    def is_particular(self) -> bool:
        """Whether it speaks of some bridges, ports or addresses."""
        return any(condition.asks in PARTICULAR for condition in self.conditions)


class Chain(Value):
    """A chain with its rules.

    policy: what becomes of what no rule decides; hook: where the kernel leads frames into it, prerouting, forward or
    postrouting; both "" for one that is jumped to.
    """

    rules: tuple[Rule, ...]
    policy: str = ""
    hook: str = ""


class Table(Value):
    """Chains that jump to one another.

    program: what lists them, and changes them; name: with its family, as nft calls it; families: of the frames that
    the kernel leads into it; chains: all of them by name; bases: those that it leads them into; always: whether it does
    so where br_netfilter does not hand bridged frames on.
    """

    program: str
    name: str
    families: tuple[int, ...]
    chains: dict[str, Chain]
    bases: tuple[str, ...]
    always: bool = False

    @property
    def asks(self) -> frozenset[str]:
        """What its rules ask for."""
        rules = (rule for chain in self.chains.values() for rule in chain.rules)
        return frozenset(condition.asks for rule in rules for condition in rule.conditions)


class Stop(Value):
    """Who stops a frame.

    base: the chain that the kernel leads it into; chain: in which it is decided; rule: None if it is the policy's
    doing; is_particular: whether somebody has decided so for this bridge, port or address, rather than for all that is
    left; passed: the chains which it has been led through to their end before.
    """

    frame: Frame
    table: Table
    base: str
    chain: str
    rule: Optional[Rule]
    is_particular: bool
    passed: frozenset[str]

    @property
    def lacks_way_back(self) -> bool:
        """Whether a filter of reverse paths does so."""
        return self.rule is not None and any(condition.asks == WAY_BACK for condition in self.rule.conditions)


def stops_in(table: Table, frame: Frame) -> list[Stop]:
    """Who stops the frame in a table: in each place where the kernel leads it into that, at most one."""
    meets = frame.family in table.families and (frame.is_bridged or not table.always)
    walks = (_Walk(table, frame, base).stop() for base in table.bases if meets)
    return [stop for stop in walks if stop]


class _Walk:
    """One frame on its way through the chains of one table."""

    def __init__(self, table: Table, frame: Frame, base: str) -> None:
        self._table = table
        self._frame = frame
        self._base = base
        self._passed: set[str] = set()
        self._inside: list[str] = []

    def stop(self) -> Optional[Stop]:
        """Who stops it on its way from the base chain on."""
        found = self._through(self._base, False)
        if isinstance(found, Stop):
            return found
        policy = self._table.chains[self._base].policy
        return self._stop(self._base, None, False) if not found and policy in DROPS else None

    def _stop(self, chain: str, rule: Optional[Rule], is_particular: bool) -> Stop:
        return Stop(self._frame, self._table, self._base, chain, rule, is_particular, frozenset(self._passed))

    def _through(self, name: str, is_particular: bool) -> Union[Stop, str]:
        """What a chain decides: accept, a stop, or "" if it leaves that to whoever has called it."""
        chain = self._table.chains.get(name)
        if chain is None or name in self._inside:
            return ""
        self._inside.append(name)
        try:
            for rule in chain.rules:
                if not all(map(self._frame.meets, rule.conditions)):
                    continue
                told = is_particular or rule.is_particular
                if rule.verdict == "return":
                    break
                if rule.verdict in DROPS:
                    return self._stop(name, rule, told)
                if rule.verdict == PASSES:
                    return PASSES
                if rule.verdict in ("jump", "goto"):
                    found = self._through(rule.to, told)
                    if found:
                        return found
                    if rule.verdict == "goto":
                        break
            self._passed.add(name)
            return ""
        finally:
            self._inside.pop()


def _is_called(known: str, value: str) -> bool:
    """Whether a name is that, or with a + at the end begins so."""
    return known.startswith(value[:-1]) if value.endswith("+") else known == value


def _is_in(there: Optional[Network], text: str) -> Optional[bool]:
    """Whether an address, or all of a network, is in that network or range; None: some may be."""
    answers = [_is_in_network(there, asked) for asked in _networks(text)]
    return True if True in answers else None if None in answers or not answers else False


def _is_in_network(there: Optional[Network], asked: Network) -> Optional[bool]:
    if asked.prefixlen == 0:
        return there is None or asked.version == there.version
    if there is None:
        return None
    if asked.version != there.version or not asked.overlaps(there):
        return False
    return asked.prefixlen <= there.prefixlen or None


@cache  # a rule is asked about each wire of a host
def _networks(text: str) -> tuple[Network, ...]:
    """What a rule writes as an address, a network or a range; nothing: something else, a set's name say."""
    first, dash, last = text.partition("-")
    try:
        if not dash:
            return (ip_network(text, strict=False),)
        return tuple(summarize_address_range(ip_address(first), ip_address(last)))
    except (ValueError, TypeError):
        return ()

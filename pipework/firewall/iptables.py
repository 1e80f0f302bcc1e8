"""iptables and ip6tables, of either variant: what their rules do to bridged frames, and ours that lets them pass."""

from __future__ import annotations

import os
from functools import cache, partial

from pipework.actions.base import Action
from pipework.actions.iptables import CHAIN, AllowBridged, WithdrawBridged
from pipework.errors import Refused
from pipework.firewall.base import TIMEOUT, Known, Source, listing, sides
from pipework.firewall.ruleset import UNSEEN, WAY_BACK, Chain, Condition, Rule, Stop, Table
from pipework.kernel import nf_tables, sysfs
from pipework.kernel.namespaces import Namespace
from pipework.kernel.programs import Running, find_program
from pipework.marks import COMMENT
from pipework.typed import Optional, Sequence
from pipework.value import Value

PROGRAMS = {4: "iptables", 6: "ip6tables"}
FAMILIES = {4: "ip", 6: "ip6"}
FAMILY_OF = {name: family for family, name in FAMILIES.items()}
# what iptables-nft calls its tables and the chains that the kernel leads frames into; nobody else writes them so
TABLES = ("filter", "mangle", "raw", "security")
BASES = ("PREROUTING", "FORWARD", "POSTROUTING")
OPTIONS = {
    "-s": "source",
    "-d": "destination",
    "--src-range": "source",
    "--dst-range": "destination",
    "-i": "in",
    "-o": "out",
    "-p": "protocol",
    "--ctstate": "state",
    "--state": "state",
    "--physdev-in": "port in",
    "--physdev-out": "port out",
    "--pkt-type": "cast",
    "--src-type": "cast",
    "--dst-type": "cast",
}
BRIDGED = ("--physdev-is-bridged", "--physdev-is-in", "--physdev-is-out")
ANY_PROTOCOL = (("-p", "all"), ("-p", "0"))
SILENT = ("-m", "--comment", "--reject-with", "--invert")  # ask nothing of a frame
VERDICTS = {"ACCEPT": "accept", "DROP": "drop", "REJECT": "reject", "RETURN": "return"}


def is_its(chain: nf_tables.Chain) -> bool:
    """Whether a chain of nf_tables is one of iptables-nft's."""
    own = chain.family in FAMILIES.values() and chain.table in (*TABLES, "nat")
    return own and (not chain.hook or chain.name in BASES)


def reads(chain: nf_tables.Chain) -> bool:
    """Whether it is, and its program is here to list it; in nat nothing is stopped."""
    return is_its(chain) and (chain.table == "nat" or _can_list(variant(FAMILY_OF[chain.family], "nft")))


class Iptables:
    """iptables and ip6tables."""

    def ask(self, chains: Sequence[nf_tables.Chain], meet: Sequence[int], generation: int) -> list[Source]:
        """Have listed what may stop bridged frames.

        Frames that do not meet the firewall may some day, when somebody loads br_netfilter, as Docker does; then the
        rule has to stand already where Docker keeps the chain for it.
        """
        asked = [
            listing(
                [f"{program}-save", *tables],
                "iptables",
                partial(read, program, family),
                generation if program == variant(family, "nft") else 0,
            )
            for family in PROGRAMS
            for program, tables in _programs(family, chains, family in meet)
        ]
        legacy = {family: variant(family, "legacy") for family in meet if legacy_tables(family)}
        hidden = [_unseen(family, program) for family, program in legacy.items() if not _can_list(program)]
        return [*asked, Known(hidden)]

    def way_past(self, host: Namespace, stop: Stop, port: Optional[str]) -> list[Action]:
        """The rules that let such frames pass, as narrow as what was asked for; none where that is not ours to open.

        It is where Docker's chain for the administrator's rules is led through, and nobody has spoken of these frames:
        ours comes behind the administrator's.  port: a rule for that one alone, where others are on the bridge that are
        not ours to let through; None: one for all of the bridge.
        """
        place, bridge = place_past(stop), stop.frame.bridge
        if place is None:
            return []
        check_name("bridge", bridge)
        if port:
            return [AllowBridged(stop.table.program, bridge, place, port, side) for side in ("in", "out")]
        return [AllowBridged(stop.table.program, bridge, place, known=tuple(sysfs.ports(bridge)))]

    def advice(self, stop: Stop) -> str:
        """What an administrator types to let such frames pass."""
        program, coming, going = stop.table.program, stop.frame.coming, stop.frame.going
        table = "" if stop.table.name.endswith("filter") else f" -t {stop.table.name.rpartition(' ')[2]}"
        if stop.rule and stop.is_particular:
            return f"{program}{table} {stop.rule.text.replace('-A ', '-D ', 1)}"
        if any(name.startswith("ufw") for name in stop.table.chains):
            return f"ufw route allow in on {coming} out on {going}"
        install = "" if find_program(program) else "apt-get install iptables; "
        return " ".join(
            (f"{install}{program}{table} -I {stop.base}", *sides(stop, f"-i {coming}", f"-o {going}"), "-j ACCEPT")
        )


FIREWALL = Iptables()


def place_past(stop: Stop) -> Optional[int]:
    """Where a rule of ours lets such frames pass, as a place in CHAIN; None where that is not ours to open."""
    if stop.is_particular or CHAIN not in stop.passed or "filter" not in stop.table.name:
        return None
    rules = stop.table.chains[CHAIN].rules
    return len(rules) if rules and rules[-1].verdict == "return" and not rules[-1].conditions else 0


def check_name(what: str, name: str) -> None:
    """Refuse a name that a rule would not take as it is.  Raises Refused."""
    if name.endswith("+") or set("\"'\\").intersection(name):
        raise Refused(
            f"{what} {name} cannot be named in a firewall rule: a + at the end would stand for any name, "
            "quotes and backslashes are changed",
            "Choose another name, or see to the rules yourself and run pipework with PIPEWORK_FIREWALL=off.",
        )


def _programs(family: int, chains: Sequence[nf_tables.Chain], meets: bool) -> list[tuple[str, tuple[str, ...]]]:
    """The programs to ask, each with the words that say for which tables."""
    its = [chain for chain in chains if chain.family == FAMILIES[family] and is_its(chain)]
    may_stop = {chain.table for chain in its if chain.hook and (chain.drops or chain.uses)}.intersection(TABLES)
    keeps = any((chain.table, chain.name) == ("filter", CHAIN) for chain in its)
    legacy = legacy_tables(family)
    programs = list[tuple[str, tuple[str, ...]]]()
    if keeps or (meets and may_stop):
        programs.append((variant(family, "nft"), ("-t", "filter") if may_stop <= {"filter"} else ()))
    if "filter" in legacy or (meets and legacy):
        programs.append((variant(family, "legacy"), ()))
    return [(program, tables) for program, tables in programs if _can_list(program)]


@cache
def _can_list(program: str) -> bool:
    return find_program(f"{program}-save") is not None


def _unseen(family: int, program: str) -> Table:
    """What is known of rules that no program here can list."""
    chains = {"FORWARD": Chain((), UNSEEN, "forward")}
    return Table(program, f"{FAMILIES[family]} filter", (family,), chains, tuple(chains))


def legacy_tables(family: int) -> list[str]:
    """The tables that iptables-legacy has here."""
    return (sysfs.read(f"/proc/net/{FAMILIES[family]}_tables_names") or "").split()


@cache
def variant(family: int, name: str) -> str:
    """The program of a family, nft or legacy: under its plain name where that is what it is."""
    plain = PROGRAMS[family]
    path = os.path.realpath(find_program(plain) or "")
    return plain if path.endswith("nft-multi") is (name == "nft") else f"{plain}-{name}"


# -- our own rules


class Standing(Value):
    """A rule of ours that stands: which program lists it, its place in CHAIN, its words, and its comment."""

    program: str
    place: int
    words: Sequence[str]
    comment: str


def standing(comment: str) -> list[WithdrawBridged]:
    """Every rule of ours for bridges, as what takes it back; none are asked for unless one's comment begins so.

    Raises Refused.
    """
    return [_as_bridged(rule) for rule in rules_with(comment) if rule.comment.startswith(COMMENT)]


def _as_bridged(rule: Standing) -> WithdrawBridged:
    bridge, _, port = rule.comment[len(COMMENT) :].partition(" ")
    side = "in" if "--physdev-in" in rule.words else "out" if "--physdev-out" in rule.words else ""
    return WithdrawBridged(rule.program, bridge, rule.place, port, side)


def rules_with(comment: str) -> list[Standing]:
    """Every rule of CHAIN that has a comment, if one's begins so; none are asked for where none does.

    Raises Refused.
    """
    ours = nf_tables.mention(comment)
    asked = [
        (program, Running([f"{program}-save", "-t", "filter"], "iptables"))
        for family in PROGRAMS
        for program in (
            *([variant(family, "nft")] if ours else ()),
            *([variant(family, "legacy")] if "filter" in legacy_tables(family) else ()),
        )
        if _can_list(program)
    ]
    return [rule for program, listing in asked for rule in _commented(program, listing)]


def _commented(program: str, listing: Running) -> list[Standing]:
    told = listing.outcome(TIMEOUT)
    if told.status != 0:
        raise Refused(
            f"{program} does not tell which rules stand: {told.err.strip()}",
            "See to the rules yourself and run pipework with PIPEWORK_FIREWALL=off.",
        )
    rules = [split(line) for line in told.out.splitlines() if line.startswith(f"-A {CHAIN} ")]
    return [
        Standing(program, place, words, words[words.index("--comment") + 1])
        for place, words in enumerate(rules, start=1)
        if "--comment" in words
    ]


# -- reading


def read(program: str, family: int, text: str) -> list[Table]:
    """The tables of what iptables-save prints."""
    tables = list[Table]()
    name, policies, rules = "", dict[str, str](), dict[str, list[Rule]]()
    for line in text.splitlines():
        if line.startswith("*"):
            name, policies, rules = line[1:], {}, {}
        elif line.startswith(":"):
            chain, policy = line[1:].split()[:2]
            policies[chain], rules[chain] = policy.lower().strip("-"), []
        elif line.startswith("-A "):
            words = split(line)
            rules.setdefault(words[1], []).append(_rule(words[2:], line, policies))
        elif line == "COMMIT" and name in TABLES:
            chains = {chain: Chain(tuple(rules[chain]), policies.get(chain, ""), chain.lower()) for chain in rules}
            bases = tuple(base for base in BASES if base in chains)
            tables.append(Table(program, f"{FAMILIES[family]} {name}", (family,), chains, bases))
    return tables


def _rule(words: list[str], text: str, chains: dict[str, str]) -> Rule:
    conditions, verdict, to = list[Condition](), "", ""
    for option, values, negated in _options(words):
        if option in ("-j", "-g"):
            target = values[0]
            if target in chains:
                verdict, to = ("goto" if option == "-g" else "jump"), target
            verdict = VERDICTS.get(target, verdict)
        elif option == "-m" and values == ["rpfilter"]:
            conditions.append(Condition(WAY_BACK, ("no" if "--invert" in words else "yes",)))
        elif option in BRIDGED:
            conditions.append(Condition("bridged", ("yes",), negated))
        elif option not in SILENT and (option, *values) not in ANY_PROTOCOL:
            asks = OPTIONS.get(option, "")
            split_up = values[0].split(",") if asks and values else []
            told = tuple(value.lower() for value in split_up) if asks in ("state", "cast") else tuple(split_up)
            conditions.append(Condition(asks, told, negated))
    return Rule(tuple(conditions), verdict, to, text)


def _options(words: list[str]) -> list[tuple[str, list[str], bool]]:
    """Each option with its values, and whether it is negated."""
    found, negated = list[tuple[str, list[str], bool]](), False
    for word in words:
        if found and found[-1][0] == "--comment" and not found[-1][1]:
            found[-1][1].append(word)
        elif word == "!":
            negated = True
        elif word.startswith("-") and len(word) > 1 and not word[1:2].isdigit():
            found.append((word, [], negated))
            negated = False
        elif found:
            found[-1][1].append(word)
    return found


def split(line: str) -> list[str]:
    """The words of a line of iptables-save, which puts some into quotes.

    As shlex.split has them, which would add 2 ms to an attach of 28 (``make bench``): our own rules have comments in
    quotes.
    """
    if '"' not in line:
        return line.split()
    words, word, quoted, escaped = list[str](), "", False, False
    for character in line:
        if escaped:
            word, escaped = word + character, False
        elif character == "\\" and quoted:
            escaped = True
        elif character == '"':
            quoted = not quoted
        elif character == " " and not quoted:
            words.append(word)
            word = ""
        else:
            word += character
    return [*words, word]

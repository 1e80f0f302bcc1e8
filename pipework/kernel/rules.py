"""Policy rules (``ip rule``): in which table the kernel looks for a packet's route, by its source address."""

from __future__ import annotations

from collections.abc import Iterator
from errno import EAFNOSUPPORT, EEXIST, ENOENT, EOPNOTSUPP

from pipework.address import Address
from pipework.errors import KernelRefused
from pipework.kernel import messages
from pipework.kernel.netlink import CREATE, DUMP, EXCL, FAMILY, Netlink
from pipework.value import Value

# linux/rtnetlink.h, linux/fib_rules.h
NEWRULE, DELRULE, GETRULE = 32, 33, 34
FRA_SRC, FRA_PRIORITY, FRA_TABLE = 2, 6, 15
NAMING = (3, 17)  # FRA_IIFNAME, FRA_OIFNAME
LOOKUP = 1  # FR_ACT_TO_TBL
BEFORE_MAIN = 32765  # behind all that somebody has set before; 32766 looks into the table main


class Rule(Value):
    """From an address, look into a table; source is "" for one of another form."""

    family: int
    source: str
    table: int
    priority: int = BEFORE_MAIN


def rules(netlink: Netlink) -> Iterator[Rule]:
    """Those of both families."""
    for family, told in _dump(netlink):
        yield _read(family, told)


def links_named(netlink: Netlink) -> set[str]:
    """The names of links that rules speak of (iif, oif)."""
    named = (messages.chosen(told, messages.ROUTE.size, NAMING).values() for _, told in _dump(netlink))
    return {messages.text(name) for names in named for name in names}


def _dump(netlink: Netlink) -> Iterator[tuple[int, bytes]]:
    for family in (4, 6):
        try:
            answers = netlink.request(GETRULE, messages.rule(FAMILY[family]), DUMP)
        except KernelRefused as refusal:
            if refusal.errno not in (EOPNOTSUPP, EAFNOSUPPORT):  # a kernel without rules, or without IPv6
                raise
            continue
        yield from ((family, told) for told in answers)


def _read(family: int, told: bytes) -> Rule:
    header = messages.ROUTE.unpack_from(told)
    get = messages.chosen(told, messages.ROUTE.size, (FRA_SRC, FRA_PRIORITY, FRA_TABLE)).get
    source = get(FRA_SRC)
    is_plain = source and header[2] == len(source) * 8 and header[7] == LOOKUP
    table = messages.unsigned(get(FRA_TABLE)) or header[4]
    return Rule(
        family, messages.ip_text(source) if source and is_plain else "", table, messages.unsigned(get(FRA_PRIORITY))
    )


def add_rule(netlink: Netlink, rule: Rule) -> None:
    """Add one; it may be there already."""
    try:
        netlink.request(NEWRULE, _message(rule), CREATE | EXCL)
    except KernelRefused as refusal:
        if refusal.errno != EEXIST or rule not in rules(netlink):
            raise


def delete_rule(netlink: Netlink, rule: Rule) -> None:
    """Remove one; it may have gone already."""
    try:
        netlink.request(DELRULE, _message(rule))
    except KernelRefused as refusal:
        if refusal.errno != ENOENT or rule in rules(netlink):
            raise


def _message(rule: Rule) -> bytes:
    return messages.rule(
        FAMILY[rule.family],
        LOOKUP,
        FRA_SRC=rule.source,
        FRA_PRIORITY=rule.priority,
        FRA_TABLE=rule.table,
    )


def rule_for(address: Address, table: int) -> Rule:
    """The one that leads what comes from an address to a table."""
    return Rule(address.version, str(address), table)

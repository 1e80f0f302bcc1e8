"""The chains and rules that nf_tables has in the namespace that this thread is in, those of iptables-nft among them.

One netlink dump tells whether a program has to be started that can read them.
"""

from __future__ import annotations

from contextlib import closing
from errno import EINVAL, EPROTONOSUPPORT
from struct import Struct

from pipework.errors import KernelRefused
from pipework.kernel import messages
from pipework.kernel.netlink import DUMP, Netlink
from pipework.typed import Optional
from pipework.value import Value

# linux/netfilter/nfnetlink.h, linux/netfilter/nf_tables.h
NETLINK_NETFILTER, SUBSYSTEM, GETCHAIN, GETRULE, GETGEN = 12, 10 << 8, 4, 7, 16
ABSENT = (EINVAL, EPROTONOSUPPORT)  # the kernel has no nf_tables, or nothing of netfilter at all
HEADER = Struct("=BBH")  # nfgenmsg: family, version, resource
TABLE, NAME, HOOK, POLICY, USE = 1, 3, 4, 5, 6  # NFTA_CHAIN_*
NUMBER = 1  # NFTA_HOOK_HOOKNUM
GENERATION = 1  # NFTA_GEN_ID
# linux/netfilter.h
BRIDGE = "bridge"  # the family whose chains frames meet on each bridge, whoever hands them on
FAMILIES = {1: "inet", 2: "ip", 7: BRIDGE, 10: "ip6"}  # NFPROTO_*, but those that bridged frames do not meet
HOOKS = {0: "prerouting", 2: "forward", 4: "postrouting"}  # NF_INET_*, NF_BR_*: a frame's way over a bridge


class Chain(Value):
    """A chain.

    family: of its table, inet, ip, ip6 or bridge; hook: where frames on their way over a bridge are led into it, "" for
    any other; drops: whether its policy does; uses: how many rules it has, and how many lead to it.
    """

    family: str
    table: str
    name: str
    hook: str
    drops: bool
    uses: int


def chains(generation: int) -> list[Chain]:
    """All of them, read once for each generation; none where the kernel has no nf_tables.  Raises KernelRefused."""
    if generation not in _read:
        found = [chain for chain in map(_chain, _ask(GETCHAIN, DUMP)) if chain]
        _read.clear()
        _read[generation] = found
    return _read[generation]


_read: dict[int, list[Chain]] = {}


def mention(text: str) -> bool:
    """Whether a rule has that text in it, as a comment.  Raises KernelRefused."""
    wanted = text.encode("utf-8", "surrogateescape")
    return any(wanted in told for told in _ask(GETRULE, DUMP))


def generation() -> int:
    """A number that is another as soon as a table, a chain or a rule has changed; 0 where the kernel has no nf_tables.

    Raises KernelRefused.
    """
    answers = _ask(GETGEN, 0)
    return _big(messages.chosen(answers[0], HEADER.size, (GENERATION,)).get(GENERATION)) if answers else 0


def _ask(what: int, flags: int) -> list[bytes]:
    try:
        with closing(Netlink(NETLINK_NETFILTER)) as netlink:
            return netlink.request(SUBSYSTEM | what, HEADER.pack(0, 0, 0), flags)
    except OSError as error:
        number = error.errno
    except KernelRefused as refusal:
        number = refusal.errno
    if number not in ABSENT:
        raise KernelRefused(number or EINVAL, hint="See to the rules yourself: PIPEWORK_FIREWALL=off pipework ...")
    return []


def _chain(told: bytes) -> Optional[Chain]:
    family = FAMILIES.get(HEADER.unpack_from(told)[0])
    if family is None:
        return None
    found = messages.chosen(told, HEADER.size, (TABLE, NAME, HOOK, POLICY, USE))
    hook = messages.chosen(found[HOOK], 0, (NUMBER,)) if HOOK in found else {}
    return Chain(
        family,
        messages.text(found.get(TABLE)),
        messages.text(found.get(NAME)),
        HOOKS.get(_big(hook.get(NUMBER)), "") if hook else "",
        POLICY in found and _big(found[POLICY]) == 0,  # NF_DROP
        _big(found.get(USE)),
    )


def _big(payload: Optional[bytes]) -> int:
    return int.from_bytes(payload or b"", "big")

"""VLANs of a port: an access port has one, a trunk several that are tagged, and may have a native one (802.1Q)."""

from __future__ import annotations

from collections.abc import Iterable

from pipework.errors import BadArgument
from pipework.typed import Optional
from pipework.value import Value

LAST = 4094  # VLAN ids are 1 to 4094


class Trunk(Value):
    """What a trunk carries: tagged the VLANs of ranges, first and last each, in order and apart; untagged native."""

    native: Optional[int]
    tagged: tuple[tuple[int, int], ...]

    @property
    def text(self) -> str:
        """As it is typed: NATIVE:LIST, or LIST."""
        listed = ",".join(str(first) if first == last else f"{first}-{last}" for first, last in self.tagged)
        return listed if self.native is None else f"{self.native}:{listed}"

    @property
    def ids(self) -> list[int]:
        """The tagged VLANs, one by one."""
        return [vlan for first, last in self.tagged for vlan in range(first, last + 1)]


def of_ids(native: Optional[int], tagged: Iterable[int]) -> Trunk:
    """The trunk that carries these."""
    ranges: list[tuple[int, int]] = []
    for vlan in sorted(set(tagged)):
        if ranges and ranges[-1][1] == vlan - 1:
            ranges[-1] = ranges[-1][0], vlan
        else:
            ranges.append((vlan, vlan))
    return Trunk(native, tuple(ranges))


def parse_trunk(text: str) -> Trunk:
    """Read ``100,200-210``, or the same behind a native VLAN, ``10:100``.  Raises BadArgument."""
    native, colon, listed = text.rpartition(":")
    tagged: set[int] = set()
    for part in listed.split(","):
        first, dash, last = part.partition("-")
        begin, end = parse_vlan(first, text), parse_vlan(last if dash else first, text)
        if end < begin:
            raise BadArgument(f"VLANs @{text}: {part} ends before it begins", f"Did you mean {end}-{begin} ?")
        tagged.update(range(begin, end + 1))
    untagged = parse_vlan(native, text) if colon else None
    if untagged in tagged:
        raise BadArgument(
            f"VLANs @{text}: {untagged} is native, so it cannot be tagged, too",
            "Leave it out on one side of the colon.",
        )
    return of_ids(untagged, tagged)


def parse_vlan(text: str, whole: str) -> int:
    """A VLAN id; whole: all that stands behind the @.  Raises BadArgument."""
    value = int(text) if text.isascii() and text.isdecimal() and len(text) < 6 else 0
    if not 1 <= value <= LAST:
        is_one = "," not in whole and ":" not in whole
        raise BadArgument(
            f"VLAN @{whole} is not a VLAN id" if is_one else f"VLANs @{whole}: {text!r} is not a VLAN id",
            f"A VLAN id is a number from 1 to {LAST}, such as @100; a trunk has several, such as @100,200-210.",
        )
    return value


def the_others(ranges: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """The ranges between these, from the first VLAN to the last."""
    free, begin = list[tuple[int, int]](), 1
    for first, last in sorted(ranges):
        if first > begin:
            free.append((begin, first - 1))
        begin = max(begin, last + 1)
    return [*free, (begin, LAST)] if begin <= LAST else free

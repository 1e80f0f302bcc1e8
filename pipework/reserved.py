"""The addresses of ranges that guests have got, so that each gets the same again; a file that people may change."""

from __future__ import annotations

from collections.abc import Container, Sequence
from zlib import crc32

from pipework.address import Interface, Range
from pipework.kept import FOLDER, rewrite, texts
from pipework.kernel.locks import host_lock
from pipework.typed import Optional
from pipework.value import Value

FILE = f"{FOLDER}/addresses"
HEAD = (
    "# Addresses that pipework has chosen, each for the HOSTIF, GUEST and IFNAME in front of it, which get it again.\n"
)


class Holder(Value):
    """What has an address of a range: the network that it is of, the guest with its runtime, the link's name there."""

    hostif: str
    guest: str
    ifname: str


def reserve(holder: Holder, wanted: Range, tried: Container[Interface]) -> Optional[Interface]:
    """Keep an address of a range, in the place of one that is kept already; None: all have been tried.

    First the one that was had before, then those that nobody has, then those of others, who may be gone for good; with
    which of them it begins follows from the guest's name.  Raises Refused.
    """
    with host_lock(patient=True, name="addresses"):
        known = _known()
        choice = next((one for one in _in_order(holder, wanted, known) if one not in tried), None)
        if choice is not None:
            _write(known, holder, str(choice.ip))
        return choice


def put_back(holder: Holder, address: Optional[str]) -> None:
    """Keep the address that was kept before, or none.  Raises Refused."""
    with host_lock(patient=True, name="addresses"):
        _write(_known(), holder, address)


def address_of(holder: Holder) -> Optional[str]:
    """What is kept.  Raises Refused."""
    return _known().get(holder)


def _in_order(holder: Holder, wanted: Range, known: dict[Holder, str]) -> Sequence[Interface]:
    every = wanted.interfaces()
    start = crc32(f"{holder.guest} {holder.ifname}".encode("utf-8", "surrogateescape")) % max(len(every), 1)
    taken = {address: other != holder for other, address in known.items() if other.hostif == holder.hostif}
    ranks = {False: 0, None: 1, True: 2}
    return sorted([*every[start:], *every[:start]], key=lambda one: ranks[taken.get(str(one.ip))])


def _known() -> dict[Holder, str]:
    found = dict[Holder, str]()
    for text in texts(FILE):
        words = text.split()
        if len(words) > 3 and not text.startswith("#"):  # people may have written what they like
            found[Holder(words[0], " ".join(words[1:-2]), words[-2])] = words[-1]
    return found


def _write(known: dict[Holder, str], holder: Holder, address: Optional[str]) -> None:
    kept = {one: its for one, its in known.items() if one != holder}
    kept.update({holder: address} if address else {})
    rewrite([f"{one.hostif} {one.guest} {one.ifname} {its}\n" for one, its in kept.items()], FILE, HEAD)

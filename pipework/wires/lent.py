"""NICs that a guest has already, as --direct-phys would put them there."""

from __future__ import annotations

from pipework import links
from pipework.guests.base import Guest
from pipework.kernel import sysfs
from pipework.kernel.namespaces import Namespace
from pipework.kernel.records import Link
from pipework.links.base import Wire, Wired
from pipework.links.loan import loan_of
from pipework.model import Attach
from pipework.typed import Optional
from pipework.value import Value


class Lent(Value):
    """A NIC on loan: the wire as it is asked for, and as it is; home: the NIC as it was there, if that is known."""

    wire: Wire
    there: Wired
    home: Optional[Link]


def find_lent(request: Attach, host: Namespace, guest: Guest, there: Optional[Wired]) -> Optional[Lent]:
    """The NIC, or the VLAN link of one, that is on loan to the guest; None: it is not the one that is asked for.

    there: what the guest has under the name that is asked for, if anything.
    """
    if there is None or not request.direct_phys or not links.kind(there.kind).handed_over:
        return None
    loan = loan_of(guest.namespace, there)
    home = loan.home.link if loan else None
    names = (there.hostif, f"mac:{home.mac if home else ''}")
    vlan = request.tag.vlan if request.tag else None
    if (request.hostif in names or _is_mac_of(request.hostif, there)) and vlan == there.vlan:
        return Lent(Wire(request, host, guest, there.kind, there.hostif, there.ifname), there, home)
    return None


def _is_mac_of(hostif: str, there: Wired) -> bool:
    return hostif.startswith("mac:") and sysfs.with_mac(hostif[len("mac:") :]) == there.hostif

"""What a wire is, and what each kind of link offers."""

from __future__ import annotations

from collections.abc import Sequence

from pipework.actions.base import Action
from pipework.guests.base import Guest
from pipework.kernel.namespaces import Namespace
from pipework.kernel.records import Route
from pipework.model import Attach
from pipework.typed import Protocol
from pipework.value import Value

SWITCHED = ("openvswitch", "tun")  # what the link of a bridge of Open vSwitch is to the kernel, or in userspace


class Wire(Value):
    """What is to be wired: the request with every name resolved.

    kind: the name of the module that serves it; hostif: the host's link behind HOSTIF; ifname: the guest's end;
    vacated: what held the names of its ends has been, or in a rehearsal would be, put aside; returned: the default
    routes that the guest has again, or would have, since then.
    """

    request: Attach
    host: Namespace
    guest: Guest
    kind: str
    hostif: str
    ifname: str
    vacated: bool = False
    returned: tuple[Route, ...] = ()


class LinkPlan(Value):
    """The actions that give the guest its link, and those that close the run once its addresses stand.

    The guest's end may be left down: who gives it addresses brings it up.
    """

    make: Sequence[Action]
    finish: Sequence[Action] = ()


class LinkKind(Protocol):
    """What each module of this package offers."""

    def plan(self, wire: Wire) -> LinkPlan:
        """Read the host and the guest, and decide.  Raises PipeworkError for whatever can be seen to fail."""

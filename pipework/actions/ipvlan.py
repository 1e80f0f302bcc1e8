"""The mode that all ipvlans of a NIC have."""

from __future__ import annotations

from pipework.actions.base import Action
from pipework.actions.links import gone_is_fine
from pipework.kernel.namespaces import Namespace
from pipework.quoting import quote


class SetMode(Action):
    """Give the NIC's ipvlans another mode, by one of them."""

    namespace: Namespace
    name: str
    mode: str
    before: str

    def do(self) -> None:
        self._set(self.mode)

    def undo(self) -> None:
        with gone_is_fine(self.namespace, self.name):
            self._set(self.before)

    def _set(self, mode: str) -> None:
        netlink = self.namespace.netlink
        netlink.change_link(netlink.index(self.name), "ipvlan", [("IFLA_IPVLAN_MODE", mode)])

    def say(self) -> str:
        return self.namespace.say(f"ip link set dev {quote(self.name)} type ipvlan mode {self.mode}")

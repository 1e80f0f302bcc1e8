"""VLANs of the ports of a Linux bridge."""

from __future__ import annotations

from collections.abc import Sequence

from pipework.actions.base import Action
from pipework.actions.links import gone_is_fine
from pipework.kernel.namespaces import Namespace
from pipework.quoting import quote
from pipework.typed import Optional
from pipework.vlans import Trunk


class SetVlans(Action):
    """Have a new port of a VLAN-filtering bridge take part in these VLANs and in no other; it goes with the port.

    default_vlan: the one that new ports of that bridge are in, 0 if there is none.
    """

    host: Namespace
    port: str
    vlans: Trunk
    default_vlan: int

    def do(self) -> None:
        netlink = self.host.netlink
        index = netlink.index(self.port)
        netlink.add_port_vlans(index, self.vlans.native, self.vlans.tagged)
        if self._leaves_default:
            netlink.delete_port_vlans(index, [(self.default_vlan, self.default_vlan)])

    @property
    def _leaves_default(self) -> bool:
        return self.default_vlan not in (0, self.vlans.native, *self.vlans.ids)

    def say(self) -> str:
        leave = [f"bridge vlan del dev {quote(self.port)} vid {self.default_vlan}"] if self._leaves_default else []
        return "\n".join([*_adding(self.port, self.vlans.native, self.vlans.tagged), *leave])


class AddVlans(Action):
    """Have a port of a bridge, or the bridge itself (is_bridge), pass what it passes while nobody keeps VLANs apart.

    native: for frames without a tag, None if it has one for those; tagged: the ranges that it lacks.
    """

    host: Namespace
    member: str
    is_bridge: bool
    native: Optional[int]
    tagged: tuple[tuple[int, int], ...]

    def do(self) -> None:
        netlink = self.host.netlink
        netlink.add_port_vlans(netlink.index(self.member), self.native, self.tagged, self.is_bridge)

    def undo(self) -> None:
        netlink, own = self.host.netlink, [] if self.native is None else [(self.native, self.native)]
        with gone_is_fine(self.host, self.member):
            netlink.delete_port_vlans(netlink.index(self.member), [*own, *self.tagged], self.is_bridge)

    def say(self) -> str:
        return "\n".join(_adding(self.member, self.native, self.tagged, " self" if self.is_bridge else ""))


class FilterVlans(Action):
    """Have a Linux bridge keep VLANs apart."""

    host: Namespace
    bridge: str

    def do(self) -> None:
        self._set(1)

    def undo(self) -> None:
        with gone_is_fine(self.host, self.bridge):
            self._set(0)

    def _set(self, filtering: int) -> None:
        netlink = self.host.netlink
        netlink.change_link(netlink.index(self.bridge), "bridge", [("IFLA_BR_VLAN_FILTERING", filtering)])

    def say(self) -> str:
        return f"ip link set dev {quote(self.bridge)} type bridge vlan_filtering 1"


def _adding(port: str, native: Optional[int], tagged: Sequence[tuple[int, int]], whose: str = "") -> list[str]:
    untagged = [] if native is None else [f"{native} pvid untagged"]
    ranges = [str(first) if first == last else f"{first}-{last}" for first, last in tagged]
    return [f"bridge vlan add dev {quote(port)} vid {words}{whose}" for words in (*untagged, *ranges)]

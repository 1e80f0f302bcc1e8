"""A Linux bridge that comes to keep VLANs apart while it is in use: its ports must go on passing what they pass."""

from __future__ import annotations

from collections.abc import Iterator

from pipework.actions.base import Action
from pipework.actions.vlans import AddVlans, FilterVlans
from pipework.kernel import sysfs
from pipework.kernel.namespaces import Namespace
from pipework.kernel.records import Link
from pipework.vlans import the_others

USUAL = 1  # the VLAN of frames without a tag, where the bridge has none for new ports


def filter_vlans(host: Namespace, bridge: Link) -> Iterator[Action]:
    """Let every port, and the bridge itself, be in each VLAN that it is not in yet; then keep them apart.

    A bridge that does not keep VLANs apart passes each frame to each port, with whatever tag it has.
    """
    default = sysfs.default_vlan(bridge.name) or USUAL
    for name in (bridge.name, *sysfs.ports(bridge.name)):
        member = bridge if name == bridge.name else host.netlink.link(name)
        if member is None:  # it has just gone
            continue
        there = host.netlink.port_vlans(member.ifindex)
        native = there.native if there else None
        known = [*(there.tagged if there else ()), (native or default, native or default)]
        yield AddVlans(host, name, name == bridge.name, None if native else default, tuple(the_others(known)))
    yield FilterVlans(host, bridge.name)

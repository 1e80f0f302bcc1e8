"""The lab's parts as fixtures, for every test."""

from tests.lab.engine import container, engine
from tests.lab.lxc import lxc
from tests.lab.netns import dhcp_server, guest_ns, nic
from tests.lab.podman import podman
from tests.lab.snapshot import host_unchanged
from tests.lab.switch import ovs_bridge, switch

__all__ = [
    "container",
    "dhcp_server",
    "engine",
    "guest_ns",
    "host_unchanged",
    "lxc",
    "nic",
    "ovs_bridge",
    "podman",
    "switch",
]

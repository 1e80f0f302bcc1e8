"""The lab's parts as fixtures, for every test."""

import signal

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

# A shell starts a job in its background with SIGINT ignored, and every program that the tests start would inherit
# that. Set before pipework is imported, which leaves ignored signals ignored.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

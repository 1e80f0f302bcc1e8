"""The lab's parts as fixtures, for every test."""

from tests.lab.engine import container, engine
from tests.lab.netns import dhcp_server, guest_ns, nic
from tests.lab.snapshot import host_unchanged

__all__ = ["container", "dhcp_server", "engine", "guest_ns", "host_unchanged", "nic"]

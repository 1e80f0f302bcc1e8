"""The lab's parts as fixtures, for every test."""

import signal

import pytest

from tests.lab.engine import container, engine, official_image
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
    "official_image",
    "ovs_bridge",
    "podman",
    "switch",
]

# A shell starts a job in its background with SIGINT ignored, nohup has SIGHUP ignored, and every program that the tests
# start would inherit that. Set before pipework is imported, which leaves ignored signals ignored.
for number, handler in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL)):
    if signal.getsignal(number) is signal.SIG_IGN:
        signal.signal(number, handler)

# Files with long tests, the longest first, so that at the end no worker is left alone with one.
LONG = ("test_undo", "test_removal", "test_gc", "test_kills", "test_parity", "test_dry_run", "test_readme", "test_dhcp")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the long tests."""
    items.sort(key=lambda item: LONG.index(item.path.stem) if item.path.stem in LONG else len(LONG))

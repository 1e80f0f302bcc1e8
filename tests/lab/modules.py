"""Modules of the kernel that make devices, for as long as a test needs them; in the virtual machine only."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.lab.guest import HOST, eventually
from tests.lab.host import Host


@contextmanager
def infiniband_of(host: Host) -> Iterator[None]:
    """An IPoIB interface of that host, ib0."""
    with _modules("ib_ipoib", "voidib"):
        HOST.run("ip", "link", "set", "ib0", "netns", host.name)
        yield


@contextmanager
def radio_of(host: Host) -> Iterator[None]:
    """A Wi-Fi NIC of that host, wlan0."""
    with _modules("mac80211_hwsim", radios=1):
        (phy,) = (entry.name for entry in Path("/sys/class/ieee80211").iterdir())
        HOST.run("iw", "phy", phy, "set", "netns", "name", host.name)
        yield


@contextmanager
def _modules(*names: str, **options: int) -> Iterator[None]:
    """Load kernel modules, the last of which makes a device; that one is unloaded at the end."""
    HOST.run("modprobe", "-a", *names[:-1], check=False)
    HOST.run("modprobe", names[-1], *(f"{key}={value}" for key, value in options.items()))
    try:
        yield
    finally:
        # Namespaces that are going away may still be handing it back.
        unload(names[-1])


def unload(module: str) -> None:
    """Unload a module, once nobody has its device any more."""

    def has_gone() -> bool:
        HOST.run("modprobe", "-r", module, check=False)
        return not Path("/sys/module", module).exists()

    assert eventually(has_gone), f"{module} cannot be unloaded"

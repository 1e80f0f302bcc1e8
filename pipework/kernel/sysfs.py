"""What /sys/class/net and /proc/sys/net tell of the links of the namespace that this thread is in."""

from __future__ import annotations

import os
from errno import EACCES, EROFS

from pipework.errors import Refused
from pipework.typed import Optional

NET = "/sys/class/net"
IPV4, IPV6 = "/proc/sys/net/ipv4/conf", "/proc/sys/net/ipv6/conf"
LONGEST = 4096  # bytes of such a file: a page
ETHERNET, INFINIBAND = 1, 32  # ARPHRD_*, linux/if_arp.h


def exists(name: str) -> bool:
    """Whether this host has a link of that name."""
    return name not in ("", ".", "..") and "/" not in name and os.path.isdir(f"{NET}/{name}")


def has_carrier(name: str) -> bool:
    """Whether the link is up and has carrier (a link that is down cannot be asked, and has none)."""
    return read(f"{NET}/{name}/carrier") == "1"


def with_mac(mac: str) -> Optional[str]:
    """The first link, by name, with that MAC address in lower case, or None."""
    for name in sorted(os.listdir(NET)):
        if read(f"{NET}/{name}/address") == mac:
            return name
    return None


def has_module(name: str) -> bool:
    """Whether that part of the kernel is loaded; what is built in may not be told."""
    return os.path.isdir(f"/sys/module/{name}")


def has_ipv6(name: str) -> Optional[bool]:
    """Whether the link may have IPv6; None: this kernel has none, or there is no such link."""
    found = read(f"{IPV6}/{name}/disable_ipv6")
    return None if found is None else found == "0"


def passes_on(family: int) -> bool:
    """Whether the namespace that is entered passes packets on from one link to another."""
    return read("/proc/sys/net/ipv4/ip_forward" if family == 4 else f"{IPV6}/all/forwarding") != "0"


def allow_ipv6(name: str, allowed: bool) -> None:
    """Let the link have IPv6, or not.  The kernel acts upon every writing, so what is as wished is left alone."""
    if has_ipv6(name) not in (None, allowed):
        set_ipv6(name, "disable_ipv6", "0" if allowed else "1", f"IPv6 is off on {name}")


def set_ipv6(name: str, setting: str, value: str, trouble: str) -> bool:
    """Change a setting that a link has of IPv6; False: this kernel has no such setting.

    trouble: what is so as it is.  Raises Refused where settings cannot be written.
    """
    return set_ip(6, name, setting, value, trouble)


def ip_setting(family: int, name: str, setting: str) -> Optional[str]:
    """What a link has for a setting of IPv4 or IPv6, None where there is none such."""
    return read(f"/proc/sys/net/ipv{family}/conf/{name}/{setting}")


def set_ip(family: int, name: str, setting: str, value: str, trouble: str) -> bool:
    """The same as set_ipv6 for either family."""
    try:
        with open(f"/proc/sys/net/ipv{family}/conf/{name}/{setting}", "w", encoding="ascii") as file:
            file.write(value)
    except FileNotFoundError:
        return False
    except OSError as error:
        if error.errno not in (EACCES, EROFS):
            raise
        raise Refused(
            f"{trouble}, and /proc/sys cannot be written here",
            "Run the container that this is in with --security-opt systempaths=unconfined "
            "--security-opt apparmor=unconfined, or use IPv4.",
        ) from None
    return True


def answer_by_routes(name: str) -> None:
    """Have a link answer ARP for none but whom the host reaches through it (arp_filter).  Raises Refused."""
    try:
        with open(f"{IPV4}/{name}/arp_filter", "w", encoding="ascii") as file:
            file.write("1")
    except OSError as error:
        if error.errno not in (EACCES, EROFS):
            raise
        raise Refused(
            f"{name} would answer the whole network for this host, and /proc/sys cannot be written here",
            "Leave --host-access out, or run pipework where it can: on the host itself.",
        ) from None


def ports(bridge: str) -> list[str]:
    """The names of a Linux bridge's ports; none if there is no such bridge."""
    place = f"{NET}/{bridge}/brif"
    return sorted(os.listdir(place)) if os.path.isdir(place) else []


def names() -> list[str]:
    """The names of all links."""
    return os.listdir(NET)


def is_up(name: str) -> bool:
    """Whether the link is up, with or without carrier."""
    return bool(int(read(f"{NET}/{name}/flags") or "0", 16) & 1)  # IFF_UP, linux/if.h


def alias(name: str) -> str:
    """The alias of a link, "" for none."""
    return read(f"{NET}/{name}/ifalias") or ""


def vlan_filtering(bridge: str) -> bool:
    """Whether a Linux bridge keeps VLANs apart."""
    return read(f"{NET}/{bridge}/bridge/vlan_filtering") == "1"


def default_vlan(bridge: str) -> int:
    """The VLAN that a new port of a Linux bridge is in; 0: none."""
    return int(read(f"{NET}/{bridge}/bridge/default_pvid") or 0)


def master(port: str) -> str:
    """The bridge, bond or other link that a link is a port of, "" for none."""
    place = f"{NET}/{port}/master"
    return os.path.basename(os.readlink(place)) if os.path.islink(place) else ""


def stp_delay(bridge: str) -> float:
    """How many seconds a Linux bridge keeps a new port from forwarding, if it has STP: it listens, then learns."""
    if read(f"{NET}/{bridge}/bridge/stp_state") in (None, "0"):
        return 0.0
    return 2 * int(read(f"{NET}/{bridge}/bridge/forward_delay") or 0) / 100  # of the kernel's USER_HZ


def forwards(port: str) -> bool:
    """Whether a Linux bridge lets the frames of a port pass (BR_STATE_FORWARDING, linux/if_bridge.h)."""
    return read(f"{NET}/{port}/brport/state") == "3"


def phy(name: str) -> Optional[str]:
    """The radio that a Wi-Fi link belongs to, as ``iw`` takes it in every namespace (phy#0), or None."""
    index = read(f"{NET}/{name}/phy80211/index")
    return None if index is None else f"phy#{index}"


def bridged_frames_meet(iptables: str, bridge: str) -> bool:
    """Whether frames of a bridge go through ``iptables`` or ``ip6tables``: all do, or those of this one."""
    switches = (f"/proc/sys/net/bridge/bridge-nf-call-{iptables}", f"{NET}/{bridge}/bridge/nf_call_{iptables}")
    return any(read(switch) == "1" for switch in switches)


def read(path: str) -> Optional[str]:
    """What one of the kernel's short files says, None where there is none; a file object would double the time."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        return os.read(fd, LONGEST).decode(errors="replace").strip()
    except OSError:
        return None
    finally:
        os.close(fd)

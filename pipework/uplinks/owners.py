"""Who else minds a NIC: network managers and DHCP clients, which would make it again what it was; what to tell them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress

from pipework.actions.uplink import NMCLI_LIMIT, UNMANAGED
from pipework.errors import Refused
from pipework.kernel import sysfs
from pipework.kernel.namespaces import Namespace
from pipework.kernel.programs import run
from pipework.kernel.records import Link
from pipework.notes import Home
from pipework.typed import Optional
from pipework.value import Value

CLIENTS = ("dhclient", "dhcpcd", "udhcpc")
NETWORK_MANAGER = "/run/NetworkManager/devices"
NETWORKD = "/run/systemd/netif/links"
IFUPDOWN = "/run/network/ifstate"


class Settings(Value):
    """What the bridge is to have at every boot.

    addresses: the fixed ones; gateways: the routers of default routes that are nobody's announcement; is_leased:
    whether a DHCP client keeps its IPv4 address; is_switch: whether it is one of Open vSwitch.
    """

    nic: str
    bridge: str
    mac: str
    addresses: tuple[str, ...]
    gateways: tuple[str, ...]
    is_leased: bool
    is_switch: bool


def words_for(host: Namespace, home: Home, bridge: str, is_switch: bool, is_managed: bool) -> tuple[str, ...]:
    """What to say of those that mind the NIC, as they do before it moves: each a line, and behind it lines to type or
    to write, indented.  is_managed: whether NetworkManager has it."""
    nic, client = home.link, _client(host, home.link)
    wanted = _settings(home, bridge, client is not None, is_switch)
    told = [_of_client(client, nic.name, bridge)] if client else _of_leases(home, bridge)
    manager, name = sysfs.read(f"{NETWORK_MANAGER}/{nic.ifindex}") or "", nic.name
    if is_managed:
        told += _of("NetworkManager", name, "type", _manager(wanted, manager.partition("connection-uuid=")[2][:36]))
    if _is_networkds(nic):
        told += _of("systemd-networkd", name, "write", _networkd(wanted))
    if _is_ifupdowns(nic):
        told += _of("ifupdown", name, "write into /etc/network/interfaces instead", _ifupdown(wanted))
    return tuple(told)


def _of_leases(home: Home, bridge: str) -> list[str]:
    """What is to be said of leases that nobody renews any more."""
    leased = [one for one in home.addresses if one.interface.version == 4 and not one.is_permanent]
    return [
        f"{one.text} is leased for {one.lifetimes[1]} s more; have a client renew it on {bridge}: dhclient {bridge}"
        for one in leased
    ]


def _of_client(client: str, nic: str, bridge: str) -> str:
    return (
        f"{client} keeps the lease of {nic}, and will give {nic} its address again: end that client, "
        f"and have one for {bridge}: {client.partition(' ')[0]} {'-i ' if 'udhcpc' in client else ''}{bridge}"
    )


def _of(manager: str, nic: str, how: str, lines: list[str]) -> list[str]:
    head = f"{nic} is {manager}'s, which makes it at the next boot what it was; to make it last, {how}:"
    return [head, *(f"    {line}" for line in lines)]


def _settings(home: Home, bridge: str, is_leased: bool, is_switch: bool) -> Settings:
    fixed = [one for one in home.addresses if not (one.is_routers or one.is_link_local)]
    leased = is_leased or any(one.interface.version == 4 and not one.is_permanent for one in fixed)
    kept = [one for one in fixed if not (leased and one.interface.version == 4)]
    families = {one.interface.version for one in kept}
    ways = (r for r in home.routes if not r.destination and r.gateway and not r.is_routers and r.family in families)
    gateways = tuple(dict.fromkeys(route.gateway for route in ways if route.gateway))
    return Settings(home.link.name, bridge, home.link.mac, tuple(one.text for one in kept), gateways, leased, is_switch)


def _client(host: Namespace, nic: Link) -> Optional[str]:
    """The DHCP client of the NIC in this namespace, as NAME (pid N), or None."""
    for pid in filter(str.isdecimal, os.listdir("/proc")):
        with suppress(OSError):
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                words = file.read().decode(errors="replace").split("\0")
            status = os.stat(f"/proc/{pid}/ns/net")
            name = os.path.basename(words[0]).partition(":")[0]
            if name in CLIENTS and nic.name in words and (status.st_dev, status.st_ino) == host.identity:
                return f"{name} (pid {pid})"
    return None


def is_managers(nic: Link) -> bool:
    """Whether NetworkManager has it, which takes it back at once: it says so in its memory of the link (nm-config.c),
    and runs."""
    if "managed=true" not in (sysfs.read(f"{NETWORK_MANAGER}/{nic.ifindex}") or ""):
        return False
    try:
        told = run(["nmcli", "-g", "GENERAL.STATE", "device", "show", nic.name], NMCLI_LIMIT, "network-manager")
    except Refused:
        return False
    return told.status == 0 and not told.out.startswith(UNMANAGED)


def _is_networkds(nic: Link) -> bool:
    """Whether systemd-networkd has it (sd-network.h)."""
    told = sysfs.read(f"{NETWORKD}/{nic.ifindex}") or ""
    return "NETWORK_FILE=" in told and "ADMIN_STATE=unmanaged" not in told


def _is_ifupdowns(nic: Link) -> bool:
    """Whether ifup has brought it up."""
    told = sysfs.read(IFUPDOWN) or ""
    return any(line.partition("=")[0] == nic.name for line in told.split())


def _manager(wanted: Settings, connection: str) -> list[str]:
    if wanted.is_switch:
        unmanaged = f"[keyfile]\\nunmanaged-devices=interface-name:{wanted.nic};interface-name:{wanted.bridge}"
        return [f"printf '{unmanaged}\\n' > /etc/NetworkManager/conf.d/{wanted.bridge}.conf", *_ip_lines(wanted)]
    return [
        f"nmcli connection add type bridge con-name {wanted.bridge} ifname {wanted.bridge} bridge.stp no "
        f"bridge.mac-address {wanted.mac} {' '.join(_manager_words(wanted))}",
        f"nmcli connection add type ethernet con-name {wanted.bridge}-{wanted.nic} ifname {wanted.nic} "
        f"master {wanted.bridge}",
        *([f"nmcli connection modify {connection} connection.autoconnect no"] if connection else []),
    ]


def _manager_words(wanted: Settings) -> Iterator[str]:
    for family in (4, 6):
        its = [one for one in wanted.addresses if (":" in one) == (family == 6)]
        gateway = next((one for one in wanted.gateways if (":" in one) == (family == 6)), "")
        if its:
            yield f"ipv{family}.method manual ipv{family}.addresses {','.join(its)}"
        if its and gateway:
            yield f"ipv{family}.gateway {gateway}"


def _networkd(wanted: Settings) -> list[str]:
    folder = "/etc/systemd/network/05-"
    port = "LinkLocalAddressing=no" if wanted.is_switch else f"Bridge={wanted.bridge}"
    made = f"[NetDev]\\nName={wanted.bridge}\\nKind=bridge\\nMACAddress={wanted.mac}"
    netdev = [] if wanted.is_switch else [f"printf '{made}\\n' > {folder}{wanted.bridge}.netdev"]
    words = [f"Address={one}" for one in wanted.addresses] + [f"Gateway={one}" for one in wanted.gateways]
    network = "\\n".join([*words, *(["DHCP=ipv4"] if wanted.is_leased else [])])
    return [
        *netdev,
        f"printf '[Match]\\nName={wanted.bridge}\\n[Network]\\n{network}\\n' > {folder}{wanted.bridge}.network",
        f"printf '[Match]\\nName={wanted.nic}\\n[Network]\\n{port}\\n' > {folder}{wanted.nic}.network",
    ]


def _ifupdown(wanted: Settings) -> list[str]:
    ports = (
        ["ovs_type OVSBridge", f"ovs_ports {wanted.nic}"]
        if wanted.is_switch
        else [f"bridge_ports {wanted.nic}", "bridge_stp off", "bridge_fd 0", f"bridge_hw {wanted.mac}"]
    )
    fixed = next((one for one in wanted.addresses if ":" not in one), "")
    gateway = next((one for one in wanted.gateways if ":" not in one), "")
    how = "dhcp" if wanted.is_leased else "static" if fixed else "manual"
    lines = [f"auto {wanted.bridge}", f"iface {wanted.bridge} inet {how}"]
    lines += [f"    address {fixed}"] if fixed else []
    lines += [f"    gateway {gateway}"] if fixed and gateway else []
    lines += [f"    {line}" for line in ports]
    for number, one in enumerate(one for one in wanted.addresses if ":" in one):
        way = next((one for one in wanted.gateways if ":" in one), "") if number == 0 else ""
        lines += [f"iface {wanted.bridge} inet6 static", f"    address {one}", *([f"    gateway {way}"] if way else [])]
    return lines


def _ip_lines(wanted: Settings) -> list[str]:
    """For whoever has nobody else to do it at boot."""
    return [
        f"ip link set {wanted.bridge} up",
        *(f"ip address add {one} dev {wanted.bridge}" for one in wanted.addresses),
        *(f"ip route add default via {one} dev {wanted.bridge}" for one in wanted.gateways),
    ]

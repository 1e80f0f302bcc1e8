"""The grammar: argv in, one frozen request out.  Pure; what a host has is asked through a predicate.

The command lines are those of jpetazzo/pipework::

    pipework [--direct-phys] HOSTIF [-i IFNAME] [-l LOCALNAME] [-a FAMILY] GUEST ADDRESS [MAC][@VLAN]
    pipework route|rule|tc GUEST ARGUMENT...
    pipework --wait [-i IFNAME]
"""

from __future__ import annotations

from typing import Callable, Optional, Union

from pipework.errors import BadArgument, UsageError
from pipework.value import Value
from pipework.words import (
    Dhcp,
    Static,
    Tag,
    check_ifname,
    parse_address,
    parse_family,
    parse_hostif,
    parse_mac_and_tag,
)

VERBS = ("route", "rule", "tc")
OPTIONS = ("-i", "-l", "-a", "--direct-phys")

USAGE = """\
Usage: pipework [--direct-phys] HOSTIF [-i IFNAME] [-l LOCALNAME] [-a FAMILY] GUEST ADDRESS [MAC][@VLAN]
       pipework route|rule|tc GUEST ARGUMENT...
       pipework --wait [-i IFNAME]

  HOSTIF    a bridge or NIC of this host, or mac:XX:XX:XX:XX:XX:XX for the NIC with that address;
            br* and ovs* are bridges made when missing, dummy* is a dummy link
  GUEST     a container's name or id, docker:, podman: or lxc: in front of it to choose the runtime;
            netns:NAME, pid:N, or the path of a namespace file
  ADDRESS   IP/PREFIX, IP/PREFIX@GATEWAY, 0/0 (none), or dhcp, udhcpc, udhcpc-f, dhclient,
            dhclient-f, dhcpcd, each with :OPTIONS if wished
  MAC       of the guest's end: six octets, or U:STRING to derive it from STRING
  VLAN      1 to 4094; on IPoIB the partition key, in hexadecimal
"""


class Attach(Value):
    """Put GUEST on the network behind HOSTIF."""

    hostif: str
    guest: str
    address: Union[Static, Dhcp]
    ifname: Optional[str] = None
    local_name: Optional[str] = None
    mac: Optional[str] = None
    tag: Optional[Tag] = None
    direct_phys: bool = False


class Passthrough(Value):
    """Run ``ip route``, ``ip rule`` or ``tc`` inside GUEST."""

    verb: str
    guest: str
    arguments: tuple[str, ...]


class Wait(Value):
    """Wait until IFNAME is there and has carrier."""

    ifname: str


Request = Union[Attach, Passthrough, Wait]


def parse(argv: list[str], is_interface: Callable[[str], bool]) -> Request:
    """Read a command line.

    is_interface tells whether this host has a link of a name: ``route``, ``rule`` and ``tc`` are verbs
    only where it has not.  Raises UsageError where words are missing, BadArgument where one is wrong.
    """
    for word in argv:
        if "\0" in word:
            raise BadArgument("an argument contains a NUL byte")
    if argv and argv[0] == "--wait":
        return _parse_wait(argv[1:])
    words = list(argv)
    direct_phys = False
    while words and words[0] == "--direct-phys":
        direct_phys = True
        words.pop(0)
    if not words:
        raise UsageError("HOSTIF is missing")
    hostif = words.pop(0)
    options: dict[str, str] = {}
    while words and words[0] in OPTIONS:
        option = words.pop(0)
        if option == "--direct-phys":
            direct_phys = True
        elif not words:
            raise UsageError(f"{option} needs a value")
        elif option in options:
            raise BadArgument(f"{option} is given twice")
        else:
            options[option] = words.pop(0)
    if not words:
        raise UsageError("GUEST is missing")
    guest = words.pop(0)
    verb = _verb(hostif)
    if verb and not is_interface(hostif):
        if not words:
            raise UsageError("ARGUMENT is missing", f"For example: pipework {hostif} {guest} show")
        return Passthrough(verb, guest, tuple(words))
    if not words:
        raise UsageError("ADDRESS is missing", f"For example: pipework {hostif} {guest} 192.168.1.100/24")
    if words[0] == "":
        raise UsageError("ADDRESS is empty", f"For example: pipework {hostif} {guest} 192.168.1.100/24")
    if not guest:
        raise BadArgument("GUEST is empty", "Name a container: docker ps")
    if words[0] in OPTIONS:
        raise BadArgument(
            f"{words[0]} stands behind GUEST",
            f"Options come before it: pipework {hostif} {words[0]} ... {guest} ADDRESS",
        )
    mac, tag = parse_mac_and_tag(words[1:])
    return Attach(
        hostif=parse_hostif(hostif),
        guest=guest,
        address=parse_address(words[0], parse_family(options.get("-a"))),
        ifname=_parse_ifname("-i", options.get("-i")),
        local_name=_parse_ifname("-l", options.get("-l")),
        mac=mac,
        tag=tag,
        direct_phys=direct_phys,
    )


def _parse_wait(words: list[str]) -> Wait:
    if not words:
        return Wait("eth1")
    if words[0] != "-i":
        raise BadArgument(f"--wait does not take {words[0]!r}", "Write: pipework --wait -i IFNAME")
    if len(words) < 2:
        raise UsageError("-i needs a value")
    if len(words) > 2:
        raise BadArgument(f"--wait does not take {words[2]!r}", "Write: pipework --wait -i IFNAME")
    return Wait(_parse_ifname("-i", words[1]) or "eth1")


def _verb(hostif: str) -> Optional[str]:
    return next((verb for verb in VERBS if hostif.startswith(verb)), None)


def _parse_ifname(option: str, name: Optional[str]) -> Optional[str]:
    if not name:  # scripts pass an empty variable; the original then takes its default
        return None
    check_ifname(option, name)
    return name

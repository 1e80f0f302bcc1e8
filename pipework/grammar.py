"""The grammar: argv in, one frozen request out.  Pure; what a host has is asked through a predicate.

The command lines are those of jpetazzo/pipework::

    pipework [--direct-phys] HOSTIF [-i IFNAME] [-l LOCALNAME] [-a FAMILY] GUEST ADDRESS [MAC][@VLAN]
    pipework route|rule|tc GUEST ARGUMENT...
    pipework --wait [-i IFNAME]

and, where no link of the host has their name, the words ls, del and gc.
"""

from __future__ import annotations

from pipework import __version__
from pipework.errors import BadArgument, UsageError
from pipework.model import Attach, Collect, Delete, List, Passthrough, Request, Tell, Wait
from pipework.typed import Callable, Optional
from pipework.words import check_ifname, parse_address, parse_family, parse_hostif, parse_mac_and_tag

VERBS = ("route", "rule", "tc")
OPTIONS = ("-i", "-l", "-a", "--direct-phys")
PREFIXES = ("--direct-phys", "--dry-run", "--replace")

USAGE = """\
Usage: pipework [--dry-run] [--replace] [--direct-phys] HOSTIF [-i IFNAME] [-l LOCALNAME] [-a FAMILY]
                GUEST ADDRESS [MAC][@VLAN]
       pipework route|rule|tc GUEST ARGUMENT...
       pipework ls [--json] [GUEST]
       pipework [--dry-run] del GUEST [-i IFNAME | --all] [--if-exists]
       pipework [--dry-run] gc
       pipework --wait [-i IFNAME]
       pipework --help | --version

  HOSTIF    a bridge or NIC of this host, or mac:XX:XX:XX:XX:XX:XX for the NIC with that address;
            br* and ovs* are bridges made when missing, dummy* is a dummy link
  GUEST     a container's name or id, netns:NAME, pid:N, or the path of a namespace file;
            docker:NAME, podman:NAME and lxc:NAME choose the runtime
  ADDRESS   IP/PREFIX, IP/PREFIX@GATEWAY, 0/0 (none), or dhcp, udhcpc, udhcpc-f, dhclient,
            dhclient-f, dhcpcd, each with :OPTIONS if wished
  MAC       of the guest's end: six octets, or U:STRING to derive it from STRING
  VLAN      1 to 4094; on IPoIB the partition key, in hexadecimal
"""

HELP = f"""\
pipework puts containers and network namespaces on any network.

{USAGE}
Options:
  -i IFNAME      name of the interface in the guest (eth1; ib0 on IPoIB)
  -l LOCALNAME   name of the host's end of a veth pair (v<IFNAME>pl<PID>)
  -a FAMILY      4 or 6; taken from the address where it is left out
  --direct-phys  hand the NIC itself to the guest
  --dry-run      print the commands that would do the same, and touch nothing
  --replace      succeed where the wire is there as asked; change it where it is not

Verbs:
  route, rule, tc   run ip route, ip rule or tc in the guest
  ls                what is wired on this host
  del               take back one wire (eth1), or all that pipework made in the guest
  gc                remove what guests that are gone have left behind
  --wait            inside the guest: return once the interface has carrier

Examples:
  pipework br0 web 192.168.1.100/24@192.168.1.1     a container on a bridge, with a default route
  pipework eth0 web 10.1.2.3/24 U:web               the same on a NIC, with a stable MAC
  pipework ovs1 web 10.1.2.3/24 @100                on an Open vSwitch bridge, in VLAN 100
  pipework br0 web dhclient                         with a lease
  pipework ls --json | jq -r '.[].addresses[]'
  pipework del web

Exit status: 0 done; 1 refused, nothing was changed; 2 the kernel refused; 130 or 143 interrupted;
the tool's own for route, rule and tc.
"""


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
    if argv and argv[0] in ("--help", "-h"):
        return Tell(HELP)
    if argv and argv[0] == "--version":
        return Tell(f"pipework {__version__}\n")
    words, prefixes = list(argv), set()
    while words and words[0] in PREFIXES:
        prefixes.add(words.pop(0))
    if not words:
        raise UsageError("HOSTIF is missing")
    hostif = words.pop(0)
    if hostif.startswith("-") and not is_interface(hostif):
        known = hostif in OPTIONS
        raise BadArgument(
            f"{hostif} stands before HOSTIF" if known else f"there is no option {hostif}",
            "Options come behind it: pipework HOSTIF -i IFNAME GUEST ADDRESS" if known else "See: pipework --help",
        )
    if hostif in ("ls", "del", "gc") and not is_interface(hostif):
        return _parse_own_verb(hostif, words, prefixes)
    direct_phys = "--direct-phys" in prefixes
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
        dry_run="--dry-run" in prefixes,
        replace_wire="--replace" in prefixes,
    )


def _parse_own_verb(verb: str, words: list[str], prefixes: set[str]) -> Request:
    """ls, del or gc, its options before or behind GUEST."""
    takes = {
        "ls": {"--json"},
        "del": {"-i", "--all", "--if-exists", "--dry-run"},
        "gc": {"--dry-run"},
    }[verb]
    given, guests, ifname = set(prefixes), [], None
    while words:
        word = words.pop(0)
        if word == "-i" and "-i" in takes:
            if not words:
                raise UsageError("-i needs a value")
            ifname = _parse_ifname("-i", words.pop(0))
        elif word in takes:
            given.add(word)
        elif word.startswith("--"):
            raise BadArgument(f"{verb} does not take {word}", f"It takes: {' '.join(sorted(takes))}")
        else:
            guests.append(word)
    if given - takes:
        raise BadArgument(f"{verb} does not take {min(given - takes)}", "See: pipework --help")
    if "" in guests:
        raise BadArgument("GUEST is empty", "See what is wired: pipework ls")
    if len(guests) > (verb != "gc"):
        raise BadArgument(f"{verb} does not take {guests[-1]!r}", "See: pipework --help")
    if verb == "gc":
        return Collect("--dry-run" in given)
    if verb == "ls":
        return List(guests[0] if guests else None, "--json" in given)
    if not guests:
        raise UsageError("GUEST is missing")
    if ifname and "--all" in given:
        raise BadArgument("-i and --all do not go together", "Leave one of them out.")
    return Delete(
        guests[0], None if "--all" in given else ifname or "eth1", "--if-exists" in given, "--dry-run" in given
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

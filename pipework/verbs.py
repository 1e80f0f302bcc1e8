"""The table of verbs, options and words: what a command line can be made of.

The usage, ``--help``, the manual page and the completions are written from it (pipework.usage, contrib/generate.py).
The command lines are those of jpetazzo/pipework::

    pipework [--direct-phys] HOSTIF [-i IFNAME] [-l LOCALNAME] [-a FAMILY] GUEST ADDRESS [MAC][@VLAN]
    pipework route|rule|tc GUEST ARGUMENT...
    pipework --wait [-i IFNAME]

with options of ours in front, and, where no link of the host has their name, the words wire, ls, del, gc, apply, save,
watch, hook and uplink.
"""

from __future__ import annotations

from pipework import model, requests
from pipework.address import DHCP_CLIENTS
from pipework.rows import Option, Verb, Word
from pipework.typed import Any


def _read_attach(fields: dict[str, Any]) -> dict[str, Any]:
    from pipework.words import read_attach  # takes ipaddress, a third of what a refusal costs

    return read_attach(fields)


def _read_wire(fields: dict[str, Any]) -> dict[str, Any]:
    from pipework.words import read_wire  # as above

    return read_wire(fields)


def _read_allowed(fields: dict[str, Any]) -> dict[str, Any]:
    allow = fields.pop("allow", "")
    return {**fields, "allow": tuple(allow.split(","))} if allow else fields


def _read_uplink(fields: dict[str, Any]) -> dict[str, Any]:
    from pipework.words import read_seconds  # as above

    options = {"timeout": "--timeout", "confirm": "--confirm"}
    return {name: read_seconds(options[name], one) if name in options else one for name, one in fields.items()}


def _is_address(text: str) -> bool:
    from pipework.words import is_address  # as above

    return is_address(text)


HOSTIF = Word(
    "HOSTIF",
    "hostif",
    "a bridge or NIC of this host, or mac:XX:XX:XX:XX:XX:XX for the NIC with that address; "
    "br* and ovs* are bridges made when missing, dummy* is a dummy link, ovn:NAME a switch of OVN, made when missing",
    completes="HOSTIF",
)
GUEST = Word(
    "GUEST",
    "guest",
    "a container's name or id, netns:NAME, pid:N, or the path of a namespace file; "
    "docker:NAME, podman:NAME and lxc:NAME choose the runtime",
    example="web",
    completes="GUEST",
)
ADDRESS = Word(
    "ADDRESS",
    "addresses",
    "IP/PREFIX, IP/PREFIX@GATEWAY, IP-LAST/PREFIX (a free one of these), 0/0 (none), "
    "auto or auto:TOKEN (IPv6, from the router), dynamic (of OVN's choice), or "
    f"{', '.join(DHCP_CLIENTS)}, each with :OPTIONS if wished; several with commas between",
    example="192.168.1.100/24",
    completes=f"0/0 auto dynamic {' '.join(DHCP_CLIENTS)}",
)
MAC = Word(
    "MAC",
    "mac",
    "of the guest's end: six octets, or U:STRING to derive it from STRING",
    shown="[MAC][@VLAN]",
    optional=True,
    rest=True,
)
VLAN = Word(
    "VLAN",
    "",
    "1 to 4094; on bridges also a trunk, such as 100,200-210, tagged, or 10:100, with 10 as native VLAN; "
    "on IPoIB the partition key, in hexadecimal",
    shown="",
)
END_ADDRESS = Word("ADDRESS", "addresses", example="10.0.0.1/30", completes="0/0")
OTHER_END = Word(  # its words are read as those of the first
    "GUEST", "other", shown="[-i IFNAME] GUEST ADDRESS", rest=True, example="db 10.0.0.2/30", completes="GUEST"
)
FILE = Word(
    "FILE",
    "file",
    "lines as they are typed here, comments behind #; - is standard input",
    example="wiring.conf",
    completes="FILE",
)
ACTION = Word(
    "ACTION", "action", "install, uninstall or status", example="status", completes="install uninstall status"
)
ENGINE = Word("ENGINE", "engine", shown="", optional=True)  # which has pipework run
ANYTHING = Word("", "", shown="", optional=True, rest=True)

IFNAME = Option(
    "-i", "ifname", "name of the interface in the guest (eth1; ib0 on IPoIB)", "IFNAME", completes="eth0 eth1"
)
LOCALNAME = Option("-l", "local_name", "name of the host's end of a veth pair (v<IFNAME>pl<PID>)", "LOCALNAME")
FAMILY = Option(
    "-a", "family", "4 or 6; taken from the address where it is left out", "FAMILY", blank=False, completes="4 6"
)
DIRECT_PHYS = Option("--direct-phys", "direct_phys", "hand the NIC itself to the guest")
ROUTE = Option(
    "--route",
    "routes",
    "a route out of the interface, to what is behind a router or on the link; as often as wished",
    "NETWORK[@ROUTER]",
    repeats=True,
)
METRIC = Option("--metric", "metric", "of the routes; default routes with another metric stay", "N")
MTU = Option("--mtu", "mtu", "of the guest's end, in bytes (that of HOSTIF)", "N")
PROBE = Option("--probe", "probes", "refuse an IPv4 address that a host of the network has; takes four seconds")
CHECK = Option(
    "--check",
    "check",
    "succeed only if the gateway answers, or ADDRESS; else all is undone",
    "[ADDRESS]",
    blank=False,
    takes=_is_address,
)
BESIDE = Option("--beside", "beside", "keep the guest's default route; the new address answers by its own gateway")
MODE = Option("--mode", "mode", "of a macvlan (bridge)", "MODE", completes=" ".join(model.MODES))
IPVLAN = Option(
    "--ipvlan",
    "ipvlan",
    "l2 or l3: an ipvlan in the place of a macvlan; guests have the NIC's own MAC",
    "MODE",
    completes=" ".join(model.IPVLAN_MODES),
)
HOST_ACCESS = Option(
    "--host-access", "host_access", "let this host and the guest reach each other over a NIC that they share"
)
ROUTED = Option("--routed", "routed", "route to the guest, which the NIC answers for: one MAC outside, no broadcasts")
FILTER = Option("--filter", "filters", "with VLAN: have a Linux bridge that does not keep VLANs apart do so")
DRY_RUN = Option("--dry-run", "dry_run", "print the commands that would do the same, and touch nothing")
REPLACE = Option(
    "--replace",
    "replace_wire",
    "succeed where the wire is there as asked; change it where it is not",
    runs="replace:replace",
)
KEEP = Option("--keep", "keep", "keep the line, until del, for watch to do it again at every start of the guest")
JSON = Option("--json", "as_json", "print an array of objects, for programs")
ALL = Option("--all", "ifname", "take back all that pipework made in the guest", gives=None)
PRUNE = Option("--prune", "prune", "take back what pipework made and FILE does not name")
ALLOW = Option("--allow", "allow", "NICs that lines of containers may use, a comma between two", "NIC,NIC")
TRUST = Option("--trust-image-labels", "trusts_images", "take lines from labels of images, too")
VARIABLES = Option("--pipework-cmd", "takes_variables", "take lines from variables pipework_cmd, too")
BRIDGE = Word("BRIDGE", "bridge", "a bridge, Linux or Open vSwitch; as HOSTIF", example="br0", completes="HOSTIF")
NIC = Word(
    "NIC",
    "nic",
    "the one that leads to the network, with all that this host has of it",
    example="eth0",
    completes="HOSTIF",
)
UNDO = Option("--undo", "undo", "give the NIC back what it had")
TIMEOUT = Option("--timeout", "timeout", "for the gateway to answer (10); else all is as before", "SECONDS")
CONFIRM = Option("--confirm", "confirm", "at a terminal, for you to agree (120); else all is as before", "SECONDS")
GONE_HOST = Option("--host", "host", "what a host that is gone for good has left in OVN", "NAME")
IF_EXISTS = Option("--if-exists", "if_exists", "succeed where nothing is there")


def _tool(name: str, first: str) -> Verb:
    """One of the verbs that are a tool's: first are the words that its command may begin with."""
    return Verb(
        name,
        requests.Passthrough,
        "passthrough:pass_through",
        "run ip route, ip rule or tc in the guest",
        (GUEST, Word("ARGUMENT", "arguments", shown="ARGUMENT...", rest=True, example="show", completes=first)),
        ignored=(DIRECT_PHYS, IFNAME, LOCALNAME, FAMILY),
        own=False,
        extends=True,
        field="verb",
    )


VERBS = (
    Verb(
        "",
        model.Attach,
        "attach:attach",
        "put the guest on the network behind HOSTIF",
        (HOSTIF, IFNAME, LOCALNAME, FAMILY, GUEST, ADDRESS, MAC, VLAN),
        before=(DRY_RUN, REPLACE, KEEP),
        around=(DIRECT_PHYS, ROUTE, METRIC, MTU, BESIDE, PROBE, CHECK, MODE, IPVLAN, HOST_ACCESS, ROUTED, FILTER),
        own=False,
        read=_read_attach,
    ),
    Verb(
        requests.WIRE,
        requests.Connect,
        "wire:connect",
        "join two guests by a wire of their own",
        (IFNAME, GUEST, END_ADDRESS, OTHER_END),
        before=(DRY_RUN, REPLACE.replace(runs="")),
        around=(MTU,),
        own=False,
        read=_read_wire,
    ),
    _tool("route", "show add del replace get"),
    _tool("rule", "show add del"),
    _tool("tc", "qdisc class filter"),
    Verb(
        "ls",
        requests.List,
        "ls:list_wires",
        "what is wired on this host",
        (JSON, GUEST.replace(shown="[GUEST]", optional=True)),
    ),
    Verb(
        "del",
        requests.Delete,
        "delete:detach",
        "take back one wire (eth1), or all that pipework made in the guest",
        (GUEST, (IFNAME, ALL), IF_EXISTS),
        around=(DRY_RUN,),
    ),
    Verb(
        "gc",
        requests.Collect,
        "gc:collect",
        "remove what guests that are gone have left behind",
        (GONE_HOST,),
        around=(DRY_RUN,),
    ),
    Verb(
        "apply",
        requests.Apply,
        "apply:apply",
        "see to it that all wires are there that FILE asks for",
        (PRUNE, FILE),
        around=(DRY_RUN,),
    ),
    Verb(
        "save",
        requests.Save,
        "save:save_wires",
        "print what is wired as lines for apply",
        (GUEST.replace(shown="[GUEST]", optional=True),),
    ),
    Verb(
        "watch",
        requests.Watch,
        "watch:watch",
        "do so at every start of a guest, also as labels of containers ask for it",
        (VARIABLES, TRUST, ALLOW, FILE.replace(shown="[FILE]", optional=True)),
        read=_read_allowed,
    ),
    Verb(
        "hook",
        requests.Hook,
        "hook:hook",
        "have podman and Docker wire containers before their first process",
        (ACTION, ALLOW, ENGINE),
        around=(DRY_RUN,),
        read=_read_allowed,
    ),
    Verb(
        "uplink",
        requests.Uplink,
        "uplink:uplink",
        "make NIC a port of BRIDGE, and this host's addresses, routes and MAC on it the bridge's",
        (UNDO, TIMEOUT, CONFIRM, BRIDGE, NIC),
        around=(DRY_RUN,),
        read=_read_uplink,
    ),
    Verb(
        "--wait",
        requests.Wait,
        "wait:wait",
        "inside the guest: return once the interface has carrier",
        (IFNAME,),
        privileged=False,
        surplus="Write: pipework --wait -i IFNAME",
    ),
    Verb(
        "--help",
        requests.Help,
        "tell:tell_help",
        "print this text",
        (ANYTHING,),
        own=False,
        privileged=False,
        short="-h",
    ),
    Verb(
        "--version",
        requests.Version,
        "tell:tell_version",
        "print which one it is",
        (ANYTHING,),
        own=False,
        privileged=False,
    ),
)

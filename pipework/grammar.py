"""The grammar: one table of verbs, options and words, and the parser that walks it; argv in, one frozen request out.

Pure; what a host has is asked through a predicate.  The usage, ``--help``, the manual page and the completions are
written from the same table (pipework.usage, contrib/generate.py).  The command lines are those of jpetazzo/pipework::

    pipework [--direct-phys] HOSTIF [-i IFNAME] [-l LOCALNAME] [-a FAMILY] GUEST ADDRESS [MAC][@VLAN]
    pipework route|rule|tc GUEST ARGUMENT...
    pipework --wait [-i IFNAME]

with options of ours in front, and, where no link of the host has their name, the words ls, del, gc, apply, save, watch
and hook.
"""

from __future__ import annotations

from pipework import model
from pipework.address import DHCP_CLIENTS
from pipework.errors import BadArgument, UsageError
from pipework.model import Request
from pipework.rows import Option, Verb, Word
from pipework.typed import Any, Callable, Optional, Sequence


def _read_attach(fields: dict[str, Any]) -> dict[str, Any]:
    from pipework.words import read_attach  # takes ipaddress, a third of what a refusal costs

    return read_attach(fields)


def _read_allowed(fields: dict[str, Any]) -> dict[str, Any]:
    allow = fields.pop("allow", "")
    return {**fields, "allow": tuple(allow.split(","))} if allow else fields


def _is_address(text: str) -> bool:
    from pipework.words import is_address  # as above

    return is_address(text)


HOSTIF = Word(
    "HOSTIF",
    "hostif",
    "a bridge or NIC of this host, or mac:XX:XX:XX:XX:XX:XX for the NIC with that address; "
    "br* and ovs* are bridges made when missing, dummy* is a dummy link",
    completes="HOSTIF",
)
GUEST = Word(
    "GUEST",
    "guest",
    "a container's name or id, netns:NAME, pid:N, or the path of a namespace file; "
    "docker:NAME, podman:NAME and lxc:NAME choose the runtime",
    completes="GUEST",
)
ADDRESS = Word(
    "ADDRESS",
    "addresses",
    "IP/PREFIX, IP/PREFIX@GATEWAY, IP-LAST/PREFIX (a free one of these), 0/0 (none), "
    "auto or auto:TOKEN (IPv6, from the router), or "
    f"{', '.join(DHCP_CLIENTS)}, each with :OPTIONS if wished; several with commas between",
    example="192.168.1.100/24",
    completes=f"0/0 auto {' '.join(DHCP_CLIENTS)}",
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
FILE = Word("FILE", "file", "lines as they are typed here, comments behind #; - is standard input", completes="FILE")
ACTION = Word("ACTION", "action", "install, uninstall or status", completes="install uninstall status")
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
IF_EXISTS = Option("--if-exists", "if_exists", "succeed where nothing is there")


def _tool(name: str, first: str) -> Verb:
    """One of the verbs that are a tool's: first are the words that its command may begin with."""
    return Verb(
        name,
        model.Passthrough,
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
        around=(DIRECT_PHYS, ROUTE, METRIC, MTU, BESIDE, PROBE, CHECK, MODE, FILTER),
        own=False,
        read=_read_attach,
    ),
    _tool("route", "show add del replace get"),
    _tool("rule", "show add del"),
    _tool("tc", "qdisc class filter"),
    Verb(
        "ls",
        model.List,
        "ls:list_wires",
        "what is wired on this host",
        (JSON, GUEST.replace(shown="[GUEST]", optional=True)),
    ),
    Verb(
        "del",
        model.Delete,
        "delete:detach",
        "take back one wire (eth1), or all that pipework made in the guest",
        (GUEST, (IFNAME, ALL), IF_EXISTS),
        around=(DRY_RUN,),
    ),
    Verb("gc", model.Collect, "gc:collect", "remove what guests that are gone have left behind", around=(DRY_RUN,)),
    Verb(
        "apply",
        model.Apply,
        "apply:apply",
        "see to it that all wires are there that FILE asks for",
        (PRUNE, FILE),
        around=(DRY_RUN,),
    ),
    Verb(
        "save",
        model.Save,
        "save:save_wires",
        "print what is wired as lines for apply",
        (GUEST.replace(shown="[GUEST]", optional=True),),
    ),
    Verb(
        "watch",
        model.Watch,
        "watch:watch",
        "do so at every start of a guest, also as labels of containers ask for it",
        (VARIABLES, TRUST, ALLOW, FILE.replace(shown="[FILE]", optional=True)),
        read=_read_allowed,
    ),
    Verb(
        "hook",
        model.Hook,
        "hook:hook",
        "have podman and Docker wire containers before their first process",
        (ACTION, ALLOW, ENGINE),
        around=(DRY_RUN,),
        read=_read_allowed,
    ),
    Verb(
        "--wait",
        model.Wait,
        "wait:wait",
        "inside the guest: return once the interface has carrier",
        (IFNAME,),
        privileged=False,
        surplus="Write: pipework --wait -i IFNAME",
    ),
    Verb(
        "--help", model.Help, "tell:tell_help", "print this text", (ANYTHING,), own=False, privileged=False, short="-h"
    ),
    Verb(
        "--version",
        model.Version,
        "tell:tell_version",
        "print which one it is",
        (ANYTHING,),
        own=False,
        privileged=False,
    ),
)


def parse(argv: Sequence[str], is_interface: Callable[[str], bool], verbs: Sequence[Verb] = VERBS) -> Request:
    """Read a command line.

    is_interface tells whether this host has a link of a name: ``route``, ``ls`` and the like are verbs only where it
    has not.  Raises UsageError where words are missing, BadArgument where one is wrong.
    """
    for word in argv:
        if "\0" in word:
            raise BadArgument("an argument contains a NUL byte")
    words, given = list(argv), dict[str, str]()
    if words and words[0].startswith("-") and (verb := _find(words[0], verbs)):
        return _request(verb, words[1:], given, [])
    prefixes = {option.name: option for verb in verbs for option in (*verb.before, *verb.around)}
    while words and words[0] in prefixes:
        _take(prefixes[words.pop(0)], words, given)
    if not words:
        raise UsageError("HOSTIF is missing")
    name = words.pop(0)
    if is_interface(name):
        return _request(_attach(verbs), words, given, [name])
    if name.startswith("-"):
        raise _not_in_front(name, verbs)
    verb = _find(name, verbs)
    return _request(verb, words, given, []) if verb else _request(_attach(verbs), words, given, [name])


def _find(name: str, verbs: Sequence[Verb]) -> Optional[Verb]:
    """The verb that a word is."""
    for verb in verbs:
        known = name in (verb.name, verb.short) or (verb.extends and name.startswith(verb.name))
        if name and verb.name and known:
            return verb
    return None


def _attach(verbs: Sequence[Verb]) -> Verb:
    return next(verb for verb in verbs if not verb.name)


def _not_in_front(name: str, verbs: Sequence[Verb]) -> BadArgument:
    for verb in verbs:
        for option in verb.behind:
            if option.name == name:
                shown = f"{name} {option.value}" if option.value else name
                place = f"pipework {verb.name} {shown}" if verb.name else f"pipework HOSTIF {shown} GUEST ADDRESS"
                return BadArgument(f"{name} stands before {verb.name or 'HOSTIF'}", f"Options come behind it: {place}")
    return BadArgument(f"there is no option {name}", "See: pipework --help")


def _take(option: Option, words: list[str], given: dict[str, str]) -> None:
    """Note an option, and its value, which is the next of the words."""
    if not option.value:
        given[option.name] = ""
    elif option.name in given and not option.repeats:
        raise BadArgument(f"{option.name} is given twice", "Leave one of them out.")
    elif option.takes:
        given[option.name] = words.pop(0) if words and option.takes(words[0]) else ""
    elif not words:
        raise UsageError(f"{option.name} needs a value")
    else:
        before = f"{given[option.name]}," if option.name in given else ""
        given[option.name] = before + words.pop(0)


def _request(verb: Verb, words: list[str], given: dict[str, str], plain: list[str]) -> Request:
    """Walk through what stands behind the verb.  given: the options before it; plain: the words without a name."""
    takes = {option.name: option for option in (*verb.behind, *verb.before)}
    plain = plain + _plain_words(verb, words, given)
    surplus = given.keys() - takes.keys() - {option.name for option in verb.ignored}
    if surplus:
        raise BadArgument(f"{verb.name} does not take {min(surplus)}", "See: pipework --help")
    fields = _fill_words(verb, plain)
    fields.update(_fill_options(verb, [(takes[name], value) for name, value in given.items() if name in takes]))
    if verb.field:
        fields[verb.field] = verb.name
    return verb.request(**verb.read(fields))


def _plain_words(verb: Verb, words: list[str], given: dict[str, str]) -> list[str]:
    """Take the options out of the words behind the verb; the rest."""
    takes = {option.name: option for option in (*verb.behind, *verb.ignored)}
    plain: list[str] = []
    while words:
        word = words.pop(0)
        if word in takes:
            _take(takes[word], words, given)
        elif not verb.own:
            return [word, *words]
        elif word.startswith("--"):
            raise BadArgument(f"{verb.name or 'a line'} does not take {word}", f"It takes: {' '.join(sorted(takes))}")
        else:
            plain.append(word)
    return plain


def _fill_words(verb: Verb, plain: list[str]) -> dict[str, Any]:
    """The fields that the words without a name fill."""
    fields: dict[str, Any] = {}
    left = list(plain)
    for word in verb.words:
        if not left and not word.optional and word.field:
            said = " ".join(["pipework", *filter(None, [verb.name]), *plain])
            raise UsageError(f"{word.name} is missing", f"For example: {said} {word.example}" if word.example else "")
        if word in (GUEST, ADDRESS) and left and left[0] in {option.name for option in verb.before}:
            raise BadArgument(
                f"{left[0]} stands behind {'HOSTIF' if word is GUEST else 'GUEST'}",
                f"It comes first: pipework {left[0]} {plain[0]} ...",
            )
        if not verb.own and plain and word is ADDRESS and left[0] in {option.name for option in verb.behind}:
            raise _behind_guest(plain)
        if left and word.rest:
            fields[word.field], left = tuple(left), []
        elif left and word.field:
            fields[word.field] = left.pop(0)
    fields.pop("", None)
    if left:
        raise BadArgument(f"{verb.name} does not take {left[0]!r}", verb.surplus)
    return fields


def _behind_guest(plain: Sequence[str]) -> BadArgument:
    hostif, guest, option = plain[:3]
    return BadArgument(
        f"{option} stands behind GUEST", f"Options come before it: pipework {hostif} {option} ... {guest} ADDRESS"
    )


def _fill_options(verb: Verb, given: Sequence[tuple[Option, str]]) -> dict[str, Any]:
    """The fields that the options fill."""
    there = [(option, text) for option, text in given if text or not option.value or not option.blank]
    names = [option.name for option, _ in there]
    for part in verb.line:
        both = [option.name for option in part if option.name in names] if isinstance(part, tuple) else []
        if len(both) > 1:
            raise BadArgument(f"{both[0]} and {both[1]} do not go together", "Leave one of them out.")
    return {option.field: text if option.value else option.gives for option, text in there}


def verb_of(request: Request, verbs: Sequence[Verb] = VERBS) -> tuple[Verb, str]:
    """The verb that a request came from, and what in commands/ carries it out."""
    verb = next(verb for verb in verbs if verb.request is type(request))
    options = (*verb.before, *verb.behind)
    runs = (option.runs for option in options if option.runs and getattr(request, option.field))
    return verb, next(runs, verb.runs)

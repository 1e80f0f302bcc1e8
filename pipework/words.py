"""The words of an attach: ADDRESS, MAC, VLAN and HOSTIF, each read once and checked.  Pure."""

from __future__ import annotations

from ipaddress import ip_address, ip_interface, ip_network

from pipework.address import (
    DHCP_CLIENTS,
    DYNAMIC,
    Address,
    AnyAddress,
    Auto,
    Dhcp,
    Dynamic,
    Interface,
    Network,
    Range,
    Static,
    Via,
)
from pipework.errors import BadArgument, UsageError
from pipework.mac import parse_mac
from pipework.model import GATEWAYS, LONGEST_ALTNAME, MODES, OVN, Check, check_ifname
from pipework.requests import DEFAULT_MTU, WIRE, End
from pipework.tag import Tag, is_hex
from pipework.typed import Any, NoReturn, Optional

GATEWAY = "ADDRESS as IP/PREFIX@GATEWAY, such as 10.1.2.3/24@10.1.2.1"
END = "Write: pipework wire [-i IFNAME] GUEST ADDRESS [-i IFNAME] GUEST ADDRESS"
FAMILIES = {"4": 4, "inet": 4, "6": 6, "inet6": 6}


def read_attach(given: dict[str, Any]) -> dict[str, Any]:
    """The fields of an Attach, from those that are still text.  Raises BadArgument.

    mac: what stands behind ADDRESS, any number of words.
    """
    fields = dict(given)
    if not fields["addresses"]:
        hostif, guest = fields["hostif"], fields["guest"]
        raise UsageError("ADDRESS is empty", f"For example: pipework {hostif} {guest} 192.168.1.100/24")
    fields["mac"], fields["tag"] = parse_mac_and_tag(fields.pop("mac", ()))
    fields["hostif"] = parse_hostif(fields["hostif"])
    fields["addresses"] = parse_addresses(fields["addresses"], parse_family(fields.pop("family", None)))
    if "routes" in fields:
        fields["routes"] = tuple(map(parse_route, fields["routes"].split(",")))
    if fields.get("routed"):
        fields.update(_route(fields))
    if fields.get("mode") == MODES[0] and not fields.get("ipvlan"):
        del fields["mode"]  # which is what is meant without a word
    if "check" in fields:
        fields["check"] = Check(ip_address(fields["check"]) if fields["check"] else None)
    for option, example in (("metric", 100), ("mtu", 1400)):
        if option in fields:
            fields[option] = _parse_number(f"--{option}", fields[option], example)
    return fields


def read_seconds(option: str, text: str) -> float:
    """A number of seconds.  Raises BadArgument."""
    if not text.replace(".", "", 1).isdecimal() or not text.isascii():
        raise BadArgument(f"{option} {text!r} is no number of seconds", f"Write a number: {option} 30")
    return float(text)


def _route(fields: dict[str, Any]) -> dict[str, Any]:
    """The addresses and routes of a guest that its host routes for: the host is the gateway of each.

    Raises BadArgument.
    """
    if fields["tag"]:
        tag, hostif = fields["tag"].text, fields["hostif"]
        raise BadArgument(
            f"--routed does not take VLAN @{tag}",
            f"Route over a VLAN link of this host: pipework --routed {hostif}.{tag} ...",
        )
    gateways, addresses = {family: ip_address(text) for family, text in GATEWAYS.items()}, list[AnyAddress]()
    left, routes = dict(gateways), list[Via]()
    for one in fields["addresses"]:
        addresses.append(Static(_alone(one), left.pop(one.family, None)))
    for route in fields.get("routes", ()):
        if route.router:
            raise BadArgument(
                f"--route {route.text}: the only router of a routed guest is this host",
                f"Write --route {route.network}",
            )
        if route.network.version in left:
            raise BadArgument(
                f"--route {route.text} is of IPv{route.network.version}, of which the guest has no address",
                "Give it one, or leave the route out.",
            )
        routes.append(Via(route.network, gateways[route.network.version]))
    return {"addresses": tuple(addresses), "routes": tuple(routes)}


def _alone(address: AnyAddress) -> Interface:
    """The address of a guest that has no network of its own.  Raises BadArgument."""
    interface = address.interface if isinstance(address, Static) else None
    if interface is None:
        raise BadArgument(
            f"--routed wants an address that is known beforehand, not {address.text}",
            "Name one that is free: 192.168.1.50/32",
        )
    own = f"Write {interface.ip}/{interface.max_prefixlen}"
    if isinstance(address, Static) and address.gateway:
        raise BadArgument(f"ADDRESS {address.text} names a gateway, and with --routed that is this host", own)
    if interface.network.num_addresses > 1:
        raise BadArgument(f"ADDRESS {address.text}: a routed guest has no network of its own", own)
    return interface


def read_wire(given: dict[str, Any]) -> dict[str, Any]:
    """The fields of a Connect, from those that are still text.  Raises BadArgument, UsageError.

    other: the words of its second guest.
    """
    fields = dict(given)
    mtu = _parse_number("--mtu", fields.pop("mtu"), 1400) if "mtu" in fields else DEFAULT_MTU
    first = {name: fields.pop(name) for name in ("guest", "addresses", "ifname") if name in fields}
    for word in (first["guest"], first["addresses"]):
        if word.startswith("-"):
            raise BadArgument(f"{WIRE} does not take {word}", END)
    ends = [_read_end(one, mtu) for one in (first, _split_end(list(fields.pop("other"))))]
    ways = [_ways(end, other) for end, other in (ends, reversed(ends))]
    return {**fields, "ends": tuple(end.replace(routes=routes) for end, routes in zip(ends, ways))}


def _split_end(words: list[str]) -> dict[str, Any]:
    """The fields of the second end of a wire: [-i IFNAME] GUEST ADDRESS."""
    fields = dict[str, Any]()
    while words and words[0].startswith("-"):
        option = words.pop(0)
        if option != "-i":
            raise BadArgument(f"{WIRE} does not take {option}", END)
        if "ifname" in fields:
            raise BadArgument(f"{option} is given twice", "Leave one of them out.")
        if not words:
            raise UsageError(f"{option} needs a value")
        fields["ifname"] = words.pop(0)
    if len(words) > 1 and words[1].startswith("-"):
        raise BadArgument(f"{WIRE} does not take {words[1]}", END)
    if len(words) < 2:
        raise UsageError(f"{'ADDRESS' if words else 'GUEST'} is missing", END)
    if len(words) > 2:
        raise BadArgument(f"{WIRE} does not take {words[2]!r}", END)
    return {**fields, "guest": words[0], "addresses": words[1]}


def _read_end(fields: dict[str, Any], mtu: int) -> End:
    if not fields["addresses"]:
        raise UsageError("ADDRESS is empty", END)
    addresses = parse_addresses(fields["addresses"])
    return End(WIRE, fields["guest"], addresses, fields.get("ifname") or None, mtu=mtu)


def _ways(end: End, other: End) -> tuple[Via, ...]:
    """Routes to the addresses of the other end that none of an end's networks has; to a gateway one comes by itself."""
    own = [one.interface for one in end.own if one.interface]
    gateways = [one.gateway for one in end.addresses if isinstance(one, Static)]
    far = [one.interface.ip for one in other.own if one.interface]
    return tuple(
        Via(ip_network(ip))
        for ip in far
        if ip not in gateways
        and any(one.version == ip.version for one in own)
        and not any(ip in one.network for one in own)
        and not (ip.version == 6 and ip.is_link_local)
    )


def is_address(text: str) -> bool:
    """Whether a word is an IP address alone."""
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def parse_addresses(text: str, family: Optional[int] = None) -> tuple[AnyAddress, ...]:
    """Read ADDRESS, one or more with commas between; family (4, 6 or None) is what ``-a`` said.  Raises BadArgument.

    The options of a DHCP client go to the end of the word: they may have commas.
    """
    found: list[AnyAddress] = []
    rest, more = text, ","
    while more:
        one, more, after = rest.partition(",")
        if one.partition(":")[0] in DHCP_CLIENTS and ":" in one:
            one, more, after = rest, "", ""
        if not one:
            raise BadArgument(f"ADDRESS {text!r} has an empty part", "Write one comma between two addresses.")
        found.append(_parse_address(one, family))
        rest = after
    return tuple(found)


def _parse_address(text: str, family: Optional[int]) -> AnyAddress:
    client, colon, options = text.partition(":")
    if client in DHCP_CLIENTS:
        return Dhcp(client.replace("-f", ""), tuple(options.split()), client.endswith("-f"))
    if client == "auto":
        if family == 4:
            raise BadArgument(f"-a 4 does not go with {text}, which is of IPv6", "Leave -a out.")
        return Auto(_parse_token(text, options) if colon else None)
    address, _, gateway = text.partition("@")
    first, dash, _ = address.partition("/")[0].partition("-")
    router = _parse_gateway(gateway) if gateway else None
    made: AnyAddress
    if address == DYNAMIC:
        made = Dynamic(router)
    elif dash and ("." in first or ":" in first):
        made = _parse_range(address, text, router)
    else:
        made = Static(_parse_interface(address, text), router)
    if family and made.text != "0/0" and family != made.family:
        raise BadArgument(
            f"-a {family} does not go with the IPv{made.family} address {text}",
            "Leave -a out: the family is taken from the address.",
        )
    return made


def _parse_range(address: str, text: str, gateway: Optional[Address]) -> Range:
    """FIRST-LAST/PREFIX; of LAST the last number will do."""
    first, _, rest = address.partition("-")
    last, slash, prefix = rest.partition("/")
    if not slash:
        meant = text.replace(address, f"{address}/24", 1)
        raise BadArgument(f"ADDRESS {address} has no netmask", f"Maybe you meant {meant} ?")
    begin = _parse_interface(f"{first}{slash}{prefix}", f"{first}{slash}{prefix}")
    try:
        end = ip_address(last if "." in last or ":" in last else f"{first.rpartition('.')[0]}.{last}")
    except ValueError:
        end = None
    if begin is None or end is None:
        raise BadArgument(f"ADDRESS {text} is no range", "Write FIRST-LAST/PREFIX, such as 192.168.1.100-150/24.")
    return Range(begin, end, gateway)


def _parse_token(text: str, token: str) -> Address:
    try:
        return ip_address(token)
    except ValueError:
        raise BadArgument(
            f"ADDRESS {text} has no token behind auto:", "Write auto, or auto: and a token: auto:::123"
        ) from None


def parse_route(text: str) -> Via:
    """Read NETWORK[@ROUTER] of ``--route``.  Raises BadArgument."""
    network, at, router = text.partition("@")
    if network == "default":
        raise BadArgument(f"--route {text} is a default route", "Name the router in ADDRESS: IP/PREFIX@GATEWAY")
    return Via(
        _parse_network(network),
        _parse_gateway(router, "router", "--route NETWORK@ROUTER, such as 10.0.0.0/8@192.168.1.1") if at else None,
    )


def _parse_network(text: str) -> Network:
    try:
        return ip_network(text)
    except ValueError:
        pass
    try:
        meant = ip_interface(text).network
    except ValueError:
        raise BadArgument(
            f"--route {text!r} is no network", "Write NETWORK/PREFIX@ROUTER, such as 10.0.0.0/8@192.168.1.1."
        ) from None
    raise BadArgument(f"--route {text} has bits set behind its prefix", f"Did you mean {meant} ?")


def _parse_number(option: str, text: str, example: int) -> int:
    if not (text.isascii() and text.isdecimal()) or len(text) > 10:
        raise BadArgument(f"{option} {text!r} is not a number", f"Such as: {option} {example}")
    return int(text)


def parse_hostif(text: str) -> str:
    """HOSTIF: a link's name, ``mac:`` and a MAC in lower case, or a switch of OVN.  Raises BadArgument."""
    if text.startswith(OVN):
        return text
    if text.startswith("mac:"):
        octets = text[4:].split(":")
        if len(octets) not in (6, 20) or not all(is_hex(octet, 2) for octet in octets):
            raise BadArgument(
                f"HOSTIF {text!r} is not a MAC address", "Write mac: and six octets, as ip link shows them."
            )
        return "mac:" + bytes(int(octet, 16) for octet in octets).hex(":")
    name, colon, _ = text.partition(":")
    if colon:
        raise BadArgument(f"HOSTIF {text!r} is an alias of {name}, not a link of its own", f"Use {name} in its place.")
    check_ifname("HOSTIF", text, LONGEST_ALTNAME)
    return text


def parse_family(text: Optional[str]) -> Optional[int]:
    """FAMILY, 4 or 6.  Raises BadArgument."""
    if text is None:
        return None
    if text not in FAMILIES:
        raise BadArgument(f"-a {text!r} is not an address family", "Write -a 4 or -a 6, or leave it out.")
    return FAMILIES[text]


def _parse_interface(address: str, text: str) -> Optional[Interface]:
    ip, slash, prefix = address.partition("/")
    if not slash:
        _refuse_without_prefix(address, text)
    if prefix == "0" and ip in ("0", "0.0.0.0", "::"):
        return None
    if "%" in address:
        raise BadArgument(f"ADDRESS {address} names a zone", "Leave out '%' and what follows it.")
    try:
        interface = ip_interface(address)
    except ValueError as error:
        raise BadArgument(
            f"ADDRESS {address} is not an address with a netmask: {error}",
            "Write IP/PREFIX, such as 192.168.1.100/24 or 2001:db8::10/64.",
        ) from None
    if "." in prefix and str(interface.netmask) != prefix:  # ipaddress would take /0.0.0.255 as well
        raise BadArgument(f"ADDRESS {address}: {prefix} is no netmask", f"Did you mean /{interface.network.prefixlen}?")
    if interface.version == 4 and interface.ip.is_unspecified:
        return None  # the kernel takes it, and keeps no address: 0/0 by another name
    return interface


def _refuse_without_prefix(address: str, text: str) -> NoReturn:
    try:
        prefix = 24 if ip_address(address).version == 4 else 64
    except ValueError:
        raise BadArgument(
            f"ADDRESS {text!r} is neither an address with a netmask nor a DHCP client",
            f"Write IP/PREFIX, such as 192.168.1.100/24, or one of {', '.join(DHCP_CLIENTS)}.",
        ) from None
    raise BadArgument(
        f"ADDRESS {address} has no netmask",
        f"Maybe you meant {text.replace(address, f'{address}/{prefix}', 1)} ?",
    )


def _parse_gateway(text: str, part: str = "gateway", form: str = GATEWAY) -> Address:
    plain, slash, _ = text.partition("/")
    try:
        gateway = ip_address(plain)
    except ValueError:
        raise BadArgument(
            f"{part} {text!r} is not an IP address",
            f"Write {form}.",
        ) from None
    if slash or "%" in plain:
        raise BadArgument(
            f"{part} {text} must be a plain address",
            f"Write it without what follows the address: @{plain.partition('%')[0]}",
        )
    return gateway


def parse_mac_and_tag(words: tuple[str, ...]) -> tuple[Optional[str], Optional[Tag]]:
    """MAC, MAC@VLAN, @VLAN, or MAC and @VLAN as two words.  Raises BadArgument."""
    if len(words) > 2 or (len(words) == 2 and not (words[1].startswith("@") and "@" not in words[0])):
        raise BadArgument(
            f"unexpected argument {words[-1]!r}",
            "After ADDRESS comes only MAC@VLAN: see pipework without arguments.",
        )
    mac_text, _, tag_text = "".join(words).partition("@")
    mac = parse_mac(mac_text) if mac_text else None
    if not tag_text:
        return mac, None
    if tag_text.count(":") > 1:
        raise BadArgument(f"@{tag_text} is a MAC where a VLAN id belongs", f"Write the MAC without @: {tag_text}")
    return mac, Tag(tag_text)

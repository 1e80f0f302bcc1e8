"""The grammar: what each command line means, and what each malformed one is told."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import ip_address, ip_interface
from typing import Any, Optional

import pytest

from pipework.address import Dhcp, Static
from pipework.errors import BadArgument, PipeworkError, UsageError
from pipework.grammar import parse
from pipework.model import Attach
from pipework.requests import Collect, Delete, Help, List, Passthrough, Request, Version, Wait
from pipework.tag import Tag
from pipework.words import parse_addresses, parse_mac

MAC = "02:42:ac:11:00:02"


def nothing_there(name: str) -> bool:
    return False


def request(line: str, is_interface: Callable[[str], bool] = nothing_there) -> Request:
    return parse(line.split(), is_interface)


def static(address: Optional[str], gateway: Optional[str] = None) -> Static:
    return Static(ip_interface(address) if address else None, ip_address(gateway) if gateway else None)


def attach(hostif: str, guest: str, address: Any, **rest: Any) -> Attach:
    return Attach(hostif, guest, address if isinstance(address, tuple) else (address,), **rest)


def refusal(words: list[str], is_interface: Callable[[str], bool] = nothing_there) -> PipeworkError:
    with pytest.raises(PipeworkError) as caught:
        parse(words, is_interface)
    return caught.value


# a line as people type it -> what it means
LINES: dict[str, Request] = {
    # every form
    "br0 web 10.0.0.2/24": attach("br0", "web", static("10.0.0.2/24")),
    "br0 web 10.0.0.2/24@10.0.0.1": attach("br0", "web", static("10.0.0.2/24", "10.0.0.1")),
    "br0 web 10.0.0.2/24@10.9.9.9": attach("br0", "web", static("10.0.0.2/24", "10.9.9.9")),
    "br0 web 10.0.0.2/24@": attach("br0", "web", static("10.0.0.2/24")),
    "br0 web 10.0.0.2/255.255.255.0": attach("br0", "web", static("10.0.0.2/24")),
    "br0 web 10.0.0.2/31": attach("br0", "web", static("10.0.0.2/31")),
    "br0 web 0/0": attach("br0", "web", static(None)),
    "br0 web 0.0.0.0/0": attach("br0", "web", static(None)),
    "br0 web 0.0.0.0/24": attach("br0", "web", static(None)),
    "br0 web 0.0.0.0/255.255.255.0@10.0.0.1": attach("br0", "web", static(None, "10.0.0.1")),
    "br0 web ::/0": attach("br0", "web", static(None)),
    "br0 web 0/0@10.0.0.1": attach("br0", "web", static(None, "10.0.0.1")),
    "br0 web 2001:db8::2/64": attach("br0", "web", static("2001:db8::2/64")),
    "br0 web 2001:db8::2/64@fe80::1": attach("br0", "web", static("2001:db8::2/64", "fe80::1")),
    "br0 -a 4 web 10.0.0.2/24": attach("br0", "web", static("10.0.0.2/24")),
    "br0 -a inet web 10.0.0.2/24": attach("br0", "web", static("10.0.0.2/24")),
    "br0 -a 6 web 2001:db8::2/64": attach("br0", "web", static("2001:db8::2/64")),
    "br0 -a inet6 web 2001:db8::2/64": attach("br0", "web", static("2001:db8::2/64")),
    "br0 -a 6 web 0/0": attach("br0", "web", static(None)),
    "br0 -a 6 web dhcp": attach("br0", "web", Dhcp("dhcp", (), False)),
    f"br0 web 10.0.0.2/24 {MAC}": attach("br0", "web", static("10.0.0.2/24"), mac=MAC),
    f"br0 web 10.0.0.2/24 {MAC.upper()}": attach("br0", "web", static("10.0.0.2/24"), mac=MAC),
    f"eth0 web 10.0.0.2/24 {MAC}@100": attach("eth0", "web", static("10.0.0.2/24"), mac=MAC, tag=Tag("100")),
    f"eth0 web 10.0.0.2/24 {MAC} @100": attach("eth0", "web", static("10.0.0.2/24"), mac=MAC, tag=Tag("100")),
    f"eth0 web 10.0.0.2/24 {MAC}@": attach("eth0", "web", static("10.0.0.2/24"), mac=MAC),
    "eth0 web 10.0.0.2/24 @100": attach("eth0", "web", static("10.0.0.2/24"), tag=Tag("100")),
    "eth0 web 10.0.0.2/24 U:myhost.foo.com@7": attach(
        "eth0", "web", static("10.0.0.2/24"), mac="02:72:6c:cd:9b:8d", tag=Tag("7")
    ),
    "eth0 web 10.0.0.2/24 U:myhost.foo.com @7": attach(
        "eth0", "web", static("10.0.0.2/24"), mac="02:72:6c:cd:9b:8d", tag=Tag("7")
    ),
    "ib0 web 10.0.0.2/24 @8001": attach("ib0", "web", static("10.0.0.2/24"), tag=Tag("8001")),
    "ib0 web 10.0.0.2/24 @fFfF": attach("ib0", "web", static("10.0.0.2/24"), tag=Tag("fFfF")),
    "dummy0 web 10.0.0.2/24": attach("dummy0", "web", static("10.0.0.2/24")),
    "ovs1 web 10.0.0.2/24": attach("ovs1", "web", static("10.0.0.2/24")),
    "mac:02:42:AC:11:0:2 web 0/0": attach("mac:02:42:ac:11:00:02", "web", static(None)),
    # options in any order, --direct-phys anywhere before GUEST
    "--direct-phys eth0 web 0/0": attach("eth0", "web", static(None), direct_phys=True),
    "eth0 --direct-phys web 0/0": attach("eth0", "web", static(None), direct_phys=True),
    "eth0 -i a --direct-phys -l b web 0/0": attach(
        "eth0", "web", static(None), ifname="a", local_name="b", direct_phys=True
    ),
    "eth0 -i a -l b --direct-phys web 0/0": attach(
        "eth0", "web", static(None), ifname="a", local_name="b", direct_phys=True
    ),
    # guests' names are names
    "br0 200 0/0": attach("br0", "200", static(None)),
    "br0 -web 0/0": attach("br0", "-web", static(None)),
    "br0 -i eth1 -rf 0/0": attach("br0", "-rf", static(None), ifname="eth1"),
    "br0 --wait 0/0": attach("br0", "--wait", static(None)),
    "br0 netns:blue 0/0": attach("br0", "netns:blue", static(None)),
    "br0 /run/netns/blue 0/0": attach("br0", "/run/netns/blue", static(None)),
    "br0 pid:1 0/0": attach("br0", "pid:1", static(None)),
    # the longest name that a link can have
    "br12345678901 -i eth456789012345 -l v23456789012345 web 0/0": attach(
        "br12345678901", "web", static(None), ifname="eth456789012345", local_name="v23456789012345"
    ),
    # the verbs
    "route web show": Passthrough("route", "web", ("show",)),
    "rule web add from 10.0.0.0/8 table 7": Passthrough("rule", "web", ("add", "from", "10.0.0.0/8", "table", "7")),
    "tc web qdisc show": Passthrough("tc", "web", ("qdisc", "show")),
    "tc web -s qdisc": Passthrough("tc", "web", ("-s", "qdisc")),
    "routes web show": Passthrough("route", "web", ("show",)),
    # the verbs of our own
    "ls": List(None, False),
    "ls --json": List(None, True),
    "ls web": List("web", False),
    "ls --json web": List("web", True),
    "ls web --json": List("web", True),
    "del web": Delete("web", "eth1", False, False),
    "del web -i eth0": Delete("web", "eth0", False, False),
    "del -i eth0 web": Delete("web", "eth0", False, False),
    "del --all web": Delete("web", None, False, False),
    "del web --if-exists --dry-run": Delete("web", "eth1", True, True),
    "--dry-run del web": Delete("web", "eth1", False, True),
    "del -rf": Delete("-rf", "eth1", False, False),
    "gc": Collect(False),
    "gc --dry-run": Collect(True),
    "--dry-run br0 web 0/0": attach("br0", "web", static(None), dry_run=True),
    "--replace br0 web 0/0": attach("br0", "web", static(None), replace_wire=True),
    "--dry-run --direct-phys --replace eth0 web 0/0": attach(
        "eth0", "web", static(None), direct_phys=True, dry_run=True, replace_wire=True
    ),
    "br0 del 0/0": attach("br0", "del", static(None)),
    # what the original takes in front of a verb, without a meaning
    "--direct-phys tc -i eth1 web qdisc": Passthrough("tc", "web", ("qdisc",)),
    "route -l a -a 4 --direct-phys web -i x": Passthrough("route", "web", ("-i", "x")),
    # waiting
    "--wait": Wait("eth1"),
    "--wait -i ib0": Wait("ib0"),
    # lines from real scripts
    "br1 7187a6f56000 192.168.1.1/24": attach("br1", "7187a6f56000", static("192.168.1.1/24")),
    "eno1 -i eth0 jenkins 10.61.9.23/24@10.61.9.1": attach(
        "eno1", "jenkins", static("10.61.9.23/24", "10.61.9.1"), ifname="eth0"
    ),
    "lxcbr0 -i eth0 test_container4 dhcp": attach("lxcbr0", "test_container4", Dhcp("dhcp", (), False), ifname="eth0"),
    "p13p1 gitlab-instance udhcpc-f 9e:01:b2:2b:08:62": attach(
        "p13p1", "gitlab-instance", Dhcp("udhcpc", (), True), mac="9e:01:b2:2b:08:62"
    ),
    "eth0 c0ffee dhclient-f U:fixedMac": attach("eth0", "c0ffee", Dhcp("dhclient", (), True), mac="02:21:9f:a9:40:ff"),
    "--direct-phys ens4f0 LanCache 192.168.1.101/32": attach(
        "ens4f0", "LanCache", static("192.168.1.101/32"), direct_phys=True
    ),
    "bond0 %p 172.16.0.11/19@172.16.31.250 @16": attach(
        "bond0", "%p", static("172.16.0.11/19", "172.16.31.250"), tag=Tag("16")
    ),
    "br101 -i eth01 ovsid 0/0": attach("br101", "ovsid", static(None), ifname="eth01"),
    "br0 -i eth200 200 192.168.100.200/24@192.168.100.1": attach(
        "br0", "200", static("192.168.100.200/24", "192.168.100.1"), ifname="eth200"
    ),
    "br0 -i eth0 haproxy 172.14.2.73/32@172.14.2.13": attach(
        "br0", "haproxy", static("172.14.2.73/32", "172.14.2.13"), ifname="eth0"
    ),
    "--direct-phys p1p2_6 -l ens4 cid 192.168.1.6/24@192.168.1.1": attach(
        "p1p2_6", "cid", static("192.168.1.6/24", "192.168.1.1"), local_name="ens4", direct_phys=True
    ),
    "--direct-phys mac:00:1b:21:aa:bb:cc -i n6 upf 10.0.0.2/24": attach(
        "mac:00:1b:21:aa:bb:cc", "upf", static("10.0.0.2/24"), ifname="n6", direct_phys=True
    ),
    "mac:00:1b:21:aa:bb:cc -i vmctrl vm7 255.255.255.7/32": attach(
        "mac:00:1b:21:aa:bb:cc", "vm7", static("255.255.255.7/32"), ifname="vmctrl"
    ),
    "enp68s0 -i eth1 h211 10.1.2.11/16 aa:aa:aa:2:b:1": attach(
        "enp68s0", "h211", static("10.1.2.11/16"), ifname="eth1", mac="aa:aa:aa:02:0b:01"
    ),
    "tc h3 qdisc add dev eth1 root netem rate 1gbit": Passthrough(
        "tc", "h3", tuple(["qdisc", "add", "dev", "eth1", "root", "netem", "rate", "1gbit"])
    ),
    "enp2s0f0 key 10.1.24.7/23@10.1.24.254": attach("enp2s0f0", "key", static("10.1.24.7/23", "10.1.24.254")),
}


@pytest.mark.parametrize("line", LINES)
def test_means(line: str) -> None:
    """A well-formed line means exactly this request."""
    assert request(line) == LINES[line]


@pytest.mark.parametrize("client", ["dhcp", "udhcpc", "udhcpc-f", "dhclient", "dhclient-f", "dhcpcd"])
def test_dhcp_client(client: str) -> None:
    """Every DHCP client goes with and without options; -f says that it stays."""
    plain, stays = client.replace("-f", ""), client.endswith("-f")
    assert parse_addresses(client) == (Dhcp(plain, (), stays),)
    assert parse_addresses(f"{client}:") == (Dhcp(plain, (), stays),)
    assert parse_addresses(f"{client}:-t 5  -A 3") == (Dhcp(plain, ("-t", "5", "-A", "3"), stays),)
    assert parse_addresses(f"{client}:-x 0x3d:aabb") == (Dhcp(plain, ("-x", "0x3d:aabb"), stays),)


@pytest.mark.parametrize(
    "options",
    [
        "-i e1 -l h1 -a 4",
        "-i e1 -a 4 -l h1",
        "-l h1 -i e1 -a 4",
        "-l h1 -a 4 -i e1",
        "-a 4 -i e1 -l h1",
        "-a 4 -l h1 -i e1",
    ],
)
def test_option_order(options: str) -> None:
    """-i, -l and -a may stand in any order."""
    assert request(f"br0 {options} web 10.0.0.2/24") == attach(
        "br0", "web", static("10.0.0.2/24"), ifname="e1", local_name="h1"
    )


def test_empty_option_is_the_default() -> None:
    """A script's empty variable behind -i or -l means the default."""
    assert parse(["br0", "-i", "", "-l", "", "web", "0/0"], nothing_there) == attach("br0", "web", static(None))
    assert parse(["--wait", "-i", ""], nothing_there) == Wait("eth1")


def test_empty_last_argument_is_none() -> None:
    """A script's empty variable in the MAC's place means no MAC."""
    assert parse(["br0", "web", "0/0", ""], nothing_there) == attach("br0", "web", static(None))


@pytest.mark.parametrize("name", ["ls", "del", "gc"])
def test_own_verb_only_where_no_link_has_the_name(name: str) -> None:
    """ls, del and gc are HOSTIF where the host has a link of that name: old scripts come first."""
    assert request(f"{name} web 0/0", {name}.__contains__) == attach(name, "web", static(None))


@pytest.mark.parametrize("rest", [[], ["br0"], ["--all"], ["-i"], [""]])
def test_help_and_version(rest: list[str]) -> None:
    """--help, -h and --version are answered, whatever follows."""
    assert parse(["--help", *rest], nothing_there) == Help()
    assert parse(["-h", *rest], nothing_there) == Help()
    assert parse(["--version", *rest], nothing_there) == Version()


@pytest.mark.parametrize("name", ["route", "rule", "tc", "tc0", "routed", "rules"])
def test_verb_only_where_no_link_has_the_name(name: str) -> None:
    """route, rule and tc are HOSTIF where the host has a link of that name."""
    assert isinstance(request(f"{name} web 10.0.0.2/24"), Passthrough)
    assert request(f"{name} web 10.0.0.2/24", {name}.__contains__) == attach(name, "web", static("10.0.0.2/24"))


@pytest.mark.parametrize(
    ("text", "mac"),
    [
        ("U:myhost.foo.com", "02:72:6c:cd:9b:8d"),
        ("U:münchen", "02:2c:b1:37:cf:2b"),
        ("U:U:", "02:5b:4d:bb:41:44"),
        ("aa:aa:aa:2:b:1", "aa:aa:aa:02:0b:01"),
        ("0:1:2:3:4:5", "00:01:02:03:04:05"),
        ("AA:BB:CC:DD:EE:FE", "aa:bb:cc:dd:ee:fe"),
    ],
)
def test_mac(text: str, mac: str) -> None:
    """A MAC comes out in full; U: is 02 and the first five octets of md5(STRING and a newline)."""
    assert parse_mac(text) == mac


@pytest.mark.parametrize(("text", "vlan"), [("1", 1), ("16", 16), ("0100", 100), ("4094", 4094)])
def test_vlan(text: str, vlan: int) -> None:
    """A VLAN id is decimal, 1 to 4094."""
    assert Tag(text).vlan == vlan


@pytest.mark.parametrize("text", ["0", "4095", "65535", "8fff", "a"])
def test_no_vlan(text: str) -> None:
    """What is no VLAN id is refused once HOSTIF shows that one is meant."""
    with pytest.raises(BadArgument, match=f"VLAN @{text} is not a VLAN id\n.*from 1 to 4094"):
        _ = Tag(text).vlan


@pytest.mark.parametrize(("text", "pkey"), [("8001", 0x8001), ("1", 1), ("ffff", 0xFFFF), ("FFFF", 0xFFFF)])
def test_pkey(text: str, pkey: int) -> None:
    """A partition key is hexadecimal, 1 to ffff."""
    assert Tag(text).pkey == pkey


@pytest.mark.parametrize("text", ["0", "10000", "ffffffffffffffff"])
def test_no_pkey(text: str) -> None:
    """A partition key out of range is refused once HOSTIF shows that one is meant."""
    with pytest.raises(BadArgument, match=f"partition key @{text} is out of range\n.*@8001"):
        _ = Tag(text).pkey


# words -> what the error names, and what it offers
MALFORMED: list[tuple[list[str], str, str]] = [
    # seen in the wild
    (["br0", "web", "192.168.1.2/24@192.168.1.1/24"], "gateway 192.168.1.1/24 must be a plain address", "@192.168.1.1"),
    (["br0", "web", "10.0.0.2/24", "@00:11:22:33:44:50"], "@00:11:22:33:44:50 is a MAC", "00:11:22:33:44:50"),
    (["eth0:3", "web", "10.0.0.2/24"], "'eth0:3' is an alias of eth0", "Use eth0"),
    # addresses
    (["br0", "web", "10.0.0.2"], "10.0.0.2 has no netmask", "Maybe you meant 10.0.0.2/24 ?"),
    (["br0", "web", "10.0.0.2@10.0.0.1"], "10.0.0.2 has no netmask", "Maybe you meant 10.0.0.2/24@10.0.0.1 ?"),
    (["br0", "web", "2001:db8::2"], "2001:db8::2 has no netmask", "Maybe you meant 2001:db8::2/64 ?"),
    (["br0", "web", "10.0.0.256/24"], "10.0.0.256/24 is not an address with a netmask", "IP/PREFIX"),
    (["br0", "web", "10.0.0.2/33"], "10.0.0.2/33 is not an address", "IP/PREFIX"),
    (["br0", "web", "10.0.0.2/-1"], "10.0.0.2/-1 is not an address", "IP/PREFIX"),
    (["br0", "web", "10.0.0.2/"], "10.0.0.2/ is not an address", "IP/PREFIX"),
    (["br0", "web", "/24"], "/24 is not an address", "IP/PREFIX"),
    (["br0", "web", "10.0.0.2/24/24"], "10.0.0.2/24/24 is not an address", "IP/PREFIX"),
    (["br0", "web", "2001:db8::2/129"], "2001:db8::2/129 is not an address", "IP/PREFIX"),
    (["br0", "web", "10.0.0.2/0.0.0.255"], "0.0.0.255 is no netmask", "Did you mean /24?"),
    (["br0", "web", "10.0.0.2/255.0.255.0"], "is not an address with a netmask", "IP/PREFIX"),
    (["br0", "web", "fe80::2%eth1/64"], "fe80::2%eth1/64 names a zone", "Leave out '%'"),
    (["br0", "web", "1٣.0.0.2/24"], "is not an address with a netmask", "IP/PREFIX"),
    (["br0", "web", "10.0.0.2/٢٤"], "is not an address with a netmask", "IP/PREFIX"),
    (["br0", "web", "web.example.com/24"], "web.example.com/24 is not an address", "IP/PREFIX"),
    (["br0", "web", "dhcpd"], "'dhcpd' is neither an address with a netmask nor a DHCP client", "udhcpc-f"),
    (["br0", "web", "dhcp-f"], "'dhcp-f' is neither", "dhclient-f"),
    (["br0", "web", "DHCP"], "'DHCP' is neither", "dhcp"),
    (["br0", "web", "dhclient-f-f:x"], "'dhclient-f-f:x' is neither", "dhclient-f"),
    # gateways
    (["br0", "web", "10.0.0.2/24@gw"], "gateway 'gw' is not an IP address", "IP/PREFIX@GATEWAY"),
    (["br0", "web", "10.0.0.2/24@10.0.0.1@7"], "gateway '10.0.0.1@7' is not an IP address", "IP/PREFIX@GATEWAY"),
    (["br0", "web", "10.0.0.2/24@1٣.0.0.1"], "is not an IP address", "IP/PREFIX@GATEWAY"),
    (["br0", "web", "10.0.0.2/24@fe80::1"], "gateway fe80::1 is IPv6, but 10.0.0.2/24 is IPv4", "IPv4 gateway"),
    (["br0", "web", "2001:db8::2/64@10.0.0.1"], "gateway 10.0.0.1 is IPv4", "IPv6 gateway"),
    (["br0", "web", "fd00::2/64@fe80::1%eth1"], "gateway fe80::1%eth1 must be a plain address", "@fe80::1"),
    (["br0", "web", "10.0.0.2/24@10.0.0.2"], "gateway 10.0.0.2 is the guest's own address", "router"),
    *(
        (["br0", "web", f"10.0.0.2/24@{gateway}"], f"gateway {gateway} cannot be a router's address", "router's own")
        for gateway in ("224.0.0.1", "127.0.0.1", "0.0.0.0")
    ),
    *(
        (["br0", "web", f"fd00::2/64@{gateway}"], f"gateway {gateway} cannot be a router's address", "router's own")
        for gateway in ("ff02::1", "::1", "::")
    ),
    # families
    (["br0", "-a", "6", "web", "10.0.0.2/24"], "-a 6 does not go with the IPv4 address 10.0.0.2/24", "Leave -a out"),
    (["br0", "-a", "4", "web", "fd00::2/64"], "-a 4 does not go with the IPv6 address fd00::2/64", "Leave -a out"),
    (["br0", "-a", "6", "web", "0/0@10.0.0.1"], "-a 6 does not go with the IPv4 address", "Leave -a out"),
    (["br0", "-a", "5", "web", "10.0.0.2/24"], "-a '5' is not an address family", "-a 4 or -a 6"),
    (["br0", "-a", "٤", "web", "10.0.0.2/24"], "-a '٤' is not an address family", "-a 4 or -a 6"),
    (["br0", "-a", "", "web", "10.0.0.2/24"], "-a '' is not an address family", "-a 4 or -a 6"),
    # MACs
    (["br0", "web", "0/0", "02:42:ac:11:00"], "'02:42:ac:11:00' is not a MAC address", "six octets"),
    (["br0", "web", "0/0", "02:42:ac:11:00:02:03"], "is not a MAC address", "six octets"),
    (["br0", "web", "0/0", "02:42:ac:11:00:zz"], "is not a MAC address", "six octets"),
    (["br0", "web", "0/0", "02:42:ac:11:00:002"], "is not a MAC address", "six octets"),
    (["br0", "web", "0/0", "02:42:ac:11::02"], "is not a MAC address", "six octets"),
    (["br0", "web", "0/0", "02-42-ac-11-00-02"], "is not a MAC address", "six octets"),
    (["br0", "web", "0/0", "٣2:42:ac:11:00:02"], "is not a MAC address", "six octets"),
    (["br0", "web", "0/0", "u:web"], "'u:web' is not a MAC address", "U:STRING"),
    (["br0", "web", "0/0", "U:"], "U: has no string", "U:web1.example.com"),
    (["br0", "web", "0/0", "U:@7"], "U: has no string", "U:web1.example.com"),
    (["br0", "web", "0/0", "01:00:5e:00:00:01"], "01:00:5e:00:00:01 is a multicast", "must be even"),
    (["br0", "web", "0/0", "ff:ff:ff:ff:ff:ff"], "ff:ff:ff:ff:ff:ff is a multicast or broadcast", "must be even"),
    (["br0", "web", "0/0", "00:00:00:00:00:00"], "is not a host's address", "U:STRING"),
    # VLANs and partition keys
    (["eth0", "web", "0/0", "@ten"], "VLAN @ten is not a VLAN id", "from 1 to 4094"),
    (["eth0", "web", "0/0", "@-1"], "VLAN @-1 is not a VLAN id", "from 1 to 4094"),
    (["eth0", "web", "0/0", "@1.5"], "VLAN @1.5 is not a VLAN id", "from 1 to 4094"),
    (["eth0", "web", "0/0", "@ 7"], "VLAN @ 7 is not a VLAN id", "from 1 to 4094"),
    (["eth0", "web", "0/0", "@٣"], "VLAN @٣ is not a VLAN id", "from 1 to 4094"),
    (["eth0", "web", "0/0", "@0x8001"], "VLAN @0x8001 is not a VLAN id", "from 1 to 4094"),
    (["eth0", "web", "0/0", "@7@8"], "VLAN @7@8 is not a VLAN id", "from 1 to 4094"),
    (["eth0", "web", "0/0", "@" + "1" * 5000], "is not a VLAN id", "from 1 to 4094"),
    # words too many
    (["eth0", "web", "0/0", MAC, "7"], "unexpected argument '7'", "MAC@VLAN"),
    (["eth0", "web", "0/0", "@7", MAC], f"unexpected argument '{MAC}'", "MAC@VLAN"),
    (["eth0", "web", "0/0", f"{MAC}@7", "@8"], "unexpected argument '@8'", "MAC@VLAN"),
    (["eth0", "web", "0/0", MAC, "@7", "more"], "unexpected argument 'more'", "MAC@VLAN"),
    # names
    (["b" * 128, "web", "0/0"], f"HOSTIF '{'b' * 128}' is not a valid ifname", "1 to 15 characters"),
    (["br/0", "web", "0/0"], "HOSTIF 'br/0' is not a valid ifname", "'/'"),
    (["", "web", "0/0"], "HOSTIF '' is not a valid ifname", "1 to 15 characters"),
    ([".", "web", "0/0"], "HOSTIF '.' is not a valid ifname", "1 to 15 characters"),
    (["..", "web", "0/0"], "HOSTIF '..' is not a valid ifname", "1 to 15 characters"),
    (["br0", "-i", "eth0123456789abc", "web", "0/0"], "-i 'eth0123456789abc' is not a valid ifname", "1 to 15"),
    (["br0", "-l", "eth0123456789abc", "web", "0/0"], "-l 'eth0123456789abc' is not a valid ifname", "1 to 15"),
    (["br0", "-i", "éééééééé", "web", "0/0"], "-i 'éééééééé' is not a valid ifname", "1 to 15"),
    (["br0", "-i", "a b", "web", "0/0"], "-i 'a b' is not a valid ifname", "without spaces"),
    (["br0", "-i", "eth0:1", "web", "0/0"], "-i 'eth0:1' is not a valid ifname", "':'"),
    (["br0", "-i", "eth%d", "web", "0/0"], "-i 'eth%d' is not a valid ifname", "'%'"),
    (["br0", "-i", "a\nb", "web", "0/0"], "-i 'a\\nb' is not a valid ifname", "1 to 15"),
    (["br0", "-i", "a\x1b[2J", "web", "0/0"], "-i 'a\\x1b[2J' is not a valid ifname", "1 to 15"),
    (["mac:02:42:ac:11:00", "web", "0/0"], "'mac:02:42:ac:11:00' is not a MAC address", "mac: and six octets"),
    (["mac:", "web", "0/0"], "'mac:' is not a MAC address", "mac: and six octets"),
    (["br0", "", "0/0"], "GUEST is empty", "docker ps"),
    # options
    (["br0", "-i", "a", "-i", "b", "web", "0/0"], "-i is given twice", ""),
    (["--wait", "eth1"], "--wait does not take 'eth1'", "pipework --wait -i IFNAME"),
    (["--wait", "-l", "x"], "--wait does not take '-l'", "pipework --wait -i IFNAME"),
    (["--wait", "-i", "eth1", "more"], "--wait does not take 'more'", "pipework --wait -i IFNAME"),
    (["--wait", "-i", "eth/1"], "-i 'eth/1' is not a valid ifname", "1 to 15"),
    (["br0", "web", "-i", "eth0", "0/0"], "-i stands behind GUEST", "pipework br0 -i ... web ADDRESS"),
    (["br0", "--keep", "web", "0/0"], "--keep stands behind HOSTIF", "pipework --keep br0 ..."),
    (["br0", "web", "--replace", "0/0"], "--replace stands behind GUEST", "pipework --replace br0 ..."),
    (["br0", "-i", "eth0", "--dry-run", "web", "0/0"], "--dry-run stands behind HOSTIF", "pipework --dry-run br0 ..."),
    # the verbs of our own
    (["ls", "web", "db"], "ls does not take 'db'", "--help"),
    (["ls", "--all"], "ls does not take --all", "--json"),
    (["ls", ""], "GUEST is empty", "pipework ls"),
    (["--direct-phys", "ls"], "ls does not take --direct-phys", "--help"),
    (["del", "web", "db"], "del does not take 'db'", "--help"),
    (["del", "web", "--json"], "del does not take --json", "--if-exists"),
    (["del", "", "--all"], "GUEST is empty", "pipework ls"),
    (["del", "web", "-i", "eth0", "--all"], "-i and --all do not go together", "Leave one"),
    (["del", "web", "-i", "eth/0"], "-i 'eth/0' is not a valid ifname", "1 to 15"),
    (["--replace", "del", "web"], "del does not take --replace", "--help"),
    (["del", "web", "-i", "eth0", "-i", "eth2"], "-i is given twice", ""),
    (["--all", "del", "web"], "--all stands before del", "pipework del --all"),
    (["-l", "v1", "br0", "web", "0/0"], "-l stands before HOSTIF", "pipework HOSTIF -l LOCALNAME GUEST ADDRESS"),
    (["--nothing", "br0", "web", "0/0"], "there is no option --nothing", "--help"),
    (["gc", "web"], "gc does not take 'web'", "--help"),
    # the tools' verbs would do for real what was to be rehearsed
    (["--dry-run", "tc", "web", "qdisc"], "tc does not take --dry-run", "--help"),
    (["--replace", "route", "web", "show"], "route does not take --replace", "--help"),
    (["route", "", "show"], "GUEST is empty", "docker ps"),
    # NUL bytes, which no program can be given
    (["br0", "we\0b", "0/0"], "NUL byte", ""),
    (["br0", "web", "10.0.0.2/24\0"], "NUL byte", ""),
    (["tc", "web", "qdisc\0"], "NUL byte", ""),
]


@pytest.mark.parametrize(("words", "names", "offers"), MALFORMED, ids=lambda value: repr(value)[:60])
def test_malformed(words: list[str], names: str, offers: str) -> None:
    """A malformed line is refused with exit 1 by an error that names the part and offers the fix."""
    error = refusal(words)
    assert isinstance(error, BadArgument)
    assert error.exit_code == 1
    assert names in error.message
    assert offers in error.hint


def test_refused_before_guest_is_known() -> None:
    """Words that scripts match are in the messages: 'netmask' and 'not a valid ifname'."""
    assert "netmask" in str(refusal(["br0", "web", "10.0.0.2"]))
    assert "not a valid ifname" in str(refusal(["br0", "-i", "container0.longer", "web", "0/0"]))


@pytest.mark.parametrize(
    ("words", "missing"),
    [
        ([], "HOSTIF is missing"),
        (["--direct-phys"], "HOSTIF is missing"),
        (["br0"], "GUEST is missing"),
        (["br0", "-i", "eth0"], "GUEST is missing"),
        (["br0", "-i"], "-i needs a value"),
        (["br0", "-l"], "-l needs a value"),
        (["br0", "-a"], "-a needs a value"),
        (["--wait", "-i"], "-i needs a value"),
        (["br0", "web"], "ADDRESS is missing"),
        (["br0", "-i", "eth0", "web"], "ADDRESS is missing"),
        (["br0", "web", ""], "ADDRESS is empty"),
        (["br0", "web", "", MAC], "ADDRESS is empty"),
        (["del"], "GUEST is missing"),
        (["del", "--all"], "GUEST is missing"),
        (["del", "web", "-i"], "-i needs a value"),
        (["--replace"], "HOSTIF is missing"),
        (["route", "web"], "ARGUMENT is missing"),
        (["tc", "web"], "ARGUMENT is missing"),
        (["uplink"], "BRIDGE is missing"),
        (["uplink", "br0"], "NIC is missing"),
        (["apply"], "FILE is missing"),
        (["hook"], "ACTION is missing"),
    ],
)
def test_too_few(words: list[str], missing: str) -> None:
    """Too few words are a matter of usage, and the error says which word is missing."""
    error = refusal(words)
    assert isinstance(error, UsageError)
    assert error.exit_code == 1
    assert error.message == missing


@pytest.mark.parametrize(
    "line", ["br0 web", "route web", "wire web 10.0.0.1/30", "uplink", "uplink br0", "apply", "hook"]
)
def test_line_that_is_whole(line: str) -> None:
    """Behind what was typed the error has an example of what is missing."""
    assert f"For example: pipework {line} " in str(refusal(line.split()))


@pytest.mark.parametrize(
    ("line", "meant"),
    [
        ("dell web", "Maybe you meant: pipework del web"),
        ("--dry-run dell web", "Maybe you meant: pipework --dry-run del web"),
        ("lss", "Maybe you meant: pipework ls"),
        ("hooks status", "Maybe you meant: pipework hook status"),
        ("replace br0", "Maybe you meant: pipework --replace br0"),
        ("br0", "For example: pipework br0 web 192.168.1.100/24"),
        ("--dry-run br0 -i eth2 web", "For example: pipework --dry-run br0 -i eth2 web 192.168.1.100/24"),
        ("eth0 web", "For example: pipework eth0 web 192.168.1.100/24"),
        ("uplink --undo", "For example: pipework uplink --undo br0 eth0"),
        ("del --all", "For example: pipework del --all web"),
    ],
)
def test_line_that_may_be_meant(line: str, meant: str) -> None:
    """Where words are missing the line is told as it may be meant, with all that was typed, options too."""
    assert str(refusal(line.split())).endswith(f"\n{meant}")


def test_interface_like_a_verb() -> None:
    """An interface that is there is no mistyped verb."""
    with pytest.raises(UsageError, match="For example: pipework gc0 web 192"):
        parse(["gc0"], {"gc0"}.__contains__)


def test_control_characters_are_escaped() -> None:
    """What the user's words would do to a terminal is shown, not done; only our own line ends stay."""
    text = str(refusal(["br0", "web", "10.0.0.2/24@\x1b[2Jgw\r\n\x07\u202e"]))
    assert text.count("\n") == 1
    assert all(character.isprintable() or character == "\n" for character in text)
    assert "\\x1b[2Jgw" in text

"""The lines to compare, as data.

A row's words may name {guest}, {other} (a second guest), {cid} and {shortid} (the guest's id), {pid}, {nic}, {nicmac}
and {reserved} (the MAC for which the DHCP server keeps an address).
To add a line, add a row; to add something that a host must have first, add a stage to stages.py.
"""

from __future__ import annotations

from typing import NamedTuple


class Row(NamedTuple):
    """One command line on one kind of host.

    on: the stage, see stages.py.  first: what happens before, each a line of pipework through the same program or,
    after "$ ", a command on the host.  mac: what the guest's link must have where the line gives a MAC.
    ping: an address that the first guest pings afterwards.  better: why ours differs in the parts of the state that
    differs names; every other part must be the same, and these must not.  heard: what the LAN hears of the guest's
    address counts, too.  vm: wants a distribution kernel.  fails: what the original says where it has lost a race
    against itself; it may try again.
    """

    line: str
    on: str = "host"
    first: tuple[str, ...] = ()
    mac: str = ""
    ping: str = ""
    better: str = ""
    differs: tuple[str, ...] = ()
    heard: bool = False
    vm: bool = False
    fails: str = ""

    @property
    def title(self) -> str:
        """The line, and where it runs unless that is a plain host."""
        return f"{self.line or '(no words)'}{f' [{self.on}]' if self.on != 'host' else ''}"


LAN = "$ ip link add lan mtu 1400 type bridge", "$ ip link set lan up"
DEBRIS = "what had been made before it failed is gone again"
NO_BROADCAST = "/31 and /32 have no broadcast address"
UNTOUCHED = "refused before anything is touched"
NEIGHBOURS = "neighbours reach each other though Docker drops what is forwarded"
LONG_NAME = "a longer name gets a shorter one on the host"
IPV6 = "IPv6 works where busybox is installed"
FAMILY = "the family is taken from the address, and goes by its names"
ANY_ORDER = "options stand in any order"
TWO_WORDS = "a VLAN after a MAC counts as a word of its own, too"
LEASE = "exit 0 exactly when there is a lease"
FILES = "no file of the host changes"
SCRIPT = "the official image has no script for its client, which is brought along"
NAME = "the server is told the guest's name"
# Parts of the state.
ADDRESSES, ROUTES, ROUTES6, QUEUES = "guest addresses", "guest routes", "guest routes6", "guest queues"
INSIDE, OUTSIDE, NAMESPACES = "guest links", "host links", "namespaces"
EXIT_TELLS = "exit tells"
WRITTEN = "resolver", "files"
WIRING = OUTSIDE, INSIDE, ADDRESSES, ROUTES, QUEUES

BRIDGES = [
    Row("br1 {guest} 192.168.1.1/24"),
    Row("br1 {cid} 192.168.1.1/24"),
    Row("br1 {shortid} 192.168.1.1/24"),
    Row("br0 -i eth200 {guest} 192.168.100.200/24@192.168.100.1", on="number"),
    Row("lan {guest} 192.168.1.1/24", first=LAN),
    Row("br0 -i eth0 {guest} 10.61.9.23/24@10.61.9.1"),
    Row("br0 {guest} 172.14.2.73/24@172.14.9.13"),
    Row("br0 -i eth0 {guest} 172.14.2.73/32@172.14.2.13", better=NO_BROADCAST, differs=(ADDRESSES,)),
    Row("br0 {guest} 10.1.2.4/31", better=NO_BROADCAST, differs=(ADDRESSES,)),
    Row("br101 -i eth01 {guest} 0/0"),
    Row("br0 {guest} 10.1.2.11/16 02:42:ac:11:00:02", mac="02:42:ac:11:00:02"),
    Row("br0 {guest} 10.1.2.11/16 aa:aa:aa:2:b:1", mac="aa:aa:aa:02:0b:01"),
    Row("br0 {guest} 10.1.2.11/16 U:myhost.foo.com", mac="02:72:6c:cd:9b:8d"),
    Row("br0 -l web0 {guest} 10.1.2.11/16"),
    Row("br0 -i data0 -l web0 -a 4 {guest} 10.1.2.11/16"),
    Row("br0 -i eth1 {guest} 10.2.0.2/24@10.2.0.1", first=("br0 -i eth0 {guest} 10.1.0.2/24@10.1.0.1",)),
    Row("br0 {guest} 10.1.0.3/24", first=("br0 {guest} 10.1.0.2/24",), better=DEBRIS, differs=(NAMESPACES,)),
    Row("br0 -l web0 {guest} 10.1.0.3/24", first=("br0 -l web0 {guest} 10.1.0.2/24", "$ ip link set web0 down")),
    Row(
        "br0 -l web1 {guest} 10.1.0.3/24",
        first=("br0 -l web0 {guest} 10.1.0.2/24",),
        better=DEBRIS,
        differs=(OUTSIDE, INSIDE, NAMESPACES),
    ),
    Row(
        "br0 {guest} 10.1.0.2/24",
        first=("br0 {other} 10.1.0.3/24",),
        ping="10.1.0.3",
        better=NEIGHBOURS,
        differs=("ping",),
    ),
    Row(
        "br0 -i container0 {guest} 10.1.0.2/24",
        better=LONG_NAME,
        differs=("exit", "texts", OUTSIDE, INSIDE, ADDRESSES, ROUTES, QUEUES, NAMESPACES),
    ),
    Row(
        "br0 -a 6 {guest} fd00:1::2/64@fd00:1::1",
        better=IPV6,
        differs=("exit", INSIDE, ADDRESSES, ROUTES6, QUEUES, NAMESPACES),
    ),
    Row("br0 {guest} fd00:1::2/64", better=FAMILY, differs=("exit", INSIDE, ADDRESSES, ROUTES6, QUEUES, NAMESPACES)),
    Row(
        "br0 -a inet {guest} 10.1.0.2/24",
        better=FAMILY,
        differs=("exit", INSIDE, ADDRESSES, ROUTES, QUEUES, NAMESPACES),
    ),
    Row("br0 -a 4 -l web0 -i data0 {guest} 10.1.0.2/24", better=ANY_ORDER, differs=("exit", *WIRING)),
    Row("br0 {guest} 10.1.0.2/24", on="LXC", better="LXC itself is asked", differs=("exit", *WIRING)),
]

NICS = [
    Row("{nic} {guest} 192.168.77.5/24", on="nic", ping="192.168.77.1"),
    Row("{nic} -i eth0 {guest} 192.168.77.23/24@192.168.77.1", on="nic", ping="192.168.77.1"),
    Row("{nic} -i eth1 {guest} 192.168.77.11/24 aa:aa:aa:2:b:1", on="nic", mac="aa:aa:aa:02:0b:01"),
    Row("{nic} {guest} 0/0", on="nic"),
    Row("{nic} {guest} 192.168.77.5/24", on="nic", first=("$ ip link set {nic} down",)),
    Row("{nic} {guest} 192.168.77.5/24", on="nic", first=("$ ip link set {nic} mtu 1400",)),
    Row("{nic} -i eth2 {guest} 192.168.77.6/24", on="nic", first=("{nic} {guest} 192.168.77.5/24",)),
    Row(
        "{nic} {guest} 192.168.77.6/24",
        on="nic",
        first=("{nic} {guest} 192.168.77.5/24",),
        better=DEBRIS,
        differs=(INSIDE, NAMESPACES),
    ),
    Row("mac:{nicmac} -i vmctrl {guest} 192.168.77.7/24", on="nic", ping="192.168.77.1"),
    Row("mac:{nicmac} -i vmctrl {guest} 255.255.255.7/32", on="nic", better=NO_BROADCAST, differs=(ADDRESSES,)),
    Row("{nic} {guest} 10.1.24.7/23@10.1.24.254", on="nic"),
    Row("{nic} {guest} 192.168.77.5/24 02:42:ac:11:00:02", on="nic", mac="02:42:ac:11:00:02", heard=True),
    Row("--direct-phys {nic} {guest} 192.168.77.101/24", on="nic", ping="192.168.77.1"),
    Row("--direct-phys {nic} {guest} 192.168.1.101/32", on="nic", better=NO_BROADCAST, differs=(ADDRESSES,)),
    Row("{nic} --direct-phys {guest} 192.168.77.101/24", on="nic", better=ANY_ORDER, differs=("exit", *WIRING)),
    Row("--direct-phys {nic} -l ens4 {guest} 192.168.77.6/24@192.168.77.1", on="nic"),
    Row("--direct-phys mac:{nicmac} -i n6 {guest} 192.168.77.2/24", on="nic", ping="192.168.77.1"),
    Row("--direct-phys {nic} {guest} 192.168.77.101/24 02:42:ac:11:00:02", on="nic", mac="02:42:ac:11:00:02"),
]

WIRED = ("br0 {guest} 10.1.0.2/24",)
VERBS = [
    Row("route {guest} show", first=WIRED),
    Row("route4 {guest} show", first=WIRED),
    Row("route {guest} add 10.8.0.0/16 via 10.1.0.1", first=WIRED),
    Row("route {guest} add 10.8.0.0/16 via 10.99.0.1", first=WIRED, better=DEBRIS, differs=(NAMESPACES,)),
    Row("route {guest} nonsense", better=DEBRIS, differs=(NAMESPACES,)),
    Row("rule {guest} show"),
    Row("rule {guest} add from 10.1.0.2 table 7 priority 100", first=WIRED),
    Row("rule {guest} add from nonsense", better=DEBRIS, differs=(NAMESPACES,)),
    Row("tc {guest} qdisc show", first=WIRED),
    Row("tc {guest} qdisc add dev eth1 root tbf rate 1mbit burst 32kbit latency 400ms", first=WIRED),
    Row(
        "tc {guest} qdisc add dev eth9 root tbf rate 1mbit burst 32kbit latency 400ms",
        better=DEBRIS,
        differs=(NAMESPACES,),
    ),
    Row("tc {guest} nonsense", better=DEBRIS, differs=(NAMESPACES,)),
    Row("--wait -i lo"),
    Row("--wait", first=("$ ip link add eth1 up type veth peer name far1", "$ ip link set far1 up")),
]

REFUSALS = [
    Row(""),
    Row("br0"),
    Row("br0 {guest}"),
    Row("br0 {guest} 10.1.0.2"),
    Row("br0 {guest} nonsense"),
    Row("br0 {guest} 10.1.0.2/24 @00:11:22:33:44:50"),
    Row("br0 no-such-container 10.1.0.2/24"),
    Row("nonsense0 {guest} 10.1.0.2/24"),
    Row("eth0:3 {guest} 10.1.0.2/24"),
    Row("mac:02:00:00:00:99:99 {guest} 10.1.0.2/24"),
    Row(
        "br0 -i averyveryverylongname {guest} 10.1.0.2/24",
        better=UNTOUCHED,
        differs=("exit", OUTSIDE, NAMESPACES),
    ),
    Row("br0 {guest} 10.1.0.2/33", better=UNTOUCHED, differs=(OUTSIDE, INSIDE, NAMESPACES)),
    Row("br0 {guest} 10.1.0.2/24 02:42:nonsense", better=UNTOUCHED, differs=(OUTSIDE, INSIDE, NAMESPACES)),
    Row(
        "br0 {guest} 10.1.0.2/24@10.1.0.1/24",
        better=UNTOUCHED,
        differs=(OUTSIDE, INSIDE, ADDRESSES, ROUTES, QUEUES, NAMESPACES),
    ),
]

SWITCHES = [
    Row("sw0 {guest} 192.168.1.1/24", on="switch"),
    Row("sw0 -i eth0 -l web0 {guest} 10.1.0.2/24@10.1.0.1 02:42:ac:11:00:02", on="switch", mac="02:42:ac:11:00:02"),
    Row("sw0 -i eth01 {guest} 0/0 @100", on="switch"),
    Row("sw0 {guest} 10.1.0.2/24 U:myhost.foo.com@100", on="switch", mac="02:72:6c:cd:9b:8d"),
    Row("sw0 {guest} 10.1.0.2/24 @100", on="switch", first=("sw0 {other} 10.1.0.3/24 @100",), ping="10.1.0.3"),
    Row("sw0 {guest} 10.1.0.2/24 @100", on="switch", first=("sw0 {other} 10.1.0.3/24 @200",), ping="10.1.0.3"),
    Row(
        "sw0 {guest} 10.1.0.2/24 02:42:ac:11:00:02 @100",
        on="switch",
        mac="02:42:ac:11:00:02",
        better=TWO_WORDS,
        differs=("switch",),
    ),
    Row(
        "sw0 {guest} 10.1.0.3/24", on="switch", first=("sw0 {guest} 10.1.0.2/24",), better=DEBRIS, differs=(NAMESPACES,)
    ),
    Row(
        "sw0 -l web0 {guest} 10.1.0.2/24 @100",
        on="switch",
        first=("sw0 -l web0 {other} 10.1.0.3/24 @200", "$ ip link del web0"),
        better="a dead port of an earlier guest is replaced",
        differs=("switch",),
    ),
    Row(
        "sw0 {guest} 10.1.0.2/24 @4095",
        on="switch",
        better="4095 is no VLAN id (IEEE 802.1Q)",
        differs=("exit", "switch", *WIRING),
    ),
    Row(
        "ovs1 {guest} 10.1.0.2/24 @100",
        on="kernel switch",
        first=("ovs1 {other} 10.1.0.3/24 @100",),
        ping="10.1.0.3",
        vm=True,
    ),
]

VLANS = [
    Row("{nic} {guest} 192.168.100.5/24 @100", on="vlan", ping="192.168.100.1", vm=True),
    Row(
        "{nic} {guest} 192.168.100.5/24 02:42:ac:11:00:02@100",
        on="vlan",
        first=("$ ip link add link {nic} name {nic}.100 mtu 1400 type vlan id 100",),
        mac="02:42:ac:11:00:02",
        vm=True,
        better="the MTU is that of the VLAN link, which is there",
        differs=("exit", OUTSIDE, INSIDE, ADDRESSES, ROUTES, QUEUES, NAMESPACES),
    ),
    Row(
        "{nic} {guest} 192.168.100.5/24 02:42:ac:11:00:02 @100",
        on="vlan",
        mac="02:42:ac:11:00:02",
        vm=True,
        better=TWO_WORDS,
        differs=(OUTSIDE,),
    ),
    Row("--direct-phys {nic} {guest} 192.168.100.5/24 @100", on="vlan", ping="192.168.100.1", vm=True),
    Row(
        "{nic} {guest} 192.168.100.5/24 @100",
        on="nic",
        first=("$ ip link add {nic}.100 type dummy",),
        vm=True,
        better="refused: NIC.VLAN is no VLAN link",
        differs=("exit", *WIRING),
    ),
    Row(
        "{nic} {guest} 192.168.100.5/24 @00:11:22:33:44:50",
        on="nic",
        vm=True,
        better=UNTOUCHED,
        differs=("exit", "texts", NAMESPACES),
    ),
    Row("bond0 {guest} 172.16.0.11/19@172.16.31.250 @16", first=("$ ip link add bond0 type bond",), vm=True),
    Row("br0 {guest} 10.1.0.2/24 @100", vm=True, better="a Linux bridge filters VLANs", differs=("exit", *WIRING)),
]

OTHERS = [
    Row("dummy0 {guest} 192.168.1.1/24@192.168.1.254", vm=True),
    Row("dummy0 -i lan7 {guest} 192.168.1.1/24 02:42:ac:11:00:02", mac="02:42:ac:11:00:02", vm=True),
    Row("ib0 {guest} 192.168.1.1/24", on="InfiniBand", vm=True),
    Row("ib0 -i eth1 {guest} 192.168.1.1/24 @8001", on="InfiniBand", vm=True),
    Row("ib0 {guest} 192.168.1.1/24 02:42:ac:11:00:02", on="InfiniBand", vm=True),
    Row("--direct-phys wlan0 {guest} 192.168.1.1/24", on="radio", vm=True),
    Row(
        "wlan0 {guest} 192.168.1.1/24",
        on="radio",
        vm=True,
        better="a radio speaks with one MAC only: refused",
        differs=("exit", *WIRING),
    ),
    Row("tc {guest} qdisc add dev eth1 root netem rate 1gbit", first=WIRED, vm=True),
    Row(
        "br-host -i data0 {guest} 10.1.0.2/24",
        on="machine",
        vm=True,
        better="refused: the guest is the host",
        differs=("exit", *WIRING, "host addresses", "host routes"),
    ),
]

UPLINK = "$ ip link add lxcbr0 up type bridge", "$ ip link set {nic} master lxcbr0"
LEASES = [
    Row(
        "{nic} {guest} dhcp {reserved}",
        on="dhcp",
        mac="{reserved}",
        better=SCRIPT,
        differs=(EXIT_TELLS, "leases", "clients", INSIDE, ADDRESSES, ROUTES, QUEUES),
    ),
    Row(
        "lxcbr0 -i eth0 {guest} dhcp",
        on="dhcp",
        first=UPLINK,
        better=f"{SCRIPT}; {NEIGHBOURS}",
        differs=(EXIT_TELLS, "leases", "clients", INSIDE, ADDRESSES, ROUTES, QUEUES),
    ),
    Row(
        "{nic} {guest} udhcpc {reserved}",
        on="dhcp",
        mac="{reserved}",
        better=f"{FILES}; {LEASE}; {DEBRIS}",
        differs=("exit", EXIT_TELLS, NAMESPACES, *WRITTEN),
    ),
    Row(
        "{nic} {guest} udhcpc:-Vlunch",
        on="dhcp",
        better=f"{FILES}; {LEASE}; {DEBRIS}",
        differs=("exit", EXIT_TELLS, NAMESPACES, *WRITTEN),
    ),
    Row(
        "{nic} {guest} udhcpc-f {reserved}",
        on="dhcp",
        mac="{reserved}",
        better=f"{FILES}; the client stays and renews",
        differs=("clients", *WRITTEN),
    ),
    Row(
        "{nic} {guest} dhclient",
        on="dhcp",
        better=f"{FILES}; {NAME}",
        differs=("leases", *WRITTEN),
        fails="kill:",  # it ends the client by a file that the client may not have written yet
    ),
    Row(
        "{nic} {cid} dhclient-f U:fixedMac",
        on="dhcp",
        mac="02:21:9f:a9:40:ff",
        better=f"{FILES}; {NAME}",
        differs=("leases", *WRITTEN),
    ),
    Row("{nic} {guest} dhcpcd {reserved}", on="dhcp", mac="{reserved}", better=FILES, differs=WRITTEN),
    Row(
        "{nic} {guest} udhcpc",
        on="no dhcp",
        better="ends where nobody gives a lease, all undone",
        differs=("exit", INSIDE, QUEUES, NAMESPACES),
    ),
]

ROWS = [*BRIDGES, *NICS, *SWITCHES, *VLANS, *OTHERS, *LEASES, *VERBS, *REFUSALS]

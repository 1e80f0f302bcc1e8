"""A NIC that becomes a bridge's port, with all that makes it this host's way into the network."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from errno import EBUSY, EINVAL, ELOOP, EOPNOTSUPP

from pipework.actions.base import Action
from pipework.actions.default_route import DeleteRoute
from pipework.actions.lines import address_line, ip_setting, is_the_kernels, link_names, route_line
from pipework.actions.links import gone_is_fine
from pipework.actions.stash import DeleteAddress, in_order, put_back, reach
from pipework.actions.sure import AwaitAnswer
from pipework.address import Address
from pipework.errors import KernelRefused, Refused
from pipework.kernel import ovsdb, sysfs
from pipework.kernel.bare import json_string
from pipework.kernel.guard import Asker
from pipework.kernel.namespaces import Namespace
from pipework.kernel.programs import run
from pipework.kernel.records import LinkAddress, Route
from pipework.quoting import quote

# what a link has of each family, beside its addresses, that decides what this host takes from that network
SETTINGS = {
    4: (
        *("rp_filter", "arp_filter", "arp_ignore", "arp_announce", "arp_accept", "arp_notify", "accept_redirects"),
        *("secure_redirects", "send_redirects", "accept_source_route", "accept_local", "forwarding", "log_martians"),
        *("proxy_arp", "src_valid_mark", "drop_gratuitous_arp", "drop_unicast_in_l2_multicast"),
    ),
    6: (
        *("disable_ipv6", "addr_gen_mode", "autoconf", "use_tempaddr", "forwarding", "accept_redirects", "proxy_ndp"),
        *("accept_ra_defrtr", "accept_ra_pinfo", "accept_ra_rt_info_max_plen", "accept_ra_rtr_pref", "accept_ra"),
        *("accept_source_route", "drop_unsolicited_na", "temp_valid_lft", "temp_prefered_lft"),
    ),
}
NEW = 1 << 30  # stands for the ifindex of a bridge that is still to be made, where lines are only said
NMCLI_LIMIT = 10.0  # seconds
UNMANAGED = "10 "  # NM_DEVICE_STATE_UNMANAGED
LONGEST_PAUSE = 0.05  # seconds between two looks whether somebody has answered


class Enslave(Action):
    """Make a NIC a port of a Linux bridge."""

    host: Namespace
    nic: str
    bridge: str

    def do(self) -> None:
        try:
            _set_master(self.host, self.nic, self.host.netlink.index(self.bridge))
        except KernelRefused as refusal:
            if refusal.errno not in (EBUSY, EINVAL, ELOOP, EOPNOTSUPP):
                raise
            raise Refused(
                f"{self.nic} cannot be a port of {self.bridge}: {refusal.message}",
                f"See what it is and what stands on it: ip -d link show {self.nic}; pipework ls",
            ) from None

    def undo(self) -> None:
        with gone_is_fine(self.host, self.nic):
            _set_master(self.host, self.nic, 0)

    def say(self) -> str:
        return f"ip link set dev {quote(self.nic)} master {quote(self.bridge)}"


class Release(Enslave):
    """Have a NIC be no port of a Linux bridge any more."""

    def do(self) -> None:
        _set_master(self.host, self.nic, 0)

    def undo(self) -> None:
        _set_master(self.host, self.nic, self.host.netlink.index(self.bridge))

    def say(self) -> str:
        return f"ip link set dev {quote(self.nic)} nomaster"


def _set_master(host: Namespace, nic: str, index: int) -> None:
    host.netlink.set_link(host.netlink.index(nic), IFLA_MASTER=index)


class MoveNetwork(Action):
    """Give one link of this host what another has of addresses and routes, then take it off that.

    At every moment this host has each of them somewhere.  there: addresses that the target has anyway; as_it_was:
    whether addresses and routes are as the target had them, else as the source has them.
    """

    host: Namespace
    source: str
    target: str
    addresses: tuple[LinkAddress, ...]
    routes: tuple[Route, ...]
    there: tuple[LinkAddress, ...] = ()
    as_it_was: bool = False

    def do(self) -> None:
        source, target = map(self.host.netlink.index, (self.source, self.target))
        try:
            self._give(target, self._as_of(self.target), source)
            self._take(self.source, self.addresses, source, target)
        except BaseException:
            self.undo()
            raise

    def undo(self) -> None:
        source, target = map(self.host.netlink.index, (self.source, self.target))
        self._give(source, self._as_of(self.source), target)
        self._take(self.target, self._new, target, source)

    def _as_of(self, link: str) -> Sequence[LinkAddress]:
        """The addresses for one of both."""
        is_own = link == (self.target if self.as_it_was else self.source)
        return self.addresses if is_own else [one.on(link) for one in self.addresses]

    @property
    def _new(self) -> list[LinkAddress]:
        """Of the addresses those that the target has by this alone."""
        there = {one.interface for one in self.there}
        return [one for one in self.addresses if one.interface not in there]

    def _give(self, to: int, addresses: Sequence[LinkAddress], instead_of: int) -> None:
        routes = [route.rerouted(instead_of, to) for route in self.routes]
        put_back(self.host, to, addresses, [route for route in routes if route.link], is_timed=True)
        put_back(self.host, to, (), [route for route in routes if not route.link])

    def _take(self, name: str, addresses: Sequence[LinkAddress], of: int, instead_of: int) -> None:
        for address in reversed(in_order(addresses)):
            DeleteAddress(self.host, name, address).do()
        for route in self.routes:
            DeleteRoute(self.host, route.rerouted(instead_of, of)).do()

    def say(self) -> str:
        names = link_names(self.host)
        index = next((ifindex for ifindex, name in names.items() if name == self.source), 0)
        gone = next((ifindex for ifindex, name in names.items() if name == self.target), NEW)
        names = {**names, gone: self.target}
        own = [route for route in sorted(self.routes, key=reach) if not is_the_kernels(route)]
        arriving, leaving = self._as_of(self.target), reversed(in_order(self.addresses))
        return "\n".join(
            [
                *_giving(self.host, self.target, arriving, [route.rerouted(index, gone) for route in own], names),
                *(route_line(self.host, "delete", route, names) for route in reversed(own)),
                *(f"ip address delete {one.text} dev {quote(self.source)}" for one in leaving),
            ]
        )


class PutBackNetwork(Action):
    """Give a link addresses and routes that it had, as far as it lacks them.  Nobody wants that undone."""

    host: Namespace
    link: str
    addresses: tuple[LinkAddress, ...]
    routes: tuple[Route, ...]

    def do(self) -> None:
        put_back(self.host, self.host.netlink.index(self.link), self.addresses, self.routes, is_timed=True)

    def say(self) -> str:
        return "\n".join(_giving(self.host, self.link, self.addresses, self.routes, link_names(self.host)))


def _giving(
    host: Namespace, link: str, addresses: Sequence[LinkAddress], routes: Sequence[Route], names: dict[int, str]
) -> list[str]:
    """The lines that give a link addresses and routes, as put_back does."""
    own = [route for route in sorted(routes, key=reach) if not is_the_kernels(route)]
    return [
        *(address_line(host, link, one, is_timed=True) for one in in_order(addresses)),
        *(route_line(host, "append", route, names) for route in own),
    ]


class CopySettings(Action):
    """Have a new bridge take from the network what the NIC took: accept_ra, rp_filter and the like."""

    host: Namespace
    nic: str
    bridge: str

    def do(self) -> None:
        for family, setting, value in list(self._unlike(self.bridge)):
            path = f"/proc/sys/net/ipv{family}/conf/{self.bridge}/{setting}"
            try:
                with open(path, "w", encoding="ascii") as file:
                    file.write(value)
            except FileNotFoundError:
                continue
            except OSError as error:
                raise Refused(
                    f"{path} cannot be written: {error.strerror}",
                    f"Make the bridge yourself, with the settings of {self.nic}: ip link add {self.bridge} type bridge",
                ) from None

    def _unlike(self, other: str) -> Iterator[tuple[int, str, str]]:
        """The NIC's settings that are not those of another link, or (default) of a new one."""
        for family, settings in SETTINGS.items():
            for setting in settings:
                its = sysfs.ip_setting(family, self.nic, setting)
                if its is not None and its != sysfs.ip_setting(family, other, setting):
                    yield family, setting, its

    def undo(self) -> None:
        """Nothing: they go with the bridge."""

    def say(self) -> str:
        return "\n".join(
            ip_setting(family, self.bridge, setting, value) for family, setting, value in self._unlike("default")
        )


class Unmanage(Action):
    """Have NetworkManager leave a NIC alone, with all that it has, until that is taken back or the next boot."""

    nic: str

    def do(self) -> None:
        _manage(self.nic, False)
        until = time.monotonic() + NMCLI_LIMIT
        while not _nmcli(self.nic, "-g", "GENERAL.STATE", "device", "show", self.nic).startswith(UNMANAGED):
            if time.monotonic() > until:
                self.undo()
                raise _not_let_go(self.nic, "it goes on minding it")
            time.sleep(LONGEST_PAUSE)

    def undo(self) -> None:
        _manage(self.nic, True)

    def say(self) -> str:
        return " ".join(map(quote, _managing(self.nic, False)))


class UnmanageNew(Unmanage):
    """The same of a bridge that has just been made: NetworkManager would take its addresses for none of its own.

    That does not know of it at once.
    """

    def do(self) -> None:
        until = time.monotonic() + NMCLI_LIMIT
        while run(["nmcli", "device", "show", self.nic], NMCLI_LIMIT, "network-manager").status != 0:
            if time.monotonic() > until:
                raise _not_let_go(self.nic, "it does not know it")
            time.sleep(LONGEST_PAUSE)
        super().do()

    def undo(self) -> None:
        """Nothing: it goes with the bridge."""


class Manage(Unmanage):
    """Have NetworkManager mind a NIC again."""

    def do(self) -> None:
        _manage(self.nic, True)

    def undo(self) -> None:
        _manage(self.nic, False)

    def say(self) -> str:
        return " ".join(map(quote, _managing(self.nic, True)))


def _manage(nic: str, is_managed: bool) -> None:
    _nmcli(nic, *_managing(nic, is_managed)[1:])


def _nmcli(nic: str, *words: str) -> str:
    outcome = run(["nmcli", *words], NMCLI_LIMIT, "network-manager")
    if outcome.status != 0:
        raise _not_let_go(nic, outcome.err.strip())
    return outcome.out


def _not_let_go(nic: str, why: str) -> Refused:
    return Refused(
        f"NetworkManager does not let go of {nic}: {why}",
        f"Have it make the bridge itself: nmcli connection add type bridge; or see why: nmcli device show {nic}",
    )


def _managing(nic: str, is_managed: bool) -> list[str]:
    return ["nmcli", "device", "set", nic, "managed", "yes" if is_managed else "no"]


class SetSwitchMac(Action):
    """Give the link of an Open vSwitch bridge a MAC for good; before: the one that it was given, or ""."""

    bridge: str
    mac: str
    before: str

    def do(self) -> None:
        ovsdb.vsctl(*_hwaddr(self.bridge, self.mac))

    def undo(self) -> None:
        ovsdb.vsctl(*_hwaddr(self.bridge, self.before))

    def say(self) -> str:
        return " ".join(["ovs-vsctl", *map(quote, _hwaddr(self.bridge, self.mac))])


def _hwaddr(bridge: str, mac: str) -> list[str]:
    if not mac:
        return ["--if-exists", "remove", "Bridge", bridge, "other_config", "hwaddr"]
    return ["set", "Bridge", bridge, f"other_config:hwaddr={json_string(mac)}"]


class AwaitGateways(Action):
    """See that those answer over a link that answer for the network behind it; patience: seconds for all of them."""

    host: Namespace
    link: str
    targets: tuple[Address, ...]
    patience: float

    def do(self) -> None:
        until = time.monotonic() + self.patience
        for target in self.targets:
            left = max(until - time.monotonic(), LONGEST_PAUSE)
            AwaitAnswer(self.host, self.link, target, patience=left, option="uplink", hint=self._hint).do()

    @property
    def _hint(self) -> str:
        return "All is as before.  Is it the right cable and VLAN?  For a network that takes longer: --timeout SECONDS"

    def say(self) -> str:
        return "\n".join(
            f"ping -q -c 1 -w {self.patience:g} -I {quote(self.link)} {target}  # else all goes back"
            for target in self.targets
        )


class AwaitConsent(Action):
    """Have whoever sits at the terminal say within that many seconds that all is well."""

    asker: Asker
    seconds: float

    def do(self) -> None:
        if not self.asker.agrees(self.seconds):
            raise Refused(
                f"it was not agreed to within {self.seconds:g} s, so all is as before",
                "Type it again, and press Enter when it asks; or leave more time: --confirm SECONDS",
            )

    def say(self) -> str:
        return f"# who sits at a terminal has {self.seconds:g} s to agree, else all goes back"

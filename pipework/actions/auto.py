"""IPv6 addresses that the kernel makes of what routers announce (RFC 4862), and the wait for one."""

from __future__ import annotations

from pipework.actions.addresses import SettleAddress
from pipework.actions.base import Action
from pipework.actions.lines import ipv6_setting
from pipework.address import Address
from pipework.errors import Refused
from pipework.kernel import signals, sysfs
from pipework.kernel.namespaces import Namespace
from pipework.kernel.records import IFA_F_TEMPORARY, LinkAddress
from pipework.quoting import quote
from pipework.typed import Optional

LIMIT = 15.0  # seconds: three solicitations, four between two of them (RFC 4861, 10), and the check for duplicates
# Documentation/networking/ip-sysctl.rst.  2: also where the guest forwards; 128: routes (RFC 4191) of any length
ACCEPTED = {
    "accept_ra": "2",
    "accept_ra_defrtr": "1",
    "accept_ra_pinfo": "1",
    "accept_ra_rt_info_max_plen": "128",
    "autoconf": "1",
}
METRIC = "ra_defrtr_metric"  # Linux 5.12


class AcceptRouters(Action):
    """Have a link of the guest take what routers announce: prefix, default route, routes; metric: of the default."""

    namespace: Namespace
    link: str
    metric: Optional[int]

    def do(self) -> None:
        trouble = f"{self.link} is not to take what routers announce"
        with self.namespace.entered():
            for setting, value in self._settings().items():
                is_there = sysfs.set_ipv6(self.link, setting, value, trouble)
                if setting == METRIC and not is_there:
                    raise Refused("this kernel gives a router's default route no metric", "Leave --metric out.")

    def undo(self) -> None:
        """Nothing: the settings go with the link, also to another namespace."""

    def say(self) -> str:
        lines = [ipv6_setting(self.link, setting, value) for setting, value in self._settings().items()]
        return "\n".join(self.namespace.say(line) for line in lines)

    def _settings(self) -> dict[str, str]:
        return {**ACCEPTED, METRIC: str(self.metric)} if self.metric else ACCEPTED


class SetToken(Action):
    """Choose the lower half of the addresses that a link makes; it goes with the link."""

    namespace: Namespace
    link: str
    token: Address

    def do(self) -> None:
        netlink = self.namespace.netlink
        netlink.set_token(netlink.index(self.link), self.token)

    def undo(self) -> None:
        """Nothing, as above."""

    def say(self) -> str:
        return self.namespace.say(f"ip token set {self.token} dev {quote(self.link)}")


class AwaitAuto(Action):
    """Wait until the link has an address of an announced prefix that may be used."""

    namespace: Namespace
    link: str

    def do(self) -> None:
        netlink, waited = self.namespace.netlink, 0.0
        index = netlink.index(self.link)
        while waited < LIMIT:
            made = next((one for one in netlink.addresses(index) if is_made(one)), None)
            if made:
                SettleAddress(self.namespace, self.link, made.interface).do()
                return
            signals.sleep(0.02)
            waited += 0.02
        if any(route.link == index and route.is_routers for route in netlink.routes(6)):
            raise Refused(
                f"a router answers on {self.link}, and announces no prefix to make an address of",
                "Ask its DHCP server: write dhclient:-6 in the place of auto.",
            )
        raise Refused(
            f"no router has announced itself on {self.link} within {LIMIT:.0f} s",
            "Is one there, and does it announce a prefix?  Else write the address: 2001:db8::2/64@2001:db8::1",
        )

    def undo(self) -> None:
        """Nothing: waiting changes nothing."""


def is_made(address: LinkAddress) -> bool:
    """Whether the kernel has made it of an announced prefix, to last as long as that."""
    return address.is_routers and not address.is_link_local and not address.flags & IFA_F_TEMPORARY

"""The announcement of a new address, as soon as the path to the neighbours is open."""

from __future__ import annotations

from contextlib import suppress
from ipaddress import IPv4Address

from pipework.actions.base import Action
from pipework.address import Address
from pipework.kernel import signals
from pipework.kernel.namespaces import Namespace
from pipework.kernel.packets import gratuitous_arp, unsolicited_advertisement
from pipework.quoting import quote

PATIENCE = 0.1  # seconds for the link's carrier to be noticed; microseconds to few ms in practice
ETHERNET = 1  # ARPHRD_ETHER, linux/if_arp.h


class Announce(Action):
    """Tell the neighbours once where the address lives: gratuitous ARP, or neighbour advertisement.

    A frame that cannot be sent is no failure: neighbours then find out by asking, as for any host.
    """

    namespace: Namespace
    link: str
    address: Address

    def do(self) -> None:
        netlink, waited = self.namespace.netlink, 0.0
        link = netlink.link(self.link)
        while link and not link.carrier and waited < PATIENCE:
            signals.sleep(0.0005)
            waited += 0.0005
            link = netlink.link(self.link)
        if link is None or not link.carrier or link.type != ETHERNET:
            return
        mac = bytes.fromhex(link.mac.replace(":", ""))
        with suppress(OSError):
            if isinstance(self.address, IPv4Address):
                gratuitous_arp(self.namespace, self.link, mac, self.address)
            else:
                unsolicited_advertisement(self.namespace, link.ifindex, mac, self.address)

    def undo(self) -> None:
        """Nothing: a frame cannot be called back, and neighbours forget."""

    def say(self) -> str:
        if isinstance(self.address, IPv4Address):
            # there are two programs of that name, and without carrier both fail
            return self.namespace.say(f"arping -q -U -c 1 -I {quote(self.link)} {self.address} || true")
        return ""

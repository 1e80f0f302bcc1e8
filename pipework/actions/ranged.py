"""An address of a range: kept for the guest, looked for on the wire, taken if nobody has it."""

from __future__ import annotations

from pipework.actions.addresses import AddAddress, broadcast_of
from pipework.actions.base import Action
from pipework.actions.links import gone_is_fine
from pipework.actions.sure import holder_of
from pipework.address import Interface, Range
from pipework.errors import Refused
from pipework.kernel.namespaces import Namespace
from pipework.reserved import Holder, put_back, reserve
from pipework.typed import Optional


class TakeFree(Action):
    """Give a link the first address of a range that no host of the network has.

    holder: for whom it is kept; before: what was kept for it.
    """

    namespace: Namespace
    link: str
    range: Range
    holder: Holder
    before: Optional[str]

    def do(self) -> None:
        tried = set[Interface]()
        try:
            while True:
                choice = reserve(self.holder, self.range, tried)
                if choice is None:
                    raise Refused(
                        f"no address of {self.range.text} is free", "Name more, or see who has them: ip neighbour"
                    )
                if holder_of("ADDRESS", self.namespace, self.link, (choice.ip,)) is None:
                    break
                tried.add(choice)
            AddAddress(self.namespace, self.link, choice, broadcast_of(choice)).do()
        except BaseException:
            put_back(self.holder, self.before)
            raise

    def undo(self) -> None:
        put_back(self.holder, self.before)
        with gone_is_fine(self.namespace, self.link):
            netlink = self.namespace.netlink
            index, ours = netlink.index(self.link), self.range.interfaces()
            for address in netlink.addresses(index):
                if address.interface in ours:
                    netlink.delete_address(index, address.interface)

    def say(self) -> str:
        return f"# and one of {self.range.text} that nobody answers for: RFC 5227"

"""A link that is put aside while another takes its place, and what it takes to bring it back."""

from __future__ import annotations

from errno import EADDRNOTAVAIL, EEXIST

from pipework.actions.base import Action, Together
from pipework.actions.links import RenameLink, SetAlias, SetUp, gone_is_fine, suppress_errno
from pipework.kernel.namespaces import Namespace
from pipework.kernel.records import LinkAddress, Route
from pipework.quoting import quote
from pipework.typed import Any


class TakeDown(Action):
    """Take a link down, which loses its routes and its IPv6 addresses; undone, it has them again."""

    namespace: Namespace
    name: str
    up: bool
    addresses: tuple[LinkAddress, ...]
    routes: tuple[Route, ...]

    def do(self) -> None:
        if self.up:
            SetUp(self.namespace, self.name).undo()

    def undo(self) -> None:
        with gone_is_fine():
            if self.up:
                SetUp(self.namespace, self.name).do()
            put_back(self.namespace, self.namespace.netlink.index(self.name), self.addresses, self.routes)

    def say(self) -> str:
        return self.namespace.say(f"ip link set dev {quote(self.name)} down") if self.up else ""


class Strip(TakeDown):
    """The same, and without any address."""

    def do(self) -> None:
        try:
            super().do()
            self._flush()
        except BaseException:
            self.undo()
            raise

    def undo(self) -> None:
        with gone_is_fine():
            self._flush()  # what is left of them would come first
            super().undo()

    def _flush(self) -> None:
        netlink = self.namespace.netlink
        index = netlink.index(self.name)
        for address in netlink.addresses(index):
            with suppress_errno(EADDRNOTAVAIL):  # a secondary address may go with its primary one
                netlink.delete_address(index, address.interface)

    def say(self) -> str:
        flush = self.namespace.say(f"ip address flush dev {quote(self.name)}")
        return "\n".join(filter(None, (super().say(), flush)))


class PutAside(Action):
    """Take a link that is down out of its name.

    mark: its alias meanwhile, in place of alias, by which it is known if the run is killed.
    """

    namespace: Namespace
    name: str
    spare: str
    alias: str
    mark: str

    def do(self) -> None:
        self._steps.do()

    def undo(self) -> None:
        self._steps.undo()

    @property
    def _steps(self) -> Together:
        return Together((SetAlias(self.namespace, self.name, self.mark, self.alias), self._renaming))

    @property
    def _renaming(self) -> RenameLink:
        return RenameLink(self.namespace, self.name, self.spare)

    def say(self) -> str:
        return self._renaming.say()


def put_back(namespace: Namespace, index: int, addresses: tuple[LinkAddress, ...], routes: tuple[Route, ...]) -> None:
    """Give a link the addresses and routes that it had before it went down."""
    netlink = namespace.netlink
    labels = {there.interface: there.label for there in netlink.addresses(index)}
    for address in addresses:
        if labels.get(address.interface, address.label) != address.label:
            netlink.delete_address(index, address.interface)  # a link that is renamed loses its addresses' labels
        with suppress_errno(EEXIST):  # the kernel gives a link-local address by itself
            netlink.put_back_address(index, address)
    for route in routes:
        with suppress_errno(EEXIST):  # and the routes of addresses
            netlink.put_back_route(route.replace(message=_moved(route, index)))


def _moved(route: Route, index: int) -> dict[str, Any]:
    attributes = [(key, index if key == "RTA_OIF" else value) for key, value in route.message["attrs"]]
    return {**route.message, "attrs": attributes}

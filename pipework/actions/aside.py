"""A link that is put aside while another takes its place, and what it takes to bring it back."""

from __future__ import annotations

from errno import EEXIST

from pipework.actions.links import RenameLink, SetUp, gone_is_fine, suppress_errno
from pipework.kernel.namespaces import Namespace
from pipework.kernel.records import LinkAddress, Route
from pipework.typed import Any
from pipework.value import Value


class PutAside(Value):
    """Take a link down and out of its name; undone, it has its name, its addresses and its routes again."""

    namespace: Namespace
    name: str
    spare: str
    up: bool
    addresses: tuple[LinkAddress, ...]
    routes: tuple[Route, ...]

    def do(self) -> None:
        if self.up:
            SetUp(self.namespace, self.name).undo()
        try:
            RenameLink(self.namespace, self.name, self.spare).do()
        except BaseException:
            self._restore()
            raise

    def undo(self) -> None:
        with gone_is_fine():
            RenameLink(self.namespace, self.name, self.spare).undo()
            self._restore()

    def _restore(self) -> None:
        if self.up:
            SetUp(self.namespace, self.name).do()
        put_back(self.namespace, self.namespace.netlink.index(self.name), self.addresses, self.routes)

    def say(self) -> str:
        down = [self.namespace.say(f"ip link set dev {self.name} down")] if self.up else []
        return "\n".join([*down, RenameLink(self.namespace, self.name, self.spare).say()])


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

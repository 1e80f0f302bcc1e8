"""What a link leaves to hardware, which a veth has none of.  ``say`` is the ``ethtool`` line that does the same."""

from __future__ import annotations

from errno import EOPNOTSUPP

from pipework.actions.base import Action
from pipework.errors import KernelRefused
from pipework.kernel import ethtool
from pipework.kernel.namespaces import Namespace
from pipework.quoting import quote


class ComputeChecksums(Action):
    """Have a guest's link compute the checksums of what it sends.

    The kernel leaves them to the other end of a pair; a switch in userspace takes the frames as they are, and whoever
    gets them from it throws them away.
    """

    namespace: Namespace
    link: str

    def do(self) -> None:
        try:
            ethtool.leave_checksums(self.namespace.netlink.socket, self.link, False)
        except OSError as error:
            number, link = error.errno or EOPNOTSUPP, self.link
            raise KernelRefused(number, hint=f"{link} has to compute checksums itself: {self.say()}") from None

    def undo(self) -> None:
        """Nothing: the setting goes with the link."""

    def say(self) -> str:
        return self.namespace.say(f"ethtool -K {quote(self.link)} tx off")

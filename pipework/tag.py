"""What stands after @ behind the MAC: a VLAN id, a partition key, or the VLANs of a trunk."""

from __future__ import annotations

from pipework.errors import BadArgument
from pipework.typed import TYPE_CHECKING, Optional
from pipework.value import Value

if TYPE_CHECKING:
    from pipework.vlans import Trunk


def is_hex(text: str, longest: int) -> bool:
    """Whether it is a number in hexadecimal of 1 to longest digits."""
    return 0 < len(text) <= longest and all(c in "0123456789abcdefABCDEF" for c in text)


class Tag(Value):
    """What stands after ``@`` behind the MAC: hexadecimal digits, or the VLANs of a trunk.

    Whether digits are a VLAN id or a partition key follows from HOSTIF.
    """

    text: str

    def validate(self) -> None:
        if not is_hex(self.text, 16):
            self._read_trunk()

    def _read_trunk(self) -> Trunk:
        from pipework.vlans import parse_trunk  # few ask for one

        return parse_trunk(self.text)

    @property
    def trunk(self) -> Optional[Trunk]:
        """The VLANs of a trunk; None: it is none."""
        return None if is_hex(self.text, 16) else self._read_trunk()

    @property
    def vlan(self) -> int:
        """The VLAN id, 1 to 4094.  Raises BadArgument."""
        self._check_one("VLAN")
        from pipework.vlans import parse_vlan  # as above

        return parse_vlan(self.text, self.text)

    @property
    def pkey(self) -> int:
        """The InfiniBand partition key, 1 to 0xffff.  Raises BadArgument."""
        self._check_one("partition key")
        value = int(self.text, 16)
        if not 1 <= value <= 0xFFFF:
            raise BadArgument(
                f"partition key @{self.text} is out of range",
                "A partition key is hexadecimal, from @1 to @ffff, such as @8001.",
            )
        return value

    def _check_one(self, what: str) -> None:
        if self.trunk:
            raise BadArgument(
                f"@{self.text} is a trunk, which only a port of a bridge can be", f"Name one {what}, or leave it out."
            )

"""MAC addresses, as they are typed and as they are derived.  Pure."""

from __future__ import annotations

from pipework.errors import BadArgument
from pipework.tag import is_hex


def parse_mac(text: str) -> str:
    """Read a MAC, one- or two-digit octets, or ``U:STRING``; returns aa:bb:cc:dd:ee:ff.  Raises BadArgument.

    ``U:STRING`` stands for the MAC of a string, as in the original.
    """
    if text.startswith("U:"):
        return _of_string(text[2:])
    octets = text.split(":")
    if len(octets) != 6 or not all(is_hex(octet, 2) for octet in octets):
        raise BadArgument(
            f"MAC {text!r} is not a MAC address", "Write six octets, such as 02:42:ac:11:00:02, or U:STRING."
        )
    values = [int(octet, 16) for octet in octets]
    if values[0] & 1:
        raise BadArgument(
            f"MAC {text} is a multicast or broadcast address", "The first octet must be even, such as 02."
        )
    if not any(values):
        raise BadArgument("MAC 0:0:0:0:0:0 is not a host's address", "Try U:STRING to derive one.")
    return bytes(values).hex(":")


def _of_string(string: str) -> str:
    if not string:
        raise BadArgument("U: has no string to derive a MAC from", "Write U:STRING, such as U:web1.example.com.")
    return derive_mac(string)


def derive_mac(string: str) -> str:
    """The locally administered MAC that is a string's: ``02:`` and the first five octets of md5(STRING + newline)."""
    from hashlib import md5  # OpenSSL takes milliseconds to load, and few ask for it

    digest = md5(f"{string}\n".encode("utf-8", "surrogateescape"), usedforsecurity=False).digest()
    return "02:" + digest[:5].hex(":")

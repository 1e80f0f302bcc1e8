"""md5, on which the original's U: addresses rest.  A module of its own: OpenSSL takes 15 ms to load."""

from __future__ import annotations

import hashlib


def md5(text: str) -> bytes:
    """The md5 digest of a text, 16 bytes; for names and addresses, not for secrets."""
    return hashlib.md5(text.encode("utf-8", "surrogateescape"), usedforsecurity=False).digest()

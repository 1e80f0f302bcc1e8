"""``--help`` and ``--version``: how the command is used, and which one it is."""

from __future__ import annotations

from pipework import __version__
from pipework.requests import Help, Version
from pipework.usage import help_text


def tell_help(_: Help) -> None:
    """Print how the command is used."""
    print(help_text(), end="")


def tell_version(_: Version) -> None:
    """Print which pipework it is."""
    print(f"pipework {__version__}")

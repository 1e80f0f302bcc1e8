"""What the kernel does not remember for us: routes that an attach replaced, a NIC's home, who keeps a lease.

One small file under /run/pipework for each, named after the guest's namespace and link.  It lives as long as
the namespaces themselves, until the next boot.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress

from pipework.kernel.locks import RUN, run_directory
from pipework.typed import Any, Optional
from pipework.value import Value


class Page(Value):
    """Where a note stands.  kind: "routes", "nic" or "dhcp"; cookie: of the guest's namespace; ifname: its link."""

    kind: str
    cookie: int
    ifname: str

    @property
    def path(self) -> str:
        """The file."""
        return f"{RUN}/{self.kind}.{self.cookie}.{self.ifname}.json"


def write(page: Page, note: dict[str, Any]) -> None:
    """Keep a note, all of it or nothing.  Raises Refused, OSError."""
    run_directory()
    draft = f"{page.path}.new"
    with suppress(FileNotFoundError):
        os.unlink(draft)
    text = json.dumps(note)
    fd = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with os.fdopen(fd, "w", encoding="utf-8") as file:
        file.write(text)
    os.rename(draft, page.path)


def read(page: Page) -> Optional[dict[str, Any]]:
    """The note on a page, or None."""
    try:
        fd = os.open(page.path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        with os.fdopen(fd, encoding="utf-8") as file:
            note: dict[str, Any] = json.load(file)
            return note
    except (OSError, ValueError):
        return None


def erase(page: Page) -> None:
    """Forget a note, if there is one."""
    with suppress(FileNotFoundError):
        os.unlink(page.path)


def pages() -> list[Page]:
    """Every page there is."""
    try:
        names = os.listdir(RUN)
    except OSError:
        return []
    parts = [name.split(".", 2) for name in names if name.endswith(".json")]
    return [
        Page(kind, int(cookie), rest[: -len(".json")])
        for kind, cookie, rest in (part for part in parts if len(part) == 3)
        if cookie.isdecimal()
    ]

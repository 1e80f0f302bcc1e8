"""Network namespaces by name, as ``ip netns`` keeps them, or by the path of their file."""

from __future__ import annotations

import os
from errno import ELOOP

from pipework.errors import BadArgument, GuestUnusable
from pipework.guests.base import Guest
from pipework.kernel.namespaces import Namespace, is_network_namespace
from pipework.typed import Optional

NAMED = "/var/run/netns"
PLAIN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-")


def find(name: str) -> Optional[Guest]:
    """The namespace of that name, or of that absolute path; None if there is none.

    Raises BadArgument for what cannot be a name, GuestUnusable for a file that is no network namespace.
    """
    named = not name.startswith("/")
    if not named:
        path = name
        named = os.path.realpath(os.path.dirname(path)) == os.path.realpath(NAMED)
    elif not name or name in (".", "..") or "/" in name:
        raise BadArgument(f"netns:{name} is not the name of a namespace", "See the names: ip netns list")
    else:
        path = f"{NAMED}/{name}"
    try:  # a link there, such as the original makes, may lead to another guest by now
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | (os.O_NOFOLLOW if named else 0))
    except FileNotFoundError:
        return None
    except OSError as error:
        if error.errno == ELOOP and os.path.islink(path):
            raise GuestUnusable(
                f"{path} is a symbolic link, which may lead elsewhere than it did",
                f"Name what it leads to: {os.readlink(path)}",
            ) from None
        raise GuestUnusable(f"cannot open {path}: {error.strerror}") from None
    if not is_network_namespace(fd):
        os.close(fd)
        raise GuestUnusable(f"{path} is not a network namespace", "See the names: ip netns list")
    namespace = Namespace(fd, path)
    label = name.rpartition("/")[2]
    # a number would read as a process's; a path may end like another
    plain = not name.startswith("/") and not label.isdecimal() and set(label) <= PLAIN
    return Guest(name, "netns", namespace, label if plain else "-".join(map(str, namespace.identity)))

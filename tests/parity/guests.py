"""Guests of rows: containers without a network, and those of which a row says more."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Callable, Union

from tests.lab.engine import Container, started_container
from tests.lab.guest import Guest, fresh_name
from tests.lab.lxc import LxcContainer, started_lxc

AnyGuest = Union[Container, LxcContainer]
# What starts a guest of a host.
Start = Callable[[Guest], AbstractContextManager[AnyGuest]]

SLEEP = ("sleep", "100000")
# In emulation, starting a container and removing it is half of a row's time.
LEND = bool(os.environ.get("PIPEWORK_MACHINE"))
_started = ExitStack()
_free: list[Container] = []


@contextmanager
def plain(host: Guest) -> Iterator[AnyGuest]:
    """A Docker container; in the virtual machine one that another row has had, if its links could be removed."""
    if not LEND:
        with started_container(fresh_name("pwpar"), "--net=none", command=SLEEP) as guest:
            yield guest
        return
    lent = _free.pop() if _free else _started.enter_context(
        started_container(fresh_name("pwpar"), "--net=none", command=SLEEP)
    )  # fmt: skip
    try:
        yield lent
    finally:
        if _is_emptied(lent):
            _free.append(lent)
        else:
            end_lent()


def _is_emptied(guest: Container) -> bool:
    def names() -> list[str]:
        return [link["ifname"] for link in guest.ip("-j", "link") if link["ifname"] != "lo"]

    for name in names():
        guest.run("ip", "link", "del", name, check=False)
    return not names()


def end_lent() -> None:
    """Remove all that have been kept to be lent again."""
    _free.clear()
    _started.close()


def numbered(host: Guest) -> AbstractContextManager[AnyGuest]:
    """One whose name is a number, of more digits than a process id has."""
    return started_container(f"{200_000_000 + os.getpid()}", "--net=none", command=SLEEP)


def sharing(host: Guest) -> AbstractContextManager[AnyGuest]:
    """One in the network namespace of the machine."""
    return started_container(fresh_name("pwpar"), "--net=host", command=SLEEP)


def lxc(host: Guest) -> AbstractContextManager[AnyGuest]:
    """An LXC container, started by that host: whoever asks LXC has to be in the same network namespace."""
    return started_lxc(fresh_name("pwlxc"), host=host)

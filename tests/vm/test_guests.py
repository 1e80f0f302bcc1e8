"""Containers of a machine with one cgroup hierarchy, found by name and wired."""

from __future__ import annotations

from typing import Callable

import pytest

from tests.lab.engine import Container
from tests.lab.lxc import LxcContainer
from tests.lab.podman import PodmanContainer
from tests.vm.wiring import delete, succeed

pytestmark = pytest.mark.vm


def test_containers_of_every_runtime(
    container: Callable[..., Container],
    lxc: Callable[..., LxcContainer],
    podman: Callable[..., PodmanContainer],
) -> None:
    """A Docker, an LXC and a podman container on one bridge reach each other, each found by its plain name."""
    guests = [container(), lxc(), podman()]
    try:
        for number, guest in enumerate(guests, 1):
            succeed("br-all", guest.name, f"192.168.1.{number}/24")
        assert guests[0].ping("192.168.1.2")
        assert guests[1].ping("192.168.1.3")
        assert guests[2].ping("192.168.1.1")
    finally:
        delete("br-all")

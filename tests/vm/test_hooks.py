"""podman as it comes: where it looks for hooks, a VLAN and a real network card at every start."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Callable

import pytest

from tests.lab.command import run_pipework
from tests.lab.guest import HOST, eventually, run
from tests.lab.netns import Nic
from tests.lab.podman import PodmanContainer
from tests.vm.wiring import delete

pytestmark = pytest.mark.vm
FILE = "/usr/share/containers/oci/hooks.d/pipework.json"


@pytest.fixture
def hooks() -> Iterator[None]:
    """podman runs pipework, which may give eth0 away."""
    installed = run_pipework("hook", "install", "--allow", "eth0")
    assert installed.code == 0 and f"podman: wrote {FILE}" in installed.out, installed
    yield
    assert run_pipework("hook", "uninstall") == (0, "", "")
    delete("br-hook")


def test_vlan_and_card(hooks: None, cable: Nic, podman: Callable[..., PodmanContainer]) -> None:
    """Both are there after each start; with the container the card comes home, and at once."""
    HOST.run("ip", "link", "add", "br-hook", "up", "type", "bridge", "vlan_filtering", "1")
    lines = ("pipework.1=br-hook 192.168.9.1/24 @100", "pipework.2=--direct-phys eth0 -i lan0 192.168.77.9/24")
    web = podman(*(f"--annotation={line}" for line in lines))

    def ports() -> list[str]:
        return [link["ifname"] for link in HOST.ip("-j", "link", "show", "master", "br-hook")]

    for _ in range(2):
        # the kernel may not have done with that of the last start
        assert eventually(lambda: len(ports()) == 1), ports()
        (port,) = ports()
        assert "100 PVID" in HOST.run("bridge", "vlan", "show", "dev", port)
        assert HOST.link("eth0") is None
        pid = run("podman", "inspect", "--format", "{{.State.Pid}}", web.name).strip()
        pinged = ("nsenter", f"--net=/proc/{pid}/ns/net", "ping", "-n", "-c", "1", "-w", "20", cable.address)
        assert "1 received" in run(*pinged)
        run("podman", "restart", "-t", "0", web.name)
    run("podman", "stop", "-t", "0", web.name)
    assert eventually(lambda: HOST.link("eth0"))
    assert eventually(lambda: ports() == []), ports()

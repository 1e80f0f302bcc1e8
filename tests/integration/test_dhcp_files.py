"""The files that a DHCP client is told to use are used, wherever they are, and stay what they are."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Callable

import pytest

from tests.lab.command import run_pipework
from tests.lab.guest import HOST, run
from tests.lab.netns import DhcpServer, NamedNamespace, Nic

Namespaces = Callable[[], NamedNamespace]

# Where the clients have folders of their own, and where they do not.
PLACES = ("/tmp", "/run", "/var/run", "/run/lock", "/var/tmp", "/var/lib/dhcp", "/etc", "/root")
SCRIPT = """#!/bin/sh
echo "$1" >>"$0"
[ "$1" != bound ] || { ip addr add "$ip/$mask" dev "$interface" && ip link set "$interface" mtu 1400; }
"""
DHCLIENT = 'send vendor-class-identifier "lunch";\n'
DHCPCD = "vendorclassid lunch\n"
GLUED = {"udhcpc:-s{}": SCRIPT, "dhcpcd:--config={}": DHCPCD}
CLIENTS = {"udhcpc:-s {}": SCRIPT, "dhclient:-cf {}": DHCLIENT, "dhcpcd:-f {}": DHCPCD}


@pytest.fixture
def folder(request: pytest.FixtureRequest) -> Iterator[Path]:
    """A folder of the host's, gone at the test's end."""
    os.makedirs(request.param, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=request.param, prefix="pipework-own-") as made:
        yield Path(made)


def mtu(guest: NamedNamespace) -> int:
    """Return the MTU of the guest's eth1, in bytes."""
    link = guest.link("eth1")
    assert link is not None
    return int(link["mtu"])


def _uses(line: str, path: Path, guest: NamedNamespace, server: DhcpServer) -> None:
    """Get a lease by a client that is told of a file, and see that the file was used."""
    assert run_pipework(server.nic.name, guest.spec, line.format(path)) == (0, "", "")
    assert len(guest.addresses("eth1")) == 1
    if "udhcpc" in line:
        assert mtu(guest) == 1400
    else:
        assert "vendor class: lunch" in server.log.read_text()


def _written(path: Path, content: str) -> Path:
    path.write_text(content)
    path.chmod(0o755)
    return path


@pytest.mark.parametrize("folder", PLACES, indirect=True)
@pytest.mark.parametrize("line", CLIENTS)
def test_named_file(line: str, folder: Path, guest_ns: Namespaces, dhcp_server: DhcpServer) -> None:
    """A script or configuration that is named by its absolute path is used, and not written to."""
    path = _written(folder / "my.file", CLIENTS[line])
    _uses(line, path, guest_ns(), dhcp_server)
    assert path.read_text() == CLIENTS[line]


@pytest.mark.parametrize("folder", ["/tmp", "/run", "/var/lib"], indirect=True)
def test_dry_run(folder: Path, guest_ns: Namespaces, dhcp_server: DhcpServer, nic: Nic) -> None:
    """The shell lines of a dry run use it as well."""
    guest, script = guest_ns(), _written(folder / "my.script", SCRIPT)
    lines = run_pipework("--dry-run", nic.name, guest.spec, f"udhcpc:-s {script}")
    assert (lines.code, lines.err) == (0, "")
    run("sh", "-e", "-c", lines.out)
    assert mtu(guest) == 1400
    assert len(guest.addresses("eth1")) == 1


@pytest.mark.parametrize("folder", ["/run"], indirect=True)
@pytest.mark.parametrize("line", GLUED)
def test_glued_to_its_option(line: str, folder: Path, guest_ns: Namespaces, dhcp_server: DhcpServer) -> None:
    """So is one that stands in one word with its option."""
    _uses(line, _written(folder / "my.file", GLUED[line]), guest_ns(), dhcp_server)


@pytest.mark.parametrize("folder", ["/run"], indirect=True)
def test_link_to_a_file(folder: Path, guest_ns: Namespaces, dhcp_server: DhcpServer) -> None:
    """So is one behind a symbolic link in a place that is not hidden."""
    script = _written(folder / "my.script", SCRIPT)
    with tempfile.TemporaryDirectory(dir="/root") as elsewhere:
        link = Path(elsewhere, "link")
        link.symlink_to(script)
        _uses("udhcpc:-s {}", link, guest_ns(), dhcp_server)
    assert script.read_text() == SCRIPT


@pytest.mark.parametrize("folder", ["/etc"], indirect=True)
def test_file_mounted_there(folder: Path, guest_ns: Namespaces, dhcp_server: DhcpServer) -> None:
    """So is one that is mounted onto another, as a container's runtime does it."""
    with tempfile.TemporaryDirectory() as elsewhere:
        script = _written(Path(elsewhere, "my.script"), SCRIPT)
        place = _written(folder / "my.script", "")
        HOST.run("mount", "--bind", str(script), str(place))
        try:
            _uses("udhcpc:-s {}", place, guest_ns(), dhcp_server)
            assert script.read_text() == SCRIPT
        finally:
            HOST.run("umount", str(place))
        assert place.read_text() == ""

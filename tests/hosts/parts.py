"""`python -m tests.hosts.parts`: the parts that tests run on where this is run: system, kernel, engines, firewalls."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from pathlib import Path

# What each prints of its version, and which word of that it is.
PROGRAMS = (
    ("docker", ("dockerd", "--version"), 2),
    ("podman", ("podman", "--version"), 2),
    ("lxc", ("lxc-start", "--version"), 0),
    ("runc", ("runc", "--version"), 2),
    ("crun", ("crun", "--version"), 2),
    ("openvswitch", ("ovs-vsctl", "--version"), 3),
    ("ovn", ("ovn-nbctl", "--version"), 1),
    ("iproute2", ("ip", "-V"), 2),
    ("iptables", ("iptables", "--version"), 1),
    ("nft", ("nft", "--version"), 1),
    ("firewalld", ("firewall-offline-cmd", "--version"), 0),
    ("ufw", ("ufw", "--version"), 1),
    ("dnsmasq", ("dnsmasq", "--version"), 2),
)


def system() -> str:
    """Return which distribution this is."""
    told = dict(line.partition("=")[::2] for line in Path("/etc/os-release").read_text().splitlines())
    return told.get("PRETTY_NAME", "?").strip('"')


def version(command: tuple[str, ...], word: int) -> str:
    """Return what a program says of its version; "" where there is none."""
    if shutil.which(command[0]) is None:
        return ""
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    words = (done.stdout or done.stderr).split()
    return words[word].strip(",").removeprefix("iproute2-") if len(words) > word else "?"


def main() -> None:
    """Print them in one line."""
    cgroup = "cgroup v2" if Path("/sys/fs/cgroup/cgroup.controllers").exists() else "cgroup v1"
    found = [f"{name} {there}" for name, *asked in PROGRAMS if (there := version(asked[0], asked[1]))]
    words = [system(), f"Linux {os.uname().release}", cgroup, f"Python {platform.python_version()}", *found]
    print(f"On {'; '.join(words)}")


if __name__ == "__main__":
    main()

"""Many guests attached in one process, the kernel's part of that alone, and a CNI plugin that is run once for each.

Run as `python -m tests.bench.many attach|apply|kernel|cni BRIDGE FIRST NAMESPACE...`, FIRST being the number of the
first guest's address; prints milliseconds for each guest, on the clock and of processors.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from ipaddress import IPv4Address, ip_address, ip_interface
from typing import Any

from pipework.address import Static
from pipework.commands.attach import attach
from pipework.kernel import messages
from pipework.kernel.namespaces import Namespace
from pipework.kernel.netlink import Netlink
from pipework.model import Attach
from tests.bench.contenders import CNI_BRIDGE, cni_configuration, cni_environment
from tests.lab.command import COMMAND

FIRST_INDEX = 20_000_000  # of links, chosen beforehand so that every message can be
GATEWAY = "10.214.255.254"
NEWLINK, SETLINK, NEWADDR, NEWROUTE = 16, 19, 20, 24  # linux/rtnetlink.h
CHANGE = 0x5  # NLM_F_REQUEST, ACK
NEW = CHANGE | 0x600  # CREATE, EXCL


def address(number: int) -> str:
    """The address of a guest."""
    return f"{IPv4Address('10.214.0.1') + number}/16"


def attach_all(bridge: str, names: Sequence[str], first: int = 0) -> None:
    """Attach by the package's own story."""
    for number, name in enumerate(names, first):
        wanted = Static(ip_interface(address(number)), ip_address(GATEWAY))
        attach(Attach(bridge, f"netns:{name}", (wanted,)))


def apply_all(bridge: str, names: Sequence[str]) -> None:
    """Run the command once, with a line for each guest."""
    lines = (f"{bridge} netns:{name} {address(number)}@{GATEWAY}\n" for number, name in enumerate(names))
    argv = [*COMMAND, "apply", "-"]
    subprocess.run(argv, input="".join(lines), stdout=subprocess.DEVNULL, text=True, check=True)


def kernel_all(bridge: str, names: Sequence[str]) -> Callable[[], None]:
    """The requests that an attach cannot do without, encoded beforehand: only sending and answers are left to do."""
    master = int(_read(f"/sys/class/net/{bridge}/ifindex"))
    plans = [(Namespace(os.open(f"/run/netns/{name}", os.O_RDONLY), name), number) for number, name in enumerate(names)]
    encoded = [requests(master, namespace.fd, number) for namespace, number in plans]

    def carry_out() -> None:
        host = Netlink()
        for (namespace, _), (on_host, in_guest) in zip(plans, encoded):
            for data in on_host:
                send(host, data)
            for data in in_guest:
                send(namespace.netlink, data)
            namespace.close()

    return carry_out


def requests(master: int, fd: int, number: int, ifname: str = "eth1") -> tuple[list[bytes], list[bytes]]:
    """The requests of one attach, to the host and to the guest, whose namespace is open as fd."""
    port, inside = FIRST_INDEX + 2 * number, FIRST_INDEX + 2 * number + 1
    peer = {"index": inside, "attrs": [("IFLA_IFNAME", ifname), ("IFLA_MTU", 1500), ("IFLA_NET_NS_FD", fd)]}
    end = messages.link(port, IFLA_IFNAME=f"vpwb{number}", IFLA_MTU=1500, IFLA_MASTER=master)
    local = address(number).partition("/")[0]
    given: dict[str, Any] = {"IFA_LOCAL": local, "IFA_ADDRESS": local, "IFA_BROADCAST": "10.214.255.255"}
    route = messages.route(2, 254, 3, RTA_OIF=inside, RTA_GATEWAY=GATEWAY)
    return (
        [
            messages.message(NEWLINK, NEW, 1, end + messages.link_info("veth", [("VETH_INFO_PEER", peer)])),
            messages.message(SETLINK, CHANGE, 1, messages.link(port, up=True)),
        ],
        [
            messages.message(NEWADDR, NEW, 1, messages.address(inside, 2, 16, **given)),
            messages.message(SETLINK, CHANGE, 1, messages.link(inside, up=True)),
            messages.message(NEWROUTE, NEW, 1, route),
        ],
    )


def send(netlink: Netlink, data: bytes) -> None:
    """Send a request that is encoded already.  Raises OSError if the kernel refuses."""
    netlink.socket.send(data)
    error = int.from_bytes(netlink.socket.recv(1 << 16)[16:20], sys.byteorder, signed=True)
    if error:
        raise OSError(-error, os.strerror(-error))


def _read(path: str) -> str:
    with open(path, encoding="ascii") as file:
        return file.read()


def cni_all(bridge: str, names: Sequence[str]) -> None:
    """Run the bridge plugin, which runs the static one, for one guest after the other."""
    for number, name in enumerate(names):
        env = {**os.environ, **cni_environment(name, f"/run/netns/{name}")}
        told = cni_configuration(bridge, address(number), GATEWAY)
        subprocess.run([CNI_BRIDGE], env=env, input=told.encode(), stdout=subprocess.DEVNULL, check=True)


def measure(what: str, bridge: str, names: Sequence[str], first: int = 0) -> tuple[float, float]:
    """Run this file in a process of its own; milliseconds for each guest, on the clock and of processors."""
    argv = [sys.executable, "-m", "tests.bench.many", what, bridge, str(first), *names]
    wall, cpu = subprocess.run(argv, stdout=subprocess.PIPE, text=True, check=True).stdout.split()
    return float(wall), float(cpu)


def main(what: str, bridge: str, first: str, *names: str) -> None:
    """Do it and print what it took."""
    if what == "kernel":
        todo = kernel_all(bridge, names)
    elif what == "cni":
        todo = partial(cni_all, bridge, names)
    elif what == "apply":
        todo = partial(apply_all, bridge, names)
    else:
        attach_all(bridge, names[:1], int(first))  # loads what is loaded once
        names = names[1:]
        todo = partial(attach_all, bridge, names, int(first) + 1)

    wall, before = time.perf_counter(), os.times()
    todo()
    wall, after = time.perf_counter() - wall, os.times()
    print(wall * 1000 / len(names), (sum(after[:4]) - sum(before[:4])) * 1000 / len(names))


if __name__ == "__main__":
    main(*sys.argv[1:])

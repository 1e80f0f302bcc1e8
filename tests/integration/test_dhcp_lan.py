"""DHCP on LANs as they are: with routers that announce themselves, behind bridges that let frames pass late."""

from __future__ import annotations

from typing import Callable

import pytest

from tests.lab.command import run_pipework
from tests.lab.guest import SLOW, eventually
from tests.lab.netns import DhcpServer, NamedNamespace, Nic, announcing

Namespaces = Callable[[], NamedNamespace]


def ifindex(guest: NamedNamespace) -> int:
    """Return the ifindex of the guest's eth1."""
    link = guest.link("eth1")
    assert link is not None
    return int(link["ifindex"])


@pytest.mark.parametrize("client", ["udhcpc", "dhclient"])
def test_announced_address_is_no_lease(client: str, guest_ns: Namespaces, dhcp_server: DhcpServer, nic: Nic) -> None:
    """A guest that has but what the LAN's routers brought about gets its lease; one that has a lease is left alone."""
    guest = guest_ns()
    with announcing(nic) as prefix:
        assert run_pipework(nic.name, guest.spec, "0/0") == (0, "", "")
        assert eventually(lambda: any(prefix in one for one in guest.addresses("eth1")), 20 * SLOW)
        line = ["--replace", nic.name, guest.spec, client]
        assert run_pipework(*line) == (0, "", "")
        [lease] = dhcp_server.leases()
        assert f"{lease.address}/24" in guest.addresses("eth1")
        assert eventually(lambda: any(prefix in one for one in guest.addresses("eth1")), 20 * SLOW)
        link = ifindex(guest)
        assert run_pipework(*line) == (0, "", "")
        assert ifindex(guest) == link


def test_fixed_address_for_a_lease(guest_ns: Namespaces, dhcp_server: DhcpServer, nic: Nic) -> None:
    """The leased address asked for as a fixed one is a fixed one afterwards: nobody renews it, or gives it back."""
    guest = guest_ns()
    assert run_pipework(nic.name, guest.spec, "udhcpc-f") == (0, "", "")
    [address] = guest.addresses("eth1")
    link = ifindex(guest)
    line = ["--replace", nic.name, guest.spec, f"{address}@{dhcp_server.gateway}"]
    for _ in range(2):
        assert run_pipework(*line) == (0, "", "")
        assert (guest.addresses("eth1"), ifindex(guest) != link) == ([address], True)
    assert not run_pipework("--dry-run", *line).out

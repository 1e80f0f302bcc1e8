"""firewalld: a bridge gets a zone of its own, which is as the one that it falls into but lets its own frames pass.

A zone forwards between its interfaces (intra-zone forwarding, firewalld 1.0 and later), and a bridge that nobody has
put into a zone falls into the default one without being an interface of it.  Naming it there would let in what comes
from that zone's other interfaces, and the zone trusted opens the host itself to the guests.  Another zone without
interfaces and with the same rules changes nothing but that the bridge's own frames pass.
"""

from __future__ import annotations

from functools import cache

from pipework.actions.base import Action
from pipework.actions.firewalld import PROGRAM, EnterZone
from pipework.firewall.ruleset import Stop
from pipework.kernel import sysfs
from pipework.kernel.namespaces import Namespace
from pipework.marks import is_hosts_end
from pipework.notes import Zone as Note
from pipework.typed import TYPE_CHECKING
from pipework.value import Value

if TYPE_CHECKING:
    from pipework.kernel.firewalld import Settings

TABLE = "inet firewalld"
FORWARD = "filter_FWD_"  # in front of a zone's name: the chain that decides over what comes from its interfaces
POLICY = "policy_"  # in front of a policy's name, there
# firewalld's words for what a zone says: who is in it, and what is for people
USED, FORWARDS, TITLES = ("interfaces", "sources"), "forward", ("version", "short", "description")
ZONES_OF_POLICY, DISABLED = ("ingress_zones", "egress_zones"), "disable"


class Zone(Value):
    """A zone of firewalld.

    is_used: whether it has interfaces or sources; forwards: between them; rules: what else it says, in no order.
    """

    name: str
    is_used: bool
    forwards: bool
    rules: frozenset[str]


def way_past(host: Namespace, stop: Stop) -> list[Action]:
    """What puts the bridge into a zone of its own; nothing where that could open or close anything else.

    It may where nobody but guests is on the bridge, nobody has put it into a zone, the zone that it falls into has no
    interfaces either, whose traffic with it would change, and no policy speaks of one of the two.
    """
    bridge, (zones, spoken_of) = stop.frame.bridge, _listed()
    now = zones.get(_zone(stop))
    if stop.is_particular or stop.lacks_way_back or now is None or now.is_used or not _has_guests_alone(host, bridge):
        return []
    for zone in zones.values():
        is_equal = zone != now and zone.replace(name=now.name, forwards=now.forwards) == now
        if is_equal and zone.forwards and spoken_of.isdisjoint((zone.name, now.name)):
            return [EnterZone(Note(host.cookie, bridge, 0, "", zone.name), tuple(sysfs.ports(bridge)))]
    return []


def advice(stop: Stop) -> str:
    """What an administrator types to let such frames pass."""
    name = _zone(stop)
    zone = _listed()[0].get(name)
    forward = f"{PROGRAM} --zone={name} --add-forward"
    enter = f"{PROGRAM} --zone={name} --add-interface={stop.frame.bridge}"
    if stop.is_particular:
        return forward
    return f"{forward}; {enter}" if zone and not zone.forwards else enter


def _zone(stop: Stop) -> str:
    """The zone that decides over the frame: its chain has stopped it, or from firewalld 2.0 on was passed before."""
    led_through = (chain[len(FORWARD) :] for chain in (stop.chain, *stop.passed) if chain.startswith(FORWARD))
    zones = [name for name in led_through if not name.startswith(POLICY)]
    return min(zones, key=len, default="trusted")  # behind a zone's name its chains have what they are for


def _has_guests_alone(host: Namespace, bridge: str) -> bool:
    ports = map(host.netlink.link, sysfs.ports(bridge))
    return all(port is None or is_hosts_end(port) for port in ports)


@cache
def _listed() -> tuple[dict[str, Zone], frozenset[str]]:
    """The zones by name, and the names of those that policies speak of; nothing where firewalld cannot be asked."""
    from pipework.kernel.firewalld import Unwilling, policies, zones  # few hosts have firewalld

    try:
        return {name: _zone_of(name, said) for name, said in zones().items()}, _in_policies(policies())
    except Unwilling:
        return {}, frozenset()


def _zone_of(name: str, said: Settings) -> Zone:
    is_used, forwards = any(said.get(key) for key in USED), bool(said.get(FORWARDS))
    others = [(key, value) for key, value in said.items() if key not in (*USED, FORWARDS, *TITLES)]
    rules = [f"{key}: {one}" for key, value in others for one in (value if isinstance(value, list) else [value])]
    return Zone(name, is_used, forwards, frozenset(rules))


def _in_policies(policies: dict[str, Settings]) -> frozenset[str]:
    """The zones that policies name, those that are in force."""
    in_force = [said for said in policies.values() if not said.get(DISABLED)]
    return frozenset(zone for said in in_force for key in ZONES_OF_POLICY for zone in said.get(key, ()))

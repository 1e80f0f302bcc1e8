"""Names and marks of our links, and what to do where a name is taken."""

from __future__ import annotations

from collections.abc import Sequence
from errno import EEXIST

from pipework.actions.base import Action, Heal
from pipework.actions.links import DeleteLink, SetAlias
from pipework.errors import AlreadyWired, KernelRefused
from pipework.kernel import processes, sysfs
from pipework.kernel.namespaces import Namespace
from pipework.kernel.records import NEWBORN, Link
from pipework.links.base import Wire
from pipework.typed import Optional
from pipework.value import Value

LONGEST = 15  # IFNAMSIZ - 1, linux/if.h
LONGEST_ALIAS = 255  # IFALIASZ - 1, linux/if.h
UNFINISHED = "pipework unfinished "
ASIDE = "vpo"  # in front of the name of what is put aside


class Mark(Value):
    """What the alias of a finished link of ours says: ``pipework HOSTIF RUNTIME:GUEST IFNAME``."""

    hostif: str
    runtime: str
    guest: str
    ifname: str

    @property
    def alias(self) -> str:
        """The alias, cut where the kernel would refuse it."""
        alias = f"pipework {self.hostif} {self.runtime}:{self.guest} {self.ifname}"
        return alias.encode("utf-8", "replace")[:LONGEST_ALIAS].decode("utf-8", "ignore")


class Aside(Value):
    """How to get links out of the way that hold our names: at first put aside, removed in the end."""

    first: Sequence[Action] = ()
    last: Sequence[Action] = ()


def local_name(wire: Wire) -> str:
    """The host's end of a veth pair: LOCALNAME, or ``v<IFNAME>pl<PID>`` as the original has it.

    Where that is longer than a link's name may be, ``vpl`` and a digest take its place.
    """
    name = wire.request.local_name or f"v{wire.ifname}pl{wire.guest.tag}"
    return name if len(name) <= LONGEST else digest_name("vpl", name)


def digest_name(prefix: str, text: str) -> str:
    """A link's name for a text that is too long to be one: always the same, and no other text's.

    The digest fills what the prefix leaves, 44 bits or more.
    """
    from hashlib import md5  # OpenSSL takes milliseconds to load, and few names are so long

    digest = md5(text.encode("utf-8", "surrogateescape"), usedforsecurity=False).hexdigest()
    return prefix + digest[: LONGEST - len(prefix)]


def mark_unfinished(namespace: Namespace, name: str, before: str = "") -> Action:
    """Mark a link as being worked on by this process, so that a later run can tell it from a finished one.

    before: its alias, if it has one.
    """
    return SetAlias(namespace, name, unfinished_mark(), before, passing=True)


def unfinished_mark() -> str:
    """The alias of a link that this process is working on."""
    return UNFINISHED + processes.own_identity()


def is_unfinished(link: Link) -> bool:
    """Whether some run is working on that link, or was until it was killed."""
    return link.group == NEWBORN or link.alias.startswith(UNFINISHED)


def mark_finished(namespace: Namespace, name: str, wire: Wire) -> Action:
    """Mark a link as ours, the wire complete."""
    mark = Mark(wire.hostif, wire.guest.runtime, wire.guest.name, wire.ifname)
    return SetAlias(namespace, name, mark.alias)


def read_mark(link: Link) -> Optional[Mark]:
    """What a finished link of ours says of itself; None: it is none, or not finished."""
    word, _, rest = link.alias.partition(" ")
    hostif, _, rest = rest.partition(" ")
    guest, _, ifname = rest.rpartition(" ")
    runtime, colon, name = guest.partition(":")
    return Mark(hostif, runtime, name, ifname) if word == "pipework" and colon and not is_unfinished(link) else None


def make_way(wire: Wire, local: Optional[str] = None) -> Aside:
    """See that the names of both ends are free, or can be made so.

    Raises AlreadyWired if the local link is there and up, KernelRefused (EEXIST) if a name is held by a
    link that is none of ours to replace.
    """
    if wire.vacated:
        return Aside()
    guest = wire.guest.namespace
    taken = guest.netlink.link(wire.ifname)
    held = wire.host.netlink.link(local) if local else None
    debris = put_aside_for(wire.host, local) if local else []
    if held and is_left_over(held):
        debris, held = [*debris, held], None
    elif held and held.up:
        raise AlreadyWired(f"Link {held.name} exists and is up")
    steps: list[Action] = [DeleteLink(wire.host, link.name) for link in debris]
    if taken and is_left_over(taken):
        steps.append(DeleteLink(guest, taken.name))
    if taken and (is_left_over(taken) or _is_peer(taken, debris)):
        steps = [*_returning(wire, taken), *steps]  # while the link is there to be known by them
        taken = None
    healing: list[Action] = [Heal(steps)] if steps else []
    if held is None:
        if taken:
            raise _taken(wire)
        return Aside(healing)
    if held.kind != "veth":
        raise KernelRefused(EEXIST, hint=f"{held.name} is a link of this host; choose another name with -l")
    if taken and not _is_peer(taken, [held]):
        raise _taken(wire)
    first = [*healing, *put_aside(wire.host, held)]
    if taken:
        first += put_aside(guest, taken, _returning(wire, taken))
    return Aside(first, [removal(wire.host, held)])


def _is_peer(link: Link, ends: list[Link]) -> bool:
    return link.kind == "veth" and link.parent in [end.ifindex for end in ends]


def _taken(wire: Wire) -> KernelRefused:
    return KernelRefused(
        EEXIST, hint=f"{wire.guest.name} already has a link {wire.ifname}; choose another name with -i IFNAME"
    )


def is_left_over(link: Link) -> bool:
    """Whether a run that was killed has left this link half made."""
    return is_unfinished(link) and not processes.is_alive(link.alias[len(UNFINISHED) :])


def put_aside_for(host: Namespace, local: str) -> list[Link]:
    """What a run has put aside for that name, and had no time to remove if it was killed."""
    found = [host.netlink.link(name) for name in sysfs.names() if name.startswith(ASIDE)]
    return [link for link in found if link and link.name == digest_name(ASIDE, f"{local} {link.ifindex}")]


def put_aside(namespace: Namespace, link: Link, returning: Sequence[Action] = ()) -> list[Action]:
    """Take a link out of its name, such that all it has comes back if need be.

    returning: what gives the guest the default routes again that the link had replaced, once its own are gone, and
    while it is there to be known by them.
    """
    from pipework.actions.stash import PutAside, TakeDown  # seldom is there one

    netlink = namespace.netlink
    addresses, routes = tuple(netlink.addresses(link.ifindex)), netlink.routes_via(link.ifindex)
    return [
        TakeDown(namespace, link.name, link.up, addresses, routes),
        *returning,
        PutAside(namespace, link.name, _spare_name(link), link.alias, unfinished_mark()),
    ]


def _returning(wire: Wire, taken: Link) -> list[Action]:
    """Give the guest the default routes again that the link had replaced."""
    from pipework.default_routes import bring_back  # seldom is there one

    return bring_back(wire.guest.namespace, taken.name, taken.mac)


def removal(namespace: Namespace, link: Link) -> Action:
    """Remove a link that has been put aside."""
    return DeleteLink(namespace, _spare_name(link))


def _spare_name(link: Link) -> str:
    return digest_name(ASIDE, f"{link.name} {link.ifindex}")

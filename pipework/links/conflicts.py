"""Names that are taken: what a killed run has left goes, what is ours and down is put aside, all else is refused."""

from __future__ import annotations

from errno import EEXIST

from pipework.actions.base import Action, Heal
from pipework.actions.links import DeleteLink
from pipework.errors import AlreadyWired, KernelRefused
from pipework.kernel import sysfs
from pipework.kernel.namespaces import Namespace
from pipework.kernel.records import Link
from pipework.links.base import LinkKind, Wire
from pipework.links.stash import Way, removal, stash
from pipework.marks import STASHED, is_left_over, read_mark, stash_name
from pipework.typed import Optional


def make_way(wire: Wire, local: Optional[str] = None) -> Way:
    """See that the names of both ends are free, or can be made so.

    Raises AlreadyWired if the local link is there and up, KernelRefused (EEXIST) if a name is held by a
    link that is none of ours to replace.
    """
    if wire.vacated:
        return Way()
    guest = wire.near.namespace
    taken = guest.netlink.link(wire.ifname)
    held = wire.far.netlink.link(local) if local else None
    debris = stashed_for(wire.far, local) if local else []
    if held and is_left_over(wire.far, held):
        debris, held = [*debris, held], None
    elif held and held.up:
        raise AlreadyWired(f"Link {held.name} exists and is up")
    healing = _clearing(wire, debris, taken)
    if taken and (_is_half_made(guest, taken) or _is_peer(taken, debris)):
        taken = None
    if held is None:
        if taken:
            raise _taken(wire)
        return Way(healing)
    if held.kind != "veth":
        raise KernelRefused(EEXIST, hint=f"{held.name} is a link of this host; choose another name with -l")
    if taken and not _is_peer(taken, [held]):
        raise _taken(wire)
    first = [*healing, *stash(wire.far, held)]
    if taken:
        first += stash(guest, taken, is_guests=True)
    return Way(first, [removal(wire.far, held)])


def _clearing(wire: Wire, debris: list[Link], taken: Optional[Link]) -> list[Action]:
    """Remove what a killed run has left under our names, once the guest has the default routes again.

    Where the other end of that is a guest's, so has that one.
    """
    guest = wire.near.namespace
    steps: list[Action] = [DeleteLink(wire.far, link.name) for link in debris]
    going = [(guest, link) for link in guest.netlink.links() if _is_peer(link, debris)] if debris else []
    if taken and _is_half_made(guest, taken):
        from pipework.links.ends import visit  # as below

        steps.append(DeleteLink(guest, taken.name))
        other = visit(wire.far, guest, taken)
        going += [(guest, taken), *([other] if other else [])]
    if not steps:
        return []
    from pipework.default_routes import bring_back  # few runs have been killed

    returning = [bring_back(*end) for end in going]  # while the links are there to be known by them
    before = [step for one in returning for step in one.steps]
    after = [step for one in returning for step in one.finish]
    return [Heal((*before, *steps, *after))]


def _is_half_made(guest: Namespace, link: Link) -> bool:
    from pipework.links.ends import is_half_made  # few names are taken

    return is_half_made(guest, link)


def _is_peer(link: Link, ends: list[Link]) -> bool:
    return link.kind == "veth" and link.parent in [end.ifindex for end in ends]


def _taken(wire: Wire) -> KernelRefused:
    return KernelRefused(
        EEXIST, hint=f"{wire.near.name} already has a link {wire.ifname}; choose another name with -i IFNAME"
    )


def stashed_for(host: Namespace, local: str) -> list[Link]:
    """What a run has put aside for that name, and had no time to remove if it was killed."""
    found = [host.netlink.link(name) for name in sysfs.names() if name.startswith(STASHED)]
    return [link for link in found if link and link.name == stash_name(link.replace(name=local))]


def left_to_do(kind: LinkKind, wire: Wire, local: str) -> list[Action]:
    """What is left to do for a wire that stands: remove the link whose place it has taken, and what its kind knows of.

    local: the host's end of the wire; nothing is left to do where there is no such link, or it is not finished.
    """
    host = wire.far
    end = host.netlink.link(local)
    if end is None or read_mark(end) is None:
        return []
    stashed = [DeleteLink(host, link.name) for link in stashed_for(host, local) if is_left_over(host, link)]
    steps = [*stashed, *kind.complete(wire, end)]
    return [Heal(steps)] if steps else []

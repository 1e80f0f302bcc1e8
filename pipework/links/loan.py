"""A NIC on loan: lent to a guest, noted, and brought home, also after a run that was killed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pipework import notes
from pipework.actions.base import Action, Heal
from pipework.actions.links import SetMac
from pipework.actions.nic import Dress, MoveLink, Restore, describe
from pipework.actions.notes import Forget, Keep, NoteArrival
from pipework.actions.stash import TakeDown
from pipework.default_routes import bring_back
from pipework.errors import AlreadyWired, Refused
from pipework.guests.base import Guest
from pipework.kernel import processes
from pipework.kernel.namespaces import Namespace
from pipework.kernel.records import Link
from pipework.links.base import Ground, Inhabitant, Remnant, Wire, Wired
from pipework.marks import read_mark
from pipework.model import Attach
from pipework.notes import Home, Loan
from pipework.typed import Optional


def lend(wire: Wire, nic: Link) -> list[Action]:
    """Hand the NIC over, once its home is noted.  Raises Refused if this host itself hangs on it."""
    host, guest, mac = wire.far, wire.near.namespace, wire.request.mac
    links = host.netlink.links()
    resting = _resting_on(nic, links)
    if any(resting.intersection(route.links) for family in (4, 6) for route in host.netlink.default_routes(family)):
        raise Refused(
            f"HOSTIF {nic.name} carries this host's default route; moving it would cut the host off",
            "Leave out --direct-phys to share it, or route the host elsewhere first: ip route",
        )
    here, ended = describe(host, nic, links), _ended(host, nic)
    home = next((loan.home for loan in ended if not _is_home(nic, loan)), _without_mark(here, ended))
    # while the run lives, nobody may take the NIC for one that a killed run has left
    loan = Loan(guest.cookie, wire.ifname, 0, "", host.cookie, processes.own_identity(), mac, home)
    # one to this guest, of a run that was killed, has the same file
    superseded = [Forget(earlier) for earlier in ended if earlier.path != loan.path]
    moving: list[Action] = [Keep(loan), *superseded, MoveLink(host, guest, here, wire.ifname)]
    return [*moving, NoteArrival(guest, loan), *([SetMac(guest, wire.ifname, mac, nic.mac)] if mac else [])]


def _ended(host: Namespace, nic: Link) -> list[Loan]:
    """Earlier loans of a NIC that is back, which gc has not come to end."""
    loans = (loan for loan in notes.readable(Loan) if loan.host == host.cookie and loan.is_same(nic))
    return [loan for loan in loans if not processes.is_alive(loan.run)]


def _is_home(nic: Link, loan: Loan) -> bool:
    """Whether somebody has made of it what it was: the kernel gives it back down, under its name in the guest."""
    return nic.up and nic.name == loan.home.link.name


def _without_mark(here: Home, ended: Sequence[Loan]) -> Home:
    """What the NIC is, with the alias that it had before an earlier loan marked it."""
    link = here.link
    return here.replace(link=link.replace(alias=ended[0].home.link.alias)) if ended and read_mark(link) else here


def _resting_on(nic: Link, links: list[Link]) -> set[int]:
    """The ifindexes of the NIC, of its bridge or bond, and of the links that stand on those."""
    resting, found = set[int](), {nic.ifindex}
    while found:
        resting |= found
        found = {link.master for link in links if link.ifindex in resting and link.master}
        # a veth names its peer where others name what they stand on
        found |= {link.ifindex for link in links if link.parent in resting and link.kind != "veth"}
        found -= resting
    return resting


def loan_of(guest: Namespace, wired: Wired) -> Optional[Loan]:
    """The note of a NIC on loan, None: it is none."""
    return notes.of_link(Loan, guest, wired.there) if wired.there else None


def take_home(host: Namespace, guest: Namespace, wired: Wired, loan: Loan) -> Sequence[Action]:
    """Bring it back to what it was.  Raises Refused if its name is taken there."""
    assert wired.there
    return [*_bring(host, guest, wired.there, loan), Forget(loan)]


def _bring(host: Namespace, guest: Namespace, link: Link, loan: Loan) -> list[Action]:
    home = loan.home
    if host.netlink.link(home.link.name):
        raise Refused(
            f"{link.name} cannot come home as {home.link.name}: this host has another link of that name",
            f"Rename that one first: ip link set {home.link.name} name OTHER",
        )
    # whose radio it is, this host's /sys does not tell of a guest's link
    here = describe(guest, link, guest.netlink.links()).replace(phy=home.phy)
    return [
        TakeDown(guest, link.name, link.up, here.addresses, here.routes),
        MoveLink(guest, host, here, home.link.name, home.link.ifindex),
        Dress(host, home, link),
    ]


def take_back(request: Attach, host: Namespace, guest: Guest) -> list[Action]:
    """Bring HOSTIF home, if the guest has it under IFNAME and the run that lent it never ended.

    Raises AlreadyWired if that run did end.
    """
    ifname = request.ifname or "eth1"
    for loan in notes.every(Loan, guest.namespace.cookie):
        home = loan.home.link
        if (
            loan.ifname != ifname
            or request.hostif not in (home.name, f"mac:{home.mac}")
            or host.netlink.link(home.name)
        ):
            continue
        is_at_work = processes.is_alive(loan.run)  # before its link is looked at, which it may finish at any time
        there = _find(guest.namespace.netlink.links(), loan)
        back = None if there else _find(host.netlink.links(), loan)
        if there and read_mark(there):
            raise AlreadyWired(f"Link {there.name} exists and is up")
        if there and not is_at_work:
            return [Heal(_return(host, guest.namespace, there, loan))]
        if back and not is_at_work:
            return [Heal((Restore(host, back, loan.home), Forget(loan)))]
    return []


def _find(links: Sequence[Link], loan: Loan) -> Optional[Link]:
    return next((link for link in links if loan.is_of(link)), None)


def _return(host: Namespace, guest: Namespace, there: Link, loan: Loan) -> list[Action]:
    """What a run that was killed has left to be done, or to be taken back."""
    routes = bring_back(guest, there)
    return [*routes.steps, *_bring(host, guest, there, loan), *routes.finish, Forget(loan)]


def loans_left_over(ground: Ground) -> Iterator[Remnant]:
    """Loans that were half made or half ended, and those to guests that are gone."""
    own = ground.host.namespace.cookie
    guests = {guest.cookie: guest for guest in ground.guests}
    for loan in notes.every(Loan):
        guest = guests.get(loan.cookie)
        if loan.host == own and guest:
            yield from _half_lent(ground, guest, loan)
        elif loan.host == own:
            yield from _lent_to_the_dead(ground, loan)
        elif not guest and loan.host not in guests:
            yield Remnant(f"note of {loan.ifname} of a guest that is gone", (Forget(loan),))


def _half_lent(ground: Ground, guest: Inhabitant, loan: Loan) -> Iterator[Remnant]:
    """A NIC in a guest that bears no mark: a run was killed that moved it there, or here."""
    if processes.is_alive(loan.run):
        return
    host, name = ground.host.namespace, loan.home.link.name
    there, back = _find(guest.links, loan), _back(ground, loan)
    if there and not read_mark(there) and not ground.host.named(name):
        namespace = ground.enter(guest.residence)
        now = namespace.netlink.link_of(there.ifindex)  # which the run may have finished before it ended
        if now and not read_mark(now):
            yield Remnant(f"the loan of {name}, half made", tuple(_return(host, namespace, now, loan)))
    elif back and not there:
        yield Remnant(f"the loan of {name}, half ended", (Restore(host, back, loan.home), Forget(loan)))


def _lent_to_the_dead(ground: Ground, loan: Loan) -> Iterator[Remnant]:
    """The kernel gives a NIC back when its namespace ends, down and under the name that it had there."""
    host, home, back = ground.host.namespace, loan.home, _back(ground, loan)
    if back:
        yield Remnant(f"the loan of {home.link.name}, which is home again", (Restore(host, back, home), Forget(loan)))
    elif home.link.kind:  # one that is no hardware is destroyed with the namespace
        yield Remnant(f"note of {home.link.name}, which went with its guest", (Forget(loan),))


def _back(ground: Ground, loan: Loan) -> Optional[Link]:
    return next((link for link in ground.host.links if loan.is_same(link)), None)

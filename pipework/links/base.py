"""What a wire is, and what each kind of link offers."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Sequence

from pipework.actions.base import Action
from pipework.actions.links import DeleteLink, MarkNewborn, SetAlias
from pipework.address import DYNAMIC
from pipework.errors import Refused
from pipework.guests.base import Guest
from pipework.kernel import sysfs
from pipework.kernel.namespaces import Namespace
from pipework.links.stash import Way, removal, stash
from pipework.marks import WIRED, Mark, is_hosts_end, is_left_over, is_unfinished, unfinished_alias
from pipework.model import LONGEST_NAME, OVN, Attach
from pipework.typed import TYPE_CHECKING, Any, Callable, Optional, TypeVar
from pipework.value import Value

if TYPE_CHECKING:
    from pipework.kernel.census import Residence
    from pipework.kernel.ovsdb import Port
    from pipework.kernel.records import Link, LinkAddress, Route
    from pipework.notes import Loan
    from pipework.vlans import Trunk

    Answer = TypeVar("Answer")

SWITCHED = ("openvswitch", "tun")  # what the link of a bridge of Open vSwitch is to the kernel, or in userspace


class Wire(Value):
    """What is to be wired: the request with every name resolved.

    near: the guest; far: where its other side is, this host; kind: the name of the file that serves it; hostif: the
    link behind HOSTIF; ifname: the guest's end; vacated: what held the names of its ends has been, or in a rehearsal
    would be, put aside; returned: the default routes that the guest has again, or would have, since then.
    """

    request: Attach
    far: Namespace
    near: Guest
    kind: str
    hostif: str
    ifname: str
    vacated: bool = False
    returned: tuple[Route, ...] = ()


class LinkPlan(Value):
    """The actions that give the guest its link, and those that close the run once its addresses stand.

    The guest's end may be left down: who gives it addresses brings it up.
    """

    make: Sequence[Action]
    finish: Sequence[Action] = ()


class Host:
    """The host's side of all wires, each thing read once, and not before somebody asks for it.

    The kernel takes longer to tell of the links of three hundred wires than of the few that one guest stands on.
    """

    def __init__(self, namespace: Namespace) -> None:
        self.namespace = namespace
        self._all: Optional[list[Link]] = None
        self._ports: Optional[dict[str, Port]] = None
        self._named: dict[str, Optional[Link]] = {}
        self._by_ifindex: dict[int, Optional[Link]] = {}
        self._answers: dict[Callable[[str], Any], dict[str, Any]] = {}
        self._gone: frozenset[str] = frozenset()
        self._left_over: Optional[set[str]] = None

    def read_all(self) -> None:
        """Read all links and ports, for who will go through them."""
        from pipework.kernel import ovsdb  # an attach to a Linux bridge does without

        inquiry = ovsdb.Inquiry(WIRED) if ovsdb.listens() else None
        links = self.namespace.netlink.links()
        self._all = links
        self._by_ifindex = {link.ifindex: link for link in links}
        self._named = {link.name: link for link in links}
        if inquiry is None and any(link.kind in SWITCHED for link in links):
            inquiry = ovsdb.Inquiry(WIRED)  # its socket may be elsewhere
        self._ports = self._ours(inquiry.ports()) if inquiry else {}

    @property
    def links(self) -> Iterable[Link]:
        """All links."""
        if self._all is None:
            self.read_all()
        assert self._all is not None
        return [link for link in self._all if link.name not in self._gone]

    @property
    def ports(self) -> dict[str, Port]:
        """The ports that wires have in Open vSwitch, by name."""
        if self._ports is None:
            from pipework.kernel.ovsdb import Inquiry  # as above

            self._ports = self._ours(Inquiry(WIRED).ports())
        return self._ports

    def _ours(self, ports: Iterable[Port]) -> dict[str, Port]:
        """Where several hosts share one Open vSwitch, its bridges tell whose a port is."""
        return {port.name: port for port in ports if self.named(port.bridge)}

    def link(self, ifindex: int) -> Optional[Link]:
        """The link of that ifindex, or None; also for 0, which is none."""
        if ifindex and self._all is None and ifindex not in self._by_ifindex:
            self._by_ifindex[ifindex] = self.namespace.netlink.link_of(ifindex)
        return self._but_gone(self._by_ifindex.get(ifindex))

    def named(self, name: str) -> Optional[Link]:
        """The link of that name, or None."""
        if self._all is None and name not in self._named and 0 < len(name) <= LONGEST_NAME:
            self._named[name] = self.namespace.netlink.link(name)
        return self._but_gone(self._named.get(name))

    def _but_gone(self, link: Optional[Link]) -> Optional[Link]:
        return None if link and link.name in self._gone else link

    def name(self, ifindex: int) -> str:
        """The name of the link of that ifindex, or ""."""
        link = self.link(ifindex)
        return link.name if link else ""

    def leads_to_guests(self, bridge: str, besides: Container[str] = ()) -> bool:
        """Whether a Linux bridge has a port that leads into a guest, of ours or the original's, other than these."""
        ports = (self.named(name) for name in sysfs.ports(bridge) if name not in besides)
        return any(port and is_hosts_end(port) for port in ports)

    def ask(self, question: Callable[[str], Answer], name: str) -> Answer:
        """What a question about a link is answered, as those of sysfs; put once."""
        answers = self._answers.setdefault(question, {})
        if name not in answers:
            answers[name] = question(name)
        answer: Answer = answers[name]
        return answer

    def left_over(self) -> set[str]:
        """The names of the links that killed runs have left half made, as they were when somebody first asked."""
        if self._left_over is None:
            self._left_over = {link.name for link in self.links if is_left_over(self.namespace, link)}
        return self._left_over

    def without(self, name: str) -> Host:
        """What the host is once a link has gone."""
        later = Host(self.namespace)
        vars(later).update(vars(self))
        later._gone = self._gone | {name}
        return later


class Seen(Value):
    """A link of a guest as it is found there, and what is known of it.

    end: the host's end of its pair, if it is one of ours or the original's; back: the id that the guest's namespace has
    for the host's; mark: the finished wire's, None where there is none; loan: the note of a NIC on loan, or None.
    """

    host: Host
    residence: Residence
    link: Link
    end: Optional[Link]
    back: Optional[int]
    mark: Optional[Mark]
    loan: Optional[Loan]

    @property
    def is_ours(self) -> bool:
        """Whether pipework has made it, or is about to."""
        return self.mark is not None or self.loan is not None or is_unfinished(self.end or self.link)

    @property
    def stands_here(self) -> bool:
        """Whether what it stands on, if anything, is a link of this host."""
        return self.link.peer_namespace in (None, self.back)

    def parent(self) -> Optional[Link]:
        """The link of the host that it stands on."""
        return self.host.link(self.link.parent) if self.link.peer_namespace is not None else None


class FarSide(Value):
    """Where a wire leads.

    hostif: the bridge or NIC, "" if none is to be seen; vlan: of an access port, on IPoIB the partition key; trunk:
    what another port carries, None if it is as all ports of its bridge are.
    """

    hostif: str
    vlan: Optional[int] = None
    trunk: Optional[Trunk] = None


class Wired(Value):
    """One wire that is there.

    guest, runtime, pid: whose (pid 0: unknown); path: opens its namespace, "" if the guest is gone; ifname: what its
    end is called now; kind: the name of the file in links/ that serves it; link: the host's end, or ""; hostif: the
    bridge or NIC; vlan, trunk: as of FarSide; mtu in bytes; state: up, down, no carrier, bridge down, filtered,
    unfinished or guest gone; guessed: it bears no mark of ours and no name of the original's, and is taken for the
    original's because nobody else is known to have made it; there, assigned: the guest's link and its
    addresses as they were read, None and nothing if the guest is gone.
    """

    guest: str
    runtime: str
    pid: int
    path: str
    ifname: str
    kind: str
    link: str
    hostif: str
    vlan: Optional[int]
    addresses: tuple[str, ...]
    mac: str
    mtu: int
    state: str
    guessed: bool = False
    there: Optional[Link] = None
    assigned: tuple[LinkAddress, ...] = ()
    trunk: Optional[Trunk] = None


class Inhabitant(Value):
    """A guest's side as gc looks at it, read once.  cookie: of its namespace."""

    residence: Residence
    cookie: int
    links: tuple[Link, ...]


class Ground(Value):
    """All that gc looks at: this host, and whoever lives on it.

    enter: opens a guest's namespace, to stay open until gc has done; raises OSError if it has just ended.
    """

    host: Host
    guests: tuple[Inhabitant, ...]
    enter: Callable[[Residence], Namespace]


class Remnant(Value):
    """Something left behind: what it is, in words, and the actions that remove it."""

    what: str
    removal: tuple[Action, ...]


class LinkKind:
    """What each file of this package offers, as its KIND; the defaults are those of a link that is the guest's alone.

    unmarked: the original has made such links, too, under no name of its own; handed_over: the guest's link may be one
    that the host had, and wants back; takes_mac: it can be given another address than its hardware's; uses_nic: HOSTIF
    is a NIC, which the guest gets or shares; routes: whether this host is the gateway of the guest, which names none;
    between_guests: its other end is a guest's, too; always_opens: whether ``opening`` is waited for even where the
    addresses are known beforehand.
    """

    unmarked = False
    handed_over = False
    takes_mac = True
    uses_nic = False
    routes = False
    between_guests = False
    always_opens = False

    def plan(self, wire: Wire) -> LinkPlan:
        """Read the host and the guest, and decide.  Raises PipeworkError for whatever can be seen to fail."""
        raise NotImplementedError

    def recognise(self, seen: Seen) -> Optional[FarSide]:
        """Where the wire leads that a guest's link is the end of; None: it is no wire of this kind."""
        raise NotImplementedError

    def remove(self, host: Host, guest: Namespace, wired: Wired) -> Sequence[Action]:
        """Take back what ``plan`` has made; host: what else there is by then.  What cannot be undone comes last.

        Raises Refused.
        """
        return (DeleteLink(guest, wired.ifname),)

    def put_aside(self, host: Host, wire: Wire, there: Wired) -> Way:
        """Get a wire of this kind out of the way of another that is to have its names."""
        assert there.there
        guest = wire.near.namespace
        return Way(stash(guest, there.there, is_guests=True), [removal(guest, there.there)])

    def complete(self, wire: Wire, end: Link) -> Sequence[Action]:
        """What a run had left to do that was killed after its last mark, and what the wire has come to need since.

        end: the link that bears the mark.
        """
        return ()

    def troubles(self, host: Namespace, wires: Sequence[Wired]) -> Iterable[tuple[Wired, str]]:
        """Those of these wires of this kind that are up and whose frames do not pass, and why, as their state."""
        return ()

    def opening(self, wire: Wire) -> Sequence[Action]:
        """Wait until frames of a new wire pass, where that takes its time."""
        return ()

    def dynamic(self, wire: Wire) -> Sequence[Action]:
        """Take the address that the network has chosen for the guest.  Raises Refused if it does not do so."""
        raise Refused(
            f"ADDRESS {DYNAMIC} is for switches of OVN, and HOSTIF {wire.hostif} is none",
            f"Write IP/PREFIX, a range of them, or a DHCP client; or wire the guest to {OVN}NAME.",
        )

    def neighbourhood(self, wire: Wire) -> tuple[Namespace, str]:
        """Whose neighbours are to hear of the guest's addresses, or have them already: a namespace and its link."""
        return wire.near.namespace, wire.ifname

    def once_probed(self, wire: Wire) -> Sequence[Action]:
        """What lets others take the addresses for the guest's, where they are looked for first."""
        return ()

    def is_looked_for(self, wire: Wire) -> bool:
        """Whether hosts of the network look for the guest's addresses, by ARP and neighbour discovery."""
        return True

    def of_the_dead(self, host: Host) -> Iterable[Wired]:
        """Wires of guests that are gone, as far as the host still has something of them."""
        return ()

    def remnants(self, ground: Ground) -> Iterable[Remnant]:
        """What guests that are gone and runs that were killed have left, of this kind."""
        return ()

    def remnants_of(self, name: str) -> Iterable[Remnant]:
        """What another host has left in a database that they share, which is gone for good.  Raises Refused."""
        return ()

    def untold(self, host: Host, wired: Wired) -> str:
        """Why nobody can tell which line makes a wire, "" where it can be told."""
        return "" if wired.hostif else "it leads to no link of this host"

    def is_whole(self, wire: Wire, there: Wired) -> bool:
        """Whether all is there that the kind makes besides, and as it makes it."""
        return True

    def is_in_vlans(self, wire: Wire, there: Wired) -> bool:
        """Whether a wire that is there is in the VLANs that are asked for, and in no other."""
        tag = wire.request.tag
        return (there.vlan, there.trunk) == (tag.vlan if tag and not tag.trunk else None, tag.trunk if tag else None)

    def say_tag(self, tag: int) -> str:
        """A FarSide.vlan as people read it."""
        return str(tag)

    def say_vlans(self, wired: Wired) -> str:
        """The VLANs of a wire as people read them, "" where it has none of its own."""
        if wired.trunk:
            return wired.trunk.text
        return self.say_tag(wired.vlan) if wired.vlan else ""


def check_mtu(wire: Wire, name: str, most: int) -> None:
    """Refuse an MTU that is more than that of the link of that name, which the guest's frames go through."""
    if wire.request.mtu and wire.request.mtu > most:
        raise Refused(
            f"--mtu {wire.request.mtu} is more than {name} carries, {most}",
            f"Leave it out, or raise that first: ip link set dev {name} mtu {wire.request.mtu}",
        )


def half_made(ground: Ground, kind: str) -> Iterator[Remnant]:
    """Links of guests that a killed run has left half made.  kind: what they are to the kernel."""
    for guest in ground.guests:
        for link in guest.links:
            if link.kind == kind and is_unfinished(link) and is_left_over(ground.enter(guest.residence), link):
                yield from _half_made(ground, guest, link)


def _half_made(ground: Ground, guest: Inhabitant, link: Link) -> Iterator[Remnant]:
    namespace = ground.enter(guest.residence)
    back = namespace.netlink.known_namespace_id(ground.host.namespace.fd)
    if link.peer_namespace in (None, back):  # what stands on another host's link is that one's to remove
        where = guest.residence.name or f"process {guest.residence.pid}"
        yield Remnant(f"link {link.name} in {where}, half made", (DeleteLink(namespace, link.name),))


def mark_unfinished(namespace: Namespace, name: str) -> Action:
    """Mark a link that was just made as being worked on by this process, so that a later run can tell."""
    return MarkNewborn(namespace, name, unfinished_alias())


def mark_finished(namespace: Namespace, name: str, wire: Wire) -> Action:
    """Mark a link as ours, the wire complete."""
    mark = Mark(wire.hostif, wire.near.runtime, wire.near.name, wire.ifname)
    return SetAlias(namespace, name, mark.alias)

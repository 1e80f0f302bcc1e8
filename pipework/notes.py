"""What the kernel does not remember: replaced default routes, a NIC's home, an uplink, a lease, a zone, a request.

One small file under /run/pipework for each, named after the guest's namespace and the link's ifindex there: a link
that the guest renames keeps its notes.  They live as long as the namespaces themselves, until the next boot.

Version 1 was named after the link's name, and its notes said neither version nor ifindex.
"""

from __future__ import annotations

import os
from contextlib import suppress

from pipework.errors import Refused
from pipework.kernel import processes
from pipework.kernel.bare import read_json
from pipework.kernel.containment import check_of_the_host
from pipework.kernel.locks import RUN, run_directory
from pipework.kernel.namespaces import Namespace
from pipework.kernel.records import Link, LinkAddress, Route
from pipework.typed import TYPE_CHECKING, Any, Optional, TypeVar
from pipework.value import Value

VERSION = 2
SUFFIX = ".json"
DRAFT = ".new"  # behind the identity of the run that writes it
BY_IFINDEX = "ifindex-"  # longer, with its eight digits, than a link's name can be

if TYPE_CHECKING:
    AnyNote = TypeVar("AnyNote", bound="Note")


class Note(Value):
    """What is kept of one link of a guest.

    cookie: of the guest's namespace; ifname: the name that the link was given there; ifindex: what it is there, 0 if
    that is not known; former: the file of version 1 that it was read from, or "".
    """

    kind = ""

    cookie: int
    ifname: str
    ifindex: int
    former: str

    @property
    def path(self) -> str:
        """The file."""
        return self.former or f"{RUN}/{self.kind}.{self.cookie}.{self.key}{SUFFIX}"

    @property
    def key(self) -> str:
        """What tells it from others of its kind and namespace."""
        return f"{BY_IFINDEX}{self.ifindex:08}"

    def is_of(self, link: Link) -> bool:
        """Whether it is of that link of its namespace."""
        return self.ifindex == link.ifindex

    def contents(self) -> dict[str, Any]:
        """What it keeps besides, in terms that JSON has."""
        raise NotImplementedError

    @classmethod
    def read(cls: type[AnyNote], base: dict[str, Any], kept: dict[str, Any]) -> AnyNote:
        """What ``contents`` has kept; base: the fields that all notes have."""
        raise NotImplementedError

    def write(self) -> None:
        """Keep it, all of it or nothing.  Raises Refused, OSError."""
        from json import dumps  # most guests have no notes

        from pipework.kernel.drafts import write_whole

        run_directory()
        kept = {"version": VERSION, "ifname": self.ifname, "ifindex": self.ifindex, **self.contents()}
        write_whole(self.path, f"{self.path}.{processes.own_identity()}{DRAFT}", dumps(kept))

    def erase(self) -> None:
        """Forget it."""
        with suppress(FileNotFoundError):
            os.unlink(self.path)


class Replaced(Note):
    """The default routes that the link's own has taken the place of.

    mac: of the link, when they were; tables: the numbers of those that it has for other links' replies, and its own.
    """

    kind = "routes"

    mac: str
    routes: tuple[Route, ...]
    tables: tuple[int, ...] = ()

    def is_of(self, link: Link) -> bool:
        return super().is_of(link) or (not self.ifindex and (self.ifname, self.mac) == (link.name, link.mac))

    def contents(self) -> dict[str, Any]:
        return {"mac": self.mac, "routes": [route.note for route in self.routes], "tables": list(self.tables)}

    @classmethod
    def read(cls, base: dict[str, Any], kept: dict[str, Any]) -> Replaced:
        tables = tuple(map(int, kept.get("tables", ())))
        return cls(**base, mac=kept["mac"], routes=tuple(map(Route.from_note, kept["routes"])), tables=tables)


class Home(Value):
    """What a NIC is, and has: a link that changes its namespace goes down and loses master, addresses and routes.

    ipv6: whether it may have IPv6, None where that is not known.
    """

    link: Link
    phy: Optional[str]
    master: Optional[str]
    addresses: tuple[LinkAddress, ...]
    routes: tuple[Route, ...]
    ipv6: Optional[bool] = None

    @property
    def note(self) -> dict[str, Any]:
        """All of it, in terms that JSON has."""
        return {
            "link": self.link.note,
            "phy": self.phy,
            "master": self.master,
            "addresses": [address.note for address in self.addresses],
            "routes": [route.note for route in self.routes],
            "ipv6": self.ipv6,
        }

    @classmethod
    def from_note(cls, kept: dict[str, Any]) -> Home:
        """What ``note`` has kept."""
        return cls(
            Link.from_note(kept["link"]),
            kept["phy"],
            kept["master"],
            tuple(map(LinkAddress.from_note, kept["addresses"])),
            tuple(map(Route.from_note, kept["routes"])),
            kept.get("ipv6"),
        )


class Loan(Note):
    """A NIC in a guest: what it is at home, and where that is.

    host: the cookie of its home; run: the identity of the run that lends it; given: the MAC that it is to have in the
    guest, if another.  ifindex is 0 until it has arrived.
    """

    kind = "nic"

    host: int
    run: str
    given: Optional[str]
    home: Home

    @property
    def key(self) -> str:
        return f"from-{self.host}-{BY_IFINDEX}{self.home.link.ifindex:08}"

    def is_of(self, link: Link) -> bool:
        """Known by its MAC, too: where its ifindex was taken it got another, and a killed run has not noted it.

        A radio that a killed run has moved may not have brought its link under the name that it was to have.
        """
        named = link.name == self.ifname or bool(self.home.phy)
        return super().is_of(link) or (named and self.is_same(link))

    def is_same(self, link: Link) -> bool:
        """Whether a link, wherever, is that NIC by its kind and its MAC."""
        home = self.home.link
        known = {home.mac, home.permanent_mac, self.given} - {"", None}
        return link.kind == home.kind and not known.isdisjoint((link.mac, link.permanent_mac))

    def contents(self) -> dict[str, Any]:
        return {"host": self.host, "run": self.run, "given": self.given, **self.home.note}

    @classmethod
    def read(cls, base: dict[str, Any], kept: dict[str, Any]) -> Loan:
        home = Home.from_note(kept)
        return cls(**base, host=int(kept["host"]), run=kept.get("run", ""), given=kept.get("given"), home=home)


class Lease(Note):
    """Who keeps a lease: the identity of the client's supervisor, or the container that shares the client's network.

    engine: the address of the engine that runs that container, "" for the default one.
    """

    kind = "dhcp"

    supervisor: str
    container: str
    engine: str = ""

    def is_of(self, link: Link) -> bool:
        return super().is_of(link) or (not self.ifindex and self.ifname == link.name)

    def contents(self) -> dict[str, Any]:
        if self.supervisor:
            return {"supervisor": self.supervisor}
        return {"container": self.container, "engine": self.engine}

    @classmethod
    def read(cls, base: dict[str, Any], kept: dict[str, Any]) -> Lease:
        keeper = {"supervisor": "", "container": "", "engine": "", **kept}
        if not (keeper["supervisor"] or keeper["container"]):
            raise KeyError("supervisor")
        supervisor, container, engine = (str(keeper[key]) for key in ("supervisor", "container", "engine"))
        return cls(**base, supervisor=supervisor, container=container, engine=engine)


class Asked(Note):
    """What a link was asked for with that nobody else tells.

    address: ADDRESS as it was typed, "" where all are fixed; options: those of Attach.options.
    """

    kind = "asked"

    address: str
    options: tuple[str, ...] = ()

    def contents(self) -> dict[str, Any]:
        return {"address": self.address, "options": list(self.options)}

    @classmethod
    def read(cls, base: dict[str, Any], kept: dict[str, Any]) -> Asked:
        return cls(**base, address=str(kept["address"]), options=tuple(map(str, kept.get("options", ()))))


class Routed(Note):
    """An address that a NIC of the host answers for, and that the host routes to the guest.

    host: the cookie of that; nic, end: the ifindexes of the NIC and of the host's end of the wire; address; first:
    whether the NIC answered for no address of IPv6 at all before.
    """

    kind = "routed"

    host: int
    nic: int
    end: int
    address: str
    first: bool = False

    @property
    def key(self) -> str:
        return f"{self.host}-{BY_IFINDEX}{self.nic:08}-{self.address}"

    def contents(self) -> dict[str, Any]:
        own = ("host", "nic", "end", "address", "first")
        return {field: getattr(self, field) for field in own}

    @classmethod
    def read(cls, base: dict[str, Any], kept: dict[str, Any]) -> Routed:
        host, nic, end = (int(kept[field]) for field in ("host", "nic", "end"))
        return cls(**base, host=host, nic=nic, end=end, address=str(kept["address"]), first=bool(kept["first"]))


class Zone(Note):
    """The zone of firewalld that a bridge of the host was put into.  cookie: of the host; ifname: of the bridge."""

    kind = "zone"

    zone: str

    @property
    def key(self) -> str:
        return self.ifname  # which is what firewalld knows it by

    def contents(self) -> dict[str, Any]:
        return {"zone": self.zone}

    @classmethod
    def read(cls, base: dict[str, Any], kept: dict[str, Any]) -> Zone:
        return cls(**base, zone=str(kept["zone"]))


class Uplink(Note):
    """A NIC of this host that has become a bridge's port: what it had before, which is the bridge's now.

    run: the identity of the run that moves it, "" once that is done; bridge: its name; is_made: whether that run has
    made it; mac: what the bridge had before, "" for none of its own; is_managed: whether NetworkManager has the NIC.
    """

    kind = "uplink"

    run: str
    bridge: str
    is_made: bool
    mac: str
    home: Home
    is_managed: bool = False

    def contents(self) -> dict[str, Any]:
        told = {"run": self.run, "bridge": self.bridge, "is_made": self.is_made, "mac": self.mac}
        return {**told, "is_managed": self.is_managed, **self.home.note}

    @classmethod
    def read(cls, base: dict[str, Any], kept: dict[str, Any]) -> Uplink:
        run, bridge, mac = (str(kept[key]) for key in ("run", "bridge", "mac"))
        is_made, is_managed = (bool(kept[key]) for key in ("is_made", "is_managed"))
        return cls(**base, run=run, bridge=bridge, is_made=is_made, mac=mac, home=Home.from_note(kept)).replace(
            is_managed=is_managed
        )


def of_link(kind: type[AnyNote], guest: Namespace, link: Link) -> Optional[AnyNote]:
    """The note of that kind of a link of a guest, or None.  Raises Refused."""
    return next((note for note in every(kind, guest.cookie) if note.is_of(link)), None)


def every(kind: type[AnyNote], cookie: Optional[int] = None) -> list[AnyNote]:
    """The notes of that kind, of one namespace or of all.  Raises Refused for one that cannot be read."""
    found = (_load(kind, name) for name in names(kind, cookie))
    return [note for note in found if note is not None]


def readable(kind: type[AnyNote], cookie: Optional[int] = None) -> list[AnyNote]:
    """The notes of that kind that can be read, of one namespace or of all: who only looks need not understand all."""
    found: list[Optional[AnyNote]] = []
    for name in names(kind, cookie):
        with suppress(Refused):
            found.append(_load(kind, name))
    return [note for note in found if note is not None]


def names(kind: type[Note], cookie: Optional[int] = None) -> list[str]:
    """The names of the files of these notes, in order."""
    start = f"{kind.kind}." if cookie is None else f"{kind.kind}.{cookie}."
    try:
        there = os.listdir(RUN)
    except OSError:
        return []
    ours = (name for name in sorted(there) if name.startswith(start) and name.endswith(SUFFIX))
    return [name for name in ours if name.split(".")[1].isdecimal()]


def check_kept() -> None:
    """See that notes outlast this command, and that those of others can be seen.  Raises Refused."""
    check_of_the_host(RUN, "what a wire has replaced would not come back")


def sweep() -> None:
    """Remove what runs have left that were killed while they wrote."""
    with suppress(OSError):
        for name in os.listdir(RUN):
            head, found, writer = name.removesuffix(DRAFT).partition(f"{SUFFIX}.")
            if head and found and name.endswith(DRAFT) and not processes.is_alive(writer):
                os.unlink(f"{RUN}/{name}")


def _load(kind: type[AnyNote], name: str) -> Optional[AnyNote]:
    path = f"{RUN}/{name}"
    try:
        _, cookie, key = name[: -len(SUFFIX)].split(".", 2)
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        with os.fdopen(fd, encoding="utf-8") as file:
            kept: dict[str, Any] = read_json(file.read())
        version = kept.get("version", 1)
        if version == 1:
            return kind.read({"cookie": int(cookie), "ifname": key, "ifindex": 0, "former": path}, kept)
        if version == VERSION:
            ifname, ifindex = str(kept["ifname"]), int(kept["ifindex"])
            return kind.read({"cookie": int(cookie), "ifname": ifname, "ifindex": ifindex, "former": ""}, kept)
    except FileNotFoundError:  # another run has just forgotten it
        return None
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise Refused(
            f"the note {path} cannot be read",
            f"It said what to put back when a link goes.  Look at it; if it is of no use, remove it: rm -r {path}",
        ) from None
    raise Refused(
        f"the note {path} is of version {version}, which a newer pipework has written",
        f"Use that one; or see what it says, and remove it: cat {path}; rm {path}",
    )

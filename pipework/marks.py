"""How ours is told from what others have made: by group, alias, external ids, comments of rules, and names.

A link is born in the group NEWBORN, which the kernel sets at birth as it does no other mark.  As soon as a run can it
gives the link an alias that says which run works on it, and at last one that says whose wire it is.  Runs hold the
host's lock until their links bear an alias, so a link that is still in the group is what a killed run has left.
"""

from __future__ import annotations

from pipework.kernel import processes
from pipework.kernel.namespaces import Namespace
from pipework.kernel.records import Link
from pipework.model import LONGEST_NAME, OVN
from pipework.typed import Optional
from pipework.value import Value

NEWBORN = int.from_bytes(b"pipe", "big")
LONGEST_ALIAS = 254  # less than IFALIASZ, linux/if.h, with the NUL at its end
UNFINISHED = "pipework unfinished "  # in front of the identity of the run
COMMENT = "pipework: "  # of a firewall rule, in front of its bridge's name, and its port's where it is of one
ROUTED = "pipework routed: "  # of that of a guest that the host routes for, in front of the NIC and the host's end
WIRED = "pipework.interface"  # the external id that each interface of ours has in Open vSwitch
IFACE_ID = "iface-id"  # that of a port of OVN: the name of its logical port
LOGICAL = "pipework.ovn"  # and each of OVN besides: the name of the logical switch
MAKING = "pipework.unfinished"  # the external id of a bridge that is being made: the identity of the run
ACCESS = "pipework host-access"  # in front of the NIC's name, in the alias of the host's own macvlan of it
REACHING = "pw-"  # in front of its name
STASHED = "vpo"  # in front of the name of a link that is put aside


class Mark(Value):
    """What the alias of a finished link of ours says: ``pipework HOSTIF RUNTIME:GUEST IFNAME``.

    ifname is the name that the guest's end was given; the guest may have changed it since.  hostif is the other guest,
    RUNTIME:GUEST, where the wire leads to one.
    """

    hostif: str
    runtime: str
    guest: str
    ifname: str

    @property
    def is_between_guests(self) -> bool:
        """Whether the wire leads to another guest."""
        return ":" in self.hostif and not self.hostif.startswith(OVN)

    @property
    def far_guest(self) -> str:
        """What the other guest is called, "" where there is none."""
        return self.hostif.partition(":")[2]

    @property
    def alias(self) -> str:
        """The alias; where the kernel would refuse it, the guest's name is cut, so that the rest can be read."""
        head, tail = f"pipework {self.hostif} {self.runtime}:", f" {self.ifname}"
        left = LONGEST_ALIAS - len(f"{head}{tail}".encode("utf-8", "replace"))
        return head + self.guest.encode("utf-8", "replace")[:left].decode("utf-8", "ignore") + tail


def read_mark(link: Link) -> Optional[Mark]:
    """What a finished link of ours says of itself; None: it is none, or not finished."""
    if not link.alias.startswith("pipework ") or is_unfinished(link):
        return None
    hostif, _, rest = link.alias[len("pipework ") :].partition(" ")
    guest, _, ifname = rest.rpartition(" ")
    runtime, colon, name = guest.partition(":")
    return Mark(hostif, runtime, name, ifname) if colon else None


def vlan_alias(nic: str) -> str:
    """The alias of a VLAN link that a run has made on the host, for everyone who asks for that VLAN."""
    return f"pipework {nic}"


def access_alias(nic: str) -> str:
    """The alias of the macvlan by which a host reaches the guests of a NIC."""
    return f"{ACCESS} {nic}"


def is_access(link: Link) -> bool:
    """Whether a link of the host is such a one."""
    return link.alias.startswith(f"{ACCESS} ")


def unfinished_alias() -> str:
    """The alias of a link that this process is working on."""
    return UNFINISHED + processes.own_identity()


def is_unfinished(link: Link) -> bool:
    """Whether some run is working on that link, or was until it was killed."""
    return link.group == NEWBORN or link.alias.startswith(UNFINISHED)


def made_by(link: Link) -> int:
    """The process, another than this one, that is working on that link; 0 if none is."""
    run = link.alias[len(UNFINISHED) :] if is_unfinished(link) else ""
    return int(run.partition(".")[0]) if processes.is_alive(run) and run != processes.own_identity() else 0


def is_left_over(namespace: Namespace, link: Link) -> bool:
    """Whether a run that was killed has left this link of that namespace half made.

    A run that has ended may have finished the link since it was read, so it is read again.
    """
    if not is_unfinished(link) or processes.is_alive(link.alias[len(UNFINISHED) :]):
        return False
    now = namespace.netlink.link_of(link.ifindex)
    return now is not None and is_unfinished(now) and now.alias == link.alias


def is_hosts_end(link: Link) -> bool:
    """Whether a link of the host is its end of a wire, ours or the original's."""
    mark = read_mark(link)
    if mark is None:
        return is_unfinished(link) or original_ifname(link.name) is not None
    return not mark.is_between_guests  # of a host that is itself another's guest


def original_ifname(name: str) -> Optional[str]:
    """IFNAME of a host's end that is called ``v<IFNAME>pl<PID>``, as the original calls it; None: it is not."""
    head, found, pid = name.rpartition("pl")
    ifname = head[1:]
    return ifname if found and ifname and head[0] == "v" and pid.isascii() and pid.isdigit() else None


def stash_name(link: Link) -> str:
    """The name of a link while it is put aside: always the same for the same link, and no other's."""
    return digest_name(STASHED, f"{link.name} {link.ifindex}")


def digest_name(prefix: str, text: str) -> str:
    """A link's name for a text that is too long to be one: always the same, and no other text's.

    The digest fills what the prefix leaves, 44 bits or more.
    """
    from hashlib import md5  # OpenSSL takes milliseconds to load, and few names are so long

    digest = md5(text.encode("utf-8", "surrogateescape"), usedforsecurity=False).hexdigest()
    return prefix + digest[: LONGEST_NAME - len(prefix)]


def rule_comment(bridge: str, port: str = "") -> str:
    """The comment of our firewall rule for a bridge, or for a port of it."""
    return f"{COMMENT}{bridge} {port}".rstrip()


def routed_comment(nic: str, end: str) -> str:
    """The comment of our firewall rule for a guest that the host routes for, by the host's end of its wire."""
    return f"{ROUTED}{nic} {end}"

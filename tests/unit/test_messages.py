"""How answers of the kernel are taken, of any shape: fed by hand, since the kernel gives the rare ones seldom."""

from __future__ import annotations

import socket
from collections.abc import Iterator, Sequence
from errno import EBUSY, EMSGSIZE, ENOBUFS, EPERM, ESRCH
from typing import Any

import pytest

from pipework.errors import KernelRefused, Refused
from pipework.kernel import messages
from pipework.kernel.messages import CAPPED, DONE, DUMP_INTERRUPTED, ERROR, EXPLAINED, MULTI, OVERRUN
from pipework.kernel.netlink import DUMP, GETLINK, SETLINK, TRIES, Netlink

LO = messages.link(1, IFLA_IFNAME="lo")
ETH0 = messages.link(2, IFLA_IFNAME="eth0")
WHY = messages.attribute(1, b"this is why\0")


class Wire:
    """A pair of sockets with the kernel's address at the far end; each request has its answers put in there."""

    def __init__(self, answers: Iterator[Sequence[Any]]) -> None:
        self.near, self.far = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.answers = answers
        self.requests: list[bytes] = []
        self.refusals: list[int] = []

    def send(self, data: bytes) -> None:
        """Answer a request: by datagrams as they are, or an errno for the recvmsg after them."""
        self.requests.append(data)
        sequence = messages.MESSAGE.unpack_from(data)[3]
        for answer in next(self.answers):
            if isinstance(answer, int):
                self.refusals.append(answer)
            else:
                self.far.send(b"".join(messages.message(*head, sequence + late, body) for *head, late, body in answer))

    def recvmsg(self, size: int, _: int, flags: int) -> tuple[bytes, list[Any], int, tuple[int, int]]:
        """Receive, from the kernel."""
        if self.refusals:
            raise OSError(self.refusals.pop(0), "")
        data, told, how, _address = self.near.recvmsg(size, 0, flags)
        return data, told, how, (0, 0)

    def close(self) -> None:
        """Close both."""
        self.near.close()
        self.far.close()


def netlink(*answers: Sequence[Any]) -> tuple[Netlink, Wire]:
    """Return one that is answered so, request by request, and its wire."""
    wire = Wire(iter(answers))
    made = Netlink()
    made.socket.close()
    made.socket = wire  # type: ignore[assignment]
    return made, wire


def part(body: bytes, flags: int = MULTI, late: int = 0) -> tuple[int, int, int, bytes]:
    """Return a link of a dump; late: of which request it is, 0 for the last."""
    return (16, flags, late, body)


def end(errno: int = 0, flags: int = MULTI, late: int = 0, more: bytes = b"") -> tuple[int, int, int, bytes]:
    """Return the end of a dump."""
    return (DONE, flags, late, messages.SIGNED.pack(-errno) + more)


def error(errno: int, flags: int, echoed: bytes, more: bytes = b"") -> tuple[int, int, int, bytes]:
    """Return a refusal, or an acknowledgement, with as much of the request as it echoes."""
    return (ERROR, flags, 0, messages.SIGNED.pack(-errno) + echoed + more)


REQUEST = messages.message(SETLINK, 5, 1, messages.link(1, IFLA_IFNAME="a"))


@pytest.mark.parametrize(
    "answer",
    [
        error(EPERM, EXPLAINED, REQUEST, WHY),
        error(EPERM, EXPLAINED | CAPPED, REQUEST[:16], WHY),
        error(EPERM, EXPLAINED, REQUEST, messages.attribute(2, b"\1\0\0\0") + WHY),
    ],
    ids=["echoed", "capped", "behind others"],
)
def test_refusal_explained(answer: Any) -> None:
    """The kernel's own explanation is told, however much of the request comes back with it."""
    made, _ = netlink([[answer]])
    with pytest.raises(KernelRefused) as refusal:
        made.set_link(1, up=True)
    assert (refusal.value.errno, refusal.value.detail) == (EPERM, "this is why")


@pytest.mark.parametrize("answer", [error(EPERM, 0, REQUEST), error(EPERM, CAPPED, REQUEST[:16]), error(EPERM, 0, b"")])
def test_refusal_without_words(answer: Any) -> None:
    """A refusal without explanation is told by its number."""
    made, _ = netlink([[answer]])
    with pytest.raises(KernelRefused, match=r"^RTNETLINK answers: Operation not permitted$"):
        made.set_link(1, up=True)


def test_dump_of_several_datagrams() -> None:
    """A dump ends with its last message, and what belongs to an earlier request is not of it."""
    made, _ = netlink([[part(LO), part(ETH0, late=-1)], [end(late=-1)], [part(ETH0), end()]])
    assert [link.name for link in made.links()] == ["lo", "eth0"]


@pytest.mark.parametrize(
    "torn",
    [
        [[part(LO, MULTI | DUMP_INTERRUPTED), part(ETH0)], [end()]],
        [[part(LO)], [end(flags=MULTI | DUMP_INTERRUPTED)]],
        [[part(LO)], ENOBUFS],
        [[part(LO), (OVERRUN, 0, 0, b"")]],
        [[error(EBUSY, 0, REQUEST)]],
    ],
    ids=["a message", "the end", "lost", "overrun", "another is read"],
)
def test_torn_dump(torn: Sequence[Any]) -> None:
    """A dump of which a part may be missing is asked for again, and after some tries refused."""
    whole = [[part(LO), part(ETH0), end()]]
    made, wire = netlink(torn, torn, whole)
    assert [link.name for link in made.links()] == ["lo", "eth0"]
    assert len(wire.requests) == 3
    made, wire = netlink(*[torn] * TRIES)
    with pytest.raises(Refused, match=f"gave up after {TRIES} tries"):
        made.links()
    assert len(wire.requests) == TRIES


@pytest.mark.parametrize(
    "answers",
    [[[part(LO)], [error(ESRCH, 0, REQUEST)]], [[part(LO), end(ESRCH, EXPLAINED, more=WHY)]]],
    ids=["an error", "at its end"],
)
def test_dump_that_fails(answers: Sequence[Any]) -> None:
    """A dump that the kernel breaks off is no answer."""
    made, wire = netlink(answers)
    with pytest.raises(KernelRefused, match="No such process"):
        made.links()
    assert len(wire.requests) == 1


def test_change_whose_answer_is_lost() -> None:
    """A change is not asked for twice: whether it was made is not known."""
    made, wire = netlink([ENOBUFS])
    with pytest.raises(KernelRefused, match="its answer is lost"):
        made.set_link(1, up=True)
    assert len(wire.requests) == 1


def test_answer_that_is_cut() -> None:
    """An answer that does not fit is refused."""
    made, _ = netlink([[part(messages.attribute(1, bytes(60000))), part(messages.attribute(1, bytes(6000)))]])
    with pytest.raises(KernelRefused) as refusal:
        made.request(GETLINK, messages.link(), DUMP)
    assert refusal.value.errno == EMSGSIZE


def test_attributes() -> None:
    """Attributes of any length are found one behind the other, and what is cut off ends them."""
    packed = b"".join(messages.attribute(number, b"x" * number) for number in range(9))
    assert messages.attributes(packed) == [(number, b"x" * number) for number in range(9)]
    assert messages.attributes(b"head" + packed[:-12], 4)[-1][0] == 7
    assert messages.attributes(packed + b"\0\0\1\0") == messages.attributes(packed)
    assert messages.chosen(packed + b"\0\0\1\0", 0, (3, 20)) == {3: b"xxx"}

"""What pyroute2 makes of the same messages: another's reading of the kernel's headers, to hold ours against.

Each release runs in a process of its own, which sees that release and the standard library alone.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from typing import Any, NamedTuple

from pipework.kernel import messages
from tests.lab.guest import SLOW
from tests.lab.pyroute2_releases import Release

PROGRAM = """
import json, sys
sys.path.insert(0, sys.argv[1])
from pyroute2.netlink.rtnl.fibmsg import fibmsg
from pyroute2.netlink.rtnl.ifaddrmsg import ifaddrmsg
from pyroute2.netlink.rtnl.ifinfmsg import ifinfmsg
from pyroute2.netlink.rtnl.ndmsg import ndmsg
from pyroute2.netlink.rtnl.nsidmsg import nsidmsg
from pyroute2.netlink.rtnl.rtmsg import rtmsg

def named(attributes):  # JSON has no tuples
    return [(name, given(value)) for name, value in attributes]

def given(value):
    if isinstance(value, dict):
        return {key: named(inner) if key == "attrs" else given(inner) for key, inner in value.items()}
    return [given(inner) for inner in value] if isinstance(value, list) else value

def plain(value):
    if isinstance(value, dict):
        return {key: plain(inner) for key, inner in value.items() if key != "header"}
    if isinstance(value, list):
        return [plain(inner) for inner in value]
    if isinstance(value, (bytes, bytearray)):
        return bytes(value).hex()
    if isinstance(value, (str, int, float)) or value is None:
        return value
    name, inner = value
    return [name, plain(inner)]

def encode(job):
    message = globals()[job["what"]]()
    header = message["header"]
    header["type"], header["flags"], header["sequence_number"] = job["kind"], job["flags"], job["sequence"]
    for field, value in job["fields"].items():
        message[field] = value
    message["attrs"] = named(job["attrs"])
    message.encode()
    return bytes(message.data).hex()

def decode(job):
    message = globals()[job["what"]](bytes.fromhex(job["data"]))
    message.decode()
    return {**{field: message[field] for field, _ in message.fields}, "attrs": plain(message["attrs"])}

print(json.dumps([globals()[job["do"]](job) for job in json.load(sys.stdin)]))
"""


class Described(NamedTuple):
    """A request in pyroute2's words."""

    what: str  # its class
    kind: int
    flags: int
    fields: dict[str, int]
    attrs: Sequence[tuple[str, Any]] = ()


class Told(NamedTuple):
    """A message that pyroute2 has read."""

    fields: dict[str, Any]
    attrs: list[Any]

    def get(self, name: str) -> Any:
        """Return the first attribute of that name, or None."""
        return next((value for key, value in self.attrs if key == name), None)

    def inner(self, name: str) -> Told:
        """Return an attribute that is made of others."""
        value = self.get(name)
        return Told({}, value["attrs"] if isinstance(value, dict) else [])


def _ask(release: Release, jobs: list[dict[str, Any]]) -> list[Any]:
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", PROGRAM, str(release.folder)],
        input=json.dumps(jobs),
        stdout=subprocess.PIPE,
        text=True,
        timeout=60 * SLOW,
        check=True,
    )
    answers: list[Any] = json.loads(done.stdout)
    return answers


def encoded(release: Release, described: Sequence[Described], sequences: Sequence[int]) -> list[bytes]:
    """Return those requests as pyroute2 encodes them."""
    jobs = [{"do": "encode", "sequence": sequence, **one._asdict()} for one, sequence in zip(described, sequences)]
    return [bytes.fromhex(data) for data in _ask(release, jobs)]


def decoded(release: Release, what: str, kind: int, bodies: Sequence[bytes]) -> list[Told]:
    """Return what pyroute2 reads in those answers, which come without the netlink header."""
    jobs = [{"do": "decode", "what": what, "data": messages.message(kind, 0, 0, body).hex()} for body in bodies]
    return [Told(answer, answer.pop("attrs")) for answer in _ask(release, jobs)]

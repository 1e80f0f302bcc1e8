"""The HTTP API that Docker's engine and podman share: one GET tells a container's name, id and first process."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager

from pipework.errors import GuestStopped, GuestUnusable, NotInstalled, Refused
from pipework.guests.base import NO_HOST_NETWORK, Guest, on_hosts_network, open_process_namespace
from pipework.kernel.bare import read_json, socket
from pipework.kernel.processes import in_cgroup_of, is_child_of_monitor_of
from pipework.typed import Any, Optional
from pipework.value import Value

LIMIT = 10.0  # seconds that an engine may take to answer
FIRST_CHARACTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789")
CHARACTERS = FIRST_CHARACTERS | frozenset("_.-")
HEXADECIMAL = frozenset("0123456789abcdef")
AMBIGUOUS = (b"multiple ids", b"more than one result")  # Docker's and podman's 404 for a prefix of two ids


class Engine(Value):
    """Who is asked.

    label: for people; program: its command line, and the prefix of its guests; socket: its path, or as people write it
    the port that it listens at; host, port: where that is, "" and 0 for a socket.
    """

    label: str
    program: str
    socket: str
    host: str = ""
    port: int = 0

    @property
    def url(self) -> str:
        """Its address, as DOCKER_HOST has it."""
        return f"tcp://{self.socket}" if self.host else f"unix://{self.socket}"


def is_name(text: str) -> bool:
    """Whether a container can be called so, or its id can begin so; nothing else is worth a question."""
    return bool(text) and text[0] in FIRST_CHARACTERS and CHARACTERS.issuperset(text)


def is_full_id(text: str) -> bool:
    """Whether it is a container's id, wholly."""
    return len(text) == 64 and HEXADECIMAL.issuperset(text)


def name_of(container: Any) -> str:
    """The name of a container of which an engine tells."""
    return str(container["Name"]).lstrip("/")


def inspect(engine: Engine, name: str) -> Optional[Any]:
    """What the engine tells of the container of that name, id or id prefix; None if it knows none.

    Raises NotInstalled where no engine listens, Refused if it fails.
    """
    status, body = _get(engine, f"/containers/{name}/json")
    if status == 404 and not any(words in body.lower() for words in AMBIGUOUS):
        return None
    try:
        answer = read_json(body.decode("utf-8", "surrogatepass"))
        if status == 200:
            return answer
        said = answer["message"]
    except (ValueError, KeyError, TypeError):
        said = f"HTTP status {status}, and nothing that can be understood"
    raise Refused(f"{engine.label} says of {name}: {said}", f"See the containers: {engine.program} ps --all --no-trunc")


def get(engine: Engine, path: str) -> Any:
    """What the engine tells there.  Raises NotInstalled where no engine listens, Refused if it fails."""
    status, body = _get(engine, path)
    try:
        told = read_json(body.decode("utf-8", "surrogatepass"))
    except ValueError:
        told = None
    if status != 200 or not isinstance(told, (dict, list)):
        raise Refused(f"{engine.label} does not tell {path}: HTTP status {status}", f"See: {engine.program} info")
    return told


def guest_of(engine: Engine, container: Any) -> Guest:
    """The guest that a container is, its namespace open.

    container is what the engine tells of it.  Raises GuestStopped while it has no process, GuestUnusable,
    Refused if that is no description of a container.
    """
    try:
        pid, status = int(container["State"]["Pid"]), str(container["State"]["Status"])
        name, identifier = name_of(container), str(container["Id"])
        network = str(container["HostConfig"]["NetworkMode"])
        if not is_full_id(identifier) or not is_name(name):
            raise ValueError(identifier, name)
    except (KeyError, TypeError, ValueError):
        raise Refused(
            f"what answers as {engine.label} is something else", f"Look at it: {engine.program} info"
        ) from None
    start = f"Start it: {engine.program} start {name}"
    if not pid:
        raise GuestStopped(f"container {name} is not running ({status})", start)
    if network == "host":  # told even where pipework itself runs in another namespace than the host's
        raise on_hosts_network(name, NO_HOST_NETWORK)
    namespace = open_process_namespace(pid, f"container {name}")
    # asked only once the namespace is held: a number that another process has got meanwhile shows here, and one that
    # means another machine's process, whose engine a port or a socket of this one may lead to
    if not in_cgroup_of(pid, identifier) and not is_child_of_monitor_of(pid, identifier):
        namespace.close()
        raise GuestUnusable(f"container {name} has ended while pipework looked at it", start)
    return Guest(name, engine.program, namespace, str(pid), pid, identifier)


def connect(engine: Engine) -> socket.socket:
    """A connection to the engine.  Raises NotInstalled where nobody listens, Refused."""
    with _refusals(engine):
        family = socket.AF_UNIX if not engine.host else socket.AF_INET6 if ":" in engine.host else socket.AF_INET
        connection = socket.socket(family, socket.SOCK_STREAM)
        try:
            connection.settimeout(LIMIT)
            connection.connect((engine.host, engine.port) if engine.host else engine.socket)
        except OSError:
            connection.close()
            raise
        return connection


def _get(engine: Engine, path: str) -> tuple[int, bytes]:
    """Status and body of a GET."""
    answer = b""
    with _refusals(engine), closing(connect(engine)) as connection:
        # HTTP/1.0: the answer comes in one piece and ends with the connection
        connection.sendall(f"GET {path} HTTP/1.0\r\nHost: {engine.program}\r\n\r\n".encode("ascii"))
        while chunk := connection.recv(1 << 16):
            answer += chunk
    head, _, body = answer.partition(b"\r\n\r\n")
    words = head.split(None, 2)
    if len(words) < 2 or not words[1].isdigit():
        raise Refused(f"{engine.socket} does not speak HTTP", f"Look at it: {engine.program} info")
    return int(words[1]), body


@contextmanager
def _refusals(engine: Engine) -> Iterator[None]:
    """Say in our words what the system says of a connection to the engine."""
    try:
        yield
    except (FileNotFoundError, ConnectionRefusedError):
        raise NotInstalled(
            f"{engine.label} does not run here: nobody listens at {engine.socket}",
            f"Start it, then look: {engine.program} info",
        ) from None
    except PermissionError:
        raise Refused(
            f"may not ask {engine.label} at {engine.socket}", "Run pipework as root: sudo pipework ..."
        ) from None
    except OSError as error:
        raise Refused(
            f"{engine.label} at {engine.socket} does not answer: {error}",
            f"Look at the engine: {engine.program} info",
        ) from None

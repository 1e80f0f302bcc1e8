"""A lease by udhcpc of the busybox image, in a container that shares the guest's network."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import docker
import psutil
from docker.errors import APIError, DockerException, ImageNotFound, NotFound

from pipework.actions.base import Action
from pipework.actions.dhcp import ended, leased, wait_for_lease, warn_of_lease
from pipework.actions.notes import KeepOnceThere
from pipework.errors import Refused
from pipework.kernel.namespaces import Namespace
from pipework.notes import Lease
from pipework.quoting import quote
from pipework.typed import Any
from pipework.value import Value

IMAGE = "busybox"
ENDING_LIMIT = 3  # seconds that a client may take to give its lease back
ENGINE_LIMIT = 10  # seconds that the engine may take to answer
LABELS = ("pipework.guest", "pipework.link")
PLACE = "/udhcpc.script"
# What udhcpc runs at each news of its lease, which it has in its environment; the official image has no such script.
# An address that is there stays, for a renewal must not cut connections; a router off the link gets a host route.
SCRIPT = (
    'case $1 in deconfig) ip link set "$interface" up; ip -4 addr flush dev "$interface";; bound|renew) '
    'case " $(ip -4 -o addr show dev "$interface") " in *" $ip/$mask "*) ;; *) ip -4 addr flush dev "$interface"; '
    'ip addr add "$ip/$mask" broadcast "${broadcast:-+}" dev "$interface";; esac; '
    'case " $(ip route show dev "$interface") " in *"default via ${router%% *} "*) ;; *) '
    'while ip route del default dev "$interface" 2>/dev/null; do :; done; '
    'for via in ${router%% *}; do ip route add default via "$via" dev "$interface" 2>/dev/null || '
    '{ ip route add "$via" dev "$interface"; ip route add default via "$via" dev "$interface"; }; done;; esac;; esac'
)
# The shell's lines that leave the script there and become the client.
BECOME = f"""printf '#!/bin/sh\\n%s\\n' "$0" >{PLACE}; chmod 755 {PLACE}; exec udhcpc -s {PLACE} "$@\""""


class Client(Value):
    """udhcpc in a container for a guest's link.

    engine: the address of the guest's, which runs it.  One that stays is in the guest's process namespace, too, so that
    the kernel ends it with the guest.
    """

    engine: str
    namespace: Namespace
    link: str
    container: str
    arguments: tuple[str, ...]
    stays: bool

    def remove_all(self, engine: Any) -> None:
        """Remove this link's client, or what an earlier link of that name has left."""
        for client in _clients(engine, self.container, self.link):
            with suppress(NotFound), _being_removed():
                client.remove(force=True)


class CreateClient(Action):
    """Create the container, with the script in it."""

    client: Client

    def do(self) -> None:
        client = self.client
        place = f"container:{client.container}"
        with _engine(client.engine) as engine:
            client.remove_all(engine)
            engine.containers.create(
                IMAGE,
                ["udhcpc", "-s", PLACE, *client.arguments],
                auto_remove=client.stays,
                network_mode=place,
                pid_mode=place if client.stays else None,
                cap_add=["NET_ADMIN", "NET_RAW"],
                labels=dict(zip(LABELS, (client.container, client.link))),
                # a container in another's network has the very same file
                volumes={"/dev/null": {"bind": "/etc/resolv.conf", "mode": "rw"}},
            )

    def undo(self) -> None:
        with _engine(self.client.engine) as engine:
            self.client.remove_all(engine)

    def say(self) -> str:
        client = self.client
        place = f"container:{client.container}"
        options = ["--rm", f"--net={place}", *([f"--pid={place}", "-d"] if client.stays else []), "--cap-add=NET_ADMIN"]
        options += ["-v", "/dev/null:/etc/resolv.conf"]
        words = " ".join(quote(word) for word in (BECOME, SCRIPT, *client.arguments))
        return f"docker run {' '.join(options)} {IMAGE} sh -c {words}"


class StartClientInContainer(Action):
    """Let the client run."""

    client: Client

    def do(self) -> None:
        with _engine(self.client.engine) as engine:
            (there,) = _clients(engine, self.client.container, self.client.link)
            there.put_archive("/", _archive())
            there.start()


class AwaitLeaseInContainer(Action):
    """Wait until the client has a lease; patience in seconds."""

    client: Client
    patience: float

    def do(self) -> None:
        with _engine(self.client.engine) as engine:
            (there,) = _clients(engine, self.client.container, self.client.link)
            wait_for_lease(lambda: self._has_lease(there), self.client.link, self.patience)

    def _has_lease(self, there: Any) -> bool:
        try:
            there.reload()
        except NotFound:
            raise ended("udhcpc", None, "") from None
        state, client = there.attrs["State"], self.client
        has = leased(client.namespace, client.link, 4) is not None  # after it: one that has ended may just have had it
        if state["Status"] in ("exited", "dead"):
            if has:
                return True
            raise ended("udhcpc", state["ExitCode"], there.logs().decode("utf-8", "replace"))
        # one that stays has done all when the script that it runs has ended
        return has and client.stays and _has_no_child(state["Pid"])


class RemoveClient(Action):
    """Remove the container of a client that has done all it was to do."""

    client: Client

    def do(self) -> None:
        with _engine(self.client.engine) as engine:
            self.client.remove_all(engine)


class NoteClient(KeepOnceThere):
    """Keep where a client runs that stays, for whoever will end it."""

    client: Client

    def note(self) -> Lease:
        client = self.client
        ifindex = client.namespace.netlink.index(client.link)
        return Lease(client.namespace.cookie, client.link, ifindex, "", "", client.container, client.engine)


class EndClientInContainer(Action):
    """End a client that stays in a container of its own: it gives its lease back.  As EndClient."""

    note: Lease
    is_final: bool = False

    def do(self) -> None:
        with _engine(self.note.engine) as engine:
            for client in _clients(engine, self.note.container, self.note.ifname):
                with suppress(NotFound), _being_removed():
                    client.stop(timeout=ENDING_LIMIT)
        self.note.erase()

    def undo(self) -> None:
        warn_of_lease(self.note)

    def say(self) -> str:
        filters = [f"--filter {quote(f'label={label}')}" for label in _labels(self.note.container, self.note.ifname)]
        return f"docker stop -t {ENDING_LIMIT} $(docker ps -q {' '.join(filters)})"


def _archive() -> bytes:
    """The script as the engine takes a file: it need not see ours."""
    content, packed = f"#!/bin/sh\n{SCRIPT}\n".encode(), io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        entry = tarfile.TarInfo(PLACE.lstrip("/"))
        entry.mode, entry.size = 0o755, len(content)
        archive.addfile(entry, io.BytesIO(content))
    return packed.getvalue()


def _labels(container: str, link: str) -> list[str]:
    return [f"{label}={value}" for label, value in zip(LABELS, (container, link))]


def _clients(engine: Any, container: str, link: str) -> Any:
    """The containers in which clients of a guest's link run, or have run."""
    return engine.containers.list(all=True, filters={"label": _labels(container, link)}, ignore_removed=True)


def check_engine(url: str, container: str, stays: bool) -> None:
    """See that the image is there, and that the client would end with the guest.  Raises Refused."""
    with _engine(url) as engine:
        try:
            engine.images.get(IMAGE)
        except ImageNotFound:
            raise Refused(f"the image {IMAGE} is not here", f"Get it: docker pull {IMAGE}") from None
        if stays and engine.containers.get(container).attrs["HostConfig"]["PidMode"]:
            raise Refused(
                "dhcp:-f needs a guest with processes of its own (it was started with --pid)",
                "Use udhcpc-f, which runs the host's client.",
            )


@contextmanager
def _engine(url: str) -> Iterator[Any]:
    """The engine at that address, "" for the default one, for one block.  Raises Refused for whatever it refuses."""
    try:
        engine = docker.DockerClient(url or None, version="auto", timeout=ENGINE_LIMIT)
        try:
            yield engine
        finally:
            engine.close()
    except DockerException as error:
        said = error.explanation if isinstance(error, APIError) and error.explanation else error
        raise Refused(f"Docker could not run udhcpc: {said}", "Look at the engine: docker info") from None


@contextmanager
def _being_removed() -> Iterator[None]:
    try:
        yield
    except APIError as error:
        if error.status_code != 409:  # the engine is removing it already
            raise


def _has_no_child(pid: int) -> bool:
    try:
        return bool(pid) and not psutil.Process(pid).children()
    except psutil.NoSuchProcess:
        return False

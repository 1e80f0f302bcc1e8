"""``pipework hook run``, as a container's runtime types it before the first process: wire the container.

The engine is not asked about a container that it is just starting, for it would wait for itself: whose links they are
is told by the container's id, and whoever lists them asks for the name.
"""

from __future__ import annotations

import os
import time

from pipework.address import Dhcp
from pipework.commands.own_lines import check_own
from pipework.commands.replace import see_to
from pipework.commands.session import session
from pipework.errors import Interrupted, PipeworkError, Refused, one_line
from pipework.guests.base import NO_HOST_NETWORK, Guest, on_hosts_network, open_process_namespace
from pipework.kernel import sysfs
from pipework.kernel.drafts import write_whole
from pipework.kernel.locks import RUN, run_directory
from pipework.lines import read_own
from pipework.model import Attach
from pipework.oci import State, gets_network_later
from pipework.requests import Hook
from pipework.typed import Sequence

INSTALL = "pipework hook install"
REFUSAL = f"{RUN}/hook.refused"  # some runtimes, as crun, do not pass on what a hook says


def start(state: State, request: Hook) -> None:
    """Wire a container that starts.  Raises PipeworkError: then it does not."""
    try:
        wire(state, request)
    except PipeworkError as error:
        _note(state, error)
        raise


def wire(state: State, request: Hook) -> None:
    """Make all wires that the container's lines ask for, or none.  Raises PipeworkError."""
    runtime = request.engine or "pid"
    name = state.id if request.engine else str(state.pid)
    asked = _read(state, name)
    namespace = open_process_namespace(state.pid, f"container {state.id[:12]}")
    guest = Guest(name, runtime, namespace, str(state.pid), state.pid, state.id, _host_name(state, asked))
    with session(False, guest) as (host, log):
        if namespace.identity == host.identity:
            raise on_hosts_network(f"container {state.id[:12]}", NO_HOST_NETWORK)
        _check_default_route(asked, guest, request, state)
        taken = set[str]()
        for place, attach in asked:
            try:
                taken.add(check_own(attach, host, guest, request.allow, INSTALL, taken))
                see_to(attach, guest, host, log)
            except Interrupted:
                raise
            except PipeworkError as error:
                error.message = f"{place}: {error.message}"
                raise


def _read(state: State, name: str) -> list[tuple[str, Attach]]:
    """What the lines ask for, each with its place.  Raises Refused, with all that is wrong in them."""
    if not state.lines:
        raise Refused(
            f"container {state.id[:12]} has no annotation pipework", "Add one: --annotation pipework.1='HOSTIF ADDRESS'"
        )
    asked, wrong = list[tuple[str, Attach]](), list[str]()
    for annotation, text in state.lines:
        place = f"annotation {one_line(annotation)}"
        try:
            asked.append((place, read_own(text, name, sysfs.exists)))
        except PipeworkError as error:
            wrong.append(f"{place}: {error}")
    if wrong:
        raise Refused("\n".join(wrong))
    return asked


def _host_name(state: State, asked: Sequence[tuple[str, Attach]]) -> str:
    """What the container calls itself, where somebody will ask."""
    wanted = any(isinstance(one, Dhcp) for _, attach in asked for one in attach.addresses)
    return str(state.configuration().get("hostname") or state.id[:12]) if wanted else ""


def _check_default_route(asked: Sequence[tuple[str, Attach]], guest: Guest, request: Hook, state: State) -> None:
    """Refuse one that would not hold, for Docker brings its own later.  Raises Refused."""
    routed = [place for place, attach in asked if any(one.sets_default_route for one in attach.addresses)]
    has_links = bool(guest.namespace.netlink.links(loopback=False))
    if routed and request.engine == "docker" and not has_links and gets_network_later(state):
        raise Refused(
            f"{routed[0]}: Docker gives this container a network, and its default route, once this line is done",
            "Start it with --network=none, or leave the gateway out.",
        )


def _note(state: State, error: PipeworkError) -> None:
    """Keep what was refused for ``pipework hook status``."""
    try:
        run_directory()
        write_whole(REFUSAL, f"{REFUSAL}.{os.getpid()}", f"container {state.id[:12]}: {error}\n")
    except (OSError, Refused):  # it has been told already
        return


def last_refusal() -> str:
    """What was refused last since this host was booted, with its time; "" if nothing was."""
    try:
        with open(REFUSAL, encoding="utf-8", errors="surrogateescape") as file:
            when = time.localtime(os.fstat(file.fileno()).st_mtime)
            return f"{time.strftime('%Y-%m-%d %H:%M:%S', when)} {file.read().rstrip()}"
    except OSError:
        return ""

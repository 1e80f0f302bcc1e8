"""``pipework hook install``, ``uninstall`` and ``status``: the files by which engines run pipework."""

from __future__ import annotations

import os
import sys

from pipework import guests
from pipework.actions.base import Action
from pipework.actions.files import MakeFolder, RemoveFile, WriteFile, missing_folders
from pipework.commands.hook_start import last_refusal
from pipework.commands.session import session
from pipework.errors import NotInstalled, Refused
from pipework.guests import docker, podman
from pipework.hook_files import CDI, PODMANS, HookFile, command_in, of_docker, of_podman
from pipework.requests import Hook
from pipework.typed import Sequence

FIRST_DOCKER = 25  # with devices of the Container Device Interface
INSTALL = "Type: pipework hook install"


def install(request: Hook) -> None:
    """Write the file of each engine that is here, and say how a container is started.

    Raises Refused if there is no engine that takes hooks, or a file of that name is another's.
    """
    files = [of_podman(_folder_of_podman())] if guests.is_here("podman") else []
    try:
        _check_docker()
        files.append(of_docker())
    except Refused as refusal:
        if not files:
            raise
        if not isinstance(refusal, NotInstalled):
            print(f"pipework: {refusal}", file=sys.stderr)
    with session(request.dry_run) as (_, log):
        log.carry_out([step for file in files for step in _written(file, request.allow)])
    for file in files if not request.dry_run else ():
        print(f"{file.engine}: wrote {file.path}; start a container so:\n  {file.use}")
    if not request.dry_run:
        print("Why one does not start, if its engine does not say: pipework hook status")


def _folder_of_podman() -> str:
    """The administrator's, if podman looks there."""
    looks = podman.hook_folders()
    return next((folder for folder in PODMANS if folder in looks), looks[-1] if looks else PODMANS[-1])


def _files() -> list[HookFile]:
    """Every file that may have been written."""
    looks = podman.hook_folders() if guests.is_here("podman") else []
    return [*map(of_podman, dict.fromkeys((*PODMANS, *looks))), of_docker()]


def _check_docker() -> None:
    """Raises NotInstalled where Docker is not here, Refused where it takes no hooks."""
    version, folders = docker.device_folders()
    if not folders and int(version.partition(".")[0]) < FIRST_DOCKER:
        raise Refused(
            f"Docker {version} takes no hooks: they come with {FIRST_DOCKER}.0",
            "Wire its containers as they start: pipework watch FILE",
        )
    if CDI not in folders:
        raise Refused(
            f"Docker {version} does not look for hooks in {CDI}",
            'Write {"features": {"cdi": true}} into /etc/docker/daemon.json, restart Docker, and type it again.',
        )


def _written(file: HookFile, allow: Sequence[str]) -> list[Action]:
    former, text = file.there(), file.text(allow)
    if former == text:
        return []
    return [*map(MakeFolder, missing_folders(file.path)), WriteFile(file.path, text, former)]


def uninstall(request: Hook) -> None:
    """Remove the files; containers that have lines start without.  Raises Refused if there is none."""
    there = [(file.path, text) for file in _files() if (text := file.there()) is not None]
    if not there:
        raise Refused("no engine runs pipework", INSTALL)
    with session(request.dry_run) as (_, log):
        log.carry_out([RemoveFile(path, text) for path, text in there])


def status(request: Hook) -> None:
    """Say which engines run pipework, and what was refused last.

    Raises Refused if none does, or what it is to run is not there.
    """
    there = [(file, text) for file in _files() if (text := file.there()) is not None]
    for file, text in there:
        print(f"{file.engine}: {file.path} runs {command_in(text)}")
    refusal = last_refusal()
    if refusal:
        print(f"refused last: {refusal}")
    gone = [command for command in (command_in(text) for _, text in there) if not os.access(command, os.X_OK)]
    if gone:
        raise Refused(f"{gone[0]} is no program, so containers with lines do not start", INSTALL)
    if not there:
        raise Refused("no engine runs pipework", INSTALL)

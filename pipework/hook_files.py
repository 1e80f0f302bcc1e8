"""The files by which engines learn that pipework is to run at a container's start and end.

podman: oci-hooks(5), hooks.d in JSON.  Docker: the Container Device Interface, whose devices bring hooks along; a
container has the device if it is started with ``--device``.
"""

from __future__ import annotations

import os
import sys
from shutil import which

from pipework.errors import Refused
from pipework.kernel.bare import read_json
from pipework.typed import Any, Callable, Optional, Sequence
from pipework.value import Value

STAGES = ("createRuntime", "poststop")  # once the namespaces are there and nothing runs in them; once nothing does
FILE = "pipework.json"
# the administrator's, and the packages', where alone podman looks unless containers.conf says otherwise
PODMANS = ("/etc/containers/oci/hooks.d", "/usr/share/containers/oci/hooks.d")
CDI = "/etc/cdi"
KIND, DEVICE = "pipework/net", "wired"
TIMEOUT = 120  # seconds; a lease may take half a minute, and the lock of the host a whole one
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"  # runtimes give a hook no environment
LINE = "pipework.1='br0 192.168.1.100/24@192.168.1.1'"
PASSED_ON = ("PIPEWORK_FIREWALL", "PIPEWORK_DHCP_TIMEOUT", "OVN_NB_DB", "OVN_NBCTL_OPTIONS")


class HookFile(Value):
    """An engine's file.  path: where; contents: makes what is to stand there, of a hook; use: how containers start."""

    engine: str
    path: str
    contents: Callable[[dict[str, Any]], dict[str, Any]]
    use: str

    def text(self, allow: Sequence[str]) -> str:
        """The whole file; allow: NICs that lines of containers may use.  Raises Refused."""
        from json import dumps  # only who installs it writes any

        words = ["pipework", "hook", "run", *(["--allow", ",".join(allow)] if allow else []), self.engine]
        passed_on = [f"{name}={os.environ[name]}" for name in PASSED_ON if name in os.environ]
        hook = {"path": _own_path(), "args": words, "env": [f"PATH={PATH}", *passed_on], "timeout": TIMEOUT}
        return dumps(self.contents(hook), indent=2) + "\n"

    def there(self) -> Optional[str]:
        """What stands there now, None if there is no such file.  Raises Refused if it is not one of ours."""
        try:
            with open(self.path, encoding="utf-8", errors="surrogateescape") as file:
                text = file.read()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise Refused(f"{self.path} cannot be read: {error.strerror}", f"Look at it: ls -l {self.path}") from None
        if not command_in(text):
            raise Refused(f"{self.path} is none of pipework's", "Look at it, then move it away.")
        return text


def _podman(hook: dict[str, Any]) -> dict[str, Any]:
    """For every container that has an annotation of ours."""
    when = {"annotations": {r"^pipework(\..*)?$": ".*"}}
    return {"version": "1.0.0", "hook": hook, "when": when, "stages": list(STAGES)}


def _docker(hook: dict[str, Any]) -> dict[str, Any]:
    """For every container that has the device."""
    hooks = [{"hookName": stage, **hook} for stage in STAGES]
    devices = [{"name": DEVICE, "containerEdits": {"hooks": hooks}}]
    return {"cdiVersion": "0.5.0", "kind": KIND, "devices": devices}


def of_podman(folder: str) -> HookFile:
    """podman's file, in one of the folders where it looks."""
    return HookFile("podman", f"{folder}/{FILE}", _podman, f"podman run --annotation {LINE} --network=none ...")


def of_docker() -> HookFile:
    """Docker's file."""
    use = f"docker run --device {KIND}={DEVICE} --annotation {LINE} --network=none ..."
    return HookFile("docker", f"{CDI}/{FILE}", _docker, use)


def command_in(text: str) -> str:
    """The command that a file of ours has an engine run, "" if it is none of ours."""
    try:
        told = read_json(text)
        hook = told["hook"] if "hook" in told else told["devices"][0]["containerEdits"]["hooks"][0]
        path, words = hook["path"], hook["args"]
    except (ValueError, LookupError, TypeError):
        return ""
    return str(path) if words[:3] == ["pipework", "hook", "run"] else ""


def _own_path() -> str:
    """Where this command is: as it was called, if that is a program, else where the system has it.  Raises Refused."""
    path = which(sys.argv[0]) or which("pipework")
    if path is None:
        raise Refused("there is no command pipework that an engine could run", "Install it first: make install")
    return os.path.abspath(path)

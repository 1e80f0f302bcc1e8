"""Files and a host name of one's own: what a program writes in here, no file of the host shows.

A DHCP client and its scripts write resolv.conf, leases, pid files and more, and may rename the machine.
Which files they are differs from client to client and from system to system, so the whole view is made
private: /etc and /var are overlays, /run and /tmp are empty, the rest of the root file system cannot be
written.  All that is written goes to one RAM file system that goes with its last user.  Files that are asked for
by name are there all the same, as copies.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Mapping
from contextlib import suppress

from pipework.kernel.bare import socket
from pipework.kernel.libc import call
from pipework.typed import Optional

CLONE_NEWNS, CLONE_NEWUTS, CLONE_NEWPID = 0x00020000, 0x04000000, 0x20000000  # linux/sched.h
MS_RDONLY, MS_REMOUNT, MS_BIND, MS_REC, MS_SLAVE = 0x1, 0x20, 0x1000, 0x4000, 0x80000  # linux/mount.h
RESOLVER = "/etc/resolv.conf"
STORE = "/run/pipework"
OVERLAID = ("/etc", "/var")
PRIVATE = (*OVERLAID, "/run", "/tmp")
# the host's own leases must not be taken for the guest's
LEASES = ("/var/lib/dhcp", "/var/lib/dhclient", "/var/lib/dhcpcd", "/var/db/dhcpcd")
LONGEST_HOST_NAME = 64  # __NEW_UTS_LEN, linux/utsname.h


def make_private(host_name: str, additions: Mapping[str, str], files: Iterable[str] = ()) -> None:
    """Give this process private files, a host name and the /sys of its network namespace.  Raises OSError.

    additions: path in a place of OVERLAID -> text that the file has at its end, if its folder is there.
    files: absolute paths; those of them that are files of the host's are seen here, too, wherever they are.
    The store is root's alone.  It has mounts of its own already.
    """
    resolver, shown = _resolver(), {path: _read(path) for path in files}
    unshare(CLONE_NEWUTS)
    socket.sethostname(host_name[:LONGEST_HOST_NAME])
    _mount("pipework", "/run", "tmpfs", 0, "mode=0755")
    os.mkdir(STORE, 0o700)
    os.mkdir("/run/lock")
    for place in OVERLAID:
        upper, work = _stored(place, 0o755), _stored(f"{place}.work", 0o700)
        if place == os.path.dirname(RESOLVER):
            _write(f"{upper}/{os.path.basename(RESOLVER)}", resolver)
        _mount("pipework", place, "overlay", 0, f"lowerdir={place},upperdir={upper},workdir={work}")
    for path, text in additions.items():
        with suppress(FileNotFoundError), open(path, "a", encoding="utf-8") as file:
            file.write(text)
    for place in LEASES:
        if os.path.isdir(place):
            _mount(_stored(place.replace("/", "-"), 0o755), place, "", MS_BIND)
    _mount("pipework", "/tmp", "tmpfs", 0, "mode=1777")
    _mount("pipework", "/sys", "sysfs", 0)
    for path, read in shown.items():
        if read and _read(path) != read:
            _show(path, *read)
    _mount("none", "/", "", MS_REMOUNT | MS_BIND | MS_RDONLY)


def have_own_mounts() -> None:
    """Give this process mounts of its own, which outlast those of whoever started it.  Raises OSError.

    What the host mounts or unmounts later is seen here too, so nothing is pinned.
    """
    unshare(CLONE_NEWNS)
    _mount("none", "/", "", MS_REC | MS_SLAVE)


def show_own_sys() -> None:
    """Give this process the /sys of its network namespace.  Raises OSError."""
    have_own_mounts()
    _mount("pipework", "/sys", "sysfs", 0)


def unshare(flags: int) -> None:
    """Leave the namespaces that flags (CLONE_NEW*) name.  Raises OSError."""
    call("unshare", flags)


def _mount(source: str, place: str, kind: str, flags: int, options: str = "") -> None:
    try:
        call("mount", source.encode(), place.encode(), kind.encode(), flags, options.encode())
    except OSError as error:
        raise OSError(error.errno, error.strerror, f"mount {kind or source} on {place}") from None


def _stored(name: str, mode: int) -> str:
    path = f"{STORE}/{name.lstrip('/-')}"
    os.mkdir(path)
    os.chmod(path, mode)
    return path


def _resolver() -> bytes:
    """What resolv.conf says; it may be a link into /run."""
    with suppress(OSError), open(RESOLVER, "rb") as file:
        return file.read()
    return b""


def _read(path: str) -> Optional[tuple[bytes, int]]:
    """Content and mode of a file; None: it is none, or cannot be read."""
    with suppress(OSError), open(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb") as file:
        mode = os.fstat(file.fileno()).st_mode
        return (file.read(), stat.S_IMODE(mode)) if stat.S_ISREG(mode) else None
    return None


def _show(path: str, content: bytes, mode: int) -> None:
    """Put a file where nothing but what is ours alone changes: what stands there is the host's, or hides it."""
    place = os.path.realpath(path)
    if place.startswith(tuple(f"{private}/" for private in PRIVATE)):
        os.makedirs(os.path.dirname(place), exist_ok=True)
        with suppress(FileNotFoundError):
            os.unlink(place)  # in a container it may be what another file was mounted on
        _write(place, content, mode)


def _write(path: str, content: bytes, mode: int = 0o644) -> None:
    with open(path, "wb") as file:
        file.write(content)
    os.chmod(path, mode)

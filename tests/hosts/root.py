"""The root file system of another Debian, with the packages of the tests and a clone of this checkout, set up."""

from __future__ import annotations

import fcntl
import hashlib
import shutil
import subprocess
from pathlib import Path

from tests.lab.command import CHECKOUT

HERE = Path(__file__).resolve().parent
# Outside of the checkout: it takes minutes to make, and a fresh clone shall not need another.
CACHE = Path("/var/cache/pipework-tests")
CLONE = "root/pipework"
LISTS = ("tests/lab/packages.txt", "tests/hosts/packages.txt")
INSTALLER = "tests/lab/install-packages"
STAMP = "root/made-of"


def prepare(release: str) -> Path:
    """Return the root file system of that Debian, complete, with the last commit of this checkout set up in it."""
    CACHE.mkdir(parents=True, exist_ok=True)
    root = CACHE / release
    with (CACHE / f"{release}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        made_of = _made_of(release)
        if not (root / STAMP).is_file() or (root / STAMP).read_text() != made_of:
            print(f"Making a Debian {release} in {root}", flush=True)
            if root.exists():
                shutil.rmtree(root)
            subprocess.run(["debootstrap", "--variant=minbase", release, root], stdout=subprocess.DEVNULL, check=True)
            _clone(root)
            for name in LISTS:
                within(root, "sh", "-c", f"sh {INSTALLER} - <{name}")
            (root / STAMP).write_text(made_of)
        _clone(root)
        within(root, "make", "--no-print-directory", "set-up")
    return root


def within(root: Path, *command: str) -> None:
    """Run a command there, in the clone, with this machine's network."""
    subprocess.run([HERE / "set-up", root, *command], stdin=subprocess.DEVNULL, check=True)


def _made_of(release: str) -> str:
    digest = hashlib.sha256()
    for name in (*LISTS, INSTALLER):
        digest.update((CHECKOUT / name).read_bytes())
    return f"{release} {digest.hexdigest()}\n"


def _clone(root: Path) -> None:
    clone = root / CLONE
    if clone.exists():
        shutil.rmtree(clone)
    subprocess.run(["git", "clone", "--quiet", CHECKOUT, clone], check=True)

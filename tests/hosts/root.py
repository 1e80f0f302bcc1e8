"""The root file system of another Debian, with its kernel, the tests' packages and a copy of this checkout, set up."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
from pathlib import Path

from tests.lab.command import CHECKOUT

HERE = Path(__file__).resolve().parent
# Outside of the checkout: it takes minutes to make, and a fresh clone shall not need another.
CACHE = Path("/var/cache/pipework-tests")
COPY = "root/pipework"
KERNEL = "root/kernel"
# What belongs to this machine, or was made from the rest.
LEFT_OUT = shutil.ignore_patterns(
    ".git", ".venv", ".cache", "dist", "build", "*.egg-info", "__pycache__", ".*_cache", ".hypothesis"
)
LISTS = ("tests/lab/packages.txt", "tests/hosts/packages.txt")
INSTALLER = "tests/lab/install-packages"
STAMP = "root/made-of"
COPIED = "root/copied"
# A mirror may lag behind sid by more than sid's lists are good for.
LAGGING = 'Acquire::Check-Valid-Until "false";\n'


def prepare(release: str) -> Path:
    """Return the root file system of that Debian, complete, with a fresh copy of this checkout set up in it."""
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
            (root / "etc/apt/apt.conf.d/90lagging").write_text(LAGGING)
            _copy(root)
            for name in LISTS:
                within(root, "sh", "-c", f"sh {INSTALLER} - <{name}")
            (root / STAMP).write_text(made_of)
        contents, copied = _contents(), root / COPIED
        if not copied.is_file() or copied.read_text() != contents:
            copied.unlink(missing_ok=True)
            _copy(root)
            within(root, "make", "--no-print-directory", "set-up")
            within(root, ".venv/bin/python", "-m", "tests.vm.kernel", f"/{KERNEL}")
            copied.write_text(contents)
    return root


def within(root: Path, *command: str) -> None:
    """Run a command there, in the copy, with this machine's network."""
    subprocess.run([HERE / "set-up", root, *command], stdin=subprocess.DEVNULL, check=True)


def _made_of(release: str) -> str:
    digest = hashlib.sha256()
    for name in (*LISTS, INSTALLER):
        digest.update((CHECKOUT / name).read_bytes())
    return f"{release} {digest.hexdigest()}\n"


def _contents() -> str:
    """What stands for all that is copied, names and contents."""
    digest = hashlib.sha256()
    for folder, folders, files in os.walk(CHECKOUT):
        left_out = LEFT_OUT(folder, [*folders, *files])
        folders[:] = sorted(set(folders) - left_out)
        for path in (Path(folder, name) for name in sorted(set(files) - left_out)):
            digest.update(f"{path.relative_to(CHECKOUT)}\0{path.stat().st_mode}\0".encode() + path.read_bytes())
    return f"{digest.hexdigest()}\n"


def _copy(root: Path) -> None:
    copy = root / COPY
    if copy.exists():
        shutil.rmtree(copy)
    shutil.copytree(CHECKOUT, copy, symlinks=True, ignore=LEFT_OUT)

"""The unit tests, and those of the netlink messages, on every Python that pipework promises and this machine has.

    make test-pythons

Each Python has a virtual environment in .cache/pythons, which is kept until setup.cfg, pyproject.toml or the
Python itself change, and a sandbox for its tests. All run at once, for half of the time they wait for the kernel; what
each has said is in .cache/pythons/3.X.log, and shown if it has failed.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple, TextIO

CHECKOUT = Path(__file__).resolve().parents[1]
CACHE = CHECKOUT / ".cache" / "pythons"
SANDBOX = "tests/lab/sandbox"
TESTS = ("tests/unit", "tests/integration/test_messages.py")
VERSIONS = tuple(f"3.{minor}" for minor in range(9, 15))
EXAMPLES = 500  # lines that are made up for the grammar, which makes of them the same on every Python
PATIENCE = 600  # seconds that any one step may take

# What a Python tells of itself; one that only seems to be there, as pyenv's stand-ins do, tells nothing.
ASK = "import sys; print(sys.executable, '.'.join(map(str, sys.version_info[:3])), sep='\\n')"
ASK_RELEASES = "from importlib.metadata import version; print(*map(version, ('pyroute2', 'pytest')))"

# They all install from the same checkout, where setuptools leaves its notes.
installing = threading.Lock()


class Python(NamedTuple):
    """A Python that runs and can make virtual environments."""

    path: str
    release: str

    @property
    def version(self) -> str:
        """The part of its release that counts: 3.X."""
        return self.release.rpartition(".")[0]


class Outcome(NamedTuple):
    """What came of a Python, in one line."""

    passed: bool
    line: str


def folders(environ: Mapping[str, str]) -> Iterator[Path]:
    """Where Pythons are looked for: PATH first, then where pyenv keeps its own, which need not be on the PATH."""
    yield from (Path(folder) for folder in environ.get("PATH", "").split(os.pathsep) if folder)
    pyenv = Path(environ.get("PYENV_ROOT") or Path(environ.get("HOME", "/root"), ".pyenv"))
    yield from sorted(pyenv.glob("versions/3.*/bin"))


def find(version: str, environ: Mapping[str, str]) -> Python | Outcome:
    """Return the first Python of that version that can be used, or why there is none."""
    outcome = Outcome(True, f"python{version}: not here")
    for folder in folders(environ):
        told = say(folder / f"python{version}", "-c", ASK)
        if told is None:
            continue
        python = Python(*told.splitlines())
        if python.version == version and say(python.path, "-c", "import venv, ensurepip") is not None:
            return python
        hint = f"apt-get install python{version}-venv" if python.path.startswith("/usr/bin/") else "it has no ensurepip"
        outcome = Outcome(False, f"python{version}: FAILED: {python.path} cannot make virtual environments ({hint})")
    return outcome


def say(*words: str | Path) -> str | None:
    """Return what a program prints; None if it cannot be run, or fails."""
    try:
        done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False)
    except OSError:
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def run(words: Sequence[str | Path], log: TextIO) -> bool:
    """Run a program from the checkout, with all that it says in the log; return whether it succeeded."""
    log.write(f"$ {' '.join(map(str, words))}\n")
    log.flush()
    with subprocess.Popen(words, cwd=CHECKOUT, stdin=subprocess.DEVNULL, stdout=log, stderr=log) as process:
        try:
            return process.wait(PATIENCE) == 0
        except subprocess.TimeoutExpired:
            log.write(f"It did not end within {PATIENCE} s.\n")
            return False
        finally:
            process.kill()
            process.wait()


def made_of(python: Python) -> str:
    """Return what an environment of that Python depends on."""
    digest = hashlib.sha256()
    for name in ("setup.cfg", "pyproject.toml"):
        digest.update((CHECKOUT / name).read_bytes())
    return f"{python.path} {python.release} {digest.hexdigest()}\n"


def prepare(python: Python, environment: Path, log: TextIO) -> bool:
    """Make the environment with the package and what its tests import, unless it is there; return whether it is."""
    stamp = environment / "made-of"
    if stamp.is_file() and stamp.read_text() == made_of(python):
        return True
    own = environment / "bin" / "python"
    pip = (own, "-m", "pip", "--quiet", "--disable-pip-version-check")
    if not run((python.path, "-m", "venv", "--clear", environment), log):
        return False
    with installing:
        if not run((*pip, "install", "--config-settings", "editable_mode=compat", "--editable", ".[test]"), log):
            return False
    # As in the environment of `make venv`: it has a hook in the start of every Python.
    if not run((*pip, "uninstall", "--yes", "setuptools"), log):
        return False
    stamp.write_text(made_of(python))
    return True


def examine(python: Python) -> Outcome:
    """Run the tests on that Python."""
    start = time.monotonic()
    environment, path = CACHE / python.version, CACHE / f"{python.version}.log"
    own = environment / "bin" / "python"
    with path.open("w") as log:
        ready = prepare(python, environment, log)
        tested = (SANDBOX, "env", f"PIPEWORK_EXAMPLES={EXAMPLES}", own)
        passed = ready and run((*tested, "-m", "pytest", "-q", "-p", "no:cacheprovider", *TESTS), log)
    if not passed:
        print(f"\n== python{python.version}\n{path.read_text()}", flush=True)
    seconds = time.monotonic() - start
    told = counts(path.read_text()) if ready else "no environment"
    pyroute2, pytest = (say(own, "-c", ASK_RELEASES) or "? ?").split()
    line = f"{told}; pyroute2 {pyroute2}, pytest {pytest}; {seconds:.0f} s"
    return Outcome(passed, f"python{python.version} ({python.release}): {'' if passed else 'FAILED: '}{line}")


def counts(log: str) -> str:
    """Return what pytest has counted, in its own words but with those that matter always."""
    last = next((line for line in reversed(log.splitlines()) if re.search(r" in [\d.]+s", line)), "")
    counted = {word: number for number, word in re.findall(r"(\d+) (passed|failed|errors?|skipped)", last)}
    always = {"passed": "0", "failed": "0"}
    return ", ".join(f"{number} {word}" for word, number in {**always, **counted}.items())


def main() -> int:
    """Examine all, and print a line for each."""
    if os.geteuid() != 0:
        print("The tests of the netlink messages need root.", file=sys.stderr)
        return 1
    CACHE.mkdir(parents=True, exist_ok=True)
    found = [find(version, os.environ) for version in VERSIONS]
    # Environments of Pythons that are gone would only take space.
    for path in CACHE.iterdir():
        if path.is_dir() and path.name not in {python.version for python in found if isinstance(python, Python)}:
            shutil.rmtree(path)
    with ThreadPoolExecutor(len(found)) as pool:
        outcomes = list(pool.map(lambda one: examine(one) if isinstance(one, Python) else one, found))
    say(CHECKOUT / SANDBOX, "--sweep")
    print(*(outcome.line for outcome in outcomes), sep="\n")
    if not any(isinstance(one, Python) for one in found):
        print("No Python was found at all.", file=sys.stderr)
        return 1
    return 0 if all(outcome.passed for outcome in outcomes) else 1


if __name__ == "__main__":
    sys.exit(main())

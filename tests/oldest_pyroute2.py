"""The oldest pyroute2 that setup.cfg admits, in a folder of its own.

    python3 -m tests.oldest_pyroute2

fetches it into the cache of the checkout, for tests that run where no network is.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
from configparser import ConfigParser
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[1]
CACHE = CHECKOUT / ".cache"


def version() -> str:
    """Return the release that setup.cfg names."""
    setup = ConfigParser()
    setup.read(CHECKOUT / "setup.cfg")
    found = re.search(r"^pyroute2 *>= *([\d.]+)", setup["options"]["install_requires"], re.MULTILINE)
    assert found
    return found[1]


def fetch() -> Path:
    """Return its folder, filled at the first call; many may ask at once."""
    folder = CACHE / f"pyroute2-{version()}"
    if folder.is_dir():
        return folder
    CACHE.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f"{folder.name}.", dir=CACHE) as fetching:
        fetched = Path(fetching, "new")
        subprocess.run(
            [
                *(sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"),
                *("install", "--no-deps", f"--target={fetched}", f"pyroute2=={version()}"),
            ],
            check=True,
            timeout=300,
        )
        try:
            fetched.rename(folder)
        except OSError:
            shutil.rmtree(fetched)  # another was faster
    return folder


if __name__ == "__main__":
    print(fetch())

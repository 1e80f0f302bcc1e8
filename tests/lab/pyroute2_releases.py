"""The pyroute2 releases at both ends of what setup.cfg admits.

`python -m tests.lab.pyroute2_releases` fetches the oldest: sandboxes have no network.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from configparser import ConfigParser
from importlib.metadata import distribution
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.lab.command import CHECKOUT

CACHE = CHECKOUT / ".cache"


class Release(NamedTuple):
    """A pyroute2 in a folder of its own."""

    version: str
    folder: Path


def oldest() -> str:
    """The oldest release that setup.cfg admits."""
    setup = ConfigParser()
    setup.read(CHECKOUT / "setup.cfg")
    found = re.search(r"^pyroute2 *>= *([\d.]+)", setup["options"]["install_requires"], re.MULTILINE)
    assert found
    return found[1]


def fetch_oldest() -> Release:
    """Return the oldest release, which is fetched once into the cache of the checkout."""
    version = oldest()
    folder = CACHE / f"pyroute2-{version}"
    if not folder.is_dir():
        fetched = folder.with_suffix(".new")
        shutil.rmtree(fetched, ignore_errors=True)
        subprocess.run(
            [
                *(sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"),
                *("install", "--no-deps", f"--target={fetched}", f"pyroute2=={version}"),
            ],
            check=True,
            timeout=300,
        )
        fetched.rename(folder)
    return Release(version, folder)


@pytest.fixture(scope="session")
def oldest_release() -> Release:
    """The oldest release."""
    return fetch_oldest()


@pytest.fixture(scope="session")
def newest_release(tmp_path_factory: pytest.TempPathFactory) -> Release:
    """The newest release: what the tests' own environment was made with."""
    package = Path(str(distribution("pyroute2").locate_file("pyroute2")))
    folder = tmp_path_factory.mktemp("newest")
    (folder / "pyroute2").symlink_to(package)
    return Release(distribution("pyroute2").version, folder)


if __name__ == "__main__":
    fetch_oldest()

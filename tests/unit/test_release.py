"""`make release-check`: each thing that can be wrong with a release is seen, and named."""

from __future__ import annotations

import pytest

from tests import release_check
from tests.lab.command import CHECKOUT

CHANGELOG = """# Changelog

## [Unreleased]

## [0.2.0] - 2026-11-25

### Added

- Much.

## [0.1.0] - 2026-10-01

- A start.
"""
PAGE = '.TH PIPEWORK 8 2026-11-25 "pipework 0.2.0" "System Administration"\n.SH NAME\n'
METADATA = """Metadata-Version: 2.4
Name: pipework
Version: 0.2.0
License: Apache-2.0
Requires-Python: >=3.9
Requires-Dist: pyroute2>=0.7.12
Requires-Dist: docker>=6
Requires-Dist: psutil>=5.9
Requires-Dist: jeepney>=0.8
Requires-Dist: tqdm>=4.64
Requires-Dist: pytest>=8; extra == "test"

A text.
"""
SCRIPTS = "[console_scripts]\npipework = pipework.cli:main\n"
MODULES = ["pipework/__init__.py", "pipework/cli.py"]
ABOUT = "pipework-0.2.0.dist-info"
WHEEL = {
    "pipework/__init__.py": "",
    "pipework/cli.py": "",
    f"{ABOUT}/licenses/LICENSE": "",
    f"{ABOUT}/METADATA": METADATA,
    f"{ABOUT}/entry_points.txt": SCRIPTS,
}
TRACKED = [*MODULES, *release_check.BESIDE, "tests/__init__.py", ".gitignore"]
SDIST = [f"pipework-0.2.0/{name}" for name in [*MODULES, *release_check.BESIDE, "PKG-INFO", "setup.cfg"]]


def without(name: str) -> dict[str, str]:
    """Return the good wheel less one file."""
    return {key: text for key, text in WHEEL.items() if key != name}


def test_a_good_release_passes() -> None:
    """Nothing is said against a release that is whole."""
    assert release_check.version_problems("0.2.0") == []
    assert release_check.changelog_problems(CHANGELOG, "0.2.0") == []
    assert release_check.manual_problems(PAGE, "0.2.0", "2026-11-25") == []
    assert release_check.wheel_problems(WHEEL, MODULES, "0.2.0") == []
    assert release_check.sdist_problems(SDIST, TRACKED, "0.2.0") == []
    assert release_check.difference_problems(WHEEL, dict(WHEEL)) == []


@pytest.mark.parametrize("version", ["", "0.2", "0.2.0.dev1", "v0.2.0", "0.02.0", "0.2.0 "])
def test_version(version: str) -> None:
    """Only three plain numbers are a release's version."""
    assert release_check.version_problems(version)


def test_version_is_read() -> None:
    """The version is read from the package's own file; where there is none, none is made up."""
    assert release_check.version_of('"""Words."""\n\n__version__ = "1.2.3"\n') == "1.2.3"
    assert release_check.version_of("version = 1") == ""


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("## [Unreleased]\n", "", "not a bare ## [Unreleased]"),
        ("## [Unreleased]", "## [Unreleased] - 2026-11-26", "not a bare ## [Unreleased]"),
        ("[0.2.0] - 2026-11-25", "[0.3.0] - 2026-11-25", "newest release is 0.3.0, not 0.2.0"),
        ("## [0.2.0] - 2026-11-25", "", "newest release is 0.1.0, not 0.2.0"),
        ("2026-11-25", "25 November 2026", "has no date"),
        (" - 2026-11-25", "", "has no date"),
        ("2026-11-25", "2026-11-31", "has no date"),
        ("2026-11-25", "2026-09-30", "dates do not go back"),
        ("[0.1.0]", "[0.2.0]", "0.2.0 has more than one section"),
        ("- Much.\n", "", "0.2.0 has no entries"),
        ("- A start.\n", "- A start.\n\n[0.2.0]: https://example.org\n", "its links at the end 0.2.0"),
    ],
)
def test_changelog(old: str, new: str, said: str) -> None:
    """A changelog that was not cut for this version is told so."""
    assert old in CHANGELOG
    assert said in "; ".join(release_check.changelog_problems(CHANGELOG.replace(old, new), "0.2.0"))


def test_links_of_all_sections() -> None:
    """Where the changelog links its sections, it links all of them."""
    links = "".join(f"[{name}]: https://example.org/{name}\n" for name in ("Unreleased", "0.2.0", "0.1.0"))
    assert release_check.changelog_problems(f"{CHANGELOG}\n{links}", "0.2.0") == []


@pytest.mark.parametrize(
    ("page", "said"),
    [
        (PAGE.replace("2026-11-25", "2026-11-24"), ".TH is of 2026-11-24"),
        (PAGE.replace("0.2.0", "0.1.0"), '.TH says "pipework 0.1.0"'),
        (".SH NAME\n", ".TH is of no day"),
    ],
)
def test_manual(page: str, said: str) -> None:
    """The manual page has the version and the day of the release."""
    assert said in "; ".join(release_check.manual_problems(page, "0.2.0", "2026-11-25"))


@pytest.mark.parametrize(
    ("files", "said"),
    [
        (without("pipework/cli.py"), "it lacks pipework/cli.py"),
        ({**WHEEL, "tests/__init__.py": ""}, "it holds tests/__init__.py"),
        ({**WHEEL, "pipework.py": ""}, "it holds pipework.py"),
        (without(f"{ABOUT}/licenses/LICENSE"), "no LICENSE"),
        (without(f"{ABOUT}/METADATA"), "Name is None"),
        ({**WHEEL, f"{ABOUT}/METADATA": METADATA.replace("0.2.0", "0.1.0")}, "Version is 0.1.0, not 0.2.0"),
        ({**WHEEL, f"{ABOUT}/METADATA": METADATA.replace(">=3.9", ">=3.8")}, "Requires-Python is >=3.8"),
        (
            {**WHEEL, f"{ABOUT}/METADATA": METADATA.replace("psutil", "six")},
            "it needs docker, jeepney, pyroute2, six, tqdm",
        ),
        ({**WHEEL, f"{ABOUT}/entry_points.txt": ""}, "its entry points are {}"),
    ],
)
def test_wheel(files: dict[str, str], said: str) -> None:
    """A wheel holds the package's modules, its licence, its metadata and its command, and nothing else."""
    assert said in "; ".join(release_check.wheel_problems(files, MODULES, "0.2.0"))


def test_sdist() -> None:
    """A source archive holds what it takes to install and read, and nothing that git does not track."""
    short = [name for name in SDIST if not name.endswith(("CHANGELOG.md", "cli.py"))]
    said = release_check.sdist_problems([*short, "pipework-0.2.0/left/over"], TRACKED, "0.2.0")
    assert said == ["it lacks CHANGELOG.md", "it lacks pipework/cli.py", "it holds left/over, which git does not track"]


def test_wheels_that_differ() -> None:
    """A source archive that gives another wheel than the tree does is told, with the file."""
    (said,) = release_check.difference_problems(WHEEL, {**WHEEL, "pipework/cli.py": "x"})
    assert said.endswith("it differs in pipework/cli.py")


def test_this_version_is_cut() -> None:
    """The version that pipework tells, its section in the changelog and its manual page agree."""
    version = release_check.version_of((CHECKOUT / "pipework" / "__init__.py").read_text())
    changelog = (CHECKOUT / "CHANGELOG.md").read_text()
    day = next(section.date for section in release_check.sections(changelog) if section.name == version)
    assert release_check.changelog_problems(changelog, version) == []
    assert release_check.manual_problems((CHECKOUT / "contrib" / "pipework.8").read_text(), version, day) == []

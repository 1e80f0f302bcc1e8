"""Whether HEAD can be released: what it says of its version agrees, and what is built from it is whole.

    python -m tests.release_check [--allow-dirty]

All is read and built from an export of HEAD. One line for each check; exit 1 if one fails.
"""

from __future__ import annotations

import argparse
import re
import shlex
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterable, Mapping
from configparser import ConfigParser
from datetime import date
from email import message_from_string
from pathlib import Path
from typing import NamedTuple

CHECKOUT = Path(__file__).resolve().parents[1]
PATIENCE = 600  # seconds for any one program
HEADING = re.compile(r"^## \[([^\]]+)\](.*)$", re.MULTILINE)
LINK = re.compile(r"^\[([^\]]+)\]: ", re.MULTILINE)
# The files beside the package without which a source archive is of little use.
BESIDE = (
    "LICENSE",
    "README.md",
    "CHANGELOG.md",
    "contrib/pipework.8",
    "contrib/launcher.py",
    "contrib/bundled.py",
    "Makefile",
)
DEPENDENCIES = {"pyroute2", "docker", "psutil", "jeepney", "tqdm"}


class Failed(Exception):
    """A program that a check needs has failed."""


class Section(NamedTuple):
    """A section of the changelog: its name, what stands behind that in the heading, and how many entries it has."""

    name: str
    rest: str
    entries: int

    @property
    def date(self) -> str:
        """Its date as it is written, or ""."""
        return self.rest[len(" - ") :] if self.rest.startswith(" - ") else ""


# What is said in texts. Each function returns what is wrong, in a line each.


def version_of(init: str) -> str:
    """Return the version that the text of the package's __init__ gives, or ""."""
    found = re.search(r'^__version__ = "([^"]*)"$', init, re.MULTILINE)
    return found[1] if found else ""


def version_problems(version: str) -> list[str]:
    """Check that it is a release's: three numbers."""
    return (
        [] if re.fullmatch(r"(0|[1-9]\d*)(\.(0|[1-9]\d*)){2}", version) else [f"{version!r} is not MAJOR.MINOR.PATCH"]
    )


def sections(changelog: str) -> list[Section]:
    """Return the sections of a changelog, as they stand."""
    _, *parts = HEADING.split(changelog)
    return [
        Section(name, rest, len(re.findall(r"^- ", body, re.MULTILINE)))
        for name, rest, body in zip(parts[::3], parts[1::3], parts[2::3])
    ]


def changelog_problems(changelog: str, version: str) -> list[str]:
    """Check that its newest section is that version's, with a date, under one of what is unreleased."""
    found = sections(changelog)
    names = [section.name for section in found]
    problems = []
    if names[:1] != ["Unreleased"] or found[0].rest:
        problems.append("its first section is not a bare ## [Unreleased]")
    if names[1:2] != [version]:
        problems.append(f"its newest release is {names[1] if names[1:] else 'none'}, not {version}")
    problems += [f"{name} has more than one section" for name in sorted(set(names)) if names.count(name) > 1]
    for section in found[1:]:
        if not is_date(section.date):
            problems.append(f"## [{section.name}]{section.rest} has no date such as 2026-01-31")
        if not section.entries:
            problems.append(f"{section.name} has no entries")
    dates = [section.date for section in found[1:]]
    if dates != sorted(dates, reverse=True):
        problems.append("its dates do not go back")
    links = LINK.findall(changelog)
    if links and sorted(links) != sorted(names):
        problems.append(f"its sections are {', '.join(names)}, its links at the end {', '.join(links)}")
    return problems


def is_date(text: str) -> bool:
    """Whether that is a day as ISO 8601 writes it."""
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


def manual_problems(page: str, version: str, day: str) -> list[str]:
    """Check that the title line of the manual page has that version and that day."""
    title = next((shlex.split(line) for line in page.splitlines() if line.startswith(".TH ")), [])
    _, _, _, dated, source, *_ = [*title, *[""] * 5]
    problems = []
    if dated != day:
        problems.append(f".TH is of {dated or 'no day'}, the changelog's section of {day or 'no day'}")
    if source != f"pipework {version}":
        problems.append(f'.TH says "{source}", not "pipework {version}"')
    return problems


def metadata_problems(metadata: str, version: str) -> list[str]:
    """Check what a wheel tells an installer."""
    told = message_from_string(metadata)
    asked = {"Name": "pipework", "Version": version, "Requires-Python": ">=3.9", "License": "Apache-2.0"}
    problems = [f"{key} is {told[key]}, not {value}" for key, value in asked.items() if told[key] != value]
    needed = {re.split(r"[^\w-]", line)[0] for line in told.get_all("Requires-Dist", []) if "extra ==" not in line}
    if needed != DEPENDENCIES:
        problems.append(f"it needs {', '.join(sorted(needed))}, not {', '.join(sorted(DEPENDENCIES))}")
    return problems


def script_problems(entry_points: str) -> list[str]:
    """Check that a wheel installs the command, and nothing else that runs."""
    parser = ConfigParser()
    parser.read_string(entry_points)
    told = {section: dict(parser[section]) for section in parser.sections()}
    wanted = {"console_scripts": {"pipework": "pipework.cli:main"}}
    return [] if told == wanted else [f"its entry points are {told}"]


def wheel_problems(files: Mapping[str, str], modules: Iterable[str], version: str) -> list[str]:
    """Check a wheel, given as file -> text, against the package's modules."""
    about = f"pipework-{version}.dist-info/"
    held, wanted = {name for name in files if not name.startswith(about)}, set(modules)
    problems = [f"it lacks {name}" for name in sorted(wanted - held)]
    problems += [f"it holds {name}, which is no module of the package" for name in sorted(held - wanted)]
    if not any(name.startswith(about) and name.endswith("/LICENSE") for name in files):
        problems.append("it holds no LICENSE")
    problems += metadata_problems(files.get(f"{about}METADATA", ""), version)
    problems += script_problems(files.get(f"{about}entry_points.txt", ""))
    return problems


def sdist_problems(names: Iterable[str], tracked: Iterable[str], version: str) -> list[str]:
    """Check the names of a source archive against the files that git tracks."""
    top, tracked = f"pipework-{version}/", list(tracked)
    held = {name[len(top) :] for name in names if name.startswith(top)}
    wanted = {*BESIDE, *(name for name in tracked if name.startswith(("pipework/", "contrib/")))}
    problems = [f"it lacks {name}" for name in sorted(wanted - held)]
    made = re.compile(r"pipework\.egg-info/.*|PKG-INFO|setup\.cfg")
    strange = {name for name in held - set(tracked) if not made.fullmatch(name)}
    return problems + [f"it holds {name}, which git does not track" for name in sorted(strange)]


def difference_problems(one: Mapping[str, str], other: Mapping[str, str]) -> list[str]:
    """Check that two wheels hold the same."""
    differing = sorted(name for name in {*one, *other} if one.get(name) != other.get(name))
    return [f"from the tree and from the source archive it differs in {', '.join(differing)}"] if differing else []


# What is done for it.


def output(*words: str | Path, where: Path = CHECKOUT) -> str:
    """Return what a program prints.  Raises Failed."""
    done = subprocess.run(
        words, cwd=where, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    if done.returncode != 0:
        said = "\n".join(f"{done.stdout}\n{done.stderr}".strip().splitlines()[-20:])
        raise Failed(f"{' '.join(map(str, words))} ended with {done.returncode}:\n{said}")
    return done.stdout


def export(place: Path) -> Path:
    """Write the files of HEAD, and nothing else, into a folder; return where they are.  Raises Failed."""
    archive = place / "head.tar"
    output("git", "archive", "--prefix=tree/", f"--output={archive}", "HEAD")
    output("tar", "-xf", archive, "-C", place)
    return place / "tree"


def build(tree: Path, kind: str, place: Path) -> Path:
    """Build a tree's wheel or sdist into a folder of its own.  Raises Failed."""
    output(sys.executable, "-m", "build", f"--{kind}", "--outdir", place, tree)
    (built,) = place.iterdir()
    return built


def contents(wheel: Path) -> dict[str, str]:
    """Return the files of a wheel; all of ours are text."""
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name).decode("utf-8") for name in archive.namelist()}


def installed_version(wheel: Path, place: Path) -> str:
    """Install a wheel into a fresh virtual environment and return what the command says.  Raises Failed."""
    output(sys.executable, "-m", "venv", place)
    output(place / "bin" / "python", "-m", "pip", "--quiet", "--disable-pip-version-check", "install", wheel)
    return output(place / "bin" / "pipework", "--version", where=place).strip()


class Report:
    """The checks so far, printed as they are made."""

    def __init__(self) -> None:
        self.failed = False

    def tell(self, what: str, problems: list[str]) -> None:
        """Print what comes of a check."""
        print(*([f"FAILED  {what}: {problem}" for problem in problems] or [f"ok      {what}"]), sep="\n", flush=True)
        self.failed |= bool(problems)


def check_texts(report: Report, tree: Path) -> str:
    """Check what the files of a tree say; return the version."""
    version = version_of((tree / "pipework" / "__init__.py").read_text())
    report.tell(f"version {version}", version_problems(version))
    changelog = (tree / "CHANGELOG.md").read_text()
    told = {section.name: section for section in sections(changelog)}
    day = told[version].date if version in told else ""
    waiting = told["Unreleased"].entries if "Unreleased" in told else 0
    what = f"CHANGELOG.md: {version} of {day or 'no day'}; {waiting} entries wait under Unreleased"
    report.tell(what, changelog_problems(changelog, version))
    page = (tree / "contrib" / "pipework.8").read_text()
    report.tell("manual page: version and date", manual_problems(page, version, day))
    return version


def check_builds(report: Report, tree: Path, version: str, place: Path) -> None:
    """Build from a tree, and check what comes of it.  Raises Failed."""
    tracked = output("git", "ls-tree", "-r", "--name-only", "HEAD").splitlines()
    modules = [name for name in tracked if name.startswith("pipework/") and name.endswith(".py")]
    wheel, sdist = build(tree, "wheel", place / "wheel"), build(tree, "sdist", place / "sdist")
    files = contents(wheel)
    what = f"{wheel.name}: {len(modules)} modules, LICENSE, metadata, command"
    report.tell(what, wheel_problems(files, modules, version))
    names = [name for name in output("tar", "-tf", sdist).splitlines() if not name.endswith("/")]
    report.tell(f"{sdist.name}: {len(names)} files", sdist_problems(names, tracked, version))
    output("tar", "-xf", sdist, "-C", place)
    again = contents(build(place / sdist.name[: -len(".tar.gz")], "wheel", place / "again"))
    report.tell("the source archive gives the same wheel", difference_problems(files, again))
    said = installed_version(wheel, place / "environment")
    problems = [] if said == f"pipework {version}" else [f"it says {said!r}"]
    report.tell("the wheel installs, and pipework --version tells the version", problems)


def main() -> int:
    """Make all checks."""
    parser = argparse.ArgumentParser(prog="release_check", description="Whether HEAD can be released.")
    parser.add_argument("--allow-dirty", action="store_true", help="look at HEAD though the work tree differs from it")
    report = Report()
    if not parser.parse_args().allow_dirty:
        changes = output("git", "status", "--porcelain").splitlines()
        report.tell("the work tree is as HEAD", [f"it differs: {change}" for change in changes])
    with tempfile.TemporaryDirectory(prefix="pipework-release-") as folder:
        place = Path(folder)
        tree = export(place)
        version = check_texts(report, tree)
        try:
            check_builds(report, tree, version, place)
        except Failed as error:
            report.tell("build", [str(error)])
    return 1 if report.failed else 0


if __name__ == "__main__":
    sys.exit(main())

"""The floors of the house: what may import what, read from the source itself."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipework.links import NAMED
from pipework.verbs import VERBS

PACKAGE = Path(__file__).resolve().parents[2] / "pipework"
LONGEST = 400  # lines of a file

# From the bottom up: modules import from their own floor or those below.
FLOORS = (
    ("errors", "quoting", "typed", "value"),
    ("vlans",),
    ("tag",),
    ("address", "mac", "model"),
    ("requests", "rows"),
    ("words",),
    ("verbs",),
    ("grammar",),
    ("lines", "pipework_cmd"),
    ("usage",),
    ("kernel",),
    ("oci", "hook_files"),
    ("marks", "notes", "kept", "reserved"),
    ("actions",),
    ("executor", "source_routes", "default_routes", "leases"),
    ("guests", "firewall", "events"),
    ("links",),
    ("addressing", "uplinks"),
    ("wires",),
    ("commands",),
    ("cli",),
    ("__main__",),
)
LEVEL = {part: level for level, parts in enumerate(FLOORS) for part in parts}


def module_name(file: Path) -> str:
    parts = file.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_name(file): file for file in sorted(PACKAGE.rglob("*.py"))}


def tree(module: str) -> ast.Module:
    return ast.parse(MODULES[module].read_text(encoding="utf-8"))


def imports(module: str) -> Iterator[str]:
    """Every module that is imported anywhere in a file, names in strings and in the table of verbs included."""
    for node in ast.walk(tree(module)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{module}: a relative import"
            base = node.module or ""
            for alias in node.names:
                yield f"{base}.{alias.name}" if f"{base}.{alias.name}" in MODULES else base
        elif isinstance(node, ast.Constant) and node.value in MODULES and node.value != "pipework":
            yield str(node.value)
    if module == "pipework.cli":
        options = (option for verb in VERBS for option in (*verb.before, *verb.behind))
        for row in (*VERBS, *options):
            if row.runs:
                yield f"pipework.commands.{row.runs.partition(':')[0]}"


def floor(module: str) -> int:
    parts = module.split(".")
    return LEVEL[parts[1]] if len(parts) > 1 else 0


def ours(module: str) -> list[str]:
    return [name for name in imports(module) if name.split(".")[0] == "pipework"]


@pytest.mark.parametrize("module", MODULES)
def test_imports_go_down(module: str) -> None:
    """No module knows one on a floor above its own."""
    above = [name for name in ours(module) if floor(name) > floor(module)]
    assert not above, f"{module} (floor {floor(module)}) imports {above}"


def test_floors_are_seen() -> None:
    """The test sees imports: those of an attach reach every floor below it but the grammar's."""
    seen = {"pipework.commands.attach"}
    while more := {name for module in seen for name in ours(module)} - seen:
        seen |= more
    assert {floor(name) for name in seen} >= set(range(LEVEL["commands"] + 1)) - {
        LEVEL[part] for part in ("words", "verbs", "grammar", "lines", "usage", "oci", "wires")
    }
    assert "pipework.links.bridge" in ours("pipework.links")
    assert "pipework.commands.attach" in ours("pipework.cli")


def test_no_circle() -> None:
    """No module imports one that imports it, on whatever way."""
    waiting = {module: set(ours(module)) - {module} for module in MODULES}
    while free := [module for module, needs in waiting.items() if not needs & waiting.keys()]:
        for module in free:
            del waiting[module]
    assert not waiting, f"in a circle, or behind one: {sorted(waiting)}"


def test_link_kinds_do_not_know_each_other() -> None:
    """No link kind imports another, nor does any guest runtime or addressing."""
    for package, registry in (("links", "KINDS"), ("guests", "RUNTIMES")):
        members = registered(f"pipework.{package}", registry)
        assert len(members) >= 3
        for member in members:
            others = [name for name in ours(member) if name in members and name != member]
            assert not others, f"{member} imports {others}"


def registered(package: str, name: str) -> set[str]:
    """The modules that a package's table names."""
    for node in tree(package).body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and node.targets[0].id == name:
            words = list(ast.walk(node.value))
            return {str(word.value) for word in words if isinstance(word, ast.Constant) and word.value in MODULES}
    raise AssertionError(f"{package} has no {name}")


@pytest.mark.parametrize("module", MODULES)
def test_messages_are_our_own(module: str) -> None:
    """pyroute2 takes no part in an attach: nothing imports it, so far."""
    assert not [name for name in imports(module) if name.split(".")[0] == "pyroute2"]


@pytest.mark.parametrize("module", MODULES)
def test_no_shell(module: str) -> None:
    """No program is run through a shell."""
    shells = {"system", "popen", "getoutput", "getstatusoutput"}
    for node in ast.walk(tree(module)):
        if isinstance(node, ast.Call):
            called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            assert called not in shells, f"{module}:{node.lineno} calls {called}"
            for keyword in node.keywords:
                assert keyword.arg != "shell", f"{module}:{node.lineno} says shell="
        if isinstance(node, ast.Constant) and node.value in ("sh", "bash", "/bin/sh", "/bin/bash"):
            raise AssertionError(f"{module}:{node.lineno} names a shell")


@pytest.mark.parametrize("module", MODULES)
def test_files_are_short(module: str) -> None:
    """A file that does not fit on a few screens does more than one thing."""
    lines = len(MODULES[module].read_text(encoding="utf-8").splitlines())
    assert lines <= LONGEST, f"{module} has {lines} lines"


def test_no_utils() -> None:
    """A module is named for what it does."""
    names = {module.rpartition(".")[2] for module in MODULES}
    assert not names & {"utils", "util", "helpers", "common", "misc"}


def test_only_the_command_line_exits() -> None:
    """Nobody but cli.py decides that the process ends; all others raise."""
    exits = {"sys.exit", "exit", "quit"}
    for module in MODULES:
        for node in ast.walk(tree(module)):
            if isinstance(node, ast.Raise) and node.exc is not None:
                assert "SystemExit" not in ast.unparse(node.exc), f"{module}:{node.lineno}"
            if isinstance(node, ast.Call):
                assert ast.unparse(node.func) not in exits, f"{module}:{node.lineno} exits"


def branches(node: ast.AST) -> Iterator[str]:
    """Every text that something is compared with."""
    for part in ast.walk(node):
        if isinstance(part, ast.Compare):
            yield from (str(one.value) for one in ast.walk(part) if isinstance(one, ast.Constant))


@pytest.mark.parametrize("module", [name for name in MODULES if not name.startswith("pipework.links")])
def test_no_branch_on_a_kind(module: str) -> None:
    """Of which kind a link is, only the files of the kinds ask; of the kernel's kinds, also what reads them."""
    kernels = set() if module.startswith("pipework.kernel.") else {"veth", "tun"}
    assert not {*NAMED, *kernels} & set(branches(tree(module)))

"""docs/errors.md against the code: every refusal stands there, with its fix, and nothing else does."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, Optional

from pipework import errors
from pipework.errors import PipeworkError
from pipework.kernel import ovn, ovsdb

CHECKOUT = Path(__file__).resolve().parents[2]
DOCUMENT = (CHECKOUT / "docs" / "errors.md").read_text(encoding="utf-8")
CLASSES = {
    name
    for module in (errors, ovn, ovsdb)
    for name, value in vars(module).items()
    if isinstance(value, type) and issubclass(value, PipeworkError)
}
CHANGING = "…"
ROW = re.compile(r"^\| `([^`]+)` \| (.+) \|$", re.MULTILINE)


class Refusal(NamedTuple):
    """A message and a hint as they stand in the code, with … for what changes; None where all of it does."""

    where: str
    message: Optional[str]
    hint: Optional[str]


def template(node: Optional[ast.expr]) -> Optional[str]:
    """The text of a string, … in place of every expression in it; None if it is not one."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        parts = (part.value if isinstance(part, ast.Constant) else CHANGING for part in node.values)
        return re.sub(f"{CHANGING}+", CHANGING, "".join(map(str, parts)))
    return template(node.body) if isinstance(node, ast.IfExp) else None


def refusals() -> Iterator[Refusal]:
    """Every place in the package that makes an error."""
    for path in sorted((CHECKOUT / "pipework").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            called = getattr(node, "func", None)
            if not isinstance(node, ast.Call) or getattr(called, "id", getattr(called, "attr", "")) not in CLASSES:
                continue
            words = dict(zip(("message", "hint"), node.args)) | {key.arg: key.value for key in node.keywords}
            where = f"{path.relative_to(CHECKOUT)}:{node.lineno}"
            yield Refusal(where, template(words.get("message")), template(words.get("hint")))


def test_every_refusal_is_listed() -> None:
    """Each message that the code can give has a row, and the row has the fix that goes with it."""
    rows = ROW.findall(DOCUMENT)
    for where, message, hint in refusals():
        if message in (None, CHANGING) and hint in (None, CHANGING):
            continue  # another's words
        key = hint if message in (None, CHANGING) else message
        fixes = [fix for said, fix in rows if said == key]
        assert fixes, f"{where}: {key!r} is not in docs/errors.md"
        if hint not in (None, CHANGING, key):
            assert any(f"`{hint}`" in fix for fix in fixes), f"{where}: the fix of {key!r} is {hint!r}"


def test_every_row_can_be_met() -> None:
    """No row tells of a message that the code does not give any more."""
    there = {text for refusal in refusals() for text in (refusal.message, refusal.hint)}
    assert [said for said, _ in ROW.findall(DOCUMENT) if said not in there] == []


def test_each_has_a_fix() -> None:
    """Whatever is refused, the list says what to do."""
    for said, fix in ROW.findall(DOCUMENT):
        assert len(fix.strip(" `")) > 10, said

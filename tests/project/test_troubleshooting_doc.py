"""docs/how-to/troubleshooting.md: each message that it explains is one that the code writes."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from tests.conftest import ROOT

PAGE = (ROOT / "docs" / "how-to" / "troubleshooting.md").read_text()
STATUS = re.compile(r"^\d{3}$")


def messages() -> list[str]:
    """What stands in the columns of messages."""
    found: list[str] = []
    for line in PAGE.splitlines():
        cells = [cell.strip() for cell in re.split(r"(?<!\\) \| ", line.strip("| "))]
        if line.startswith("| ") and len(cells) >= 3:
            found += re.findall(r"`([^`]+)`", cells[1 if STATUS.match(cells[0]) else 0])
    return found


def texts(node: ast.AST) -> Iterator[str]:
    """Every text of a module, with `…` for what is filled in."""
    for each in ast.walk(node):
        if isinstance(each, ast.Constant) and isinstance(each.value, str):
            yield each.value
        elif isinstance(each, ast.JoinedStr):
            parts = (v.value if isinstance(v, ast.Constant) else "…" for v in each.values)
            yield "".join(map(str, parts))


def test_each_message_is_one_of_the_code() -> None:
    folders = ("function", "convert", "edge", "tools", "onnxlet")
    files = [path for folder in folders for path in (ROOT / folder).rglob("*.py")]
    written = "\n".join(text for path in files for text in texts(ast.parse(path.read_text())))
    scripts = [ROOT / "Makefile", *(ROOT / "tools").glob("*.sh")]
    written += "\n".join(path.read_text() for path in scripts)

    shown = messages()
    assert len(shown) > 60
    pieces = {message: [p.strip() for p in re.split("…|'…'", message)] for message in shown}
    assert [m for m, parts in pieces.items() if not all(part in written for part in parts)] == []

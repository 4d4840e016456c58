"""`edge doctor`: the result of each check, as text or as JSON. Standard library only."""

from __future__ import annotations

import json

from onnxlet.edge.device.checks import Finding, wrong

WIDTH = 13  # of the column of subjects


def report(found: list[Finding], as_json: bool = False) -> int:
    """Print findings; return the exit code, 1 if something is wrong."""
    print(_json(found) if as_json else _text(found))
    return 1 if wrong(found) else 0


def _json(found: list[Finding]) -> str:
    form = {"ok": not wrong(found), "findings": [each._asdict() for each in found]}
    return json.dumps(form, indent=1, ensure_ascii=False)


def _text(found: list[Finding]) -> str:
    lines = []
    for each in found:
        lines.append(f"{each.level:8} {each.subject:{WIDTH}} {each.told}")
        lines += [f"{'':8} {'':{WIDTH}} {each.hint}"] * bool(each.hint)
    return "\n".join(lines)

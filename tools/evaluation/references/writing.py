"""How figures are written: small files in tests/references, of the same bytes each time."""

from __future__ import annotations

import json
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parents[3] / "tests" / "references"
DIGITS = 13  # significant ones; the last ones of a sum are the machine's own


def write(name: str, libraries: list[str], figures: dict[str, Any]) -> None:
    """Write tests/references/NAME.json, with the versions of Python and of those libraries."""
    made_with = {"python": f"{sys.version_info.major}.{sys.version_info.minor}"}
    made_with |= {library: version(library) for library in libraries}
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / f"{name}.json").write_text(_text({"made_with": made_with, **figures}) + "\n")


def figure(number: float) -> float:
    """What is kept of a number.

    Raises:
        ValueError: the library has none.
    """
    if number != number:
        raise ValueError("expected a number, got NaN")
    return float(f"{number:.{DIGITS}g}")


def _text(value: Any, indent: str = "") -> str:
    """JSON with a line for each entry, and one for each list of plain values."""
    inner = indent + " "
    if isinstance(value, dict):
        entries = [f"{json.dumps(key)}: {_text(item, inner)}" for key, item in value.items()]
        return "{\n" + ",\n".join(inner + entry for entry in entries) + "\n" + indent + "}"
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return (
            "[\n" + ",\n".join(inner + _text(item, inner) for item in value) + "\n" + indent + "]"
        )
    return json.dumps(value, separators=(",", ":"))

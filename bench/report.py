"""docs/reference/benchmarks/: a page of raw tables for each part of the bench, as it was measured.

docs/reference/benchmarks.md, which says what they come to, is written by hand.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from onnxlet.edge.bench.board import read_board

FOLDER = Path(__file__).resolve().parent.parent / "docs" / "reference" / "benchmarks"
TOOLS = ("onnxruntime", "numpy", "flask", "orjson", "httptools", "scikit-learn", "pillow")


@dataclass(frozen=True)
class Line:
    """One comparison of two measurements."""

    what: str
    ours: str  # with its unit
    theirs: str
    ratio: float  # as the target counts it
    target: float | None = None  # None where there is none
    at_least: bool = False  # the ratio has to be that large, not that small
    digits: int = 2  # of the ratio, behind the point

    def row(self) -> str:
        """A row of the table."""
        cells = self.what, self.ours, self.theirs, f"{self.ratio:.{self.digits}f}"
        if self.target is None:
            return row(*cells, "–", "–")
        fits = self.ratio >= self.target if self.at_least else self.ratio <= self.target
        bound = f"at {'least' if self.at_least else 'most'} {self.target:g}"
        return row(*cells, bound, "yes" if fits else "**no**")


def row(*cells: object) -> str:
    """A row of a table."""
    return f"| {' | '.join(map(str, cells))} |"


def table(head: Sequence[str], rows: Iterable[str]) -> str:
    """A table with its rows as they are."""
    return "\n".join([row(*head), "|" + " --- |" * len(head), *rows]) + "\n"


def comparisons(theirs: str, lines: Iterable[Line]) -> str:
    """A table of lines, with what they are compared with above its third column."""
    head = ["what", "here", theirs, "ratio", "target", "reached"]
    return table(head, (line.row() for line in lines))


def write(part: str, title: str, text: str) -> None:
    """Write the page of a part."""
    FOLDER.mkdir(exist_ok=True)
    about = (
        "The raw figures behind [the benchmarks](../benchmarks.md). To measure them on your own "
        f"machine, type `make bench PART={part}`."
    )
    page = f"# {title}\n\n{about}\n\n{_machine()}\n\n{text.strip()}\n"
    (FOLDER / f"{part}.md").write_text(page)


def _machine() -> str:
    tools = ", ".join(f"{tool} {version(tool)}" for tool in TOOLS)
    where = f"{read_board().processor}, {os.cpu_count()} cores, {platform.platform(terse=True)}"
    return f"On {where}; Python {platform.python_version()}, {tools}."

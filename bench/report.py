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
        ratio = f"{self.ratio:.{self.digits}f}"
        target = _bound(self.target, self.at_least)
        reached = _reached(self.ratio, self.target, self.at_least)
        return row(self.what, self.ours, self.theirs, ratio, target, reached)


@dataclass(frozen=True)
class Figure:
    """One number that is compared with no other one."""

    what: str
    measured: float
    target: float | None = None  # None where there is none
    unit: str = ""  # of both
    at_least: bool = False  # it has to be that large, not that small
    digits: int = 0  # behind the point

    def row(self) -> str:
        """A row of the table."""
        unit = f" {self.unit}" if self.unit else ""
        bound = _bound(self.target, self.at_least) + (unit if self.target is not None else "")
        reached = _reached(self.measured, self.target, self.at_least)
        return row(self.what, f"{self.measured:,.{self.digits}f}{unit}", bound, reached)


def _reached(number: float, target: float | None, at_least: bool) -> str:
    if target is None:
        return "–"
    return "yes" if (number >= target if at_least else number <= target) else "**no**"


def _bound(target: float | None, at_least: bool) -> str:
    return "–" if target is None else f"at {'least' if at_least else 'most'} {target:g}"


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


def figures(lines: Iterable[Figure]) -> str:
    """A table of numbers, each with its target."""
    return table(["what", "measured", "target", "reached"], (line.row() for line in lines))


def write(part: str, title: str, text: str) -> None:
    """Write the page of a part."""
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / f"{part}.md").write_text(f"# {title}\n\n{_machine()}\n\n{text.strip()}\n")


def _machine() -> str:
    tools = ", ".join(f"{tool} {version(tool)}" for tool in TOOLS)
    where = f"{_processor()}, {os.cpu_count()} cores, {platform.platform(terse=True)}"
    return f"On {where}; Python {platform.python_version()}, {tools}."


def _processor() -> str:
    cpu = Path("/proc/cpuinfo")
    if cpu.is_file():
        for line in cpu.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()

"""docs/reference/benchmarks.md: a section for each part of the bench, written when measured."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

TARGET = Path(__file__).resolve().parent.parent / "docs" / "reference" / "benchmarks.md"
HEAD = """# Benchmarks

Measured by `make bench`, each section side by side in one run, medians unless it says otherwise;
`make bench PART=servers` measures one of them again (serving, servers, protocols, explanations,
graphs, build, train, lambda, silence, edge, watch, images, scale).
"""
TOOLS = ("onnxruntime", "numpy", "flask", "orjson", "httptools", "scikit-learn", "pillow")


@dataclass(frozen=True)
class Line:
    """One comparison.

    Attributes:
        what: is compared.
        ours: with its unit.
        theirs: the same for what it is compared with.
        ratio: as the target counts it.
        target: the number to reach; None where there is none.
        at_least: the ratio has to be that large, not that small.
        digits: of the ratio, behind the point.
    """

    what: str
    ours: str
    theirs: str
    ratio: float
    target: float | None = None
    at_least: bool = False
    digits: int = 2

    @property
    def reached(self) -> str:
        """yes, no, or a dash."""
        return _reached(self.ratio, self.target, self.at_least)

    def row(self) -> str:
        """A row of the table."""
        ratio = f"{self.ratio:.{self.digits}f}"
        target = _bound(self.target, self.at_least)
        return f"| {' | '.join([self.what, self.ours, self.theirs, ratio, target, self.reached])} |"


@dataclass(frozen=True)
class Figure:
    """One number that is compared with no other one.

    Attributes:
        what: it is of.
        measured: it is.
        target: the number to reach; None where there is none.
        unit: of both.
        at_least: it has to be that large, not that small.
        digits: behind the point.
    """

    what: str
    measured: float
    target: float | None = None
    unit: str = ""
    at_least: bool = False
    digits: int = 0

    def row(self) -> str:
        """A row of the table."""
        unit = f" {self.unit}" if self.unit else ""
        bound = _bound(self.target, self.at_least) + (unit if self.target is not None else "")
        reached = _reached(self.measured, self.target, self.at_least)
        measured = f"{self.measured:,.{self.digits}f}{unit}"
        return f"| {' | '.join([self.what, measured, bound, reached])} |"


def _reached(number: float, target: float | None, at_least: bool) -> str:
    if target is None:
        return "–"
    return "yes" if (number >= target if at_least else number <= target) else "**no**"


def _bound(target: float | None, at_least: bool) -> str:
    return "–" if target is None else f"at {'least' if at_least else 'most'} {target:g}"


def table(head: Sequence[str], rows: Iterable[str]) -> str:
    """A table with its rows as they are."""
    return "\n".join([f"| {' | '.join(head)} |", "|" + " --- |" * len(head), *rows]) + "\n"


def comparisons(theirs: str, lines: Iterable[Line]) -> str:
    """A table of lines, with what they are compared with above its third column."""
    head = ["what", "here", theirs, "ratio", "target", "reached"]
    return table(head, (line.row() for line in lines))


def figures(lines: Iterable[Figure]) -> str:
    """A table of numbers, each with its target."""
    return table(["what", "measured", "target", "reached"], (line.row() for line in lines))


def write(title: str, text: str, order: Sequence[str]) -> None:
    """Put a section into the document, in place of the one of that title.

    Args:
        title: of the section.
        text: of the section.
        order: all titles; a section of another one is dropped.
    """
    before = TARGET.read_text() if TARGET.is_file() else ""
    sections = dict(part.split("\n\n", 1) for part in before.split("\n## ")[1:])
    sections[title] = f"{_machine()}\n\n{text}"
    parts = [f"\n## {name}\n\n{sections[name].strip()}\n" for name in order if name in sections]
    TARGET.write_text(HEAD + "".join(parts))


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

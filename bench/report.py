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

Measured by `make bench`, medians, each section side by side in one run; `make bench PART=servers`
measures one of them again (serving, servers, protocols, explanations, graphs, build, train, lambda,
silence, edge).
"""
TOOLS = ("onnxruntime", "numpy", "flask", "orjson", "httptools", "scikit-learn")


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
    """

    what: str
    ours: str
    theirs: str
    ratio: float
    target: float | None = None
    at_least: bool = False

    @property
    def reached(self) -> str:
        """yes, no, or a dash."""
        if self.target is None:
            return "–"
        good = self.ratio >= self.target if self.at_least else self.ratio <= self.target
        return "yes" if good else "**no**"

    def row(self) -> str:
        """A row of the table."""
        bound = "at least" if self.at_least else "at most"
        target = "–" if self.target is None else f"{bound} {self.target:g}"
        cells = [self.what, self.ours, self.theirs, f"{self.ratio:.2f}", target, self.reached]
        return f"| {' | '.join(cells)} |"


def table(head: Sequence[str], rows: Iterable[str]) -> str:
    """A table with its rows as they are."""
    return "\n".join([f"| {' | '.join(head)} |", "|" + " --- |" * len(head), *rows]) + "\n"


def comparisons(theirs: str, lines: Iterable[Line]) -> str:
    """A table of lines, with what they are compared with above its third column."""
    head = ["what", "here", theirs, "ratio", "target", "reached"]
    return table(head, (line.row() for line in lines))


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

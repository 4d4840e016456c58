"""What a section of the report is, and what the sentences of several of them share.

A section's module has its `SECTION`, the sentences that say what to see in its figures, and its
plots. Its place in the page is `template/ID.html`, in the card `template/card.md`, which call these
functions by the module's name.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from types import ModuleType
from typing import Any, TypeVar

from onnxlet.convert.report.form.figures import Estimate
from onnxlet.convert.report.form.findings import Column, Findings, Importance, Learning
from onnxlet.convert.report.form.wording import name, number

MOST_ROWS = 300  # of a table: a page of thousands of columns would be slow, and too large

Shown = TypeVar("Shown")


@dataclass(frozen=True)
class Section:
    """A section of page and card."""

    id: str
    heading: str
    # The part of the findings that it shows: it is left out where that is empty.
    of: Callable[[Findings], Any]

    @property
    def module(self) -> ModuleType:
        """The one whose functions its templates call."""
        return sys.modules[self.of.__module__]


def of_part(
    part: Callable[[Findings], Any], nothing: Any = ""
) -> Callable[[Callable[[Any, Findings], Shown]], Callable[[Findings], Shown]]:
    """Have a sentence or a plot of a part of the findings take all of them; nothing without it."""

    def decorated(make: Callable[[Any, Findings], Shown]) -> Callable[[Findings], Shown]:
        @wraps(make)
        def made(found: Findings) -> Shown:
            about = part(found)
            return make(about, found) if about else nothing

        return made

    return decorated


def inside(title: str) -> str:
    """A title inside a sentence: abbreviations keep their capitals."""
    begins = title.split()[0] if title.split() else title
    keeps = begins[1:] != begins[1:].lower() or len(begins) < 3
    return title if keeps else title[0].lower() + title[1:]


def with_interval(value: Estimate, write: Callable[[float | None], str] = number) -> str:
    """The interval in brackets, behind a number; empty where there is none."""
    if value.low is None or value.high is None:
        return ""
    return f" (95\u202f% interval {write(value.low)} to {write(value.high)})"


def clear_of(value: Estimate, limit: float = 0) -> bool:
    """Whether an interval leaves a limit out."""
    low, high = value.low, value.high
    return low is not None and high is not None and not low <= limit <= high


def metric_of(found: Findings, part: Importance | Learning) -> str:
    """The metric of a part, as it stands inside a sentence."""
    known = {score.metric: score.title for score in found.scores or []}
    return inside(name(part.title or known.get(part.metric, part.metric)))


def in_unit(found: Findings) -> str:
    """The target's unit behind a number of its own; empty where nobody says it."""
    return f"\u00a0{name(found.unit, 20)}" if found.unit and found.task == "regression" else ""


def described(about: Column | Findings) -> str:
    """What the owner says of a column or of the target: its unit, and a text; else empty."""
    said = [f"in {name(about.unit, 20)}"] if about.unit else []
    return ": ".join([*said, *([name(about.description, 300)] if about.description else [])])


def positive(found: Findings) -> str:
    """What a two-class model looks for, as it is named in sentences."""
    label = found.positive
    return "positive" if label is None else f"\u201c{name(label, 60)}\u201d"

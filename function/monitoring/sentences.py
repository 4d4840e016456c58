"""What an alarm says in plain English, by the very counts that alarmed."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from math import floor
from typing import Any

import numpy as np

from onnxlet.function.arrays import Array
from onnxlet.function.errors import shortened

LONGEST_NAME = 60  # characters of a column's name, or of a category
DIGITS = 6  # of a number, at least: so that what lies beside an edge is where it is said to be
# What is counted of a column or answer, by its measure; all others are values of the measure.
COUNTED = {
    "value": "values of {}",
    "label": "answers",
    "confidence": "values of confidence",
    "length": "lengths of {}",
    "unknown_tokens": "shares of unknown tokens in {}",
}


class Feature:
    """One feature of the reference, and its counts at build and in the window.

    Both are int64 of shape (bins + 1,), the last of which are missing values; `kind` is the type of
    a column's values, or "" of answers.
    """

    def __init__(self, entry: Mapping[str, Any], kind: str, was: Array, now: Array) -> None:
        self._was, self._now = was, now
        self._edges: Sequence[float] | None = entry.get("edges")
        self._categories: Sequence[Any] = entry.get("categories", ())
        name = shortened(entry.get("column", entry.get("output")), LONGEST_NAME)
        if "index" in entry:
            name += f" number {entry['index'] + 1}"
        of_answer = name == "prediction" and "output" in entry
        measure = entry["measure"].replace("_", " ")
        self._name = name if measure in ("value", "label") else measure
        counted = COUNTED.get(entry["measure"], f"values of {measure} of {{}}")
        self._counted = "answers" if of_answer else counted.format(name)
        self._bool = kind == "bool"
        self._whole = kind == "int64" or entry["measure"] == "length"

    def farthest(self) -> str:
        """Of numbers: the edge where the cumulated shares lie farthest apart."""
        was, now = self._was[:-1], self._now[:-1]
        apart = now.cumsum() / now.sum() - was.cumsum() / was.sum()
        at = int(np.abs(apart[:-1]).argmax())
        if apart[at] > 0:
            return self._of_bins(slice(0, at + 1))
        return self._of_bins(slice(at + 1, len(now)))

    def most_moved(self) -> str:
        """Of the bins with more than at build, the one that has most of the stability index."""
        was, now = self._was[:-1], self._now[:-1]
        p, q = np.maximum(was, 0.5) / was.sum(), np.maximum(now, 0.5) / now.sum()
        at = int(np.where(q > p, (q - p) * np.log(q / p), 0).argmax())
        return self._of_bins(slice(at, at + 1))

    def unseen(self) -> str:
        """The share of values that are none of the build's categories, of all rows."""
        was, now = _share(self._was, slice(-2, -1)), _share(self._now, slice(-2, -1))
        said = f"have a {self._name} that is {self._others()}"
        return f"{now} of recent rows {said}; at build {was} had."

    def missing(self) -> str:
        """The share of missing values, of all rows."""
        was, now = _share(self._was, slice(-1, None)), _share(self._now, slice(-1, None))
        return f"{now} of recent rows have no {self._name}; at build {was} had none."

    def _of_bins(self, bins: slice) -> str:
        said = self._between(bins) if self._edges is not None else self._category(bins.start)
        was, now = _share(self._was[:-1], bins), _share(self._now[:-1], bins)
        return f"{now} of recent {self._counted} are {said}; at build {was} were."

    def _between(self, bins: slice) -> str:
        edges = [floor(edge) if self._whole else edge for edge in self._edges or ()]
        if self._bool and len(edges) == 1:
            return "true" if bins.start else "false"
        above = f"above {number(edges[bins.start - 1])}" if bins.start else ""
        most = f"at most {number(edges[bins.stop - 1])}" if bins.stop <= len(edges) else ""
        return " and ".join(filter(None, (above, most)))

    def _category(self, at: int) -> str:
        if at == len(self._categories):
            return self._others()
        value = self._categories[at]
        return (
            f"'{shortened(value, LONGEST_NAME)}'" if isinstance(value, str) else json.dumps(value)
        )

    def _others(self) -> str:
        known = len(self._categories)
        return (
            f"none of the {known} counted at build" if known > 1 else "not the one counted at build"
        )


def _share(counts: Array, bins: slice) -> str:
    return percent(int(counts[bins].sum()), int(counts.sum()))


def percent(part: int, whole: int) -> str:
    """The share that a part has, in percent: 0 and 100 only where it is none or all."""
    share = 100 * part / max(whole, 1)
    if 0 < share < 0.1:
        return "less than 0.1 %"
    if 99.9 < share < 100:
        return "more than 99.9 %"
    return f"{share:.1f}".removesuffix(".0") + " %"


def number(value: float, digits: int = DIGITS) -> str:
    """A number to read, with so many digits at least where it has them."""
    size = abs(value)
    if size >= 1e15 or 0 < size < 1e-4:
        return f"{value:.{digits}g}"
    decimals = max(0, digits - len(str(int(size))))
    text = f"{value:,.{decimals}f}"
    return text.rstrip("0").rstrip(".") if decimals else text

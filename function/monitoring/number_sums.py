"""What came of numbers: their errors, and what error was expected of the same rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from onnxlet.function.arrays import Array
from onnxlet.function.monitoring import estimate


class NumberRows(NamedTuple):
    """Rows whose truth has come.

    Attributes:
        error: prediction less truth, float64, of shape (rows, outputs).
        bins: of the prediction in the manifest's `estimate`, int64, of shape (rows,).
    """

    error: Array
    bins: Array


class Numbers:
    """Reads answers of a regressor.

    Args:
        outputs: numbers in one answer.
        entry: the manifest's `estimate`, or None.

    Attributes:
        size: numbers in one answer.
        estimate: the manifest's, as far as it is of one output; else empty.
    """

    def __init__(self, outputs: int, entry: Mapping[str, Any] | None) -> None:
        self.size = outputs
        self.estimate: Mapping[str, Any] = entry if entry is not None and outputs == 1 else {}
        self._edges = np.array(self.estimate.get("edges", ()), np.float64)

    def read(self, answers: Sequence[Mapping[str, Any]], truths: Sequence[Any]) -> NumberRows:
        """Answers as they were kept, and what was right, as arrays."""
        shape = (len(truths), self.size)
        answered = np.array([each["prediction"] for each in answers], np.float64).reshape(shape)
        truth = np.array(truths, np.float64).reshape(shape)
        with np.errstate(over="ignore"):
            return NumberRows(answered - truth, np.searchsorted(self._edges, answered[:, 0]))


class NumberSums:
    """Sums over rows, whose number does not change their size.

    Args:
        numbers: whose rows are added.

    Attributes:
        rows: that were added.
        errors: absolute and squared, of shape (2, outputs).
        bins: rows in each bin of the prediction.
    """

    def __init__(self, numbers: Numbers) -> None:
        self.rows = 0
        self.errors = np.zeros((2, numbers.size))
        self.bins = np.zeros(len(numbers.estimate.get("absolute_error", [0.0])), np.int64)

    def add(self, rows: NumberRows) -> None:
        """Add rows."""
        self.rows += len(rows.error)
        with np.errstate(over="ignore"):
            self.errors += np.abs(rows.error).sum(axis=0), np.square(rows.error).sum(axis=0)
        self.bins += np.bincount(rows.bins, minlength=len(self.bins))


def figures(parts: Sequence[NumberSums], numbers: Numbers) -> dict[str, Any]:
    """The figures over all rows of some sums; of several outputs their means."""
    rows = sum(part.rows for part in parts)
    absolute, squared = sum((part.errors for part in parts), np.zeros(1)) / rows
    bins = np.sum([part.bins for part in parts], axis=0)
    return {
        "rows": rows,
        "mean_absolute_error": float(absolute.mean()),
        "root_mean_squared_error": float(np.sqrt(squared).mean()),
        "estimated": {"rows": rows, **estimate.of(numbers.estimate, [bins])}
        if numbers.estimate
        else None,
    }

"""What came of numbers: their errors, and what error was expected of the same rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from onnxlet.function.arrays import Array


class NumberRows(NamedTuple):
    """Rows whose truth has come.

    Attributes:
        error: prediction less truth, float64, of shape (rows, outputs).
        expected: the absolute error that the manifest expects, (rows,); NaN where it has none.
    """

    error: Array
    expected: Array


class Numbers:
    """Reads answers of a regressor.

    Args:
        outputs: numbers in one answer.
        estimate: the manifest's, or None.
    """

    def __init__(self, outputs: int, estimate: Mapping[str, Any] | None) -> None:
        self.size = outputs
        self._step: tuple[Array, Array] | None = None
        if estimate is not None and outputs == 1:
            edges, errors = estimate["edges"], estimate["absolute_error"]
            self._step = np.array(edges, np.float64), np.array(errors, np.float64)

    def read(self, answers: Sequence[Mapping[str, Any]], truths: Sequence[Any]) -> NumberRows:
        """Answers as they were kept, and what was right, as arrays."""
        shape = (len(truths), self.size)
        answered = np.array([each["prediction"] for each in answers], np.float64).reshape(shape)
        truth = np.array(truths, np.float64).reshape(shape)
        expected = np.full(len(truths), np.nan)
        if self._step is not None:
            edges, errors = self._step
            expected = errors[np.searchsorted(edges, answered[:, 0])]
        with np.errstate(over="ignore"):
            return NumberRows(answered - truth, expected)


class NumberSums:
    """Sums over rows, whose number does not change their size.

    Attributes:
        rows: that were added.
    """

    def __init__(self, outputs: int) -> None:
        self.rows = 0
        self.errors = np.zeros((2, outputs))  # absolute and squared, of each output
        self.expected = np.zeros(2)  # rows, and the sum of their expected errors

    def add(self, rows: NumberRows) -> None:
        """Add rows."""
        there = rows.expected[~np.isnan(rows.expected)]
        self.rows += len(rows.error)
        with np.errstate(over="ignore"):
            self.errors += np.abs(rows.error).sum(axis=0), np.square(rows.error).sum(axis=0)
        self.expected += len(there), there.sum()


def figures(parts: Sequence[NumberSums]) -> dict[str, Any]:
    """The figures over all rows of some sums; of several outputs their means."""
    rows = sum(part.rows for part in parts)
    absolute, squared = sum((part.errors for part in parts), np.zeros(1)) / rows
    count, expected = sum((part.expected for part in parts), np.zeros(2))
    return {
        "rows": rows,
        "mean_absolute_error": float(absolute.mean()),
        "root_mean_squared_error": float(np.sqrt(squared).mean()),
        "estimated": {"mean_absolute_error": float(expected / count)} if count else None,
    }

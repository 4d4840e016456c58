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
        error: prediction less truth, float64, of shape (rows, outputs); at most the bounds.
        beyond: whether one was larger, of shape (rows,).
        bins: of the prediction in the manifest's `estimate`, int64, of shape (rows,).
    """

    error: Array
    beyond: Array
    bins: Array


# Errors are counted up to so many times what the build's answers spread over, or its mean error;
# where it has neither, up to LARGEST. One of 1e308 would leave no figure for ever.
FAR, LARGEST = 100, 1e100


class Numbers:
    """Reads answers of a regressor.

    Args:
        outputs: numbers in one answer.
        entry: the manifest's `estimate`, or None.
        features: of the manifest's `reference`.

    Attributes:
        size: numbers in one answer.
        estimate: the manifest's, as far as it is of one output; else empty.
    """

    def __init__(
        self,
        outputs: int,
        entry: Mapping[str, Any] | None,
        features: Sequence[Mapping[str, Any]] = (),
    ) -> None:
        self.size = outputs
        self.estimate: Mapping[str, Any] = entry if entry is not None and outputs == 1 else {}
        self._edges = np.array(self.estimate.get("edges", ()), np.float64)
        held_out = self.estimate.get("held_out", {}).get("mean_absolute_error", 0.0)
        usual = np.full(outputs, held_out)
        for each in features:
            if each.get("output") == "prediction" and len(edges := each.get("edges", ())) > 1:
                at = each.get("index", 0)
                usual[at] = max(usual[at], edges[-1] - edges[0])
        self._bounds = np.where(usual > 0, FAR * usual, LARGEST)

    def read(self, answers: Sequence[Mapping[str, Any]], truths: Sequence[Any]) -> NumberRows:
        """Answers as they were kept, and what was right, as arrays."""
        shape = (len(truths), self.size)
        answered = np.array([each["prediction"] for each in answers], np.float64).reshape(shape)
        truth = np.array(truths, np.float64).reshape(shape)
        with np.errstate(over="ignore"):
            error = answered - truth
        beyond = (np.abs(error) > self._bounds).max(axis=1)
        error = error.clip(-self._bounds, self._bounds)
        return NumberRows(error, beyond, np.searchsorted(self._edges, answered[:, 0]))


class NumberSums:
    """Sums over rows, whose number does not change their size.

    Args:
        numbers: whose rows are added.

    Attributes:
        rows: that were added.
        beyond: of them, those that count with a smaller error than they had.
        errors: absolute and squared, of shape (2, outputs).
        bins: rows in each bin of the prediction.
    """

    def __init__(self, numbers: Numbers) -> None:
        self.rows = self.beyond = 0
        self.errors = np.zeros((2, numbers.size))
        self.bins = np.zeros(len(numbers.estimate.get("absolute_error", [0.0])), np.int64)

    def add(self, rows: NumberRows) -> None:
        """Add rows."""
        self.rows += len(rows.error)
        self.beyond += int(rows.beyond.sum())
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
        "beyond": sum(part.beyond for part in parts),
        "estimated": {"rows": rows, **estimate.of(numbers.estimate, [bins])}
        if numbers.estimate
        else None,
    }

"""What came of numbers: their errors, and what error was expected of the same rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from onnxlet.function.arrays import Array
from onnxlet.function.monitoring import estimate

# Errors are counted up to so many times what the build's answers spread over, or its mean error;
# where it has neither, up to LARGEST. One of 1e308 would leave no figure for ever.
FAR, LARGEST = 100, 1e100


class NumberRows(NamedTuple):
    """Rows whose truth has come."""

    error: Array  # prediction less truth, float64, of shape (rows, outputs); at most the bounds
    beyond: Array  # whether one was larger, of shape (rows,)
    bins: Array  # of the prediction in the manifest's `estimate`, int64, of shape (rows,)


class NumberSums:
    """Sums over rows, whose number does not change their size."""

    def __init__(self, size: int, bins: int) -> None:
        self.rows = self.beyond = 0  # in all; those that count with a smaller error than they had
        self.errors = np.zeros((2, size))  # absolute and squared, of each output
        self.bins = np.zeros(bins, np.int64)  # rows in each bin of the prediction

    def add(self, rows: NumberRows) -> None:
        """Add rows."""
        self.rows += len(rows.error)
        self.beyond += int(rows.beyond.sum())
        self.errors += np.abs(rows.error).sum(axis=0), np.square(rows.error).sum(axis=0)
        self.bins += np.bincount(rows.bins, minlength=len(self.bins))


class Numbers:
    """Reads answers of a regressor, by the manifest's `estimate` and features of `reference`."""

    def __init__(
        self,
        outputs: int,
        entry: Mapping[str, Any] | None,
        features: Sequence[Mapping[str, Any]] = (),
    ) -> None:
        self.size = outputs  # numbers in one answer
        # The manifest's, as far as it is of one output; else empty.
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

    def sums(self, room: int = 0) -> NumberSums:
        """New ones; nothing is ranked, so that they need no room for rows."""
        return NumberSums(self.size, len(self.estimate.get("absolute_error", [0.0])))

    def figures(self, parts: Sequence[NumberSums]) -> dict[str, Any]:
        """The figures over all rows of some sums; of several outputs their means."""
        rows = sum(part.rows for part in parts)
        absolute, squared = sum((part.errors for part in parts), np.zeros(1)) / rows
        bins = np.sum([part.bins for part in parts], axis=0)
        return {
            "rows": rows,
            "mean_absolute_error": float(absolute.mean()),
            "root_mean_squared_error": float(np.sqrt(squared).mean()),
            "beyond": sum(part.beyond for part in parts),
            "estimated": {"rows": rows, **estimate.of(self.estimate, [bins])}
            if self.estimate
            else None,
        }

"""What came of labels (hits, confusion, calibration) and of numbers (errors), and was expected."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from onnxlet.function.arrays import Array
from onnxlet.function.monitoring import estimate

MOST_CLASSES = 20  # of which a confusion matrix is kept
BINS = 10  # of confidence, equally wide
NO_STEP = -1  # of a row without a probability or score

Answers = Sequence[Mapping[str, Any]]


class LabelRows(NamedTuple):
    """Rows whose truth has come, one entry each."""

    truth: Array  # index of the true class, int64; an unknown label is as many as there are classes
    answered: Array  # index of the answered class
    confidence: Array  # probability of the answered class, float64; NaN where there is none
    score: Array  # of the second of two classes, by which rows are ranked; NaN where there is none
    steps: Array  # of the manifest's calibration, int64, of shape (rows, its classes)

    def calibration(self, size: int) -> list[tuple[int, tuple[float, bool]]]:
        """By bin of confidence, it and whether the answer was right, of so many classes."""
        sure = ~np.isnan(self.confidence)
        confidence = self.confidence[sure]
        hit = ((self.truth == self.answered) & (self.truth < size))[sure]
        pairs = zip(confidence.tolist(), hit.tolist(), strict=True)
        return list(zip(_bins(confidence).tolist(), pairs, strict=True))

    def estimates(self) -> list[tuple[int, Array]]:
        """Of rows with a step, the steps and the answered class; they wait for one another."""
        known = (self.steps != NO_STEP).all(axis=1) & (self.steps.shape[1] > 0)
        table = np.column_stack([self.steps, self.answered])[known]
        return [(0, row) for row in table]


def _bins(confidence: Array) -> Array:
    return np.clip((confidence * BINS).astype(np.int64), 0, BINS - 1)


class Labels:
    """Reads answers of a classifier, by its classes and the manifest's `estimate`.

    Of two classes figures are of the one with the index `positive`.
    """

    def __init__(
        self, classes: Sequence[Any], entry: Mapping[str, Any] | None, positive: int = 1
    ) -> None:
        self.size, self.positive = len(classes), positive
        self._index = {label: index for index, label in enumerate(classes)}
        self.counted = [1] if self.size == 2 else list(range(self.size))  # that are calibrated
        fits = entry is not None and len(entry["classes"]) == len(self.counted)
        self.estimate: Mapping[str, Any] = entry if entry is not None and fits else {}
        self._edges = [np.array(each["edges"]) for each in self.estimate.get("classes", ())]

    def read(self, answers: Answers, truths: Sequence[Any]) -> LabelRows:
        """Answers as they were kept, and what was right, as arrays."""
        size, index = self.size, self._index
        truth = np.array([index.get(value, size) for value in truths], np.int64)
        answered = np.array([index.get(each["prediction"], size) for each in answers], np.int64)
        probabilities = _table(answers, "probabilities", size)
        confidence = np.array([each.get("confidence", np.nan) for each in answers], np.float64)
        known = np.flatnonzero(answered < size)
        own = probabilities[known, answered[known]]
        confidence[known] = np.where(np.isnan(own), confidence[known], own)
        values = probabilities[:, self.counted]
        if self.estimate.get("of") == "score" or np.isnan(values).all():
            values = _table(answers, "score", len(self.counted))
        score = values[:, 0] if size == 2 else np.full(len(truth), np.nan)
        return LabelRows(truth, answered, confidence, score, self._steps(values))

    def sums(self, room: int = 0) -> LabelSums:
        """New ones, with room for the ranks of so many rows, if there are two classes."""
        return LabelSums(self, room if self.size == 2 else 0)

    def figures(self, parts: Sequence[LabelSums]) -> dict[str, Any]:
        """The figures over all rows of some sums; None where they are not defined.

        Of two classes precision, recall and F1 are the positive one's; of more they are means over
        the classes, as those of `estimate` are; a share of nothing is 0, as it is in scikit-learn.
        `estimated` has `rows` of its own: those that have a probability, or a score.
        """
        rows = sum(part.rows for part in parts)
        found: dict[str, Any] = {"rows": rows, "accuracy": int(_sum(parts, "hits")) / rows}
        if self.size <= MOST_CLASSES:
            rated = [self.positive] if self.size == 2 else self.counted
            found |= _of_classes(_sum(parts, "confusion"), rated)
        scores, truths = map(np.concatenate, zip(*(part.ranks for part in parts), strict=True))
        if len(scores) == rows and not np.isnan(scores).any():
            found["roc_auc"] = _roc_auc(scores, truths)
        found["unknown_labels"] = int(_sum(parts, "unknown"))
        found["calibration"] = [
            {"confidence": total / count, "accuracy": hits / count, "rows": int(count)}
            for count, total, hits in _sum(parts, "calibration").T.tolist()
            if count
        ]
        return found | {"estimated": self._estimated(parts)}

    def _estimated(self, parts: Sequence[LabelSums]) -> dict[str, float | None] | None:
        counts = [np.sum(tables, axis=0) for tables in zip(*(p.steps for p in parts), strict=True)]
        if not counts or not counts[0].any():
            return None
        return {"rows": int(counts[0].sum()), **estimate.of(self.estimate, counts, self.positive)}

    def _steps(self, values: Array) -> Array:
        if not self._edges:
            return np.empty((len(values), 0), np.int64)
        # The number of edges below each value.
        columns = [np.searchsorted(e, v) for e, v in zip(self._edges, values.T, strict=True)]
        return np.where(np.isnan(values), NO_STEP, np.stack(columns, axis=1))


def _table(answers: Answers, name: str, width: int) -> Array:
    """One member of all answers, of shape (rows, width); NaN where it is missing."""
    found = np.full((len(answers), width), np.nan)
    for row, each in enumerate(answers):
        if (value := each.get(name)) is not None:
            found[row] = value
    return found


class LabelSums:
    """Sums over rows, whose number does not change their size.

    There is room for the ranks of so many rows, for ROC AUC.
    """

    def __init__(self, labels: Labels, room: int = 0) -> None:
        self.rows = 0
        self._labels = labels
        kept = labels.size + 1 if labels.size <= MOST_CLASSES else 0
        self.sums = {
            "hits": np.zeros((), np.int64),
            "unknown": np.zeros((), np.int64),
            "confusion": np.zeros((kept, kept), np.int64),
            "calibration": np.zeros((3, BINS)),
        }
        entries = labels.estimate.get("classes", ())
        # For each calibrated class the rows in each step, of shape (2, steps): those that were
        # answered as another class, and those that were answered as this one.
        self.steps = [np.zeros((2, len(each["calibrated"])), np.int64) for each in entries]
        self._scores, self._truths = np.empty(room), np.empty(room, np.bool_)

    def add(self, rows: LabelRows) -> None:
        """Add rows, without their calibration and estimates."""
        sums, size = self.sums, self._labels.size
        hit = (rows.truth == rows.answered) & (rows.truth < size)
        if self._scores.size:
            here = slice(self.rows, self.rows + len(hit))
            self._scores[here], self._truths[here] = rows.score, rows.truth == 1
        self.rows += len(hit)
        sums["hits"] += hit.sum()
        sums["unknown"] += (rows.truth == size).sum()
        if sums["confusion"].size:
            np.add.at(sums["confusion"], (rows.truth, rows.answered), 1)

    def add_calibration(self, rows: Sequence[tuple[float, bool]]) -> None:
        """Add the confidence of rows, and whether they were right."""
        confidence, hit = np.array(rows, np.float64).reshape(-1, 2).T
        for line, weights in enumerate((None, confidence, hit)):
            self.sums["calibration"][line] += np.bincount(_bins(confidence), weights, BINS)

    def add_estimates(self, rows: Sequence[Array]) -> None:
        """Add the steps of rows, each with its answered class behind them."""
        if not rows:
            return
        *columns, answered = np.array(rows).T
        for number, column, counts in zip(self._labels.counted, columns, self.steps, strict=True):
            np.add.at(counts, ((answered == number).astype(np.int64), column), 1)

    @property
    def ranks(self) -> tuple[Array, Array]:
        """Score and truth of each row; of no row without room."""
        return self._scores[: self.rows], self._truths[: self.rows]


def _sum(parts: Sequence[LabelSums], name: str) -> Array:
    total: Array = np.sum([part.sums[name] for part in parts], axis=0)
    return total


def _of_classes(confusion: Array, classes: Sequence[int]) -> dict[str, float]:
    """Precision, recall and F1 from a confusion matrix with the truth in its rows."""
    hits = np.diag(confusion)[classes]
    truths, answers = confusion.sum(axis=1)[classes], confusion.sum(axis=0)[classes]
    return {
        "precision": _mean(hits, answers),
        "recall": _mean(hits, truths),
        "f1": _mean(2 * hits, answers + truths),
    }


def _mean(parts: Array, wholes: Array) -> float:
    """The mean share; of nothing it is 0."""
    return float((parts / np.maximum(wholes, 1)).mean())


def _roc_auc(scores: Array, truths: Array) -> float | None:
    """The chance that a positive row has a higher score than a negative one; ties are half."""
    _, group = np.unique(scores, return_inverse=True)
    positive = np.bincount(group, truths)
    rows = np.bincount(group)
    return estimate.roc_auc(rows, positive / rows)


# Errors are counted up to so many times what the build's answers spread over, or its mean error;
# where it has neither, up to LARGEST. One of 1e308 would leave no figure for ever.
FAR, LARGEST = 100, 1e100


class NumberRows(NamedTuple):
    """Rows whose truth has come."""

    error: Array  # prediction less truth, float64, of shape (rows, outputs); at most the bounds
    beyond: Array  # whether one was larger, of shape (rows,)
    bins: Array  # of the prediction in the manifest's `estimate`, int64, of shape (rows,)
    large: Array  # whether the error is above each edge of the `estimate`, of shape (rows, edges)


class NumberSums:
    """Sums over rows, whose number does not change their size."""

    def __init__(self, size: int, bins: int, edges: int) -> None:
        self.rows = self.beyond = 0  # in all; those that count with a smaller error than they had
        self.large = np.zeros(edges, np.int64)  # whose error is above each edge
        self.errors = np.zeros((2, size))  # absolute and squared, of each output
        self.bins = np.zeros(bins, np.int64)  # rows in each bin of the prediction

    def add(self, rows: NumberRows) -> None:
        """Add rows."""
        self.rows += len(rows.error)
        self.beyond += int(rows.beyond.sum())
        self.errors += np.abs(rows.error).sum(axis=0), np.square(rows.error).sum(axis=0)
        self.bins += np.bincount(rows.bins, minlength=len(self.bins))
        self.large += rows.large.sum(axis=0)


class NumberAnswers:
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
        self._large = np.array(self.estimate.get("large_errors", {}).get("above", ()), np.float64)
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
        large = np.abs(error[:, :1]) > self._large
        return NumberRows(error, beyond, np.searchsorted(self._edges, answered[:, 0]), large)

    def sums(self, room: int = 0) -> NumberSums:
        """New ones; nothing is ranked, so that they need no room for rows."""
        bins = len(self.estimate.get("absolute_error", [0.0]))
        return NumberSums(self.size, bins, len(self._large))

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
            "large_errors": [
                {"above": edge, "rows": sum(int(part.large[n]) for part in parts)}
                for n, edge in enumerate(self._large.tolist())
            ],
            "estimated": {"rows": rows, **estimate.of(self.estimate, [bins])}
            if self.estimate
            else None,
        }

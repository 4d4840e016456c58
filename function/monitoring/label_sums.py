"""What came of labels: hits, confusion, calibration, and what was expected of the same rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from onnxlet.function.arrays import Array
from onnxlet.function.monitoring.ranking import ranked

MOST_CLASSES = 20  # of which a confusion matrix is kept
BINS = 10  # of confidence, equally wide

Answers = Sequence[Mapping[str, Any]]


class LabelRows(NamedTuple):
    """Rows whose truth has come, one entry each.

    Attributes:
        truth: index of the true class, int64; as many as there are classes for an unknown label.
        answered: index of the answered class.
        confidence: probability of the answered class, float64; NaN where there is none.
        chances: probability that each class is right, of shape (rows, classes), by the manifest's
            calibration on held-out rows; NaN where it has none.
        score: of the second of two classes, by which rows are ranked; NaN where there is none.
    """

    truth: Array
    answered: Array
    confidence: Array
    chances: Array
    score: Array


class Labels:
    """Reads answers of a classifier.

    Args:
        classes: in the order of their probabilities.
        estimate: the manifest's, or None.
    """

    def __init__(self, classes: Sequence[Any], estimate: Mapping[str, Any] | None) -> None:
        self.size = len(classes)
        self._index = {label: index for index, label in enumerate(classes)}
        entries = [] if estimate is None else estimate["classes"]
        fitting = len(entries) == (1 if self.size == 2 else self.size)
        self._of = str(estimate["of"]) if estimate is not None else ""
        self._steps = [_step(entry) for entry in entries] if fitting else []

    def read(self, answers: Answers, truths: Sequence[Any]) -> LabelRows:
        """Answers as they were kept, and what was right, as arrays."""
        size, index = self.size, self._index
        truth = np.array([index.get(value, size) for value in truths], np.int64)
        answered = np.array([index.get(each["prediction"], size) for each in answers], np.int64)
        probabilities = _table(answers, "probabilities", size)
        rows = np.arange(len(truth))
        confidence = np.array([each.get("confidence", np.nan) for each in answers], np.float64)
        known = answered < size
        own = probabilities[rows[known], answered[known]]
        confidence[known] = np.where(np.isnan(own), confidence[known], own)
        values = probabilities[:, 1:] if size == 2 else probabilities
        if self._of == "score" or np.isnan(values).all():
            values = _table(answers, "score", values.shape[1])
        score = values[:, 0] if size == 2 else np.full(len(truth), np.nan)
        return LabelRows(truth, answered, confidence, self.chances(values), score)

    def chances(self, values: Array) -> Array:
        """The probability that each class is right, of shape (rows, classes); NaN where unknown.

        Args:
            values: probabilities or scores, of shape (rows, classes); of two classes (rows, 1).
        """
        if not self._steps:
            return np.full((len(values), self.size), np.nan)
        columns = [
            step[1][np.searchsorted(step[0], column)]  # the number of edges below each value
            for step, column in zip(self._steps, values.T, strict=True)
        ]
        chances = np.stack([1 - columns[0], *columns] if self.size == 2 else columns, axis=1)
        chances[np.isnan(values).any(axis=1)] = np.nan
        # As NannyML does: classes that are calibrated each by itself don't add up to one.
        total = chances.sum(axis=1, keepdims=True)
        alike: Array = np.full_like(chances, 1 / self.size)
        np.divide(chances, total, out=alike, where=total != 0)
        return alike


def _step(entry: Mapping[str, Any]) -> tuple[Array, Array]:
    return np.array(entry["edges"], np.float64), np.array(entry["calibrated"], np.float64)


def _table(answers: Answers, name: str, width: int) -> Array:
    """One member of all answers, of shape (rows, width); NaN where it is missing."""
    found = np.full((len(answers), width), np.nan)
    for row, each in enumerate(answers):
        if (value := each.get(name)) is not None:
            found[row] = value
    return found


class LabelSums:
    """Sums over rows, whose number does not change their size.

    Args:
        size: number of classes.
        room: rows whose ranks are kept, for ROC AUC; 0 where nothing is ranked.

    Attributes:
        rows: that were added.
        size: number of classes.
    """

    def __init__(self, size: int, room: int = 0) -> None:
        self.rows = 0
        self.size = size
        kept = size if size <= MOST_CLASSES else 0
        self._sums = {
            "hits": np.zeros((), np.int64),
            "unknown": np.zeros((), np.int64),
            "confusion": np.zeros((kept + 1, kept + 1), np.int64),
            "calibration": np.zeros((3, BINS)),
            "expected": np.zeros((3, kept)),  # hits, truths and answers of each class
            "estimated": np.zeros((), np.int64),
        }
        self._scores, self._truths = np.empty(room), np.empty(room, np.bool_)

    def add(self, rows: LabelRows) -> None:
        """Add rows."""
        sums, size = self._sums, self.size
        hit = (rows.truth == rows.answered) & (rows.truth < size)
        if self._scores.size:
            here = slice(self.rows, self.rows + len(hit))
            self._scores[here], self._truths[here] = rows.score, rows.truth == 1
        self.rows += len(hit)
        sums["hits"] += hit.sum()
        sums["unknown"] += (rows.truth == size).sum()
        if size <= MOST_CLASSES:
            np.add.at(sums["confusion"], (rows.truth, rows.answered), 1)
            self._expect(rows)
        sure = ~np.isnan(rows.confidence)
        bins = np.clip((rows.confidence[sure] * BINS).astype(np.int64), 0, BINS - 1)
        for line, weights in enumerate((None, rows.confidence[sure], hit[sure])):
            sums["calibration"][line] += np.bincount(bins, weights, BINS)

    def named(self, name: str) -> Array:
        """One of the sums."""
        return self._sums[name]

    @property
    def ranks(self) -> Array:
        """Score and truth of each row, of shape (2, rows); of no row without room."""
        return np.stack([self._scores[: self.rows], self._truths[: self.rows]])

    def _expect(self, rows: LabelRows) -> None:
        there = ~np.isnan(rows.chances).any(axis=1) & (rows.answered < self.size)
        chances, answered = rows.chances[there], rows.answered[there]
        own = chances[np.arange(len(answered)), answered]
        expected = self._sums["expected"]
        expected[0] += np.bincount(answered, own, self.size)
        expected[1] += chances.sum(axis=0)
        expected[2] += np.bincount(answered, None, self.size)
        self._sums["estimated"] += there.sum()


def figures(parts: Sequence[LabelSums], labels: Labels) -> dict[str, Any]:
    """The figures over all rows of some sums; None where they are not defined.

    Of two classes precision, recall and F1 are the second one's; of more they are means over the
    classes that were answered or true.
    """
    rows, size = sum(part.rows for part in parts), parts[0].size
    found: dict[str, Any] = {"rows": rows, "accuracy": int(_sum(parts, "hits")) / rows}
    estimated = _estimated(parts)
    if size <= MOST_CLASSES:
        confusion = _sum(parts, "confusion")
        hits = np.diag(confusion)[:size].astype(np.float64)
        found |= _of_classes(hits, confusion.sum(axis=1)[:size], confusion.sum(axis=0)[:size])
    ranks = np.concatenate([part.ranks for part in parts], axis=1)
    if ranks.shape[1] == rows and not np.isnan(ranks[0]).any():
        found["roc_auc"] = ranked(ranks[0], ranks[1], 1 - ranks[1])
        chance = labels.chances(ranks[:1].T)[:, 1]
        if estimated is not None and not np.isnan(chance).any():
            estimated["roc_auc"] = ranked(ranks[0], chance, 1 - chance)
    found["unknown_labels"] = int(_sum(parts, "unknown"))
    found["calibration"] = [
        {"confidence": total / count, "accuracy": hits / count, "rows": int(count)}
        for count, total, hits in _sum(parts, "calibration").T.tolist()
        if count
    ]
    return found | {"estimated": estimated}


def _sum(parts: Sequence[LabelSums], name: str) -> Array:
    total: Array = np.sum([part.named(name) for part in parts], axis=0)
    return total


def _estimated(parts: Sequence[LabelSums]) -> dict[str, Any] | None:
    rows = int(_sum(parts, "estimated"))
    if not rows:
        return None
    hits, truths, answers = _sum(parts, "expected")
    return {"accuracy": float(hits.sum()) / rows, **_of_classes(hits, truths, answers)}


def _of_classes(hits: Array, truths: Array, answers: Array) -> dict[str, float | None]:
    """Precision, recall and F1 from the rows of each class that are hits, true, and answered."""
    names = ("precision", "recall", "f1")
    if len(hits) == 2:
        pairs = ((hits[1], answers[1]), (hits[1], truths[1]), (2 * hits[1], answers[1] + truths[1]))
        return {n: float(a / b) if b else None for n, (a, b) in zip(names, pairs, strict=True)}
    met = (truths + answers) > 0
    hits, truths, answers = hits[met], truths[met], answers[met]
    shares = (
        np.divide(part, whole, out=np.zeros_like(hits), where=whole > 0)
        for part, whole in ((hits, answers), (hits, truths), (2 * hits, answers + truths))
    )
    return {n: float(s.mean()) if len(s) else None for n, s in zip(names, shares, strict=True)}

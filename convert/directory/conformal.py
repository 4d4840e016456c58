"""The table that prediction intervals and sets are made from: split conformal prediction.

A score says how badly the answer to a held-out row missed the truth. If held-out rows and new ones
are exchangeable, at least a share c of new rows scores no higher than the ceil((n + 1) c)-th
smallest of n held-out scores (J. Lei et al., *Distribution-free predictive inference for
regression*, 2018). Of classes the score is one less the right one's probability: least ambiguous
set-valued classifiers (M. Sadinle et al., 2019).
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from math import ceil
from typing import Any

import numpy as np
import pandas as pd

from onnxlet.convert.reference.answers import Answers, Task
from onnxlet.function.arrays import Array

FEWEST_ROWS = 20
FEWEST_ROWS_BY_TIME = 50  # the latest: half of them, but so many where there are
MOST_OUTPUTS = 20  # each has scores of its own, and the manifest stays small
APART = 5  # ranks: so many rows at least lie between two scores that are kept
USUAL = ("0.9", "0.95", "0.8", "0.5", "0.99")  # coverages
NEAR_THE_TOP = 12  # ranks lie no further apart than this part of the rows above them
FINE, COARSE = 200, 50  # ... and than this part of all rows, above the median and below it
ROWS_FOR_ERRORS = 1000  # half of them are for the model of errors
MOST_BINS, ROWS_IN_BIN = 10, 50
LEAST_ERROR = 0.05  # of the mean error: no bin is taken for exact


def conformal_table(
    task: Task, answers: Answers, y_test: Any, by_time: bool = False
) -> dict[str, Any] | None:
    """Scores of held-out rows at some ranks, for the manifest.

    It has `rows`, `ranks` and `scores`, of several outputs a list for each rank; of a regressor
    `scale`, too, what an error is divided by. Of rows in the order of time it is of the latest ones
    and `adaptive`: truths that come change how wide intervals and sets are. None where intervals
    and sets have no meaning, where there are too few rows, or where y_test, the truths of all
    held-out rows, has gaps or is of another kind.
    """
    if y_test is None or len(answers["prediction"]) < FEWEST_ROWS:
        return None
    if by_time:
        latest = -max(FEWEST_ROWS_BY_TIME, len(answers["prediction"]) // 2)
        answers = {name: array[latest:] for name, array in answers.items()}
        y_test = np.asarray(y_test)[latest:]
    with np.errstate(all="ignore"):  # an overflow is an infinite score
        if task.name == "regression":
            table = _numbers_table(answers, y_test)
        else:
            table = _classes_table(task, answers, y_test) if task.name == "classification" else None
    return table if table is None or not by_time else {**table, "adaptive": True}


def _numbers_table(answers: Answers, y_test: Any) -> dict[str, Any] | None:
    predicted = answers["prediction"]
    if predicted.dtype.kind not in "biuf" or predicted.ndim > 2:
        return None
    truths = _numbers(y_test, predicted.shape)
    if truths is None or predicted[0].size > MOST_OUTPUTS:
        return None
    predicted = predicted.astype(np.float64)
    errors = np.abs(truths - predicted)
    deviations = _deviations(answers.get("std"), predicted)
    if deviations is not None:
        return _table(errors / deviations, "std")
    if predicted.ndim == 1 and len(errors) >= ROWS_FOR_ERRORS:
        # Each half sees other rows: the scores stay exchangeable with those of new rows.
        scale = error_model(predicted[::2], errors[::2])
        if scale is not None:
            expected = np.array(scale["error"])[np.searchsorted(scale["edges"], predicted[1::2])]
            return _table(errors[1::2] / expected, scale)
    return _table(errors, None)


def _numbers(y_test: Any, shape: tuple[int, ...]) -> Array | None:
    """The truths as float64, in the shape of the predictions; None where one is no number."""
    y = np.asarray(y_test)
    try:
        y = np.array(y.tolist()) if y.dtype == object else y
    except ValueError:  # lists that differ in length
        return None
    if y.dtype.kind not in "biuf" or y.size != np.prod(shape):
        return None
    y = y.reshape(shape).astype(np.float64)
    return y if np.isfinite(y).all() else None


def _deviations(std: Array | None, predicted: Array) -> Array | None:
    """The model's own standard deviations, in the shape of its predictions, where all are ones."""
    if std is None or not np.isfinite(std).all() or not (std > 0).all():
        return None
    column = std[:, np.newaxis] if predicted.ndim > std.ndim else std
    return np.broadcast_to(column, predicted.shape) if column.ndim == predicted.ndim else None


def error_model(predicted: Array, errors: Array) -> dict[str, Any] | None:
    """The mean error by bins of the prediction; a prediction v is in bin sum(v > edges).

    Of predictions and absolute errors, float64 (rows,): `edges`, and in `error` one more entry,
    each above zero. None where all rows are in one bin, or all errors are zero.
    """
    finite = np.isfinite(predicted) & np.isfinite(errors)
    overall = float(np.mean(errors[finite])) if finite.any() else 0.0
    if not 0 < overall < np.inf:
        return None
    edges, means = error_by_prediction(predicted[finite], errors[finite])
    if not edges:
        return None
    return {"edges": edges, "error": np.maximum(means, LEAST_ERROR * overall).tolist()}


def error_by_prediction(predicted: Array, errors: Array) -> tuple[list[float], Array]:
    """Mean errors of equally many rows each, by rising prediction.

    Of finite predictions and errors, float64 (rows,): edges between bins, and one more float64 mean
    error; a prediction v is in bin sum(v > edges).
    """
    edges = _edges(np.sort(predicted))
    bins = np.searchsorted(edges, predicted)
    return edges, np.bincount(bins, errors) / np.bincount(bins)


def _edges(ordered: Array) -> list[float]:
    """Edges between equally many rows, and between different values: never on one of them."""
    edges: list[float] = []
    start, count = 0, len(ordered)
    size = max(ROWS_IN_BIN, -(-count // MOST_BINS))
    while start + size <= count - ROWS_IN_BIN:
        below = ordered[start + size - 1]
        start = int(np.searchsorted(ordered, below, side="right"))
        if start <= count - ROWS_IN_BIN:
            edges.append(float(below + (ordered[start] - below) / 2))
    return edges


def _classes_table(task: Task, answers: Answers, y_test: Any) -> dict[str, Any] | None:
    shares, rows = answers.get("probabilities"), len(answers["prediction"])
    classes = task.classes or []
    if shares is None or task.several or answers["prediction"].ndim > 1:
        return None
    truths = np.asarray(y_test)
    if truths.size != rows or pd.isna(truths).any() or shares.shape != (rows, len(classes)):
        return None
    position = {label: number for number, label in enumerate(classes)}
    right = np.array([position.get(truth, -1) for truth in truths.ravel().tolist()])
    if (right < 0).all():
        return None
    scores = 1.0 - shares.astype(np.float64)[np.arange(rows), right]
    scores[right < 0] = np.inf  # no set holds a class that the model does not know
    return _table(scores)


def decided_otherwise(task: Task, answers: Answers) -> str:
    """What to know of sets where a prediction is not the most probable label; "" where it is."""
    shares, classes = answers.get("probabilities"), task.classes or []
    if shares is None or task.several or shares.ndim != 2 or shares.shape[1] != len(classes):
        return ""
    position = {label: number for number, label in enumerate(classes)}
    given = np.array([position.get(label, -1) for label in answers["prediction"].tolist()])
    likely = (given >= 0) & (shares[np.arange(len(shares)), given] >= shares.max(axis=1))
    if likely.all():
        return ""
    return (
        f"of {(~likely).sum():,} of {len(likely):,} rows the prediction is not the most probable "
        "label (a threshold of its own?): sets are of the probabilities, and may not hold it"
    )


def _table(scores: Array, *scale: Any) -> dict[str, Any] | None:
    """Scores at some ranks, from float64 of shape (rows,) or (rows, outputs).

    What is no number counts as infinite. Such scores are at no rank that is kept, but among the
    rows, so that a coverage which would need them is refused.
    """
    scores = np.sort(np.where(np.isnan(scores), np.inf, scores), axis=0)
    rows = len(scores)
    finite = int(np.isfinite(scores).reshape(rows, -1).all(axis=1).sum())
    if rows < FEWEST_ROWS or finite < FEWEST_ROWS:
        return None
    ranks = stored_ranks(finite)
    kept = scores[np.array(ranks) - 1].tolist()
    return {"rows": rows, **({"scale": scale[0]} if scale else {}), "ranks": ranks, "scores": kept}


def stored_ranks(rows: int) -> list[int]:
    """The ranks whose scores are kept, ascending: at most about 200, closer at the top.

    Those of USUAL coverages are among them, so far as they lie apart; the largest is that of all
    rows.
    """
    ranks = [rows]
    usual = [ceil((rows + 1) * Fraction(coverage)) for coverage in USUAL]
    for rank in (*usual, *_spaced(rows)):
        if all(abs(rank - other) >= APART for other in ranks):
            ranks.append(rank)
    return sorted(ranks)


def _spaced(rows: int) -> Iterator[int]:
    """Ranks from the top down."""
    rank = rows
    while rank > 0:
        yield rank
        above = rows - rank
        most = rows // (FINE if 2 * above < rows else COARSE)
        rank -= max(APART, min(above // NEAR_THE_TOP, most))

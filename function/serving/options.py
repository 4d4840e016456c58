"""What a request may ask for beside its rows: a coverage of intervals or sets, and `k` nearest.

Intervals and sets hold the truth in a given share of cases. Split conformal prediction, from the
table in the manifest: for a coverage c and n held-out rows the score at rank ceil((n + 1) c) bounds
what new rows score with a probability of at least c, if they are exchangeable with the held-out
ones. `onnxlet.convert.directory.conformal` makes the table.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from itertools import compress, repeat
from math import prod
from typing import Any

from onnxlet.function.arrays import Array, Cells, LateOutputs
from onnxlet.function.errors import NoNeighbours, NotCalibrated
from onnxlet.function.inputs.nested import packed, spread
from onnxlet.function.messages import Prediction
from onnxlet.function.models.example import highest, table_of
from onnxlet.function.models.model import IMPORTED, Model
from onnxlet.function.numpy_later import np

# The graph's probabilities lie so near to those that the table was made of, which is what parity
# was proven to. A class that is just at the limit belongs to the set.
NEAR = 1e-5
ROUNDING = 4  # units in the last place of a number, by which an interval is wider
AGAIN = "Build it again with y_test, the right answers to the held-out rows."
EPSILON = {"float32": 2.0**-23, "float64": 2.0**-52}  # of numbers: the unit in the last place of 1
TASKS = ("regression", "classification")


def score_at(model: Model, coverage: float) -> Array:
    """`scores_at` as an array, of shape (); of several outputs, of shape (outputs,)."""
    return np.asarray(scores_at(model, coverage), np.float64)


def scores_at(model: Model, coverage: float) -> float | list[float]:
    """The score which bounds that share of new rows, strictly between 0 and 1.

    Of several outputs, one for each. Raises NotCalibrated where the
    model's manifest has no table, or its rows are too few for the coverage.
    """
    table = table_of(model.manifest)
    if table is None:
        raise NotCalibrated(f"'coverage': model '{model.name}' {_lacking(model)}", AGAIN)
    rows, ranks = table["rows"], table["ranks"]
    exact = Fraction(repr(float(coverage)))  # as it was written: 100 · 0.07 is 7, and no more
    rank = math.ceil((rows + 1) * exact)
    if rank > ranks[-1]:
        needed = math.ceil(exact / (1 - exact))
        answered = "" if ranks[-1] == rows else f", {rows - ranks[-1]} of them out of its reach"
        raise NotCalibrated(
            f"'coverage': {coverage} needs at least {needed} held-out rows, and model "
            f"'{model.name}' was built with {rows}{answered}",
            f"Ask for at most {highest(table)}, or build it again with more rows and their y_test.",
        )
    found: float | list[float] = table["scores"][bisect_left(ranks, rank)]
    return found


def _lacking(model: Model) -> str:
    """Why a model has no table, as its manifest shows it."""
    task, outputs = model.manifest["task"], [output.name for output in model.signature.outputs]
    if task == IMPORTED:
        return "was imported, without right answers to its sample"
    if task not in TASKS:
        return f"has no intervals or sets: its task is {task}"
    if task == "classification" and "probabilities" not in outputs:
        return "has no probabilities, of which sets are made"
    if task == "classification" and len(model.signature.outputs[0].shape) > 1:
        return "answers several labels for a row, and sets are of one"
    return "was built without y_test, with fewer than 20 rows of it, or with gaps in it"


def region(model: Model, score: Array, outputs: Mapping[str, Array]) -> tuple[str, Array]:
    """Intervals of a regressor, or sets of a classifier, by a score of `score_at`.

    None of the answers, rows first, is missing. Returns `interval` and float64 of shape (rows, 2),
    or (rows, outputs, 2) where a prediction has a list for each row; or `set` and a list of labels
    for each row, in the order of the classes.
    """
    with np.errstate(all="ignore"):  # what is no number, or infinite, stays so
        if model.classes is None:
            return "interval", _intervals(model.manifest["conformal"]["scale"], score, outputs)
        return "set", _sets(model.classes, float(score), outputs["probabilities"])


def _intervals(scale: Any, score: Array, outputs: Mapping[str, Array]) -> Array:
    digits = np.finfo(np.float32 if outputs["prediction"].dtype == np.float32 else np.float64)
    predicted = outputs["prediction"].astype(np.float64)
    half = np.broadcast_to(score, predicted.shape)
    if scale == "std":
        std = outputs["std"].astype(np.float64)
        half = half * (std[:, np.newaxis] if predicted.ndim > std.ndim else std)
    elif scale is not None:
        half = half * np.array(scale["error"])[np.searchsorted(scale["edges"], predicted)]
    # A truth like that of the row which the score is of must not fall out by rounding.
    half = half + ROUNDING * float(digits.eps) * (np.abs(predicted) + half)
    return np.stack([predicted - half, predicted + half], axis=-1)


def _sets(classes: Sequence[Any], score: float, probabilities: Array) -> Array:
    shares = probabilities.astype(np.float64)
    inside = ~(1.0 - shares > score + NEAR)  # of what is no number, nothing is known: all classes
    empty = np.flatnonzero(~inside.any(axis=1))
    inside[empty, shares[empty].argmax(axis=1)] = True
    sets = (list(compress(classes, row)) for row in inside.tolist())
    return np.fromiter(sets, dtype=object, count=len(inside))


def region_cells(
    model: Model, score: float | list[float], outputs: Mapping[str, Cells]
) -> tuple[str, Cells]:
    """The same as `region`, of few rows in lists."""
    if model.classes is None:
        return "interval", _interval_cells(model.manifest["conformal"]["scale"], score, outputs)
    assert isinstance(score, float | int)  # noqa: S101 - sets are of one output
    shares, width = outputs["probabilities"].values, len(model.classes)
    sets = []
    for start in range(0, len(shares), width):
        row = shares[start : start + width]
        inside = [not 1.0 - share > score + NEAR for share in row]
        if not any(inside):
            inside[row.index(max(row))] = True
        sets.append([*compress(model.classes, inside)])
    return "set", Cells(sets, (len(sets),), "object")


def _interval_cells(scale: Any, score: float | list[float], outputs: Mapping[str, Cells]) -> Cells:
    values, shape, dtype = outputs["prediction"]
    width = prod(shape[1:])
    scores = score if isinstance(score, list) else [score]
    scores = scores * (len(values) // len(scores))
    factors: Iterable[float] = repeat(1.0)
    if scale == "std":
        std = outputs["std"]
        times = width if len(std.shape) < len(shape) else 1
        factors = [each for each in std.values for _ in range(times)]
    elif scale is not None:
        factors = [scale["error"][bisect_left(scale["edges"], each)] for each in values]
    ends = list[float]()
    for value, each, factor in zip(values, scores, factors, strict=False):
        half = each * factor
        half += ROUNDING * EPSILON[dtype] * (abs(value) + half)
        ends += (value - half, value + half)
    return Cells(ends, (*shape, 2), "float64")


def beside(prediction: Prediction, score: float | list[float], wider: float) -> Mapping[str, Array]:
    """A prediction's outputs and its intervals or sets; None for rows that were not answered.

    The score is `scores_at`'s, and is multiplied to make them so many times as wide.
    """
    score = [each * wider for each in score] if isinstance(score, list) else score * wider
    if not isinstance(prediction.outputs, LateOutputs):
        return _arrays_beside(prediction, np.asarray(score, np.float64))
    model, whole, bad = prediction.model, prediction.outputs, prediction.problems
    answered = whole if prediction.answered is None else prediction.answered
    if isinstance(answered, LateOutputs):
        name, found = region_cells(model, score, answered.cells)
    else:  # no row was
        name, found = "interval" if model.classes is None else "set", Cells([], (0,), "object")
    if bad:
        good = sorted({*range(prediction.rows)} - {problem.row for problem in bad})
        found = found.spread(good, prediction.rows)
    return LateOutputs({**whole.cells, name: found})


def _arrays_beside(prediction: Prediction, score: Array) -> dict[str, Array]:
    model, outputs = prediction.model, prediction.outputs
    unanswered = {problem.row for problem in prediction.problems}
    if not unanswered:
        return {**outputs, **dict([region(model, score, outputs)])}
    kept = [row for row in range(prediction.rows) if row not in unanswered]
    name = "interval" if model.classes is None else "set"
    found: Sequence[Any] | Array = ()
    if kept:
        answered = {key: np.array(array[kept].tolist()) for key, array in outputs.items()}
        name, found = region(model, score, answered)
    return {**outputs, name: spread(found, kept, prediction.rows)}


MOST_NEAREST = 100  # that a request may ask for, where the estimator's own number is not larger


def at_least(model: Model, k: int) -> Model:
    """The model as it answers this many nearest, or its own number where that is more.

    The first of more nearest are the nearest of fewer: what is counted of the answers is always of
    the model's own number. Raises NoNeighbours where it answers none, or not so many.
    """
    known = model.k
    if known is None:
        task = model.manifest["task"]
        raise NoNeighbours(
            f"'k': model '{model.name}' answers no list of items: its task is {task}",
            "Leave out k.",
        )
    if k > known["most"]:
        raise NoNeighbours(
            f"'k': model '{model.name}' answers at most {known['most']}, got {k}",
            f"Ask for 1 to {known['most']}.",
        )
    return model if k <= known["default"] else model.at_k(k)


def first(prediction: Prediction, model: Model, k: int) -> Prediction:
    """The prediction of `at_least(model, k)` with the k nearest only, by the model that was named.

    It has as many as were asked for.
    """
    assert model.k is not None  # noqa: S101 - `at_least` has seen to it
    given = prediction.outputs if prediction.answered is None else prediction.answered
    return prediction._replace(
        model=model,
        outputs=_cut(prediction.outputs, k),
        answered=_cut(given, model.k["default"]),
    )


def _cut(outputs: Mapping[str, Any], count: int) -> dict[str, Array]:
    return {name: _first(array, count) for name, array in outputs.items()}


def _first(array: Array, count: int) -> Array:
    if array.ndim > 1:
        return array[:, :count]
    # Some rows were not answered.
    return packed([None if entry is None else entry[:count] for entry in array])

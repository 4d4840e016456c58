"""Rows on both sides of places where an estimator's answer jumps, found by halving."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from onnxlet.convert.reference.inputs import Cells
from onnxlet.function.arrays import Array
from onnxlet.function.inputs.signature import Column

PAIRS = 8  # pairs of rows that each column's jumps are looked for between
MOST_STARTS = 400  # pairs of rows that jumps are looked for between, in all
HALVINGS = 64
BESIDE = 1e-8  # of the way between two rows: further from a jump than rounding in float64 reaches
LOOKED_AT = 400  # held-out rows whose answers are told apart
OF_EACH_TWO = 2  # pairs of rows for each two answers
MOST_PAIRS = 200

Predict = Callable[[Sequence[Cells]], Array]


class Unanswered(Exception):
    """Raised by a Predict for rows that scikit-learn raises for.

    Attributes:
        answered: for each row whether it is answered.
    """

    def __init__(self, answered: Sequence[bool]) -> None:
        super().__init__(f"{answered.count(False)} of {len(answered)} rows")
        self.answered = answered


def at_jumps(columns: Sequence[Column], rows: Sequence[Cells], predict: Predict) -> list[Cells]:
    """Both sides of places where the answer jumps, found by halving between two held-out rows.

    Right at the place, and so far from it that only a conversion in float32 is on the other side.
    It sees through any preprocessing: what is halved is the raw column, what is watched is the
    answer. Where the answer doesn't jump the halving ends somewhere, and does no harm.
    """
    random = np.random.default_rng(0)
    starts: list[tuple[Cells, int, float, float]] = []
    for place, column in enumerate(columns):
        if column.required and column.type in ("float64", "float32") and not column.categories:
            for _ in range(PAIRS):
                a, b = random.integers(0, len(rows), 2).tolist()
                low, high = rows[a][place], rows[b][place]
                if low is not None and high is not None and low != high:
                    starts.append((rows[a], place, float(low), float(high)))
    return _of_answered(_thinned(starts), lambda some: _halved(some, predict)) if starts else []


def _of_answered(found: list[Any], make: Callable[[list[Any]], list[Cells]]) -> list[Cells]:
    """What is made of all that never comes to a row which scikit-learn raises for."""
    while found:
        try:
            return make(found)
        except Unanswered as some:
            found = [one for one, is_one in zip(found, some.answered, strict=True) if is_one]
    return []


def _halved(starts: Sequence[tuple[Cells, int, float, float]], predict: Predict) -> list[Cells]:
    low = np.array([start[2] for start in starts])
    high = np.array([start[3] for start in starts])

    def at(values: Array) -> Array:
        rows = [_put(s[0], [s[1]], [v]) for s, v in zip(starts, values.tolist(), strict=True)]
        return predict(rows).reshape(len(rows), -1)

    at_low, at_high = at(low), at(high)
    for _ in range(HALVINGS):
        middle = low + (high - low) / 2
        if np.all((middle == low) | (middle == high)):
            break
        at_middle = at(middle)
        left = _distance(at_low, at_middle) >= _distance(at_middle, at_high)
        low, at_low = np.where(left, low, middle), np.where(left[:, None], at_low, at_middle)
        high, at_high = np.where(left, middle, high), np.where(left[:, None], at_middle, at_high)
    beside = BESIDE * np.array([high - low for _, _, low, high in starts])
    found = np.stack([low, high, low - beside, high + beside], axis=1).tolist()
    return [
        _put(row, [place], [value])
        for (row, place, _, _), values in zip(starts, found, strict=True)
        for value in values
    ]


def _distance(a: Array, b: Array) -> Array:
    if a.dtype.kind in "fiub":
        return np.asarray(np.abs(a.astype(np.float64) - b.astype(np.float64)).max(axis=1))
    return np.asarray((a != b).any(axis=1), dtype=np.float64)


def _thinned(
    starts: Sequence[tuple[Cells, int, float, float]],
) -> list[tuple[Cells, int, float, float]]:
    picks = np.unique(np.linspace(0, len(starts) - 1, min(MOST_STARTS, len(starts))).astype(int))
    return [starts[place] for place in picks.tolist()]


def between_answers(
    columns: Sequence[Column], rows: Sequence[Cells], predict: Predict
) -> list[Cells]:
    """On the borders between labels: on the straight line from a row of one to one of another.

    Where the answer is numbers they tell of the borders themselves, and none are looked for.
    """
    places = [
        place
        for place, column in enumerate(columns)
        if column.required and column.type in ("float64", "float32") and not column.categories
    ]
    some = [row for row in rows[:LOOKED_AT] if all(row[place] is not None for place in places)]
    if not places or not some:
        return []
    return _of_answered(some, lambda rows: _between(rows, places, predict))


def _between(rows: Sequence[Cells], places: Sequence[int], predict: Predict) -> list[Cells]:
    labels = predict(rows)
    if labels.dtype.kind == "f" or labels.ndim > 1:
        return []
    pairs = _unlike([str(label) for label in labels.tolist()])
    ends = [(rows[a], rows[b]) for a, b in pairs]
    return _of_answered(ends, lambda some: _along(some, places, predict)) if ends else []


def _unlike(labels: Sequence[str]) -> list[tuple[int, int]]:
    """Places of two labels that differ, some for each two labels that there are."""
    random = np.random.default_rng(0)
    known = {label: np.flatnonzero(np.array(labels) == label) for label in sorted(set(labels))}
    pairs = [
        (int(random.choice(known[a])), int(random.choice(known[b])))
        for _ in range(OF_EACH_TWO)
        for a in known
        for b in known
        if a < b
    ]
    return pairs[:MOST_PAIRS]


def _along(
    ends: Sequence[tuple[Cells, Cells]], places: Sequence[int], predict: Predict
) -> list[Cells]:
    first = np.array([[row[place] for place in places] for row, _ in ends], dtype=np.float64)
    step = np.array([[row[place] for place in places] for _, row in ends]) - first

    def at(share: Array) -> list[Cells]:
        cells = (first + share[:, None] * step).tolist()
        return [_put(row, places, values) for (row, _), values in zip(ends, cells, strict=True)]

    low, high = np.zeros(len(ends)), np.ones(len(ends))
    answer = predict(at(low))
    for _ in range(HALVINGS):
        middle = low + (high - low) / 2
        same = predict(at(middle)) == answer
        low, high = np.where(same, middle, low), np.where(same, high, middle)
    shares = (low, high, low - BESIDE, high + BESIDE)
    return [row for share in shares for row in at(share)]


def _put(row: Cells, places: Sequence[int], values: Sequence[float]) -> Cells:
    made = list(row)
    for place, value in zip(places, values, strict=True):
        made[place] = value
    return made

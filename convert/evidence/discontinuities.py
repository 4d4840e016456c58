"""Rows on both sides of an estimator's discontinuities, found by bisection."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any

import numpy as np

from onnxlet.convert.evidence.bisection import Start, bisected
from onnxlet.convert.evidence.evidence import changed
from onnxlet.convert.reference.bisection import Unanswered
from onnxlet.convert.reference.column_groups import breadth, fewer
from onnxlet.convert.reference.inputs import Cells
from onnxlet.convert.reference.reference import Reference
from onnxlet.convert.spacing import evenly_spaced
from onnxlet.function.arrays import Array
from onnxlet.function.inputs.columns import Column

PAIRS_OF_COLUMN = 8  # of rows, between which one column is moved
MOST_STARTS = 400  # of these pairs, over all columns
BESIDE = 1e-8  # of the way between two rows: rounding in float64 moves no discontinuity so far
LABELLED = 400  # held-out rows whose labels are compared
PAIRS_OF_LABELS = 2  # of rows, for each two labels
MOST_PAIRS = 200
FEWEST_BISECTED = 24  # pairs, however wide the rows are


def at_discontinuities(
    columns: Sequence[Column],
    rows: Sequence[Cells],
    reference: Reference,
    tried: Collection[int],
) -> list[Cells]:
    """Both sides of discontinuities in one column, found by bisection between two held-out rows.

    Right beside each, and so far from it that only a conversion in float32 is on the other side.
    It sees through any preprocessing: the raw column is bisected, and the answer is watched. Where
    the answer is continuous the bisection ends somewhere, and does no harm.

    Args:
        columns: of the signature.
        rows: held-out ones.
        reference: is asked about the rows between.
        tried: positions of the columns that are moved.
    """
    random = np.random.default_rng(0)
    starts: list[Start] = []
    for position in [position for position in _floats(columns) if position in tried]:
        for _ in range(PAIRS_OF_COLUMN):
            a, b = random.integers(0, len(rows), 2).tolist()
            low, high = rows[a][position], rows[b][position]
            if low is not None and high is not None and low != high:
                starts.append(Start(rows[a], position, float(low), float(high)))
    width = breadth(len(columns), reference.estimator)
    some = evenly_spaced(starts, fewer(MOST_STARTS, width, FEWEST_BISECTED))
    return _of_answered(some, lambda kept: _bisected(kept, reference))


def _floats(columns: Sequence[Column]) -> list[int]:
    """Positions of the columns that the model uses and that take any float."""
    return [
        position
        for position, column in enumerate(columns)
        if column.required and column.type in ("float64", "float32") and not column.categories
    ]


def _of_answered(found: list[Any], make: Callable[[list[Any]], list[Cells]]) -> list[Cells]:
    """What is made of all that never lead to a row which scikit-learn raises for."""
    while found:
        try:
            return make(found)
        except Unanswered as some:
            found = [one for one, is_one in zip(found, some.answered, strict=True) if is_one]
    return []


def _bisected(starts: Sequence[Start], reference: Reference) -> list[Cells]:
    low = np.array([start.low for start in starts])
    high = np.array([start.high for start in starts])

    def at(values: Array) -> Array:
        rows = [start.moved(v) for start, v in zip(starts, values.tolist(), strict=True)]
        return reference.finest_answers(rows).reshape(len(rows), -1)

    at_low, at_high = at(low), at(high)

    def changes_more_above(middle: Array) -> Array:
        nonlocal at_low, at_high
        at_middle = at(middle)
        # "Not below", so that a distance of NaN goes up.
        above = ~(_distance(at_low, at_middle) >= _distance(at_middle, at_high))
        at_low = np.where(above[:, None], at_middle, at_low)
        at_high = np.where(above[:, None], at_high, at_middle)
        return above

    beside = BESIDE * (high - low)
    low, high = bisected(low, high, changes_more_above)
    found = np.stack([low, high, low - beside, high + beside], axis=1).tolist()
    return [
        start.moved(value) for start, values in zip(starts, found, strict=True) for value in values
    ]


def _distance(a: Array, b: Array) -> Array:
    if a.dtype.kind in "fiub":
        return np.asarray(np.abs(a.astype(np.float64) - b.astype(np.float64)).max(axis=1))
    return np.asarray((a != b).any(axis=1), dtype=np.float64)


def between_labels(
    columns: Sequence[Column], rows: Sequence[Cells], reference: Reference
) -> list[Cells]:
    """On the borders between labels: on the straight line from a row of one to one of another.

    Where the answer is numbers these show the borders themselves, and none are looked for.

    Args:
        columns: of the signature.
        rows: held-out ones.
        reference: is asked about the rows between.
    """
    positions = _floats(columns)
    some = [row for row in rows[:LABELLED] if all(row[p] is not None for p in positions)]
    if not positions or not some:
        return []
    return _of_answered(some, lambda rows: _between(rows, positions, reference))


def _between(rows: Sequence[Cells], positions: Sequence[int], reference: Reference) -> list[Cells]:
    labels = reference.finest_answers(rows)
    if labels.dtype.kind == "f" or labels.ndim > 1:
        return []
    pairs = _unlike([str(label) for label in labels.tolist()])
    width = breadth(len(rows[0]), reference.estimator)
    some = evenly_spaced(pairs, fewer(MOST_PAIRS, width, FEWEST_BISECTED))
    ends = [(rows[a], rows[b]) for a, b in some]
    return _of_answered(ends, lambda some: _along(some, positions, reference))


def _unlike(labels: Sequence[str]) -> list[tuple[int, int]]:
    """Positions of rows with two different labels, some for each two labels that there are."""
    random = np.random.default_rng(0)
    known = {label: np.flatnonzero(np.array(labels) == label) for label in sorted(set(labels))}
    pairs = [
        (int(random.choice(known[a])), int(random.choice(known[b])))
        for _ in range(PAIRS_OF_LABELS)
        for a in known
        for b in known
        if a < b
    ]
    return pairs[:MOST_PAIRS]


def _along(
    ends: Sequence[tuple[Cells, Cells]], positions: Sequence[int], reference: Reference
) -> list[Cells]:
    first = np.array([[row[p] for p in positions] for row, _ in ends], dtype=np.float64)
    step = np.array([[row[p] for p in positions] for _, row in ends]) - first

    def at(share: Array) -> list[Cells]:
        cells = (first + share[:, None] * step).tolist()
        return [changed(row, positions, c) for (row, _), c in zip(ends, cells, strict=True)]

    low, high = np.zeros(len(ends)), np.ones(len(ends))
    label = reference.finest_answers(at(low))
    low, high = bisected(low, high, lambda share: reference.finest_answers(at(share)) == label)
    shares = (low, high, low - BESIDE, high + BESIDE)
    return [row for share in shares for row in at(share)]

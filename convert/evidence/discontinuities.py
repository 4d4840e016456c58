"""Rows on both sides of an estimator's discontinuities.

Those in one column, and those between two labels, are found by bisection. An outlier detector's
label is its score against zero. A decision that is off by a thousandth shows only in a row whose
score lies within that, and where scores are sums over trees no bisection ends in one: rows as near
to it as rows get are bred.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any

import numpy as np

from onnxlet.convert.evidence.rows import Start, bisected, changed, ends, float_columns, moved
from onnxlet.convert.reference.column_groups import breadth, fewer
from onnxlet.convert.reference.inputs import Cells
from onnxlet.convert.reference.reference import Reference, Unanswered
from onnxlet.convert.spacing import evenly_spaced
from onnxlet.function.arrays import Array
from onnxlet.function.inputs.columns import Column

PAIRS_OF_COLUMN = 8  # of rows, between which one column is moved
MOST_STARTS = 400  # of these pairs, over all columns
BESIDE = 1e-8  # of the way between two rows: rounding in float64 moves no discontinuity so far
LABELLED = 400  # held-out rows whose labels are compared
AT_ONCE = 256  # rows that an estimator is asked about
PAIRS_OF_LABELS = 2  # of rows, for each two labels
MOST_PAIRS = 200
FEWEST_BISECTED = 24  # pairs, however wide the rows are
STARTS = 400  # held-out rows that the nearest are looked for among
NEAREST = 8  # rows of each side that are kept
ROUNDS, MADE = 6, 200  # rows that are made of those kept, each time


def at_discontinuities(
    columns: Sequence[Column],
    rows: Sequence[Cells],
    reference: Reference,
    tried: Collection[int],
) -> list[Cells]:
    """Both sides of discontinuities in one column, found by bisection between two held-out rows.

    Right beside each, and so far from it that only a conversion in float32 is on the other side.
    It sees through any preprocessing: the raw column is bisected, and the answer is watched. Where
    the answer is continuous the bisection ends somewhere, and does no harm. Only the columns at
    the `tried` positions are moved.
    """
    random = np.random.default_rng(0)
    starts: list[Start] = []
    for position in [position for position in float_columns(columns) if position in tried]:
        for _ in range(PAIRS_OF_COLUMN):
            a, b = random.integers(0, len(rows), 2).tolist()
            low, high = rows[a][position], rows[b][position]
            if low is not None and high is not None and low != high:
                starts.append(Start(rows[a], position, float(low), float(high)))
    width = breadth(len(columns), reference.estimator)
    some = evenly_spaced(starts, fewer(MOST_STARTS, width, FEWEST_BISECTED))
    slow = reference.task.one_by_one or any(column.image for column in columns)
    at_once = 0 if slow else AT_ONCE
    return _from_answered(some, lambda kept: _bisected(kept, reference, at_once))


def _from_answered(found: list[Any], make: Callable[[list[Any]], list[Cells]]) -> list[Cells]:
    """What is made of all that never lead to a row which scikit-learn raises for."""
    while found:
        try:
            return make(found)
        except Unanswered as some:
            found = [one for one, is_one in zip(found, some.answered, strict=True) if is_one]
    return []


def _bisected(starts: Sequence[Start], reference: Reference, at_once: int) -> list[Cells]:
    low, high = ends(starts)

    def at(values: Array) -> Array:
        rows = [row for each in values for row in moved(starts, each)]
        answers = reference.finest_answers(rows, len(starts))
        return answers.reshape(len(answers) // len(starts), len(starts), -1)

    [at_low], [at_high] = at(low[None]), at(high[None])

    def changes_more_above(at_middle: Array) -> Array:
        nonlocal at_low, at_high
        # "Not below", so that a distance of NaN goes up.
        above = ~(_distance(at_low, at_middle) >= _distance(at_middle, at_high))
        at_low = np.where(above[:, None], at_middle, at_low)
        at_high = np.where(above[:, None], at_high, at_middle)
        return above

    beside = BESIDE * (high - low)
    low, high = bisected(low, high, at, changes_more_above, at_once)
    found = [moved(starts, values) for values in (low, high, low - beside, high + beside)]
    return [row for rows in zip(*found, strict=True) for row in rows]


def _distance(a: Array, b: Array) -> Array:
    if a.dtype.kind in "fiub":
        return np.asarray(np.abs(a.astype(np.float64) - b.astype(np.float64)).max(axis=1))
    return np.asarray((a != b).any(axis=1), dtype=np.float64)


def between_labels(
    columns: Sequence[Column], rows: Sequence[Cells], reference: Reference
) -> list[Cells]:
    """On the borders between labels: on the straight line from a row of one to one of another.

    Where the answer is numbers these show the borders themselves, and none are looked for.
    """
    positions = float_columns(columns)
    some = [row for row in rows[:LABELLED] if all(row[p] is not None for p in positions)]
    if not positions or not some:
        return []
    return _from_answered(some, lambda rows: _between(rows, positions, reference))


def _between(rows: Sequence[Cells], positions: Sequence[int], reference: Reference) -> list[Cells]:
    labels = reference.finest_answers(rows)
    if labels.dtype.kind == "f" or labels.ndim > 1:
        return []
    pairs = _unlike([str(label) for label in labels.tolist()])
    width = breadth(len(rows[0]), reference.estimator)
    some = evenly_spaced(pairs, fewer(MOST_PAIRS, width, FEWEST_BISECTED))
    pairs_of_rows = [(rows[a], rows[b]) for a, b in some]
    return _from_answered(pairs_of_rows, lambda some: _along(some, positions, reference))


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
    pairs: Sequence[tuple[Cells, Cells]], positions: Sequence[int], reference: Reference
) -> list[Cells]:
    first = np.array([[row[p] for p in positions] for row, _ in pairs], dtype=np.float64)
    step = np.array([[row[p] for p in positions] for _, row in pairs]) - first

    def at(share: Array) -> list[Cells]:
        cells = (first + share[:, None] * step).tolist()
        return [changed(row, positions, c) for (row, _), c in zip(pairs, cells, strict=True)]

    def labels(shares: Array) -> Array:
        return reference.finest_answers(at(*shares))[None]

    low, high = np.zeros(len(pairs)), np.ones(len(pairs))
    [label] = labels(low[None])
    low, high = bisected(low, high, labels, lambda found: found == label)
    shares = (low, high, low - BESIDE, high + BESIDE)
    return [row for share in shares for row in at(share)]


def beside_decisions(rows: Sequence[Cells], reference: Reference) -> list[Cells]:
    """Rows made of the cells of held-out ones, the nearest to the decision of each side."""
    if reference.task.name != "outlier" or not rows:
        return []
    random = np.random.default_rng(0)
    kept, scores = _scored(rows[:STARTS], reference)
    for _ in range(ROUNDS):
        kept, scores = _nearest(kept, scores)
        if not kept:
            return []
        made = [_crossed(kept, rows, random) for _ in range(MADE)]
        found, theirs = _scored(made, reference)
        kept, scores = [*kept, *found], np.concatenate([scores, theirs])
    return _nearest(kept, scores)[0]


def _scored(rows: Sequence[Cells], reference: Reference) -> tuple[list[Cells], Array]:
    """Those that are answered, and their scores."""
    try:
        answered, answers = reference.answers_where_answered(rows)
    except Exception:  # it answers none of them
        return [], np.empty(0)
    found = [row for row, is_one in zip(rows, answered, strict=True) if is_one]
    return found, answers["score"].astype(np.float64)


def _nearest(rows: Sequence[Cells], scores: Array) -> tuple[list[Cells], Array]:
    """One row of each score, the nearest of both sides."""
    distinct = np.unique(scores, return_index=True)[1]
    places = distinct[np.argsort(np.abs(scores[distinct]), kind="stable")]
    inside = scores[places] >= 0
    some = np.concatenate([places[inside][:NEAREST], places[~inside][:NEAREST]])
    return [rows[place] for place in some.tolist()], scores[some]


def _crossed(kept: Sequence[Cells], rows: Sequence[Cells], random: np.random.Generator) -> Cells:
    """A row that was kept, with some cells of another."""
    row = kept[int(random.integers(len(kept)))]
    donor = rows[int(random.integers(len(rows)))]
    few = random.integers(1, len(row) + 1) if random.random() < 0.5 else 1
    positions = random.choice(len(row), int(few), replace=False).tolist()
    return changed(row, positions, [donor[position] for position in positions])

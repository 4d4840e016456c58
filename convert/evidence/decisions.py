"""Rows on both sides of an outlier detector's decision, and as near to it as rows get.

Its label is its score against zero. A decision that is off by a thousandth shows only in a row
whose score lies within that, and where scores are sums over trees no bisection ends in one.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from onnxlet.convert.evidence.rows import changed
from onnxlet.convert.reference.inputs import Cells
from onnxlet.convert.reference.reference import Reference
from onnxlet.function.arrays import Array

STARTS = 400  # held-out rows that the nearest are looked for among
NEAREST = 8  # rows of each side that are kept
ROUNDS, MADE = 6, 200  # rows that are made of those kept, each time


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

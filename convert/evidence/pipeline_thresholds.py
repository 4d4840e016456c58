"""Rows that end up on the thresholds of trees behind other steps of a pipeline.

What a node compares is a column that the steps before have made. For each node a held-out row
that comes by it is taken, and one of its raw numbers moved, by halving, to where the made column
goes over the threshold.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.pipeline import Pipeline

from onnxlet.convert.evidence.tree_thresholds import FLOATS, Splits, splits_of, way_to
from onnxlet.convert.reference.answers import dense
from onnxlet.convert.reference.inputs import Cells, Data
from onnxlet.convert.reference.probing import is_answered, parts_of
from onnxlet.function.arrays import Array
from onnxlet.function.inputs.signature import Column

ROWS = 500  # held-out ones that are looked at, and others
STARTS = 400  # nodes and rows that are tried, in all
BASES = 8  # rows for each node
PLACES = 2  # raw columns that are moved for it
HALVINGS = 64

Makes = Callable[[Sequence[Cells]], Data]
Sees = Callable[[Sequence[Cells]], Array]


@dataclass(frozen=True)
class Start:
    """A row, and what one of its numbers is moved to for a node to decide otherwise."""

    row: Cells
    place: int
    low: float
    high: float
    tree: Splits
    node: int


def rows_at_hidden_nodes(
    columns: Sequence[Column],
    rows: Sequence[Cells],
    others: Sequence[Cells],
    estimator: Any,
    makes: Makes,
) -> list[Cells]:
    """On both sides of thresholds, as the steps before the trees make the columns.

    Args:
        columns: of the signature.
        rows: held-out ones.
        others: rows that come by nodes where no held-out one does.
        estimator: scikit-learn's.
        makes: what scikit-learn is given for rows.
    """
    known = [*rows[:ROWS], *others[:ROWS]]
    made: list[Cells] = []
    for part in parts_of(estimator):
        if isinstance(part, Pipeline) and len(part.steps) > 1:
            before, last = part[:-1], part.steps[-1][1]

            def seen(tried: Sequence[Cells], before: Any = before) -> Array:
                return dense(before.transform(makes(tried))).astype(np.float64)

            with np.errstate(all="ignore"):  # a step may make numbers that float32 can't hold
                if is_answered(seen, known):  # else it is given something else than the rows
                    made += _rows_of(columns, known, last, seen)
    return made


def _rows_of(
    columns: Sequence[Column], rows: Sequence[Cells], last: Any, seen: Sees
) -> Iterator[Cells]:
    known = seen(rows)
    trees = list(splits_of(last, known.shape[1]))
    if trees:
        starts = list(_starts(columns, rows, known, trees, _movers(columns, rows, seen)))
        picks = np.unique(np.linspace(0, len(starts) - 1, min(STARTS, len(starts))).astype(int))
        yield from _halved(columns, [starts[pick] for pick in picks.tolist()], seen)


def _movers(columns: Sequence[Column], rows: Sequence[Cells], seen: Sees) -> dict[int, list[int]]:
    """For each made column, the raw ones that it depends on."""
    movers: dict[int, list[int]] = {}
    for place, column in enumerate(columns):
        if column.required and column.type in FLOATS and not column.categories:
            base = [row for row in rows if row[place] is not None][:20]
            moved = [
                [*row[:place], base[number - 1][place], *row[place + 1 :]]
                for number, row in enumerate(base)
            ]
            if base:
                a, b = seen(base), seen(moved)
                changed = (a != b) & ~(np.isnan(a) & np.isnan(b))
                for made in np.flatnonzero(changed.any(axis=0)).tolist():
                    movers.setdefault(made, []).append(place)
    return movers


def _starts(
    columns: Sequence[Column],
    rows: Sequence[Cells],
    known: Array,
    trees: Sequence[Splits],
    movers: dict[int, list[int]],
) -> Iterator[Start]:
    for tree in trees:
        columns_seen = np.maximum(tree.feature, 0)  # a leaf looks at none
        goes_left = known.astype(tree.dtype)[:, columns_seen] <= tree.threshold
        for node in np.flatnonzero(tree.numeric).tolist():
            comes_by = np.ones(len(rows), dtype=bool)
            for above, left in way_to(tree, node):
                comes_by &= goes_left[:, above] == left
            for number, base in enumerate(_spread(np.flatnonzero(comes_by))):
                others = np.flatnonzero(goes_left[:, node] != goes_left[base, node])
                for place in movers.get(int(tree.feature[node]), [])[:PLACES]:
                    for other in others[number :: max(1, len(others) // 3)].tolist()[:3]:
                        low, high = rows[base][place], rows[other][place]
                        if low is not None and high is not None and low != high:
                            yield Start(rows[base], place, float(low), float(high), tree, node)
                            break


def _spread(places: Array) -> list[int]:
    picks = np.unique(np.linspace(0, len(places) - 1, min(BASES, len(places))).astype(int))
    found: list[int] = places[picks].tolist()
    return found


def _halved(columns: Sequence[Column], starts: Sequence[Start], seen: Sees) -> Iterator[Cells]:
    if not starts:
        return
    low = np.array([start.low for start in starts])
    high = np.array([start.high for start in starts])

    def goes_left(values: Array) -> Array:
        made = seen([_moved(s, value) for s, value in zip(starts, values.tolist(), strict=True)])
        return np.array(
            [
                s.tree.dtype(made[number, s.tree.feature[s.node]]) <= s.tree.threshold[s.node]
                for number, s in enumerate(starts)
            ]
        )

    first, last = goes_left(low), goes_left(high)
    for _ in range(HALVINGS):
        middle = low + (high - low) / 2
        if np.all((middle == low) | (middle == high)):
            break
        same = goes_left(middle) == first
        low, high = np.where(same, middle, low), np.where(same, high, middle)
    for start, a, b, crossed in zip(
        starts, low.tolist(), high.tolist(), (first != last).tolist(), strict=True
    ):
        if crossed:
            yield _moved(start, a)
            yield _moved(start, b)
        if columns[start.place].nullable:
            yield _moved(start, None)


def _moved(start: Start, value: float | None) -> Cells:
    return [*start.row[: start.place], value, *start.row[start.place + 1 :]]

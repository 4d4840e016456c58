"""Rows on the thresholds of trees behind other steps of a pipeline.

What a node compares is a column that the steps before have made. For each node a held-out row
that reaches it is taken, and one of its raw numbers moved, by bisection, to where the made column
goes over the threshold.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from sklearn.pipeline import Pipeline

from onnxlet.convert.converters.registration import Splits
from onnxlet.convert.evidence.bisection import Start, bisected, ends, moved
from onnxlet.convert.evidence.discontinuities import FEWEST_BISECTED
from onnxlet.convert.evidence.rows import changed, float_columns
from onnxlet.convert.evidence.tree_thresholds import has_trees, splits_of, way_to
from onnxlet.convert.reference.answers import TRANSFORMATION
from onnxlet.convert.reference.column_groups import fewer
from onnxlet.convert.reference.estimators import before_last, parts_of
from onnxlet.convert.reference.inputs import Cells
from onnxlet.convert.reference.reference import Reference, is_answered
from onnxlet.convert.spacing import evenly_spaced
from onnxlet.function.arrays import Array
from onnxlet.function.inputs.columns import Column

KNOWN_ROWS = 500  # held-out ones that are looked at, and others
KNOWN_CELLS, FEWEST_KNOWN = 20_000_000, 50  # where the steps make many columns, fewer rows
STARTS = 400  # nodes and rows that are tried, in all
BASES_OF_NODE = 8  # rows
MOVED_COLUMNS = 2  # raw ones, for each node

Sees = Callable[[Sequence[Cells]], Array]


@dataclass(frozen=True)
class AtNode(Start):
    """A row that reaches a node, and numbers between which the node decides differently."""

    tree: Splits  # behind the steps
    node: int  # of the tree


def at_pipeline_thresholds(
    columns: Sequence[Column],
    rows: Sequence[Cells],
    others: Sequence[Cells],
    reference: Reference,
    tried: Collection[int],
) -> list[Cells]:
    """Rows on both sides of thresholds, as the steps before the trees make the columns.

    Beside held-out rows there are others, for nodes that none of those reaches. Only the columns
    at the `tried` positions are moved.
    """
    positions = [position for position in float_columns(columns) if position in tried]
    every = [*rows[:KNOWN_ROWS], *others[:KNOWN_ROWS]]
    made: list[Cells] = []
    for part in parts_of(reference.estimator):
        if not isinstance(part, Pipeline) or not has_trees(part.steps[-1][1]):
            continue
        if before := before_last(part):
            last = part.steps[-1][1]
            made_width = getattr(last, "n_features_in_", 1)
            known = evenly_spaced(every, max(FEWEST_KNOWN, KNOWN_CELLS // made_width))

            def seen(tried: Sequence[Cells], before: Any = before) -> Array:
                asked = replace(reference, estimator=before, task=TRANSFORMATION)
                return asked.answers(tried)["prediction"].astype(np.float64)

            with np.errstate(all="ignore"):  # a step may make numbers that float32 can't hold
                if is_answered(seen, known):  # else it is given something else than the rows
                    with suppress(ValueError):  # a step may raise for a row that was moved
                        made += _at_nodes(columns, known, last, seen, positions)
    return made


def _at_nodes(
    columns: Sequence[Column],
    rows: Sequence[Cells],
    last: Any,
    seen: Sees,
    positions: Sequence[int],
) -> Iterator[Cells]:
    known = seen(rows)
    trees = list(splits_of(last, known.shape[1]))
    if trees:
        movers = _movers(rows, seen, positions)
        starts = list(_starts(columns, rows, known, trees, movers))
        most = fewer(STARTS, len(columns), FEWEST_BISECTED)
        yield from _bisected(columns, evenly_spaced(starts, most), seen)


def _movers(rows: Sequence[Cells], seen: Sees, positions: Sequence[int]) -> dict[int, list[int]]:
    """For each made column, the raw ones that it depends on."""
    movers: dict[int, list[int]] = {}
    for position in positions:
        if base := [row for row in rows if row[position] is not None][:20]:
            others = [base[-1], *base[:-1]]
            shifted = [
                changed(row, [position], [other[position]])
                for row, other in zip(base, others, strict=True)
            ]
            a, b = seen(base), seen(shifted)
            differs = (a != b) & ~(np.isnan(a) & np.isnan(b))
            for made in np.flatnonzero(differs.any(axis=0)).tolist():
                movers.setdefault(made, []).append(position)
    return movers


def _starts(
    columns: Sequence[Column],
    rows: Sequence[Cells],
    known: Array,
    trees: Sequence[Splits],
    movers: dict[int, list[int]],
) -> Iterator[AtNode]:
    for tree in trees:
        columns_seen = np.maximum(tree.feature, 0)  # a leaf splits by none
        goes_left = known.astype(tree.dtype)[:, columns_seen] <= tree.threshold
        for node in np.flatnonzero(tree.numeric).tolist():
            reaching = np.ones(len(rows), dtype=bool)
            for above, left in way_to(tree, node):
                reaching &= goes_left[:, above] == left
            bases = evenly_spaced(np.flatnonzero(reaching).tolist(), BASES_OF_NODE)
            for number, base in enumerate(bases):
                others = np.flatnonzero(goes_left[:, node] != goes_left[base, node])
                for position in movers.get(int(tree.feature[node]), [])[:MOVED_COLUMNS]:
                    for other in others[number :: max(1, len(others) // 3)].tolist()[:3]:
                        low, high = rows[base][position], rows[other][position]
                        if low is not None and high is not None and low != high:
                            yield AtNode(rows[base], position, float(low), float(high), tree, node)
                            break


def _bisected(columns: Sequence[Column], starts: Sequence[AtNode], seen: Sees) -> Iterator[Cells]:
    if not starts:
        return
    low, high = ends(starts)

    def goes_left(values: Array) -> Array:
        made = seen(moved(starts, values))
        return np.array(
            [
                s.tree.dtype(made[number, s.tree.feature[s.node]]) <= s.tree.threshold[s.node]
                for number, s in enumerate(starts)
            ]
        )

    first, last = goes_left(low), goes_left(high)
    low, high = bisected(low, high, lambda middle: goes_left(middle) == first)
    for start, a, b, crossed in zip(
        starts, low.tolist(), high.tolist(), (first != last).tolist(), strict=True
    ):
        if crossed:
            yield start.moved(a)
            yield start.moved(b)
        if columns[start.position].nullable:
            yield start.moved(None)

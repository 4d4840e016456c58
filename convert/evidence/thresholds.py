"""Rows on the thresholds of trees, at every node.

A node only decides on rows that reach it: each is given a row of its own, which turns at the nodes
above as it must. Behind other steps of a pipeline, what a node compares is a column that these have
made: there a held-out row that reaches the node is taken, and one of its raw numbers moved, by
bisection, to where the made column goes over the threshold.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.pipeline import Pipeline

from onnxlet.convert.converters.registration import Splits
from onnxlet.convert.converters.registry import converters
from onnxlet.convert.evidence.discontinuities import FEWEST_BISECTED
from onnxlet.convert.evidence.rows import (
    FLOATS,
    Start,
    bisected,
    changed,
    ends,
    float_columns,
    moved,
)
from onnxlet.convert.reference.column_groups import fewer
from onnxlet.convert.reference.estimators import before_last, parts_of
from onnxlet.convert.reference.inputs import Cells
from onnxlet.convert.reference.reference import Reference, is_answered
from onnxlet.convert.spacing import evenly_spaced, spaced_indices
from onnxlet.function.arrays import LARGEST_INTEGER, Array
from onnxlet.function.inputs.columns import Column

NODES = 800  # at most so many are tried, evenly spaced
FEWEST_NODES = 200  # however wide the rows are
MOST_BASES = 8  # rows that each node is tried in, where there are fewer nodes
KNOWN_ROWS = 500  # held-out ones that are looked at, and others
KNOWN_CELLS, FEWEST_KNOWN = 20_000_000, 50  # where the steps make many columns, fewer rows
STARTS = 400  # nodes and rows that are tried, in all
AT_ONCE = 1200  # rows that the steps before the trees are asked about
BASES_OF_NODE = 8  # rows
MOVED_COLUMNS = 2  # raw ones, for each node
Sees = Callable[[Sequence[Cells]], Array]


def splits_of(estimator: Any, width: int) -> Iterator[Splits]:
    """All trees that are given as many columns as there are, perhaps these very ones."""
    for part in parts_of(estimator):
        found = converters().inherited(type(part), "splits")
        if found is not None and getattr(part, "n_features_in_", None) == width:
            yield from found(part)


def at_tree_thresholds(
    columns: Sequence[Column], rows: Sequence[Cells], estimator: Any
) -> list[Cells]:
    """Rows on every side of the thresholds of trees that see the columns as they are.

    The other cells of held-out rows stay, as far as a node's path lets them.
    """
    trees = list(splits_of(estimator, len(columns)))
    nodes = [(tree, node) for tree in trees for node in np.flatnonzero(tree.numeric).tolist()]
    most = fewer(NODES, len(columns), FEWEST_NODES)
    picks = spaced_indices(len(nodes), most)
    times = min(MOST_BASES, most // max(1, len(picks)))
    made: list[Cells] = []
    for number, pick in enumerate(np.repeat(picks, times).tolist()):
        tree, node = nodes[pick]
        if row := _arriving(columns, rows[number % len(rows)], tree, node):
            feature = int(tree.feature[node])
            with np.errstate(over="ignore"):
                values = list(around(columns[feature], float(tree.threshold[node]), tree.dtype))
            made += [changed(row, [feature], [value]) for value in values]
    return made


def _arriving(columns: Sequence[Column], row: Cells, tree: Splits, node: int) -> Cells | None:
    """The row with as few cells changed as it takes to reach a node; None where no row would."""
    bounds: dict[int, tuple[float, float]] = {}
    for above, goes_left in way_to(tree, node):
        if not tree.numeric[above]:
            return None  # categories part the rows
        position, threshold = int(tree.feature[above]), float(tree.threshold[above])
        low, high = bounds.get(position, (-math.inf, math.inf))
        bounds[position] = (low, min(high, threshold)) if goes_left else (max(low, threshold), high)
    moved = list(row)
    for position, (low, high) in bounds.items():
        cell = row[position]
        if isinstance(cell, str):
            return None  # they are not these columns
        if cell is None or not low < cell <= high:
            cell = _between(columns[position], low, high)
            if cell is None:
                return None
        moved[position] = cell
    return moved


def way_to(tree: Splits, node: int) -> Iterator[tuple[int, bool]]:
    """The nodes above a node, each with whether the path to it turns left there."""
    while node != 0:
        lefts = np.flatnonzero(tree.left == node)
        is_left = bool(len(lefts))
        node = int(lefts[0] if is_left else np.flatnonzero(tree.right == node)[0])
        yield node, is_left


def _between(column: Column, low: float, high: float) -> Any:
    """A value of the column above one bound and up to another; None where there is none."""
    if math.isinf(low):
        value = 0.0 if math.isinf(high) else high - max(1.0, abs(high)) / 2
    elif math.isinf(high):
        value = low + max(1.0, abs(low)) / 2
    else:
        value = low + (high - low) / 2
    if column.type in FLOATS:
        return value
    whole = _whole(value, low, high)
    inside = low < whole <= high and abs(whole) <= LARGEST_INTEGER
    if not inside or column.type not in ("int64", "bool"):
        return None
    return whole if column.type == "int64" else bool(whole) if whole in (0, 1) else None


def _whole(value: float, low: float, high: float) -> int:
    """A whole number between two bounds, which may be infinite, if there is one."""
    if math.isinf(high):
        return 0 if math.isinf(low) else math.floor(low) + 1
    return math.floor(high) if math.isinf(low) or math.floor(value) <= low else math.floor(value)


def around(
    column: Column, threshold: float, dtype: type[np.floating[Any]] = np.float64
) -> Iterator[Any]:
    """Values on each side of a threshold that is compared in this dtype, and a missing one."""
    if column.nullable:
        yield None
    if column.type in FLOATS:
        yield from _neighbours(threshold)
        if dtype is np.float32:
            yield from _where_rounding_turns(threshold)
    elif column.type == "int64" and abs(threshold) < LARGEST_INTEGER:
        yield from (math.floor(threshold), math.floor(threshold) + 1)


def _neighbours(number: float) -> Iterator[float]:
    """A number and its neighbours in float64 and in float32."""
    yield number
    yield float(np.nextafter(number, np.inf))
    yield float(np.nextafter(number, -np.inf))
    single = np.float32(number)
    yield float(single)
    yield _next(single, np.inf)
    yield _next(single, -np.inf)


def _next(single: np.float32, end: float) -> float:
    """The next float32 in a direction; beside the largest is infinity."""
    with np.errstate(over="ignore"):
        return float(np.nextafter(single, np.float32(end)))


def _where_rounding_turns(number: float) -> Iterator[float]:
    """Halfway between the nearest float32 and those next to it, and beside."""
    single = np.float32(number)
    for end in (np.inf, -np.inf):
        middle = float(single) / 2 + _next(single, end) / 2
        yield middle
        yield float(np.nextafter(middle, np.inf))
        yield float(np.nextafter(middle, -np.inf))


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
        if not isinstance(part, Pipeline):
            continue
        last = part.steps[-1][1]
        has_trees = any(converters().inherited(type(one), "splits") for one in parts_of(last))
        if has_trees and (before := before_last(part)):
            made_width = getattr(last, "n_features_in_", 1)
            known = evenly_spaced(every, max(FEWEST_KNOWN, KNOWN_CELLS // made_width))

            def seen(tried: Sequence[Cells], before: Any = before) -> Array:
                return reference.of_part(before).answers(tried)["prediction"].astype(np.float64)

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
        try:
            made = seen([row for each in values for row in moved(starts, each)])
        except Exception:  # perhaps only for rows that are not come to
            if len(values) == 1:
                raise
            return goes_left(values[:1])
        made = made.reshape(len(values), len(starts), -1)
        at_nodes = [made[:, n, s.tree.feature[s.node]] for n, s in enumerate(starts)]
        pairs = zip(at_nodes, starts, strict=True)
        # In float64, in which NumPy 1 would not compare float32 with one number.
        rounded = [(x.astype(s.tree.dtype).astype(np.float64), s) for x, s in pairs]
        return np.array([x <= s.tree.threshold[s.node] for x, s in rounded]).T

    [first], [last] = goes_left(low[None]), goes_left(high[None])
    low, high = bisected(low, high, goes_left, lambda left: left == first, AT_ONCE)
    for start, a, b, crossed in zip(
        starts, low.tolist(), high.tolist(), (first != last).tolist(), strict=True
    ):
        if crossed:
            yield start.moved(a)
            yield start.moved(b)
        if columns[start.position].nullable:
            yield start.moved(None)

"""Rows on the thresholds of trees, at every node.

A node only decides on rows that reach it: each is given a row of its own, which turns at the nodes
above as it must.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from onnxlet.convert.evidence.evidence import changed
from onnxlet.convert.reference.column_groups import fewer
from onnxlet.convert.reference.estimators import parts_of
from onnxlet.convert.reference.inputs import Cells
from onnxlet.convert.spacing import spaced_indices
from onnxlet.function.arrays import LARGEST_INTEGER, Array
from onnxlet.function.inputs.columns import Column

NODES = 800  # at most so many are tried, evenly spaced
FEWEST_NODES = 200  # however wide the rows are
MOST_BASES = 8  # rows that each node is tried in, where there are fewer nodes
FLOATS = ("float64", "float32")


@dataclass(frozen=True)
class Splits:
    """A tree: an entry for each node; the root is node 0.

    Attributes:
        feature: that is looked at.
        threshold: up to which a row goes left.
        left: the node taken then, negative or 0 at a leaf.
        right: the other.
        numeric: whether the node compares with its threshold; False at leaves, too.
        dtype: that is compared in.
    """

    feature: Array
    threshold: Array
    left: Array
    right: Array
    numeric: Array
    dtype: type[np.floating[Any]]


def has_trees(estimator: Any) -> bool:
    """Whether there are trees whose thresholds are known, whatever columns they are given."""
    return any(
        hasattr(part, "tree_") or hasattr(part, "_predictors") for part in parts_of(estimator)
    )


def splits_of(estimator: Any, width: int) -> Iterator[Splits]:
    """All trees that are given as many columns as there are, perhaps these very ones."""
    for part in parts_of(estimator):
        if getattr(part, "n_features_in_", None) != width:
            continue
        for predictor in np.ravel(getattr(part, "_predictors", [])):  # histogram boosting
            nodes = predictor.nodes
            numeric = (nodes["is_leaf"] == 0) & (nodes["is_categorical"] == 0)
            yield Splits(
                nodes["feature_idx"].astype(int), nodes["num_threshold"],
                nodes["left"].astype(int), nodes["right"].astype(int), numeric, np.float64,
            )  # fmt: skip
        tree: Any = getattr(part, "tree_", None)
        if hasattr(tree, "threshold"):  # not a tree of neighbours
            yield Splits(
                tree.feature, tree.threshold, tree.children_left, tree.children_right,
                tree.feature >= 0, np.float32,
            )  # fmt: skip


def at_tree_thresholds(
    columns: Sequence[Column], rows: Sequence[Cells], estimator: Any
) -> list[Cells]:
    """Rows on every side of the thresholds of trees that see the columns as they are.

    Args:
        columns: of the signature.
        rows: held-out ones, whose other cells stay as far as a node's path lets them.
        estimator: scikit-learn's, fitted.
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

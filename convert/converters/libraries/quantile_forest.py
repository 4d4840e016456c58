"""Converters of quantile-forest: quantiles of the training targets in a row's leaves.

A leaf has a list of training rows. What is answered is the mean, or linearly interpolated
quantiles, of all lists together, in which a row may occur several times: by weights in
`quantile_forest/_quantile_forest_fast.pyx` (calc_weighted_quantile), by np.quantile where each leaf
keeps one row (`_quantile_forest.py`, predict). The graph sorts the lists of one row's leaves.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import quantile_forest

from onnxlet.convert.converters.trees.forests import as_tree, in_float64
from onnxlet.convert.graph.converter import Converter, Graph, Outputs, Table, Tensor, Unsupported
from onnxlet.convert.graph.tree_ensemble import leaves, totals
from onnxlet.function.arrays import Array

MOST_SORTED = 20_000  # targets that one row's leaves hold: sorting them takes about 1 ms
MOST_KEPT = 2**22  # targets in all leaves, 32 MB
FEWER = "Let each leaf keep fewer training rows (max_samples_leaf), or use fewer trees."


def forest(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """The default quantiles, or the mean, of each output."""
    quantiles = fitted.default_quantiles
    asked = quantiles if isinstance(quantiles, list) else [quantiles]
    outputs = len(fitted.forest_.y_train)
    if asked in ([None], ["mean"]):
        made = [_mean(graph, fitted, table, output) for output in range(outputs)]
    elif outputs > 1 and len(asked) > 1:
        raise Unsupported(
            "it answers several quantiles of several outputs, three dimensions",
            "Fit one forest for each output, or set one of the default_quantiles.",
        )
    else:
        made = [_quantiles(graph, fitted, table, output, asked) for output in range(outputs)]
    return {"predict": graph.concat(made).cast(graph.precision)}


def _targets(fitted: Any, output: int) -> list[Array]:
    """Of each tree, the targets of each node, of shape (nodes, longest list); inf is none."""
    known = np.asarray(fitted.forest_.y_train)[output]
    rows = np.asarray(fitted.forest_.y_train_leaves)[:, :, output]
    found = np.where(rows > 0, known[rows - 1], np.inf)
    if fitted.max_samples_leaf == 1 and fitted.monotonic_cst is not None:
        bounds = np.asarray(fitted.forest_.y_bound_leaves)
        found = np.clip(found, bounds[:, :, :1], bounds[:, :, 1:])
    return [
        nodes[: part.tree_.node_count]
        for nodes, part in zip(found, fitted.estimators_, strict=True)
    ]


def _mean(graph: Graph, fitted: Any, table: Table, output: int) -> Tensor:
    """The sum of all lists, divided by their length."""
    parts = []
    for part, targets in zip(fitted.estimators_, _targets(fitted, output), strict=True):
        there = np.isfinite(targets)
        sums = np.where(there, targets, 0.0).sum(axis=1)
        value = np.column_stack([sums, there.sum(axis=1)])
        parts.append(replace(as_tree(part), value=value))
    both = totals(graph, *in_float64(graph, table, parts))
    return both.take([0]) / both.take([1])


def _quantiles(
    graph: Graph, fitted: Any, table: Table, output: int, asked: Sequence[float]
) -> Tensor:
    """Linearly between the two targets in order that the quantile lies between."""
    lists = _targets(fitted, output)
    longest = lists[0].shape[1]
    width = longest * len(lists)
    if width > MOST_SORTED or sum(map(np.size, lists)) > MOST_KEPT:
        raise Unsupported(
            f"its {len(lists)} trees keep up to {longest} training rows in each leaf", FEWER
        )
    starts = np.cumsum([0, *map(len, lists[:-1])])
    parts = [
        replace(as_tree(part), value=start + np.arange(part.tree_.node_count)[:, None])
        for part, start in zip(fitted.estimators_, starts, strict=True)
    ]
    number, nodes = leaves(graph, *in_float64(graph, table, parts))
    kept = np.concatenate(lists)[nodes[:, 0].astype(int)]
    found = graph.op(
        "Gather", graph.constant(kept, "float64"), number, dtype="float64", width=longest, axis=0
    )
    ordered, _ = found.reshape([0, width], width).smallest(width)
    last = (ordered < np.inf).cast("float64").sum() - 1.0
    position = last * np.reshape(np.array(asked, dtype=np.float64), (1, -1))
    low = position.unary("Floor")
    high = (low + 1.0).minimum(last)
    below, above = (
        graph.op(
            "GatherElements", ordered, index.cast("int64"), width=index.width, dimensions=2, axis=1
        )
        for index in (low, high)
    )
    return below + (position - low) * (above - below)


CONVERTERS: dict[type, Converter] = {
    quantile_forest.ExtraTreesQuantileRegressor: forest,
    quantile_forest.RandomForestQuantileRegressor: forest,
}

"""Discretisers: the number of each value's interval, its limits as text, or a tree's answer.

Sources: `feature_engine/discretisation/base_discretiser.py` (`pd.cut` with include_lowest),
`decision_tree.py`; `pandas/core/reshape/tile.py` (`_bins_to_cuts`: intervals are closed on the
right, compared in float64).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from feature_engine import discretisation as library

from onnxlet.convert.converters.libraries.feature_engine.columns import (
    names,
    refuse_missing,
    refuse_missing_and_infinite,
    replaced,
    variables_of,
)
from onnxlet.convert.converters.registration import Converters, exact
from onnxlet.convert.graph.converter import Graph, Outputs, Table, Tensor
from onnxlet.convert.graph.piecewise import intervals
from onnxlet.function.arrays import MISSING_TEXT, Array


def cut(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """Each value's interval: its number, or its limits."""
    table, _, x = variables_of(graph, fitted, table)
    refuse_missing_and_infinite(graph, x)
    as_limits = getattr(fitted, "return_boundaries", False)
    return {"transform": _cut(graph, fitted, table, as_limits)}


def _cut(graph: Graph, fitted: Any, table: Table, as_limits: bool) -> Table:
    chosen = names(fitted.variables_)
    bins = [np.asarray(fitted.binner_dict_[name], dtype=np.float64) for name in fitted.variables_]
    number = numbered(graph, graph.matrix(table[chosen], "float64"), bins)
    if not as_limits:
        made = number.cast(graph.precision)
        if getattr(fitted, "errors", "") == "raise":
            refuse_missing(graph, made)
        return replaced(table, chosen, made)
    for index, (name, edges) in enumerate(zip(fitted.variables_, bins, strict=True)):
        texts = _limits(edges, fitted.precision)
        position = number.take([index])
        found = position.isnan().where(float(len(texts)), position).cast("int64")
        table = replaced(table, [str(name)], found.look_up([*texts, MISSING_TEXT]))
    return table


def numbered(graph: Graph, x: Tensor, bins: list[Array]) -> Tensor:
    """The number of each value's interval from 0, NaN outside of all; float64.

    Args:
        graph: to write to.
        x: float64, of shape (rows, columns).
        bins: the limits of each column's intervals, ascending.
    """
    inner = [np.nextafter(edges[1:-1], np.inf) for edges in bins]  # an interval has its upper limit
    number = intervals(graph, x, inner)
    outside = (x < [edges[0] for edges in bins]) | (x > [edges[-1] for edges in bins])
    return (outside | x.isnan()).where(np.nan, number)


def _limits(edges: Array, precision: int) -> list[str]:
    """The intervals as text, in pandas' own words."""
    nothing: Any = pd.Series([], dtype=np.float64)
    made = pd.cut(nothing, edges.tolist(), precision=precision, include_lowest=True)
    return [str(interval) for interval in made.cat.categories]


def by_tree(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """DecisionTreeDiscretiser: what a tree of that column only answers, or its interval."""
    table, chosen, x = variables_of(graph, fitted, table)
    refuse_missing_and_infinite(graph, x)
    if fitted.bin_output != "prediction":
        return {"transform": _cut(graph, fitted, table, fitted.bin_output == "boundaries")}
    made = []
    for name in fitted.variables_:
        tree, column = fitted.binner_dict_[name], table[[str(name)]]
        if fitted.regression:
            made.append(graph.call(tree, column, "predict"))
        else:
            made.append(graph.call(tree, column, "predict_proba").take([1]))
    answers = graph.concat([one.cast(graph.precision) for one in made])
    return {"transform": replaced(table, chosen, rounded(answers, fitted))}


def rounded(x: Tensor, fitted: Any) -> Tensor:
    """`np.round` to the estimator's precision, if it has one."""
    if fitted.precision is None:
        return x
    scale = float(10.0**fitted.precision)
    return (x * scale).unary("Round") / scale


CONVERTERS: Converters = {
    library.ArbitraryDiscretiser: exact(cut),
    library.DecisionTreeDiscretiser: exact(by_tree),
    library.EqualFrequencyDiscretiser: exact(cut),
    library.EqualWidthDiscretiser: exact(cut),
    library.GeometricWidthDiscretiser: exact(cut),
}

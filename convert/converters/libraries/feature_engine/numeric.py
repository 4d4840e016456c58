"""Columns of numbers: powers, rows with outliers, and intervals.

Sources: `feature_engine/transformation/`, `feature_engine/outliers/trimmer.py`,
`feature_engine/discretisation/arbitrary.py` (`pd.cut` with include_lowest);
`pandas/core/reshape/tile.py` (`_bins_to_cuts`: intervals are closed on the right, compared in
float64).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from feature_engine import discretisation, outliers, transformation

from onnxlet.convert.converters.libraries.feature_engine import (
    names,
    refuse_missing_and_infinite,
    replaced,
    variables_of,
)
from onnxlet.convert.converters.preprocessing.scaling import box_cox, yeo_johnson
from onnxlet.convert.converters.registration import Converters, exact
from onnxlet.convert.graph.converter import Converter, Graph, Outputs, Table, Tensor
from onnxlet.convert.graph.tree_ensemble import intervals
from onnxlet.function.arrays import MISSING_TEXT, Array

Computed = Callable[[Any, Tensor], Tensor]
Refused = Callable[[Tensor], Tensor]


def function(
    made: Computed, refused: Refused | None = None, before: Computed = lambda fitted, x: x
) -> Converter:
    """A converter of a function of each variable, which raises where `refused` is true.

    What is done `before` is done first, to all numbers that are there.
    """

    def convert(graph: Graph, fitted: Any, table: Table) -> Outputs:
        table, chosen, x = variables_of(graph, fitted, table)
        refuse_missing_and_infinite(graph, x)
        x = before(fitted, x)
        if refused is not None:
            graph.refuse_rows(refused(x))
        return {"transform": replaced(table, chosen, made(fitted, x))}

    return convert


def _of_each(fitted: Any, values: Any) -> Array:
    """A constant for each variable, of shape (variables,)."""
    if not isinstance(values, dict):
        return np.full(len(fitted.variables_), float(values))
    return np.array([float(values[name]) for name in fitted.variables_])


def _caps(fitted: Any) -> tuple[Array, Array]:
    """The lower and the upper cap of each variable, infinite where it has none."""
    low = [float(fitted.left_tail_caps_.get(name, -np.inf)) for name in fitted.variables_]
    high = [float(fitted.right_tail_caps_.get(name, np.inf)) for name in fitted.variables_]
    return np.array(low), np.array(high)


def trimmed(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """OutlierTrimmer: the columns; a row that it removes has no answer."""
    table, _, x = variables_of(graph, fitted, table)
    low, high = _caps(fitted)
    if fitted.right_tail_caps_:
        graph.refuse_rows(~(x <= high))
    if fitted.left_tail_caps_:
        graph.refuse_rows(~(x >= low))
    if fitted.missing_values == "raise":
        refuse_missing_and_infinite(graph, x)
    return {"transform": table}


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
            graph.refuse_rows(made.isnan())
        return replaced(table, chosen, made)
    nothing: Any = pd.Series([], dtype=np.float64)
    for index, (name, edges) in enumerate(zip(fitted.variables_, bins, strict=True)):
        cells = pd.cut(nothing, edges.tolist(), precision=fitted.precision, include_lowest=True)
        texts = [str(interval) for interval in cells.cat.categories]  # in pandas' own words
        position = number.take([index])
        found = position.isnan().where(float(len(texts)), position).cast("int64")
        table = replaced(table, [str(name)], found.look_up([*texts, MISSING_TEXT]))
    return table


def numbered(graph: Graph, x: Tensor, bins: list[Array]) -> Tensor:
    """The number of each value's interval from 0, NaN outside of all; both float64.

    `bins` has the limits of each column's intervals, ascending.
    """
    inner = [np.nextafter(edges[1:-1], np.inf) for edges in bins]  # an interval has its upper limit
    number = intervals(graph, x, inner)
    outside = (x < [edges[0] for edges in bins]) | (x > [edges[-1] for edges in bins])
    return (outside | x.isnan()).where(np.nan, number)


CONVERTERS: Converters = {
    transformation.BoxCoxTransformer: function(
        lambda fitted, x: box_cox(x, _of_each(fitted, fitted.lambda_dict_)), lambda x: x <= 0.0
    ),
    transformation.YeoJohnsonTransformer: function(
        lambda fitted, x: yeo_johnson(x, _of_each(fitted, fitted.lambda_dict_))
    ),
    outliers.OutlierTrimmer: trimmed,
    discretisation.ArbitraryDiscretiser: exact(cut),
}

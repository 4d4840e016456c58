"""Columns of numbers: functions of them, a scaler, outliers, and intervals.

Sources: `feature_engine/transformation/`, `feature_engine/scaling/mean_normalization.py`.

Outliers: capped, or their rows removed.

Sources: `feature_engine/outliers/base_outlier.py` (`_transform`), `winsorizer.py`, `trimmer.py`.

Discretisers: the number of each value's interval, its limits as text, or a tree's answer.

Sources: `feature_engine/discretisation/base_discretiser.py` (`pd.cut` with include_lowest),
`decision_tree.py`; `pandas/core/reshape/tile.py` (`_bins_to_cuts`: intervals are closed on the
right, compared in float64).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from feature_engine import discretisation, outliers, scaling, transformation

from onnxlet.convert.converters.libraries.feature_engine import (
    added,
    names,
    refuse_missing_and_infinite,
    replaced,
    variables_of,
)
from onnxlet.convert.converters.preprocessing.scaling import box_cox, yeo_johnson
from onnxlet.convert.converters.registration import Converters, exact
from onnxlet.convert.graph import elementary
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


def log(fitted: Any, x: Tensor) -> Tensor:
    """The logarithm to the base e or 10."""
    return x.unary("Log") if fitted.base == "e" else elementary.log10(x)


def _of_each(fitted: Any, values: Any) -> Array:
    """A constant for each variable, of shape (variables,)."""
    if not isinstance(values, dict):
        return np.full(len(fitted.variables_), float(values))
    return np.array([float(values[name]) for name in fitted.variables_])


def power(fitted: Any, x: Tensor) -> Tensor:
    """PowerTransformer: each variable to the power of one exponent."""
    known = {1.0: lambda: x, 2.0: lambda: x * x, 0.5: lambda: x.unary("Sqrt")}
    return known.get(float(fitted.exp), lambda: x ** float(fitted.exp))()


def scaled(fitted: Any, x: Tensor) -> Tensor:
    """MeanNormalizationScaler: minus the mean, divided by the range."""
    return (x - _of_each(fitted, fitted.mean_)) / _of_each(fitted, fitted.range_)


def capped(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """No number beyond the caps; perhaps 1 for each that was."""
    table, chosen, x = variables_of(graph, fitted, table)
    if fitted.missing_values == "raise":
        refuse_missing_and_infinite(graph, x)
    low, high = _caps(fitted)
    made = x.minimum(high) if np.isfinite(high).any() else x
    made = made.maximum(low) if np.isfinite(low).any() else made
    table = replaced(table, chosen, made)
    if not getattr(fitted, "add_indicators", False):
        return {"transform": table}
    return {"transform": added(table, *_indicators(graph, fitted, made, x))}


def _caps(fitted: Any) -> tuple[Array, Array]:
    """The lower and the upper cap of each variable, infinite where it has none."""
    low = [float(fitted.left_tail_caps_.get(name, -np.inf)) for name in fitted.variables_]
    high = [float(fitted.right_tail_caps_.get(name, np.inf)) for name in fitted.variables_]
    return np.array(low), np.array(high)


def _indicators(graph: Graph, fitted: Any, made: Tensor, x: Tensor) -> tuple[list[str], Tensor]:
    """Their names, and 1 where a number was beyond the cap of that tail."""
    tails = {"left": ["left"], "right": ["right"], "both": ["left", "right"]}[fitted.tail]
    was = {"left": made > x, "right": made < x}
    new = [f"{name}_{tail}" for name in fitted.variables_ for tail in tails]
    each = graph.concat([was[tail].cast(graph.precision) for tail in tails])
    order = [tail * x.width + index for index in range(x.width) for tail in range(len(tails))]
    return new, each.take(order)


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


def by_tree(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """DecisionTreeDiscretiser: what a tree of that column only answers, or its interval."""
    table, chosen, x = variables_of(graph, fitted, table)
    refuse_missing_and_infinite(graph, x)
    if fitted.bin_output != "prediction":
        return {"transform": _cut(graph, fitted, table, fitted.bin_output == "boundaries")}
    made = []
    for name in fitted.variables_:
        tree, column = fitted.binner_dict_[name], table[[str(name)]]
        method = "predict" if fitted.regression else "predict_proba"
        answer = graph.call(tree, column, method)
        made.append(answer if fitted.regression else answer.take([1]))
    answers = graph.concat([one.cast(graph.precision) for one in made])
    return {"transform": replaced(table, chosen, rounded(answers, fitted))}


def rounded(x: Tensor, fitted: Any) -> Tensor:
    """`np.round` to the estimator's precision, if it has one."""
    if fitted.precision is None:
        return x
    scale = float(10.0**fitted.precision)
    return (x * scale).unary("Round") / scale


CONVERTERS: Converters = {
    transformation.ArcSinhTransformer: function(
        lambda fitted, x: elementary.arcsinh((x - fitted.loc) / fitted.scale)
    ),
    transformation.ArcsinTransformer: function(
        lambda fitted, x: elementary.arcsin(x.unary("Sqrt")), lambda x: (x < 0.0) | (x > 1.0)
    ),
    transformation.BoxCoxTransformer: function(
        lambda fitted, x: box_cox(x, _of_each(fitted, fitted.lambda_dict_)), lambda x: x <= 0.0
    ),
    transformation.LogCpTransformer: function(
        log, lambda x: x <= 0.0, lambda fitted, x: x + _of_each(fitted, fitted.C_)
    ),
    transformation.LogTransformer: function(log, lambda x: x <= 0.0),
    transformation.PowerTransformer: function(power),
    transformation.ReciprocalTransformer: exact(
        function(lambda fitted, x: 1.0 / x, lambda x: x.equals(0.0))
    ),
    transformation.YeoJohnsonTransformer: function(
        lambda fitted, x: yeo_johnson(x, _of_each(fitted, fitted.lambda_dict_))
    ),
    scaling.MeanNormalizationScaler: exact(function(scaled)),
    outliers.ArbitraryOutlierCapper: exact(capped),
    outliers.OutlierTrimmer: trimmed,
    outliers.Winsorizer: exact(capped),
    discretisation.ArbitraryDiscretiser: exact(cut),
    discretisation.DecisionTreeDiscretiser: exact(by_tree),
    discretisation.EqualFrequencyDiscretiser: exact(cut),
    discretisation.EqualWidthDiscretiser: exact(cut),
    discretisation.GeometricWidthDiscretiser: exact(cut),
}

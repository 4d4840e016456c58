"""New columns made of others: arithmetic, cycles, trees, distances on the earth.

Sources: `feature_engine/creation/`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from feature_engine import creation as library
from feature_engine.creation.geo_features import EARTH_RADIUS

from onnxlet.convert.converters.libraries.feature_engine import (
    added,
    columns_of_fit,
    finished,
    names,
    refuse_missing_and_infinite,
    variables_of,
)
from onnxlet.convert.converters.libraries.feature_engine.numeric import rounded
from onnxlet.convert.converters.registration import Converters, exact
from onnxlet.convert.converters.tracing.trace import trace
from onnxlet.convert.graph import elementary
from onnxlet.convert.graph.converter import Graph, Outputs, Table, Tensor

DIVISIONS = ("div", "truediv", "floordiv", "mod")
KM_PER_DEGREE = 111.0
# Of a row in a Series they call its own method, which skips missing values.
OF_NUMPY: dict[Any, Callable[[Any], Any]] = {
    np.max: lambda X: X.max(axis=1),
    np.mean: lambda X: X.mean(axis=1),
    np.min: lambda X: X.min(axis=1),
    np.prod: lambda X: X.prod(axis=1),
    np.std: lambda X: X.std(axis=1, ddof=0),
    np.sum: lambda X: X.sum(axis=1),
    np.var: lambda X: X.var(axis=1, ddof=0),
}


def cyclical(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """CyclicalFeatures: the sine and cosine of each variable, its maximum being a whole turn."""
    table, chosen, x = variables_of(graph, fitted, table)
    refuse_missing_and_infinite(graph, x)
    angle = x * [2.0 * math.pi / float(fitted.max_values_[name]) for name in fitted.variables_]
    both = graph.concat([angle.unary("Sin"), angle.unary("Cos")])
    order = [part * x.width + index for index in range(x.width) for part in range(2)]
    new = [f"{name}_{suffix}" for name in chosen for suffix in ("sin", "cos")]
    return finished(fitted, added(table, new, both.take(order)), chosen)


def mathematical(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """MathFeatures: sums, means and other functions of some variables in each row."""
    table = columns_of_fit(fitted, table)
    chosen = names(fitted.variables)
    columns = table[chosen]
    if fitted.missing_values == "raise":
        refuse_missing_and_infinite(graph, graph.matrix(columns))
    functions = fitted.func if isinstance(fitted.func, list) else [fitted.func]
    made = [graph.matrix(_of_each_row(graph, one, columns)) for one in functions]
    new = fitted._get_new_features_name()
    return finished(fitted, added(table, new, graph.concat(made)), chosen)


def _of_each_row(graph: Graph, function: Any, columns: Table) -> Table:
    """`X.agg(function, axis=1)`."""

    def aggregated(X: Any) -> Any:
        if isinstance(function, str):
            return X.agg(function, axis=1)
        return X.apply(function, axis=1)

    return trace(graph, OF_NUMPY.get(function, aggregated), {}, columns, "frame")


def relative(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """RelativeFeatures: each variable combined with each reference by each function."""
    table = columns_of_fit(fitted, table)
    variables, references = names(fitted.variables), names(fitted.reference)
    if fitted.missing_values == "raise":
        refuse_missing_and_infinite(graph, graph.matrix(table[variables]))
        refuse_missing_and_infinite(graph, graph.matrix(table[references]))
    for function in fitted.func:
        for reference in references:
            made = [
                _combined(graph, fitted, function, table[[name]], table[[reference]])
                for name in variables
            ]
            new = [f"{name}_{function}_{reference}" for name in variables]
            table = added(table, new, graph.concat(made))
    return finished(fitted, table, [*variables, *references])


def _combined(
    graph: Graph, fitted: Any, function: str, variable: Table, reference: Table
) -> Tensor:
    """One variable and one reference, by a method of pandas' frames."""

    def combined(X: Any) -> Any:
        first, second = X.columns
        return getattr(X[first], function)(X[second])

    pair = Table((*variable.tensors, *reference.tensors))
    if variable.labels == reference.labels:
        [tensor] = reference.tensors
        pair = Table((*variable.tensors, replace(tensor, labels=(f"{tensor.labels[0]} again",))))
    made = graph.matrix(trace(graph, combined, {}, pair, "frame"))
    if function not in DIVISIONS:
        return made
    by_zero = graph.matrix(reference).equals(0.0)
    if fitted.fill_value is None:
        graph.refuse_rows(by_zero)
        return made
    return by_zero.where(float(fitted.fill_value), made)


def by_trees(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """DecisionTreeFeatures: what trees of some variables answer."""
    table, chosen, x = variables_of(graph, fitted, table)
    refuse_missing_and_infinite(graph, x)
    for features, tree in zip(fitted.input_features_, fitted.estimators_, strict=True):
        columns = table[names(features if isinstance(features, list) else [features])]
        if fitted.regression:
            made = rounded(graph.call(tree, columns, "predict"), fitted)
        elif fitted._is_binary == "binary":
            made = rounded(graph.call(tree, columns, "predict_proba").take([1]), fitted)
        else:
            made = graph.call(tree, columns, "predict")
        table = added(table, [f"tree({features})"], made)
    return finished(fitted, table, chosen)


def distance(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """GeoDistanceFeatures: between two points, along the surface or on a plane."""
    table, chosen, x = variables_of(graph, fitted, table)
    graph.refuse_rows(x.isnan())
    made = _haversine(fitted, x) if fitted.method == "haversine" else _planar(fitted, x)
    return finished(fitted, added(table, [fitted.output_col], made), chosen)


def _haversine(fitted: Any, x: Tensor) -> Tensor:
    radians = x * (math.pi / 180.0)
    lat1, lon1, lat2, lon2 = (radians.take([index]) for index in range(4))
    north, east = (((b - a) / 2.0).unary("Sin") for a, b in ((lat1, lat2), (lon1, lon2)))
    a = north * north + lat1.unary("Cos") * lat2.unary("Cos") * (east * east)
    return float(EARTH_RADIUS[fitted.output_unit]) * (2.0 * elementary.arcsin(a.unary("Sqrt")))


def _planar(fitted: Any, x: Tensor) -> Tensor:
    lat1, lon1, lat2, lon2 = (x.take([index]) for index in range(4))
    north, east = lat2 - lat1, lon2 - lon1
    if fitted.method == "euclidean":
        north, east = north * KM_PER_DEGREE, east * KM_PER_DEGREE
        made = (north * north + east * east).unary("Sqrt")
    else:
        made = (north.unary("Abs") + east.unary("Abs")) * KM_PER_DEGREE
    return made * float(EARTH_RADIUS[fitted.output_unit] / EARTH_RADIUS["km"])


CONVERTERS: Converters = {
    library.CyclicalFeatures: cyclical,
    library.DecisionTreeFeatures: exact(by_trees),
    library.GeoDistanceFeatures: distance,
    library.MathFeatures: mathematical,
    library.RelativeFeatures: relative,
}

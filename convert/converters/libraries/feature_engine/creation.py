"""New columns made of others, by arithmetic.

Sources: `feature_engine/creation/`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from feature_engine import creation as library

from onnxlet.convert.converters.libraries.feature_engine import (
    added,
    columns_of_fit,
    finished,
    names,
    refuse_missing_and_infinite,
)
from onnxlet.convert.converters.registration import Converters
from onnxlet.convert.converters.tracing.trace import trace
from onnxlet.convert.graph.converter import Graph, Outputs, Table, Tensor

DIVISIONS = ("div", "truediv", "floordiv", "mod")
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


CONVERTERS: Converters = {
    library.MathFeatures: mathematical,
    library.RelativeFeatures: relative,
}

"""Mathematical functions of numeric columns, and the scaler.

Sources: `feature_engine/transformation/`, `feature_engine/scaling/mean_normalization.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from feature_engine import scaling
from feature_engine import transformation as library

from onnxlet.convert.converters.libraries.feature_engine.columns import (
    refuse_missing_and_infinite,
    replaced,
    variables_of,
)
from onnxlet.convert.converters.preprocessing.distributions import box_cox, yeo_johnson
from onnxlet.convert.converters.registration import Converters, exact
from onnxlet.convert.graph import elementary
from onnxlet.convert.graph.converter import Converter, Graph, Outputs, Table, Tensor
from onnxlet.function.arrays import Array

Computed = Callable[[Any, Tensor], Tensor]
Refused = Callable[[Tensor], Tensor]


def function(
    made: Computed, refused: Refused | None = None, before: Computed = lambda fitted, x: x
) -> Converter:
    """A converter of a function of each variable, which raises where `refused` is true.

    Args:
        made: the function.
        refused: of what it is given.
        before: what is done first to all numbers that are there.
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


CONVERTERS: Converters = {
    library.ArcSinhTransformer: function(
        lambda fitted, x: elementary.arcsinh((x - fitted.loc) / fitted.scale)
    ),
    library.ArcsinTransformer: function(
        lambda fitted, x: elementary.arcsin(x.unary("Sqrt")), lambda x: (x < 0.0) | (x > 1.0)
    ),
    library.BoxCoxTransformer: function(
        lambda fitted, x: box_cox(x, _of_each(fitted, fitted.lambda_dict_)), lambda x: x <= 0.0
    ),
    library.LogCpTransformer: function(
        log, lambda x: x <= 0.0, lambda fitted, x: x + _of_each(fitted, fitted.C_)
    ),
    library.LogTransformer: function(log, lambda x: x <= 0.0),
    library.PowerTransformer: function(power),
    library.ReciprocalTransformer: exact(
        function(lambda fitted, x: 1.0 / x, lambda x: x.equals(0.0))
    ),
    library.YeoJohnsonTransformer: function(
        lambda fitted, x: yeo_johnson(x, _of_each(fitted, fitted.lambda_dict_))
    ),
    scaling.MeanNormalizationScaler: exact(function(scaled)),
}

"""TransformedTargetRegressor, and the inverse transforms that it needs.

Sources: `sklearn/compose/_target.py`, and each transformer's `inverse_transform`. Upstream:
skl2onnx has no converter (sklearn-onnx #390).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sklearn import preprocessing
from sklearn.compose import TransformedTargetRegressor
from sklearn.pipeline import Pipeline

from onnxlet.convert.converters.preprocessing import distributions, functions
from onnxlet.convert.graph.converter import Converter, Graph, Outputs, Table, Tensor, Unsupported


def transformed_target(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """The regressor's prediction, transformed back."""
    predicted = graph.call(fitted.regressor_, table, "predict").cast(graph.precision)
    return {"predict": inverse(graph, fitted.transformer_, predicted)}


def inverse(graph: Graph, fitted: Any, x: Tensor) -> Tensor:
    """A transformer's `inverse_transform`, of shape (rows, columns).

    Raises:
        Unsupported: it has no conversion.
    """
    if type(fitted) not in INVERSES:
        raise Unsupported(
            f"the inverse of {type(fitted).__name__} has no conversion",
            "Transform the target by a scaler, PowerTransformer, QuantileTransformer, or a pair "
            "of NumPy functions.",
        )
    return INVERSES[type(fitted)](graph, fitted, x)


def _pipeline(graph: Graph, fitted: Any, x: Tensor) -> Tensor:
    for _, step in reversed(fitted.steps):
        if step is not None and step != "passthrough":
            x = inverse(graph, step, x)
    return x


def _function(graph: Graph, fitted: Any, x: Tensor) -> Tensor:
    return functions.applied(graph, fitted.inverse_func, fitted.inv_kw_args, x)


def _standard(graph: Graph, fitted: Any, x: Tensor) -> Tensor:
    x = x * fitted.scale_ if fitted.with_std else x
    return x + fitted.mean_ if fitted.with_mean else x


def _min_max(graph: Graph, fitted: Any, x: Tensor) -> Tensor:
    made: Tensor = (x - fitted.min_) / fitted.scale_
    return made


def _max_absolute(graph: Graph, fitted: Any, x: Tensor) -> Tensor:
    made: Tensor = x * fitted.scale_
    return made


def _robust(graph: Graph, fitted: Any, x: Tensor) -> Tensor:
    x = x * fitted.scale_ if fitted.with_scaling else x
    return x + fitted.center_ if fitted.with_centering else x


def _power(graph: Graph, fitted: Any, x: Tensor) -> Tensor:
    x = _standard(graph, fitted._scaler, x) if fitted.standardize else x
    return distributions.power_inverse(fitted, x)


def _quantile(graph: Graph, fitted: Any, x: Tensor) -> Tensor:
    return distributions.quantile_inverse(graph, fitted, x)


INVERSES: dict[type, Callable[[Graph, Any, Tensor], Tensor]] = {
    Pipeline: _pipeline,
    preprocessing.FunctionTransformer: _function,
    preprocessing.StandardScaler: _standard,
    preprocessing.MinMaxScaler: _min_max,
    preprocessing.MaxAbsScaler: _max_absolute,
    preprocessing.RobustScaler: _robust,
    preprocessing.PowerTransformer: _power,
    preprocessing.QuantileTransformer: _quantile,
}

CONVERTERS: dict[type, Converter] = {TransformedTargetRegressor: transformed_target}

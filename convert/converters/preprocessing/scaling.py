"""Scalers: each column shifted and scaled. Source: `sklearn/preprocessing/_data.py`.

Upstream: skl2onnx's Scaler computes in float32, which puts values on the wrong side of the
thresholds of trees after it (onnxruntime #4130), and multiplies by a reciprocal where scikit-learn
divides.
"""

from __future__ import annotations

from typing import Any

from sklearn import preprocessing

from onnxlet.convert.converters.registration import Converters, exact
from onnxlet.convert.graph.converter import Graph, Outputs, Table, Tensor
from onnxlet.function.arrays import Array


def standard(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """StandardScaler: minus the mean, divided by the standard deviation."""
    x = graph.matrix(table)
    x = x - fitted.mean_ if fitted.with_mean else x
    return {"transform": _divided(x, fitted.scale_) if fitted.with_std else x}


def standard_inverse(graph: Graph, fitted: Any, x: Tensor) -> Tensor:
    """StandardScaler's."""
    x = x * fitted.scale_ if fitted.with_std else x
    return x + fitted.mean_ if fitted.with_mean else x


def min_max(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """MinMaxScaler: times a scale, plus a minimum, perhaps clipped."""
    x = graph.matrix(table) * fitted.scale_ + fitted.min_  # not (x - data_min_) / range
    if fitted.clip:
        low, high = fitted.feature_range
        x = x.clip(float(low), float(high))
    return {"transform": x}


def max_absolute(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """MaxAbsScaler: divided by the largest magnitude, perhaps clipped."""
    x = _divided(graph.matrix(table), fitted.scale_)
    if getattr(fitted, "clip", False):
        x = x.clip(-1.0, 1.0)
    return {"transform": x}


def robust(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """RobustScaler: minus the median, divided by the range between quantiles."""
    x = graph.matrix(table)
    x = x - fitted.center_ if fitted.with_centering else x
    return {"transform": _divided(x, fitted.scale_) if fitted.with_scaling else x}


def robust_inverse(graph: Graph, fitted: Any, x: Tensor) -> Tensor:
    """RobustScaler's."""
    x = x * fitted.scale_ if fitted.with_scaling else x
    return x + fitted.center_ if fitted.with_centering else x


def _divided(x: Tensor, scale: Array) -> Tensor:
    """Divide by the scale; compact columns, sparse in scikit-learn, by a product with 1 / scale."""
    if x.compact is None:
        return x / scale
    indices, values = x.compact
    factors = x.graph.constant(1.0 / scale, x.dtype)
    return x.graph.spread(indices, values * x.graph.op("Gather", factors, indices, axis=0), x.width)


CONVERTERS: Converters = {
    preprocessing.StandardScaler: exact(standard, inverse=standard_inverse),
    preprocessing.MinMaxScaler: exact(
        min_max, inverse=lambda graph, fitted, x: (x - fitted.min_) / fitted.scale_
    ),
    preprocessing.MaxAbsScaler: exact(
        max_absolute, inverse=lambda graph, fitted, x: x * fitted.scale_
    ),
    preprocessing.RobustScaler: exact(robust, inverse=robust_inverse),
}

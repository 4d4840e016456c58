"""Scalers: every column moved and stretched. Source: `sklearn/preprocessing/_data.py`.

Upstream: skl2onnx's Scaler computes in float32, which lands on other sides of the thresholds of
trees behind it (onnxruntime #4130), and multiplies by a reciprocal where scikit-learn divides.
"""

from __future__ import annotations

from typing import Any

from sklearn import preprocessing

from onnxlet.convert.graph.graph import Answers, Converter, Graph, Table, Tensor
from onnxlet.function.arrays import Array


def standard(graph: Graph, fitted: Any, table: Table) -> Answers:
    """Minus the mean, by the standard deviation."""
    x = graph.matrix(table)
    x = x - fitted.mean_ if fitted.with_mean else x
    return {"transform": _divided(x, fitted.scale_) if fitted.with_std else x}


def min_max(graph: Graph, fitted: Any, table: Table) -> Answers:
    """Times a scale, plus a minimum, clipped if so asked."""
    x = graph.matrix(table) * fitted.scale_ + fitted.min_
    if fitted.clip:
        low, high = fitted.feature_range
        x = x.clip(float(low), float(high))
    return {"transform": x}


def max_absolute(graph: Graph, fitted: Any, table: Table) -> Answers:
    """By the largest magnitude, clipped if so asked."""
    x = _divided(graph.matrix(table), fitted.scale_)
    if getattr(fitted, "clip", False):
        x = x.clip(-1.0, 1.0)
    return {"transform": x}


def robust(graph: Graph, fitted: Any, table: Table) -> Answers:
    """Minus the median, by the range between quantiles."""
    x = graph.matrix(table)
    x = x - fitted.center_ if fitted.with_centering else x
    return {"transform": _divided(x, fitted.scale_) if fitted.with_scaling else x}


def _divided(x: Tensor, scale: Array) -> Tensor:
    """What is sparse for scikit-learn stays compact, and is multiplied by the reciprocal."""
    if x.compact is None:
        return x / scale
    places, values = x.compact
    factors = x.graph.constant(1.0 / scale, x.dtype)
    return x.graph.spread(places, values * x.graph.op("Gather", factors, places, axis=0), x.width)


CONVERTERS: dict[type, Converter] = {
    preprocessing.StandardScaler: standard,
    preprocessing.MinMaxScaler: min_max,
    preprocessing.MaxAbsScaler: max_absolute,
    preprocessing.RobustScaler: robust,
}

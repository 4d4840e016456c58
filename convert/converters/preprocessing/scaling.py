"""Scalers, which shift and scale each column; bins and thresholds.

Source: `sklearn/preprocessing/_data.py`, `_discretization.py` (`np.searchsorted` with side="right"
over the inner edges). Bins and thresholds are compared in float64 whatever the graph's precision.
Upstream: skl2onnx's Scaler computes in float32, which puts values on the wrong side of the
thresholds of trees after it (onnxruntime #4130), and multiplies by a reciprocal where scikit-learn
divides. It compares with edges of bins in float32, and has no sparse columns for them
(sklearn-onnx #437).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn import preprocessing
from sklearn.preprocessing import Binarizer, KBinsDiscretizer

from onnxlet.convert.converters.registration import Converters, Registration, exact
from onnxlet.convert.graph.converter import Graph, Outputs, Table, Tensor
from onnxlet.convert.graph.piecewise import intervals
from onnxlet.function.arrays import Array


def _scaler(with_centre: str, centre: str, with_scale: str) -> Registration:
    """A scaler that may shift by a centre and divide by `scale_`, by its settings' names."""

    def convert(graph: Graph, fitted: Any, table: Table) -> Outputs:
        x = graph.matrix(table)
        x = x - getattr(fitted, centre) if getattr(fitted, with_centre) else x
        return {"transform": _divided(x, fitted.scale_) if getattr(fitted, with_scale) else x}

    def inverse(graph: Graph, fitted: Any, x: Tensor) -> Tensor:
        x = x * fitted.scale_ if getattr(fitted, with_scale) else x
        return x + getattr(fitted, centre) if getattr(fitted, with_centre) else x

    return exact(convert, inverse=inverse)


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


def _divided(x: Tensor, scale: Array) -> Tensor:
    """Divide by the scale; compact columns, sparse in scikit-learn, by a product with 1 / scale."""
    if x.compact is None:
        return x / scale
    indices, values = x.compact
    factors = x.graph.constant(1.0 / scale, x.dtype)
    return x.graph.spread(indices, values * x.graph.op("Gather", factors, indices, axis=0), x.width)


def bins(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """The number of each value's bin, or a column for each bin."""
    edges = [np.asarray(column, dtype=np.float64)[1:-1] for column in fitted.bin_edges_]
    number = intervals(graph, graph.matrix(table, "float64"), edges)
    if fitted.encode == "ordinal":
        return {"transform": number.cast(graph.precision)}
    chosen = [(index, one) for index, count in enumerate(fitted.n_bins_) for one in range(count)]
    spread = number.take([index for index, _ in chosen])
    made = spread.equals(np.array([float(one) for _, one in chosen]))
    return {"transform": made.cast(graph.precision)}


def binarizer(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """1 above the threshold."""
    x = graph.matrix(table, "float64")
    threshold = float(fitted.threshold)
    if x.compact is not None and threshold >= 0.0:
        indices, values = x.compact
        above = (values > threshold).cast(graph.precision)
        return {"transform": graph.spread(indices, above, x.width)}
    return {"transform": (x > threshold).cast(graph.precision)}


CONVERTERS: Converters = {
    preprocessing.StandardScaler: _scaler("with_mean", "mean_", "with_std"),
    preprocessing.MinMaxScaler: exact(
        min_max, inverse=lambda graph, fitted, x: (x - fitted.min_) / fitted.scale_
    ),
    preprocessing.MaxAbsScaler: exact(
        max_absolute, inverse=lambda graph, fitted, x: x * fitted.scale_
    ),
    preprocessing.RobustScaler: _scaler("with_centering", "center_", "with_scaling"),
    Binarizer: exact(binarizer),
    KBinsDiscretizer: exact(bins),
}

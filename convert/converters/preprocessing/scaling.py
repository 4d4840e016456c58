"""Columns of numbers scaled, cut into bins, and changed in their distribution; with inverses.

Source: `sklearn/preprocessing/_data.py`, `_discretization.py` (`np.searchsorted` with side="right"
over the inner edges). Bins and thresholds are compared in float64 whatever the graph's precision.
Upstream: skl2onnx's Scaler computes in float32, which puts values on the wrong side of the
thresholds of trees after it (onnxruntime #4130), and multiplies by a reciprocal where scikit-learn
divides. It compares with edges of bins in float32, and has no sparse columns for them (sklearn-onnx
#437).

Distributions, and Normalizer: `sklearn/preprocessing/_data.py` (PowerTransformer,
QuantileTransformer, normalize), `scipy/stats/_morestats.py` (`_yeojohnson_transform`),
`scipy/special/_boxcox.pxd`. Upstream: skl2onnx's PowerTransformer over named columns got 1,898 of
2,532 labels wrong without an error, and raises powers without log1p and expm1; its
QuantileTransformer knows only the uniform distribution (sklearn-onnx #608).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import stats
from sklearn import preprocessing
from sklearn.preprocessing import (
    Binarizer,
    KBinsDiscretizer,
    Normalizer,
    PowerTransformer,
    QuantileTransformer,
)

from onnxlet.convert.converters.registration import Converters, Registration, exact
from onnxlet.convert.converters.registry import inverse
from onnxlet.convert.graph import elementary
from onnxlet.convert.graph.converter import Graph, Outputs, Table, Tensor
from onnxlet.convert.graph.tree_ensemble import Pieces, evaluated, intervals
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


EPSILON = float(np.spacing(1.0))
LARGEST_EXPONENT = 709.78  # of exp in float64; beyond, SciPy divides before it exponentiates
BOUND = 1e-7  # BOUNDS_THRESHOLD
SMALLEST_SHARE = BOUND - EPSILON


def power(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """PowerTransformer: each column to its own power, then standardised."""
    x = graph.matrix(table)
    lambdas = np.asarray(fitted.lambdas_, dtype=np.float64)
    raised = yeo_johnson if fitted.method == "yeo-johnson" else box_cox
    x = raised(x, lambdas)
    if fitted.standardize:
        x = graph.call(fitted._scaler, Table((x,)), "transform")
    return {"transform": x}


def power_inverse(graph: Graph, fitted: Any, x: Tensor) -> Tensor:
    """The inverse of PowerTransformer."""
    x = inverse(graph, fitted._scaler, x) if fitted.standardize else x
    lambdas = np.asarray(fitted.lambdas_, dtype=np.float64)
    if fitted.method == "yeo-johnson":
        return _yeo_johnson_inverse(x, lambdas)
    logarithm = elementary.log1p(x * lambdas) / np.where(lambdas == 0.0, 1.0, lambdas)
    return _where(lambdas == 0.0, x, logarithm).unary("Exp")


def yeo_johnson(x: Tensor, lambdas: Array) -> Tensor:
    """((|x| + 1)**p - 1) / p with the sign of x; p is lambda for x >= 0, else 2 - lambda."""
    positive = x >= 0.0
    logarithm = elementary.log1p(x.unary("Abs"))
    p, none = _exponents(positive, lambdas, abs(lambdas) < EPSILON)
    magnitude = elementary.expm1(p * logarithm) / p
    if none is not None:
        magnitude = none.where(logarithm, magnitude)
    return positive.where(magnitude, -magnitude)


def _yeo_johnson_inverse(x: Tensor, lambdas: Array) -> Tensor:
    """(|x| p + 1)**(1 / p) - 1 with the sign of x."""
    positive, a = x >= 0.0, x.unary("Abs")
    p, none = _exponents(positive, lambdas, abs(lambdas) < EPSILON)
    magnitude = (a * p + 1.0) ** (1.0 / p)
    if none is not None:
        magnitude = none.where(a.unary("Exp"), magnitude)
    magnitude = magnitude - 1.0
    return positive.where(magnitude, -magnitude)


def _exponents(positive: Tensor, lambdas: Array, zero: Array) -> tuple[Tensor, Tensor | None]:
    """The exponent of each value, with 1 for 0; and where it is 0, None for nowhere."""
    two = abs(lambdas - 2.0) <= EPSILON
    constant = positive.graph.constant
    kind = positive.graph.precision
    above = constant(np.where(zero, 1.0, lambdas).reshape(1, -1), kind)
    below = constant(np.where(two, 1.0, 2.0 - lambdas).reshape(1, -1), kind)
    none = None
    if zero.any() or two.any():
        above_none, below_none = (constant(z.reshape(1, -1), "bool") for z in (zero, two))
        none = (positive & above_none) | (~positive & below_none)
    return positive.where(above, below), none


def box_cox(x: Tensor, lambdas: Array) -> Tensor:
    """(x**lambda - 1) / lambda, or the logarithm."""
    logarithm = x.unary("Log")
    zero = abs(lambdas) < 1e-19
    safe = np.where(zero, 1.0, lambdas)
    t = logarithm * safe
    huge = (t - np.log(abs(safe))).unary("Exp") * np.sign(safe) - 1.0 / safe
    raised = (t < LARGEST_EXPONENT).where(elementary.expm1(t) / safe, huge)
    return _where(zero, logarithm, raised)


def _where(columns: Array, yes: Tensor, no: Tensor) -> Tensor:
    """`yes` in the columns that are true, else `no`."""
    if not columns.any():
        return no
    return yes.graph.constant(columns.reshape(1, -1), "bool").where(yes, no)


def quantile(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """QuantileTransformer: the share of smaller training values, or its normal quantile.

    Interpolated from both sides: repeated training values give the mean of the two.
    """
    x = graph.matrix(table)
    quantiles, shares = np.asarray(fitted.quantiles_, dtype=np.float64), fitted.references_
    forth = [_interpolation(column, shares) for column in quantiles.T]
    back = [_interpolation(-column[::-1], -shares[::-1]) for column in quantiles.T]
    both = evaluated(graph, graph.concat([x, -x]), forth + back)
    columns = range(x.width)
    share = 0.5 * (both.take(columns) - both.take([x.width + index for index in columns]))
    if fitted.output_distribution == "uniform":
        return {"transform": _bounded(x, x, quantiles[0], quantiles[-1], 0.0, 1.0, share)}
    share = _bounded(x - BOUND, x + BOUND, quantiles[0], quantiles[-1], 0.0, 1.0, share)
    low, high = (float(stats.norm.ppf(p)) for p in (SMALLEST_SHARE, 1.0 - SMALLEST_SHARE))
    inside = share.clip(SMALLEST_SHARE, 1.0 - SMALLEST_SHARE)
    made = elementary.normal_quantile(inside, SMALLEST_SHARE)
    return {"transform": made.clip(low, high)}


def quantile_inverse(graph: Graph, fitted: Any, x: Tensor) -> Tensor:
    """The inverse of QuantileTransformer: the training value at a share."""
    quantiles, shares = np.asarray(fitted.quantiles_, dtype=np.float64), fitted.references_
    normal = fitted.output_distribution == "normal"
    share = elementary.normal_distribution(x) if normal else x
    made = evaluated(graph, share, [_interpolation(shares, column) for column in quantiles.T])
    low, high = (share - BOUND, share + BOUND) if normal else (share, share)
    zero, one = np.zeros(x.width), np.ones(x.width)
    return _bounded(low, high, zero, one, quantiles[0], quantiles[-1], made)


def _bounded(
    low: Tensor, high: Tensor, least: Array, most: Array, first: Any, last: Any, inside: Tensor
) -> Tensor:
    """`last` at the upper bound, `first` at the lower; the lower wins if both are equal."""
    if low is high:
        at_least, at_most = low.equals(least), high.equals(most)
    else:
        at_least, at_most = low < least, high > most
    return at_least.where(first, at_most.where(last, inside))


def _interpolation(positions: Array, values: Array) -> Pieces:
    """`np.interp`: the last of equal positions starts a piece, and beyond the ends it is flat."""
    edges, counts = np.unique(positions, return_counts=True)
    last = np.cumsum(counts) - 1
    inner, after = last[:-1], last[:-1] + 1
    with np.errstate(all="ignore"):
        slopes = (values[after] - values[inner]) / (positions[after] - positions[inner])
    slopes = np.where(np.isfinite(slopes), slopes, 0.0)  # no number lies between such positions
    coefficients = np.zeros((2, len(edges) + 1, 1))
    coefficients[0, :, 0] = [values[0], *values[inner], values[-1]]
    coefficients[1, 1:-1, 0] = slopes
    return Pieces(edges, np.concatenate([edges[:1], edges]), coefficients)


def normalizer(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """Normalizer: each row over its norm, unless that is about 0 (`_handle_zeros_in_scale`)."""
    x = graph.matrix(table)
    if x.compact is None:
        return {"transform": _over_its_norm(x, fitted.norm, 10 * EPSILON)}
    indices, values = x.compact
    normed = _over_its_norm(values, fitted.norm, 0.0)
    return {"transform": graph.spread(indices, normed, x.width)}


def _over_its_norm(x: Tensor, norm: str, nothing: float) -> Tensor:
    if norm == "l2":
        length = x.sum_of_squares().unary("Sqrt")
    else:
        magnitudes = x.unary("Abs")
        length = magnitudes.sum() if norm == "l1" else magnitudes.max()
    none = length < nothing if nothing else length.equals(0.0)
    return x / none.where(1.0, length)


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
    Normalizer: normalizer,
    PowerTransformer: Registration(power, inverse=power_inverse),
    QuantileTransformer: Registration(quantile, inverse=quantile_inverse),
}

"""Distances between rows and the points that an estimator has stored, in float64.

Trees of neighbours and libsvm sum the squares of differences, `sklearn/metrics/_dist_metrics.pyx`;
brute force expands them, ||x||² - 2 x·y + ||y||², which loses the digits of close points far from
the origin: `sklearn/metrics/_pairwise_distances_reduction/_argkmin.pyx.tp`. Each estimator uses the
form that scikit-learn uses for it: only then are ties, and which neighbours are kept, equal.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import reduce
from typing import Any

import numpy as np

from onnxlet.convert.graph.converter import Tensor, Unsupported
from onnxlet.convert.graph.elementary import arcsin
from onnxlet.convert.graph.loops import by_row
from onnxlet.function.arrays import Array

FEW_POINTS = 200  # points; from here on they are compared row by row
CACHED = 2**14  # numbers that fit the processor's cache: so many are compared at once with a row

Term = Callable[[Tensor, Array], Tensor]
JOINS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "ReduceSum": Tensor.__add__,
    "ReduceMax": Tensor.maximum,
}


def summed(x: Tensor, points: Array, term: Term) -> Tensor:
    """The sum of a term over the columns, shape (rows, points), never a cube of all of them."""
    return _joined(x, points, term, "ReduceSum")


def _joined(x: Tensor, points: Array, term: Term, operator: str) -> Tensor:
    """Terms joined column after column, in the order in which scikit-learn adds them."""
    if len(points) >= FEW_POINTS and not x.graph.rowwise:
        return by_row(lambda row: [_joined(row, points, term, operator)], x)[0]
    if x.graph.rowwise and points.size <= CACHED:
        one = term(x.reshape([-1, 1], 1), points.T)
        axes = x.graph.constant([0], "int64")
        return x.graph.op(operator, one, axes, width=len(points), dimensions=2, keepdims=1)
    terms = (_terms(x, points, term, index) for index in range(points.shape[1]))
    return reduce(JOINS[operator], terms)


def _terms(x: Tensor, points: Array, term: Term, index: int) -> Tensor:
    return term(x.take([index]), points[:, index].reshape(1, -1))


def _square(a: Tensor, b: Array) -> Tensor:
    step = a - b
    return step * step


def _step(a: Tensor, b: Array) -> Tensor:
    return (a - b).unary("Abs")


def squared_differences(x: Tensor, points: Array) -> Tensor:
    """The squared Euclidean distance, column by column."""
    return summed(x, points, _square)


def dense(points: Any) -> Array:
    """What an estimator has stored, sparse or not, as a full array in float64."""
    return np.asarray(points.toarray() if hasattr(points, "toarray") else points, dtype=np.float64)


def point_norms(points: Array) -> Array:
    """The sum of each point's squares, shape (points,)."""
    return np.asarray(np.square(points).sum(axis=1))


def expanded(x: Tensor, points: Array) -> Tensor:
    """The squared Euclidean distance by a matrix product, as scikit-learn's brute force does."""
    product = _products(x, points) * -2.0
    return (x.sum_of_squares() + product + point_norms(points)).maximum(0.0)


def _products(x: Tensor, points: Array) -> Tensor:
    """The products of rows and points, shape (rows, points).

    For `row @ points.T` ONNX Runtime rearranges all points each time: four times as long.
    """
    if not x.graph.rowwise:
        return x @ points.T
    known = x.graph.constant(points, x.dtype)
    made = known @ x.reshape([-1, 1], 1)
    return replace(made.reshape([1, -1], len(points)), dimensions=2)


def manhattan(x: Tensor, points: Array) -> Tensor:
    """The sum of the differences' magnitudes."""
    return summed(x, points, _step)


def chebyshev(x: Tensor, points: Array) -> Tensor:
    """The largest magnitude of a difference."""
    return _joined(x, points, _step, "ReduceMax")


def normalised(x: Tensor) -> Tensor:
    """Each row over its Euclidean norm; a row of zeros stays: `sklearn.preprocessing.normalize`."""
    norms = x.sum_of_squares().unary("Sqrt")
    return x / norms.equals(0.0).where(1.0, norms)


def cosine_similarity(x: Tensor, points: Array) -> Tensor:
    """The cosine of the angle between each row and point."""
    norms = np.sqrt(np.square(points).sum(axis=1, keepdims=True))
    return _products(normalised(x), points / np.where(norms == 0.0, 1.0, norms))


def _minkowski(x: Tensor, points: Array, metric: Mapping[str, Any]) -> Tensor:
    power, weights = float(metric["p"]), metric.get("w")
    if weights is not None:
        scale = np.asarray(weights, dtype=np.float64) ** (1.0 / power)
        x, points = x * scale, points * scale
    return summed(x, points, lambda a, b: _step(a, b) ** power)


def _ignoring_gaps(x: Tensor, points: Array) -> Tensor:
    """nan_euclidean: squares over the columns that both have, scaled up to all columns."""
    there = summed(x, points, lambda a, b: (~(a - b).isnan()).cast("float64"))
    square = summed(x, points, _square_or_zero)
    none = there.equals(0.0)
    scaled = square / none.where(1.0, there) * float(points.shape[1])
    return none.where(np.inf, scaled)


def _square_or_zero(a: Tensor, b: Array) -> Tensor:
    step = a - b
    return step.isnan().where(0.0, step * step)


@dataclass(frozen=True)
class Ranking:
    """The values that scikit-learn orders neighbours by, of shape (rows, points).

    They are powers of the distance: the same order without a root.
    """

    rank: Tensor
    power: float = 1.0

    def distance(self, rank: Tensor) -> Tensor:
        """The distances of some ranks."""
        if self.power == 2.0:
            return rank.unary("Sqrt")
        return rank if self.power == 1.0 else rank ** (1.0 / self.power)

    def of(self, distance: float) -> float:
        """The rank of a distance."""
        return float(distance**self.power)


@dataclass(frozen=True)
class OnSphere(Ranking):
    """Ranks by the squared sine of half the angle between two points on a sphere."""

    def distance(self, rank: Tensor) -> Tensor:
        """The angle between the two points, in radians."""
        return arcsin(rank.unary("Sqrt")) * 2.0

    def of(self, distance: float) -> float:
        """The rank of an angle."""
        return math.sin(0.5 * distance) ** 2


def ranked(
    x: Tensor, points: Array, metric: Any, options: Mapping[str, Any], brute: bool
) -> Ranking:
    """The rank of each point, for each row of x, float64.

    Points are of shape (points, columns); metric and options are `effective_metric_` and
    `effective_metric_params_`; `brute` says that scikit-learn searches by brute force, not by a
    tree. A metric that has no conversion raises Unsupported.
    """
    points = dense(points)
    if metric in ("euclidean", "l2"):
        if not brute:
            return Ranking(squared_differences(x, points), 2.0)
        square = expanded(x, points)  # infinity less infinity counts as 0 in _argkmin.pyx.tp
        return Ranking(square.isnan().where(0.0, square), 2.0)
    if metric == "nan_euclidean":
        return Ranking(_ignoring_gaps(x, points), 2.0)
    if metric in ("minkowski", "p"):
        return Ranking(_minkowski(x, points, options), float(options["p"]))
    if metric == "seuclidean" and "V" in options:
        scale = np.sqrt(np.asarray(options["V"], dtype=np.float64))
        return Ranking(squared_differences(x / scale, points / scale), 2.0)
    if metric == "haversine":
        return OnSphere(_haversine(x, points))
    if not isinstance(metric, str) or metric not in SIMPLE:
        raise Unsupported(
            f"the metric {metric!s:.40} has no conversion",
            "Use euclidean, manhattan, chebyshev, minkowski, seuclidean, haversine, cosine or "
            "nan_euclidean.",
        )
    return Ranking(SIMPLE[metric](x, points))


def _haversine(x: Tensor, points: Array) -> Tensor:
    """The squared sine of half the angle; columns are latitude and longitude in radians."""
    across, along = (
        _terms(x, points, lambda a, b: ((a - b) * 0.5).unary("Sin"), index) for index in (0, 1)
    )
    latitude = x.take([0]).unary("Cos") * np.cos(points[:, 0]).reshape(1, -1)
    return across * across + latitude * along * along


SIMPLE: dict[str, Callable[[Tensor, Array], Tensor]] = {
    "chebyshev": chebyshev,
    "cityblock": manhattan,
    "cosine": lambda x, points: (1.0 - cosine_similarity(x, points)).clip(0.0, 2.0),
    "infinity": chebyshev,
    "l1": manhattan,
    "manhattan": manhattan,
    "sqeuclidean": expanded,
}

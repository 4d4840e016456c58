"""Kernels between rows and the points that an estimator has stored, in float64.

Source: `sklearn/metrics/pairwise.py`. Upstream: skl2onnx writes the kernels of few estimators, in
the precision of the input.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from sklearn.metrics.pairwise import KERNEL_PARAMS

from onnxlet.convert.graph.converter import Tensor, Unsupported
from onnxlet.convert.graph.distances import (
    cosine_similarity,
    dense,
    manhattan,
    point_norms,
    squared_differences,
    summed,
)
from onnxlet.function.arrays import Array

FAR_APART = 1e4  # gamma times the largest squared distance from the mean, at which digits are lost
FAR = 1e100  # from all points: a kernel is 0 there, unless gamma is next to 0; inf would give NaN


def pairwise(x: Tensor, points: Array, kernel: Any, options: Mapping[str, Any]) -> Tensor:
    """`pairwise_kernels(x, points, metric=kernel, filter_params=True, **options)`.

    A kernel that is a Python function, or precomputed, raises Unsupported.
    """
    points = dense(points)
    if isinstance(kernel, str) and kernel in INNER:
        scale = _scale(kernel, points.shape[1], options)
        return INNER[kernel](x @ (points * scale).T, options)
    if not isinstance(kernel, str) or kernel not in OTHERS:
        raise Unsupported(
            f"the kernel {getattr(kernel, '__name__', kernel)!s:.40} has no conversion",
            f"Use one of {', '.join([*INNER, *OTHERS])}.",
        )
    accepted = {name: value for name, value in options.items() if name in KERNEL_PARAMS[kernel]}
    return OTHERS[kernel](x, points, **accepted)


def inner_kernel(inner: Tensor, columns: int, kernel: str, options: Mapping[str, Any]) -> Tensor:
    """A kernel that depends only on inner products: one of INNER."""
    scale = _scale(kernel, columns, options)
    return INNER[kernel](inner if scale == 1.0 else inner * scale, options)


def _scale(kernel: str, columns: int, options: Mapping[str, Any]) -> float:
    """The factor of inner products."""
    return 1.0 if kernel == "linear" else _gamma(options.get("gamma"), columns)


def _polynomial(inner: Tensor, options: Mapping[str, Any]) -> Tensor:
    return raised(inner + float(options.get("coef0", 1)), float(options.get("degree", 3)))


def _radial(x: Tensor, points: Array, gamma: Any = None) -> Tensor:
    """exp(gamma (2 x·y - ||x||² - ||y||²)) as one matrix product of centred points.

    Where points are so far from each other that the digits of close ones would be lost, the
    squares of differences are summed.
    """
    scale, centre = _gamma(gamma, x.width), points.sum(axis=0) / max(1, len(points))
    around = points - centre
    norms = point_norms(around)
    if not len(points) or not abs(scale) * norms.max() < FAR_APART:
        return (squared_differences(x, points) * -scale).unary("Exp")
    bounds = (x.graph.constant(bound, x.dtype) for bound in (-FAR, FAR))
    row = x.graph.op("Clip", x - centre, *bounds, dimensions=x.dimensions)
    both = x.graph.concat([row, row.sum_of_squares()])
    weights = np.vstack([2.0 * scale * around.T, np.full((1, len(points)), -scale)])
    return (both @ weights - scale * norms).unary("Exp")


def _additive_chi_squared(x: Tensor, points: Array) -> Tensor:
    return -summed(x, points, _chi_squared_term)


def _chi_squared_term(a: Tensor, b: Array) -> Tensor:
    step, total = a - b, a + b
    none = total.equals(0.0)
    return none.where(0.0, step * step / none.where(1.0, total))


def _gamma(gamma: Any, columns: int) -> float:
    return 1.0 / columns if gamma is None else float(gamma)


def raised(x: Tensor, power: float) -> Tensor:
    """A power; whole ones by repeated squaring, as libsvm does, right for zeros and signs, too."""
    if power != int(power) or not 0 < power <= 16:
        return x**power
    made: Tensor | None = None
    times = int(power)
    while times:
        if times % 2:
            made = x if made is None else made * x
        x, times = x * x, times // 2
    return x if made is None else made


INNER: dict[Any, Callable[..., Tensor]] = {
    "linear": lambda inner, options: inner,
    "poly": _polynomial,
    "polynomial": _polynomial,
    "sigmoid": lambda inner, options: (inner + float(options.get("coef0", 1))).unary("Tanh"),
}
OTHERS: dict[str, Callable[..., Tensor]] = {
    "rbf": _radial,
    "cosine": cosine_similarity,
    "laplacian": lambda x, points, gamma=None: (
        manhattan(x, points) * -_gamma(gamma, x.width)
    ).unary("Exp"),
    "chi2": lambda x, points, gamma=1.0: (_additive_chi_squared(x, points) * float(gamma)).unary(
        "Exp"
    ),
    "additive_chi2": _additive_chi_squared,
}

"""The kernels of Gaussian processes: `sklearn/gaussian_process/kernels.py`.

A kernel that does not depend on the rows is a number here, any other is a tensor.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import factorial
from typing import Any

import numpy as np
from sklearn.gaussian_process import kernels

from onnxlet.convert.graph.converter import Tensor, Unsupported
from onnxlet.convert.graph.distances import dense, squared_differences
from onnxlet.convert.graph.kernels import of_inner, pairwise, raised
from onnxlet.function.arrays import Array

Value = Tensor | float
MOST_HALVES = 12  # of Matern's nu; beyond, its polynomial loses digits
# The value of each pairwise kernel of a row with itself, where it does not depend on the row.
PROFILES = {"rbf": 1.0, "laplacian": 1.0, "chi2": 1.0, "additive_chi2": 0.0}


def between(x: Tensor, points: Array, kernel: Any) -> Value:
    """`kernel(x, points)`, of shape (rows, points)."""
    if type(kernel) in COMBINED:
        return _combined(kernel, lambda part: between(x, points, part))
    if type(kernel) in NUMBERS:
        return float(NUMBERS[type(kernel)](kernel))
    if type(kernel) not in BETWEEN:
        raise Unsupported(f"the kernel {type(kernel).__name__} has no conversion")
    return BETWEEN[type(kernel)](x, points, kernel)


def check(kernel: Any) -> None:
    """Raise Unsupported for a kernel that is, or has, one of the user's own classes."""
    if type(kernel) in COMBINED:
        for part in (getattr(kernel, name, None) for name in ("kernel", "k1", "k2")):
            if part is not None:
                check(part)
    elif type(kernel) not in NUMBERS and type(kernel) not in BETWEEN:
        raise Unsupported(
            f"the kernel {type(kernel).__name__} has no conversion",
            "Use scikit-learn's own kernels, their sums and products.",
        )


def similar(x: Tensor, points: Array, kernel: Any, options: Mapping[str, Any]) -> Tensor:
    """`pairwise_kernels(x, points, metric=kernel, …)`, which takes these kernels, too."""
    if not isinstance(kernel, kernels.Kernel):
        return pairwise(x, points, kernel, options)
    return values(x, dense(points), kernel)


def values(x: Tensor, points: Array, kernel: kernels.Kernel) -> Tensor:
    """As `between`, of shape (rows, points) even if it does not depend on the rows."""
    value = between(x, points, kernel)
    if isinstance(value, Tensor):
        return value
    return (x.take([0]) * 0.0) + np.full((1, len(points)), value)


def at_itself(x: Tensor, kernel: Any) -> Value:
    """`kernel.diag(x)`, one column."""
    if type(kernel) in COMBINED:
        return _combined(kernel, lambda part: at_itself(x, part))
    own = AT_ITSELF.get(type(kernel))
    return 1.0 if own is None else own(x, kernel)


def _combined(kernel: Any, of: Callable[[Any], Value]) -> Value:
    if isinstance(kernel, kernels.Exponentiation):
        base = of(kernel.kernel)
        power = float(kernel.exponent)
        return raised(base, power) if isinstance(base, Tensor) else float(base**power)
    first, second = of(kernel.k1), of(kernel.k2)
    return first + second if isinstance(kernel, kernels.Sum) else first * second


def _radial(x: Tensor, points: Array, kernel: Any) -> Tensor:
    return (_scaled(x, points, kernel) * -0.5).unary("Exp")


def _scaled(x: Tensor, points: Array, kernel: Any) -> Tensor:
    """Squared distances where each column is divided by its length scale."""
    scale = np.squeeze(np.asarray(kernel.length_scale, dtype=np.float64))
    return squared_differences(x / scale, points / scale)


def _matern(x: Tensor, points: Array, kernel: Any) -> Tensor:
    """A polynomial for half-integer nu: Rasmussen and Williams (2006), equation 4.16."""
    if kernel.nu == np.inf:
        return _radial(x, points, kernel)
    degree = kernel.nu - 0.5
    if degree != int(degree) or not 0 <= degree <= MOST_HALVES:
        raise Unsupported(
            f"Matern's nu={kernel.nu:g} takes a Bessel function", "Use nu=0.5, 1.5, 2.5 or inf."
        )
    p = int(degree)
    distance = _scaled(x, points, kernel).unary("Sqrt") * float(np.sqrt(2.0 * kernel.nu))
    total: Value = 0.0
    for i in range(p + 1):
        share = factorial(p) * factorial(p + i) / (factorial(2 * p) * factorial(i))
        term = raised(distance * 2.0, float(p - i)) * (share / factorial(p - i)) if p > i else share
        total = term + total
    return (-distance).unary("Exp") * total


def _rational(x: Tensor, points: Array, kernel: Any) -> Tensor:
    scale = 2.0 * float(kernel.alpha) * float(kernel.length_scale) ** 2
    return (squared_differences(x, points) / scale + 1.0) ** -float(kernel.alpha)


def _periodic(x: Tensor, points: Array, kernel: Any) -> Tensor:
    distance = squared_differences(x, points).unary("Sqrt")
    wave = (distance * float(np.pi / kernel.periodicity)).unary("Sin") / float(kernel.length_scale)
    return (wave * wave * -2.0).unary("Exp")


def _dot(x: Tensor, points: Array, kernel: Any) -> Tensor:
    return x @ points.T + float(kernel.sigma_0) ** 2


def _options(kernel: Any) -> dict[str, Any]:
    return {"gamma": kernel.gamma, **(kernel.pairwise_kernels_kwargs or {})}


def _own_pairwise(x: Tensor, kernel: Any) -> Value:
    if kernel.metric in PROFILES:
        return PROFILES[kernel.metric]
    squares = x.sum_of_squares()
    if kernel.metric == "cosine":
        return squares.equals(0.0).where(0.0, squares * 0.0 + 1.0)
    return of_inner(squares, x.width, kernel.metric, _options(kernel))


COMBINED = (kernels.Exponentiation, kernels.Product, kernels.Sum)
# The value of a kernel of a row with itself, where that is not 1.
AT_ITSELF: dict[type, Callable[[Tensor, Any], Value]] = {
    kernels.ConstantKernel: lambda x, kernel: float(kernel.constant_value),
    kernels.DotProduct: lambda x, kernel: x.sum_of_squares() + float(kernel.sigma_0) ** 2,
    kernels.PairwiseKernel: _own_pairwise,
    kernels.WhiteKernel: lambda x, kernel: float(kernel.noise_level),
}
NUMBERS: dict[type, Callable[[Any], float]] = {
    kernels.ConstantKernel: lambda kernel: kernel.constant_value,
    kernels.WhiteKernel: lambda _: (
        0.0
    ),  # noise is on the diagonal only, and rows are never the training's
}
BETWEEN: dict[type, Callable[[Tensor, Array, Any], Tensor]] = {
    kernels.DotProduct: _dot,
    kernels.ExpSineSquared: _periodic,
    kernels.Matern: _matern,
    kernels.PairwiseKernel: lambda x, points, kernel: pairwise(
        x, points, kernel.metric, _options(kernel)
    ),
    kernels.RBF: _radial,
    kernels.RationalQuadratic: _rational,
}
